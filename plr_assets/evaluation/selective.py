"""Selective prediction: how good the predictions are that are kept when the least certain are sent to a human.

Belongs here: risk-coverage, its areas, and metrics over retention. Does not belong here: where confidence comes from.

Confidence is any number per recording, higher being surer. Recordings of equal confidence have no order of their own:
every quantity here is the mean over their orders (or takes a part of each of them), never that of the rows' order.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from plr_assets.evaluation.estimate import labels_and_probabilities
from plr_assets.evaluation.operating_points import auroc_of, operating_points

# Every 5 % (reference/evaluation.md 1.4).
RETENTION = np.arange(1, 21) / 20


class RiskCoverage(NamedTuple):
    """Keeping the k surest recordings, k = 1..n; coverage and risk (n,).

    risk    share of wrong decisions among the kept.
    aurc    mean risk over all coverages (Ding et al. 2020; Geifman & El-Yaniv 2017).
    e_aurc  aurc less that of an order in which every wrong decision comes last (Geifman, Uziel & El-Yaniv 2019): 0 is
            the best that these decisions allow.
    """

    coverage: NDArray[np.float64]
    risk: NDArray[np.float64]
    aurc: float
    e_aurc: float


class Retention(NamedTuple):
    """Metrics of the kept share of recordings; every field (rates,), NaN where a metric is not defined on them."""

    rate: NDArray[np.float64]
    auroc: NDArray[np.float64]
    brier: NDArray[np.float64]
    scaled_brier: NDArray[np.float64]
    net_benefit: NDArray[np.float64]
    prevalence: NDArray[np.float64]


def distance_from_threshold(p: ArrayLike, threshold: float = 0.5) -> NDArray[np.float64]:
    """|p - threshold|, the confidence of a decision at the threshold."""
    distance: NDArray[np.float64] = np.abs(np.asarray(p, dtype=np.float64) - threshold)
    return distance


def risk_coverage(y: ArrayLike, p: ArrayLike, confidence: ArrayLike, threshold: float = 0.5) -> RiskCoverage:
    """y (n,), p (n,), confidence (n,); a decision is p >= threshold. Raises ValueError for a confidence that is NaN."""
    labels, values = labels_and_probabilities(y, p)
    wrong = (values >= threshold) != labels
    kept = np.arange(1, labels.size + 1)
    # among equals each order is as likely: errors are spread evenly over their places
    spread = _mean_of_equals(wrong.astype(np.float64), _checked(confidence, labels.size))
    risk = np.cumsum(spread) / kept
    errors = int(wrong.sum())
    # the errors come last: none among the first n - r, then 1 of n - r + 1, 2 of n - r + 2, ...
    least = np.sum(np.arange(1, errors + 1) / np.arange(labels.size - errors + 1, labels.size + 1)) / labels.size
    return RiskCoverage(kept / labels.size, risk, float(risk.mean()), float(risk.mean() - least))


def retention(
    y: ArrayLike,
    p: ArrayLike,
    confidence: ArrayLike,
    rates: ArrayLike = RETENTION,
    *,
    threshold: float,
) -> Retention:
    """Metrics of the surest `rates` of recordings, net benefit at the threshold, per recording kept.

    Recordings that tie at the border are all kept with the part that is left for them, so the kept weigh rate x n
    exactly; Brier and net benefit are then those of the mean over orders, AUROC is the weighted one. Scaled Brier uses
    the prevalence of the kept, which changes with the rate: compare rates by Brier, pipelines at a rate by either.
    """
    labels, values = labels_and_probabilities(y, p)
    share = np.asarray(rates, dtype=np.float64)
    if not ((share > 0) & (share <= 1)).all():
        raise ValueError("retention rates lie in 0 < rate <= 1")
    weights = retained(_checked(confidence, labels.size), share)
    kept = weights.sum(axis=1)
    prevalence = weights @ labels / kept
    brier = weights @ (values - labels) ** 2 / kept
    reference = prevalence * (1 - prevalence)
    points = operating_points(labels, values, weights)
    tp, fp = (counts[:, 0] for counts in points.at([threshold]))
    return Retention(
        share,
        auroc_of(points),
        brier,
        1 - np.divide(brier, reference, out=np.full(share.size, np.nan), where=reference > 0),
        (tp - fp * threshold / (1 - threshold)) / kept,
        prevalence,
    )


def retained(confidence: NDArray[np.float64], rates: NDArray[np.float64]) -> NDArray[np.float64]:
    """(rates, n) in 0..1: the weight with which each recording is kept; rows sum to rate x n."""
    ordered = np.sort(confidence)
    surer = ordered.size - np.searchsorted(ordered, confidence, side="right")
    equal = ordered.size - np.searchsorted(ordered, confidence, side="left") - surer
    weights: NDArray[np.float64] = np.clip((rates[:, None] * ordered.size - surer) / equal, 0, 1)
    return weights


def _checked(confidence: ArrayLike, n: int) -> NDArray[np.float64]:
    values = np.asarray(confidence, dtype=np.float64)
    if values.shape != (n,) or np.isnan(values).any():
        raise ValueError(f"confidence is {n} numbers, none of them NaN")
    return values


def _mean_of_equals(values: NDArray[np.float64], confidence: NDArray[np.float64]) -> NDArray[np.float64]:
    """`values` from the surest down, each replaced by the mean over those as sure."""
    group = np.unique(-confidence, return_inverse=True)[1]
    means = np.bincount(group, weights=values) / np.bincount(group)
    ordered: NDArray[np.float64] = means[np.sort(group)]
    return ordered
