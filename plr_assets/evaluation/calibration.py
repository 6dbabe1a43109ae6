"""Calibration: whether the probabilities have the right size.

Belongs here: recalibration slope, calibration-in-the-large, observed / expected, the grouped curve. Does not belong
here: mending the probabilities (a classifier's business).

Intervals: where every subject has one recording, from the model's own variance; where subjects repeat, from variances
clustered by subject. The probabilities are taken as given: uncertainty of fitting the model is not in them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from plr_assets.evaluation.estimate import (
    CONSTANT,
    NONE_EXPECTED,
    ONE_CLASS,
    ONE_SUBJECT,
    SEPARATED,
    Codes,
    Estimate,
    Labels,
    by_influence,
    equal_groups,
    labels_and_probabilities,
    one_recording_each,
    subject_codes,
    undefined,
    wald,
    wilson_ends,
    without_interval,
)

# Probabilities are clipped to this before taking logits: a single p = 0 would otherwise be infinitely influential.
# float32 resolves 6e-8 near 1, so 1e-6 is the smallest power of ten that holds two digits at both ends.
EPSILON = 1e-6
GROUPS = 10


def calibration_slope(y: ArrayLike, p: ArrayLike, subjects: ArrayLike | None = None) -> Estimate:
    """b of logit P(y = 1) = a + b logit(p), by unpenalised maximum likelihood, with Wald's interval.

    1 is ideal, < 1 too extreme, > 1 too timid (Cox 1958). NaN where no finite estimate exists: one class, constant p,
    or classes that a threshold separates.
    """
    labels, values = labels_and_probabilities(y, p)
    codes = subject_codes(subjects, labels.size)
    x = _logit(values)
    if reason := _no_slope(x, labels):
        return undefined(reason)
    from statsmodels.genmod.families import Binomial
    from statsmodels.genmod.generalized_linear_model import GLM

    model = GLM(labels.astype(np.float64), np.column_stack([np.ones_like(x), x]), family=Binomial())
    if one_recording_each(codes):
        result = model.fit()
    elif codes.max() > 0:
        result = model.fit(cov_type="cluster", cov_kwds={"groups": codes})
    else:
        return without_interval(float(model.fit().params[1]), ONE_SUBJECT)
    if not result.converged:
        return undefined("the likelihood has no maximum that was found")
    return wald(float(result.params[1]), float(result.bse[1]))


def calibration_in_the_large(y: ArrayLike, p: ArrayLike, subjects: ArrayLike | None = None) -> Estimate:
    """a of logit P(y = 1) = a + logit(p), slope fixed to 1, with Wald's interval.

    0 is ideal, > 0 means that risk is underestimated. NaN with one class.
    """
    labels, values = labels_and_probabilities(y, p)
    codes = subject_codes(subjects, labels.size)
    if labels.all() or not labels.any():
        return undefined(ONE_CLASS)
    from scipy.optimize import brentq
    from scipy.special import expit, logit

    # One monotone equation, sum of fitted = sum of observed, whose root lies between the shifts that take the largest
    # and the smallest logit to that of the prevalence. IRLS overflows on it where probabilities of 0 and 1 are wrong.
    x, prevalence = _logit(values), labels.mean()
    low, high = logit(prevalence) - x.max(), logit(prevalence) - x.min()
    shift = brentq(lambda a: expit(x + a).mean() - prevalence, low - 1, high + 1, xtol=1e-12)
    fitted = expit(x + shift)
    information = np.sum(fitted * (1 - fitted))
    if one_recording_each(codes):
        return wald(shift, 1 / np.sqrt(information))
    if codes.max() == 0:
        return without_interval(float(shift), ONE_SUBJECT)
    return wald(shift, np.sqrt(_cluster_variance(labels - fitted, codes)) / information)


def observed_expected(y: ArrayLike, p: ArrayLike, subjects: ArrayLike | None = None) -> Estimate:
    """Observed / expected events, with an interval on the log scale.

    Both counts vary with who is in the cohort, and together: the influence of a recording on log(O/E) is
    y / mean(y) - p / mean(p). The usual variance (1 - O/n) / O (Debray et al. 2017, BMJ 356:i6460) takes E as known and
    is too wide for that: it covered 98 to 99 % (docs/decisions/0007). NaN if no event is expected; the interval is NaN
    with one class, where the scale or the variance is not there.
    """
    labels, values = labels_and_probabilities(y, p)
    codes = subject_codes(subjects, labels.size)
    observed, expected = float(labels.sum()), float(values.sum())
    if expected == 0:
        return undefined(NONE_EXPECTED)
    ratio = observed / expected
    if labels.all() or not labels.any():
        return without_interval(ratio, ONE_CLASS)
    relative = by_influence(1.0, labels / labels.mean() - values / values.mean(), codes, log=True)
    return Estimate(ratio, ratio * relative.lower, ratio * relative.upper, relative.reason)


class CalibrationCurve(NamedTuple):
    """Groups from low to high probability; every field (groups,)."""

    predicted_mean: NDArray[np.float64]
    observed_share: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    n: NDArray[np.int64]


def calibration_curve(
    y: ArrayLike, p: ArrayLike, subjects: ArrayLike | None = None, groups: int = GROUPS
) -> CalibrationCurve:
    """Observed share of events against mean probability in groups of equal size, with Wilson's interval.

    Equal probabilities always share a group, so that the curve does not depend on the order of the rows; with many ties
    groups differ in size and some are left out. Repeated recordings of a subject in a group count as one in the
    interval (as if fully correlated, which is the cautious end).
    """
    labels, values = labels_and_probabilities(y, p)
    codes = subject_codes(subjects, labels.size)
    group = equal_groups(values, groups)
    n = np.bincount(group)
    share = np.bincount(group, weights=labels) / n
    n_subjects = np.bincount(np.unique(np.column_stack([group, codes]), axis=0)[:, 0])
    lower, upper = wilson_ends(share, n_subjects.astype(np.float64))
    predicted = np.clip(np.bincount(group, weights=values) / n, 0, 1)
    return CalibrationCurve(predicted, share, lower, upper, n.astype(np.int64))


def _logit(p: NDArray[np.float64]) -> NDArray[np.float64]:
    clipped = np.clip(p, EPSILON, 1 - EPSILON)
    logit: NDArray[np.float64] = np.log(clipped / (1 - clipped))
    return logit


def _cluster_variance(residuals: NDArray[np.float64], codes: Codes) -> float:
    """Variance of the sum of residuals, subjects being independent; NaN with a single subject."""
    sums = np.bincount(codes, weights=residuals)
    return float(sums.size / (sums.size - 1) * np.sum(sums**2)) if sums.size > 1 else float("nan")


def _no_slope(x: NDArray[np.float64], y: Labels) -> str:
    """Why no finite slope exists, or "": a class is missing, or one lies wholly at or beyond the other (Albert &
    Anderson 1984, Biometrika 71:1, for one covariate)."""
    if y.all() or not y.any():
        return ONE_CLASS
    if x.min() == x.max():
        return CONSTANT
    cases, controls = x[y], x[~y]
    return "" if controls.max() > cases.min() and cases.max() > controls.min() else SEPARATED
