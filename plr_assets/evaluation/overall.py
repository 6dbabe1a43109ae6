"""Overall performance: the Brier score and its scaled form.

Belongs here: proper scores of the probabilities. Does not belong here: their parts (`discrimination`, `calibration`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from plr_assets.evaluation.estimate import Floats, labels_and_probabilities, labels_of


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
