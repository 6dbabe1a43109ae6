"""Class weights: whether each class counts as much as the other, or as often as it occurs.

Belongs here: the choice and its weights. Does not belong here: what a method does with a weight. Weighting moves the
probabilities away from the prevalence, so calibration suffers; that is why it is a choice and not the default.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from plr_assets.classification.base import Classes, Weights

ClassWeight = Literal["balanced"]
CHOICES: tuple[ClassWeight | None, ...] = (None, "balanced")


def class_weighted(y: Classes, sample_weight: Weights | None, choice: ClassWeight | None) -> Weights | None:
    """`sample_weight` (n,), times n / (2 n_class) where `balanced` (scikit-learn's rule; n counts by weight)."""
    if choice is None:
        return sample_weight
    weights = np.ones(y.size) if sample_weight is None else sample_weight
    return weights * balance(y, weights)


def balance(y: Classes, counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """y (n,), counts (..., n) -> (..., n): n / (2 n_class), of each sample's class."""
    total = counts.sum(axis=-1, keepdims=True)
    positive = (counts * y).sum(axis=-1, keepdims=True)
    weights: NDArray[np.float64] = np.where(y == 1, total / (2 * positive), total / (2 * (total - positive)))
    return weights
