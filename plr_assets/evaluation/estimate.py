"""A number with its interval, and the checks every metric starts with.

Belongs here: what all metric modules share. Does not belong here: a metric.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.floating]
Labels = NDArray[np.bool_]
Codes = NDArray[np.intp]

# Two-sided 95 % of the normal distribution: every interval in the project is a 95 % interval (schemas).
Z_95 = 1.959963984540054


class Estimate(NamedTuple):
    """A value and its 95 % interval; NaN where the data do not define it."""

    value: float
    lower: float
    upper: float


UNDEFINED = Estimate(np.nan, np.nan, np.nan)


def wald(value: float, standard_error: float) -> Estimate:
    """`value` -/+ 1.96 standard errors."""
    return Estimate(value, value - Z_95 * standard_error, value + Z_95 * standard_error)


def labels_of(y: ArrayLike) -> Labels:
    """(n,) booleans. Raises ValueError if `y` is empty or holds anything but 0 and 1."""
    values = np.asarray(y)
    if values.ndim != 1 or values.size == 0 or not np.isin(values, (0, 1)).all():
        raise ValueError("labels are a non-empty vector of 0 and 1")
    return values.astype(bool)


def labels_and_probabilities(y: ArrayLike, p: ArrayLike) -> tuple[Labels, NDArray[np.float64]]:
    """(n,) booleans and (n,) probabilities. Raises ValueError on unequal length, NaN, or p outside 0..1."""
    labels, values = labels_of(y), np.asarray(p, dtype=np.float64)
    if values.shape != labels.shape:
        raise ValueError(f"{values.shape} probabilities for {labels.shape} labels")
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError("probabilities lie in 0..1 and are not NaN")
    return labels, values


def subject_codes(subjects: ArrayLike | None, n: int) -> Codes:
    """(n,) 0-based codes of the subjects; every recording its own subject where none are given."""
    if subjects is None:
        return np.arange(n)
    names = np.asarray(subjects)
    if names.shape != (n,):
        raise ValueError(f"{names.shape} subjects for {n} recordings")
    return np.asarray(np.unique(names, return_inverse=True)[1], dtype=np.intp)


def one_recording_each(codes: Codes) -> bool:
    """Whether no subject has a second recording, so that clustered and plain variances coincide."""
    return int(codes.max()) + 1 == codes.size
