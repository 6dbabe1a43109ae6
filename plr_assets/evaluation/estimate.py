"""A number with its interval, and the checks every metric starts with.

Belongs here: what all metric modules share. Does not belong here: a metric.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from plr_assets.subject_bootstrap import percentile_interval

Floats = NDArray[np.floating]
Labels = NDArray[np.bool_]
Codes = NDArray[np.intp]

# Two-sided 95 % of the normal distribution: every interval in the project is a 95 % interval (schemas).
Z_95 = 1.959963984540054


class _Interval(NamedTuple):
    value: float
    lower: float
    upper: float


class Estimate(_Interval):
    """A value and its 95 % interval: three numbers, NaN where the data do not define them.

    reason    why value or interval is NaN; empty where all three are numbers. Not part of equality.
    """

    reason: str

    def __new__(cls, value: float, lower: float, upper: float, reason: str = "") -> Estimate:
        made = super().__new__(cls, value, lower, upper)
        made.reason = reason
        return made


# Why a number is not there. Reports print these as they stand.
ONE_CLASS = "the recordings are of one class"
CONSTANT = "all probabilities are equal"
SEPARATED = "a threshold separates the classes"
FEW_SUBJECTS = "a class has fewer than two subjects"
ONE_SUBJECT = "there is one subject"
SAME_EVERYWHERE = "every resample gives the same value"
NO_VARIANCE = "no pair, or every pair, is out of order: the variance cannot be estimated"
NONE_EXPECTED = "no event is expected"
NONE_REFERRED = "no recording is at or above the threshold"
ALL_REFERRED = "no recording is below the threshold"

UNDEFINED = Estimate(np.nan, np.nan, np.nan, "not defined by these data")


def undefined(reason: str) -> Estimate:
    """Neither value nor interval."""
    return Estimate(np.nan, np.nan, np.nan, reason)


def without_interval(value: float, reason: str) -> Estimate:
    """A value whose interval the data do not define."""
    return Estimate(value, np.nan, np.nan, reason)


def percentile(values: NDArray[np.float64], n_subjects: int, reason: str = ONE_CLASS) -> Estimate:
    """`values[0]` with the 2.5 and 97.5 % points of its resamples `values[1:]`, of those that are defined.

    reason: why `values[0]` is NaN, if it is. No interval where all resamples agree: no width would claim certainty.
    """
    if np.isnan(values[0]):
        return undefined(reason)
    lower, upper = percentile_interval(values, n_subjects)
    if np.isnan(lower):
        return without_interval(float(values[0]), ONE_SUBJECT)
    if lower == upper:
        return without_interval(float(values[0]), SAME_EVERYWHERE)
    return Estimate(float(values[0]), lower, upper)


def by_influence(value: float, influence: NDArray[np.float64], codes: Codes, *, log: bool = False) -> Estimate:
    """The interval of a smooth function of means, from the influence of every recording on it.

    influence (n,), with mean 0. The variance is that of the sums over subjects (the infinitesimal jackknife, Efron &
    Tibshirani 1993, ch. 22, with n/(n-1)): for a mean of independent recordings it is s^2/n. Student's quantile with
    subjects - 1. log: on the log scale, for what is positive and skewed.
    """
    error = clustered_standard_error(influence, codes)
    if np.isnan(error):
        return without_interval(value, ONE_SUBJECT)
    if error == 0:
        return without_interval(value, SAME_EVERYWHERE)
    half = student(codes) * error
    if not log:
        return Estimate(value, value - half, value + half)
    factor = np.exp(half / value)
    return Estimate(value, float(value / factor), float(value * factor))


def student(codes: Codes) -> float:
    """97.5 % point of Student's t with as many degrees of freedom as subjects less one; NaN with one subject."""
    from scipy.special import stdtrit

    return float(stdtrit(codes.max(), 0.975)) if codes.max() else float("nan")


def clustered_standard_error(influence: NDArray[np.float64], codes: Codes) -> float:
    """Standard error of the mean of (n,) influences, subjects being clusters; NaN with one subject."""
    sums = np.bincount(codes, weights=influence) / influence.size
    size = sums.size
    if size < 2:
        return float("nan")
    spread = float(np.sum((sums - sums.mean()) ** 2))
    # rounding of influences that are all 0 is no variance
    return float(np.sqrt(size / (size - 1) * spread)) if spread > np.finfo(float).eps ** 2 else 0.0


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


def equal_groups(values: NDArray[np.float64], groups: int) -> NDArray[np.intp]:
    """(n,) 0-based group of each value, groups of nearly equal size from low to high.

    Equal values always share a group, so that nothing depends on the order of the rows; with many ties groups differ in
    size and some are left out.
    """
    from scipy.stats import rankdata

    place = np.floor(groups * (rankdata(values) - 0.5) / values.size).astype(np.intp)
    return np.asarray(np.unique(place, return_inverse=True)[1], dtype=np.intp)


def wilson_ends(
    share: NDArray[np.float64], n: NDArray[np.float64] | float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Wilson's 1927 score interval of shares of `n` recordings; n may be an effective, fractional number."""
    centre = (share + Z_95**2 / (2 * n)) / (1 + Z_95**2 / n)
    half = Z_95 / (1 + Z_95**2 / n) * np.sqrt(share * (1 - share) / n + Z_95**2 / (4 * n**2))
    # where the share is 0 or 1 the end is that, but for rounding
    lower, upper = np.minimum(np.maximum(centre - half, 0.0), share), np.maximum(np.minimum(centre + half, 1.0), share)
    return lower, upper
