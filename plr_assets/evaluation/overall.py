"""Overall performance: the Brier score, its scaled form and its parts.

Belongs here: proper scores of the probabilities. Does not belong here: `discrimination` or
`calibration` by themselves.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from plr_assets.evaluation.estimate import (
    ONE_CLASS,
    Estimate,
    Floats,
    by_influence,
    equal_groups,
    labels_and_probabilities,
    labels_of,
    subject_codes,
    undefined,
)


def brier(y: ArrayLike, p: ArrayLike) -> float:
    """Mean squared difference of probability and outcome; 0 is perfect."""
    labels, values = labels_and_probabilities(y, p)
    return float(np.mean((values - labels) ** 2))


def brier_rows(y: ArrayLike, p: Floats, mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Brier score of every row: y (n,), p (B, n), mask (B, n) true where it counts. (B,), NaN for an empty row."""
    squares = np.where(mask, (np.asarray(p, dtype=np.float64) - labels_of(y)) ** 2, 0.0).sum(axis=1)
    counts = mask.sum(axis=1)
    scores: NDArray[np.float64] = np.divide(squares, counts, out=np.full(len(p), np.nan), where=counts > 0)
    return scores


def scaled_brier(score: float, prevalence: float) -> float:
    """1 - Brier / Brier of predicting the prevalence: 1 is perfect, 0 no better than that, negative worse.

    Also known as IPA (Kattan & Gerds 2018). NaN at a prevalence of 0 or 1, where the reference is perfect.
    """
    reference = prevalence * (1 - prevalence)
    return 1 - score / reference if reference > 0 else float("nan")


def brier_estimate(y: ArrayLike, p: ArrayLike, subjects: ArrayLike | None = None) -> Estimate:
    """Brier score of fixed predictions, a mean of squares, with an interval on the log scale, by subject."""
    labels, values = labels_and_probabilities(y, p)
    squares = (values - labels) ** 2
    score = float(squares.mean())
    return by_influence(score, squares - score, subject_codes(subjects, labels.size), log=True)


def scaled_brier_estimate(y: ArrayLike, p: ArrayLike, subjects: ArrayLike | None = None) -> Estimate:
    """Scaled Brier score of fixed predictions, with Wald's interval (clustered by subject).

    The prevalence it is scaled by is estimated too: with s the square of a recording, B the mean of squares, q the
    prevalence and v = q (1 - q), the recording's influence is -(s - B)/v + B (1 - 2q)(y - q)/v^2.
    """
    labels, values = labels_and_probabilities(y, p)
    prevalence = labels.mean()
    if labels.all() or not labels.any():
        return undefined(ONE_CLASS)
    squares, reference = (values - labels) ** 2, prevalence * (1 - prevalence)
    score = squares.mean()
    influence = -(squares - score) / reference
    influence += score * (1 - 2 * prevalence) * (labels - prevalence) / reference**2
    return by_influence(float(1 - score / reference), influence, subject_codes(subjects, labels.size))


class BrierParts(NamedTuple):
    """Brier = reliability - resolution + uncertainty + within, exactly."""

    brier: float
    reliability: float
    resolution: float
    uncertainty: float
    within: float
    groups: int


def brier_parts(y: ArrayLike, p: ArrayLike, groups: int = 10) -> BrierParts:
    """Murphy's 1973 parts of the Brier score over groups of (nearly) equal size, those of the calibration curve.

    reliability   sum of n_k/n (mean p_k - mean y_k)^2; 0 is calibrated.
    resolution    sum of n_k/n (mean y_k - prevalence)^2; as high as the uncertainty is perfect.
    uncertainty   prevalence (1 - prevalence).
    within        variance of p less twice its covariance with y inside groups, which Murphy's sum leaves out
                  (Stephenson, Coelho & Jolliffe 2008, Weather Forecast 23:752); 0 where a group is of one probability.
    """
    labels, values = labels_and_probabilities(y, p)
    group = equal_groups(values, groups)
    n = np.bincount(group)
    predicted, observed = np.bincount(group, weights=values) / n, np.bincount(group, weights=labels) / n
    prevalence, share = labels.mean(), n / labels.size
    apart = values - predicted[group]
    within = np.mean(apart**2) - 2 * np.mean(apart * (labels - observed[group]))
    return BrierParts(
        brier(y, p),
        float(share @ (predicted - observed) ** 2),
        float(share @ (observed - prevalence) ** 2),
        float(prevalence * (1 - prevalence)),
        float(within),
        int(n.size),
    )
