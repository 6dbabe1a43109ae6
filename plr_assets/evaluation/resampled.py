"""Discrimination with intervals from the clustered bootstrap: AUROC, average precision, partial AUROC.

Belongs here: metrics of ranking that have no variance formula we trust at this size, resampled by subject. Does not
belong here: AUROC with DeLong's interval (`discrimination`), or metrics that are means (their influence gives the
interval: `overall`, `utility`, `decisions`).

The target of each interval: what these predictions, as fixed, would reach in the population of the recordings.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

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


def _by_spread(values: Matrix, n_subjects: int) -> Estimate:
    """`values[0]` with the logit interval of the variance of its resamples `values[1:]`, of those that are defined."""
    resampled = values[1:][np.isfinite(values[1:])]
    if np.isnan(values[0]):
        return undefined(ONE_CLASS)
    if n_subjects < 2 or resampled.size < 2:
        return without_interval(float(values[0]), ONE_SUBJECT)
    return logit_interval(float(values[0]), float(resampled.var(ddof=1)))
