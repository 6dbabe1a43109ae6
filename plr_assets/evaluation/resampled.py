"""Discrimination with intervals from the clustered bootstrap: AUROC, average precision, partial AUROC.

Belongs here: metrics of ranking that have no variance formula we trust at this size, resampled by subject. Does not
belong here: AUROC with DeLong's interval (`discrimination`), or metrics that are means (their influence gives the
interval: `overall`, `utility`, `decisions`).

The target of each interval: what these predictions, as fixed, would reach in the population of the recordings.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from plr_assets.evaluation.discrimination import logit_interval
from plr_assets.evaluation.estimate import (
    ONE_CLASS,
    ONE_SUBJECT,
    Estimate,
    percentile,
    subject_codes,
    undefined,
    without_interval,
)
from plr_assets.evaluation.operating_points import (
    MIN_SENSITIVITY,
    MIN_SPECIFICITY,
    Matrix,
    auroc_of,
    average_precision_of,
    operating_points,
    partial_auroc_of,
)
from plr_assets.subject_bootstrap import LEVELS


class Ranking(NamedTuple):
    auroc: Estimate
    average_precision: Estimate
    partial_auroc: Estimate


def ranking(
    y: ArrayLike,
    p: ArrayLike,
    weights: Matrix,
    subjects: ArrayLike | None = None,
    *,
    min_sensitivity: float = MIN_SENSITIVITY,
    min_specificity: float = MIN_SPECIFICITY,
) -> Ranking:
    """Three metrics and their 95 % intervals.

    AUROC and average precision: on the logit scale, with the standard deviation of their resamples, because percentiles
    cover 91 % with 17 cases (docs/decisions/0007). Partial AUROC, which is 0 where the curve misses the corner:
    percentiles. weights (1 + R, n) of `operating_points.recording_weights`, row 0 all ones. Resamples that lack a class
    are left out. NaN, with the reason, where a class is absent; no interval where all resamples agree.
    Average precision has the prevalence, not 1/2, for a ranking at random: compare it within one cohort only.
    """
    points = operating_points(y, p, weights)
    clusters = int(subject_codes(subjects, weights.shape[1]).max()) + 1
    return Ranking(
        _by_spread(auroc_of(points), clusters),
        _by_spread(average_precision_of(points), clusters),
        percentile(partial_auroc_of(points, min_sensitivity, min_specificity), clusters),
    )


class RocBand(NamedTuple):
    """Sensitivity at 101 false positive rates, with its pointwise 95 % interval; NaN where a class is absent."""

    false_positive_rate: NDArray[np.float64]
    true_positive_rate: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]


# Steps of 0.01, as of the thresholds of the decision curve.
FALSE_POSITIVE_RATES = np.linspace(0, 1, 101)


def roc_band(y: ArrayLike, p: ArrayLike, weights: Matrix, subjects: ArrayLike | None = None) -> RocBand:
    """The ROC curve between its points, at fixed false positive rates, and how far it moves over resamples.

    Vertical averaging (Fawcett 2006, Pattern Recogn Lett 27:861), as `ci.se` of pROC: in each resample the curve is
    read at the same rates, straight between its points; where it rises upright, at its upper end. The band is of
    percentiles, and holds the curve itself, which with few cases may lie beyond them. weights and subjects as in
    `ranking`; no band where all resamples agree: they do not tell how far it moves.
    """
    points = operating_points(y, p, weights)
    with np.errstate(invalid="ignore", divide="ignore"):
        sensitivity = points.true_positive / points.cases[:, None]
        rate = points.false_positive / points.controls[:, None]
    whole = np.asarray(np.isfinite(sensitivity + rate).all(axis=1))
    at = FALSE_POSITIVE_RATES
    if not whole[0]:
        return RocBand(at.copy(), *np.full((3, at.size), np.nan))
    read = np.stack([np.interp(at, x, s) for x, s in zip(rate[whole], sensitivity[whole], strict=True)])
    n_subjects = int(subject_codes(subjects, weights.shape[1]).max()) + 1
    if n_subjects < 2 or (read[1:] == read[0]).all():
        return RocBand(at.copy(), read[0], *np.full((2, at.size), np.nan))
    lower, upper = np.quantile(read[1:], LEVELS, axis=0)
    return RocBand(at.copy(), read[0], np.minimum(lower, read[0]), np.maximum(upper, read[0]))


def _by_spread(values: Matrix, n_subjects: int) -> Estimate:
    """`values[0]` with the logit interval of the variance of its resamples `values[1:]`, of those that are defined."""
    resampled = values[1:][np.isfinite(values[1:])]
    if np.isnan(values[0]):
        return undefined(ONE_CLASS)
    if n_subjects < 2 or resampled.size < 2:
        return without_interval(float(values[0]), ONE_SUBJECT)
    return logit_interval(float(values[0]), float(resampled.var(ddof=1)))
