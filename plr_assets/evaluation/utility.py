"""Clinical utility: net benefit of referring by a probability threshold.

Belongs here: net benefit and decision curves. Does not belong here: choosing the threshold, which is the clinic's.
Vickers & Elkin 2006, Med Decis Making 26:565.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from plr_assets.evaluation.estimate import labels_and_probabilities, labels_of

# 1 % to 50 %: beyond, a missed glaucoma would weigh less than a needless referral.
THRESHOLDS = np.arange(1, 51) / 100


def net_benefit(y: ArrayLike, p: ArrayLike, thresholds: ArrayLike) -> NDArray[np.float64]:
    """TP/n - FP/n * t/(1-t), referring where p >= t. thresholds (k,) in 0 < t < 1; returns (k,)."""
    labels, values = labels_and_probabilities(y, p)
    odds = _odds(thresholds)
    order = np.sort(values[labels]), np.sort(values[~labels])
    true_positive, false_positive = (
        group.size - np.searchsorted(group, np.asarray(thresholds), side="left") for group in order
    )
    benefit: NDArray[np.float64] = (true_positive - false_positive * odds) / labels.size
    return benefit


def net_benefit_all(y: ArrayLike, thresholds: ArrayLike) -> NDArray[np.float64]:
    """Net benefit of referring everyone: prevalence - (1 - prevalence) * t/(1-t), not clipped at 0."""
    prevalence = labels_of(y).mean()
    benefit: NDArray[np.float64] = prevalence - (1 - prevalence) * _odds(thresholds)
    return benefit


class DecisionCurve(NamedTuple):
    """Net benefit over thresholds; every field (thresholds,)."""

    threshold: NDArray[np.float64]
    model: NDArray[np.float64]
    refer_all: NDArray[np.float64]
    refer_none: NDArray[np.float64]


def decision_curve(y: ArrayLike, p: ArrayLike) -> DecisionCurve:
    """Net benefit of the model, of referring everyone and of referring no one (0), at 1-50 %."""
    model, everyone = net_benefit(y, p, THRESHOLDS), net_benefit_all(y, THRESHOLDS)
    return DecisionCurve(THRESHOLDS.copy(), model, everyone, np.zeros_like(model))


def _odds(thresholds: ArrayLike) -> NDArray[np.float64]:
    t = np.asarray(thresholds, dtype=np.float64)
    if not ((t > 0) & (t < 1)).all():
        raise ValueError("a threshold lies between 0 and 1, both excluded")
    odds: NDArray[np.float64] = t / (1 - t)
    return odds
