"""The statistics that features are made of: each turns windows of a signal into one number a recording.

Belongs here: a name and a vectorised function. Does not belong here: which window, light or unit (configuration).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Windows = NDArray[np.float64]
Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Statistic:
    """`compute` takes (n, w) values in % and the time between samples in s, and returns (n,).

    Windows have at least `least_samples` samples; shorter ones have no value.
    """

    description: str
    compute: Callable[[Windows, float], Values]
    least_samples: int = 1


def _auc(values: Windows, step_s: float) -> Values:
    return np.asarray(np.trapezoid(values, dx=step_s, axis=1))


# The reference implementation calls the minimum "max" (of the constriction). Here a name says what is computed.
STATISTICS: Mapping[str, Statistic] = {
    "min": Statistic("minimum", lambda values, _: values.min(axis=1)),
    "max": Statistic("maximum", lambda values, _: values.max(axis=1)),
    "mean": Statistic("mean", lambda values, _: values.mean(axis=1)),
    "median": Statistic("median", lambda values, _: np.median(values, axis=1)),
    "sd": Statistic("standard deviation", lambda values, _: values.std(axis=1, ddof=1), least_samples=2),
    "range": Statistic("maximum less minimum", lambda values, _: np.ptp(values, axis=1)),
    "auc": Statistic("area under the curve (trapezoids, constriction negative)", _auc, least_samples=2),
}
