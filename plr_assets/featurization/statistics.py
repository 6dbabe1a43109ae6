"""The statistics that features are made of: each turns windows of a signal into one number a recording.

Belongs here: a name, its options and a vectorised function. Does not belong here: which window, light or unit
(configuration), or speeds, moments and fits (`dynamics`), which are only named here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from plr_assets.featurization import dynamics
from plr_assets.featurization.dynamics import Cut

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Statistic:
    """`compute` takes a `Cut` of n windows, and its options by name, and returns (n,).

    Windows have at least `least_samples` samples; shorter ones have no value. `options`: name -> default.
    """

    description: str
    compute: Callable[..., Values]
    least_samples: int = 1
    options: Mapping[str, float] = field(default_factory=dict)


def _median(cut: Cut) -> Values:
    """By partition at one place, where numpy's own looks for NaN besides."""
    width = cut.values.shape[1]
    middle = np.partition(cut.values, (width - 1) // 2 if width % 2 else (width // 2 - 1, width // 2), axis=1)
    return np.asarray((middle[:, (width - 1) // 2] + middle[:, width // 2]) / 2)


def _auc(cut: Cut) -> Values:
    inner = cut.values.sum(axis=1) - (cut.values[:, 0] + cut.values[:, -1]) / 2
    return np.asarray(inner * cut.step_s)


_SMOOTH = {"smooth_s": 0.3}

# The reference implementation calls the minimum "max" (of the constriction). Here a name says what is computed.
STATISTICS: Mapping[str, Statistic] = {
    "min": Statistic("minimum", lambda cut: cut.values.min(axis=1)),
    "max": Statistic("maximum", lambda cut: cut.values.max(axis=1)),
    "mean": Statistic("mean", lambda cut: cut.values.mean(axis=1)),
    "median": Statistic("median", _median),
    "sd": Statistic("standard deviation", lambda cut: cut.values.std(axis=1, ddof=1), least_samples=2),
    "range": Statistic("maximum less minimum", lambda cut: np.ptp(cut.values, axis=1)),
    "auc": Statistic("area under the curve (trapezoids, constriction negative)", _auc, least_samples=2),
    "slope": Statistic("slope of the least-squares line", dynamics.slope, least_samples=2),
    "time_of_min": Statistic("time from the reference to the minimum", dynamics.time_of_min),
    "speed_min": Statistic(
        "fastest constriction (minimum of the time derivative)", dynamics.speed_min, least_samples=3, options=_SMOOTH
    ),
    "speed_max": Statistic(
        "fastest redilation (maximum of the time derivative)", dynamics.speed_max, least_samples=3, options=_SMOOTH
    ),
    "mean_speed_to_min": Statistic(
        "mean speed from the start of the window to the minimum",
        dynamics.mean_speed_to_min,
        least_samples=3,
        options=_SMOOTH,
    ),
    "latency_threshold": Statistic(
        "time from the reference to the constriction's crossing of the threshold",
        dynamics.latency_threshold,
        least_samples=3,
        options={"threshold": 5.0, **_SMOOTH},
    ),
    "latency_acceleration": Statistic(
        "time from the reference to the strongest acceleration of the constriction",
        dynamics.latency_acceleration,
        least_samples=3,
        options=_SMOOTH,
    ),
    "time_constant": Statistic(
        "time constant of an exponential return, robust fit",
        dynamics.time_constant,
        least_samples=10,
        options={"shortest_s": 0.2, "longest_s": 20.0},
    ),
}
