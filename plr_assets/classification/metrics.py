"""AUROC and Brier score of all iterations of a bootstrap at once.

Belongs here: the two numbers that a bootstrap row carries. Does not belong here: metrics with intervals (`evaluation`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats32 = NDArray[np.float32]


def auroc_each(y_true: NDArray[np.integer], y_prob: Floats32, lengths: NDArray[np.integer]) -> NDArray[np.float64]:
    """(B,) share of (positive, negative) pairs in the right order, ties half: exact, counted in integers.

    y_true (sum of lengths,) 0 or 1 and y_prob (sum of lengths,) float32 in 0..1: iteration after iteration, `lengths`
    (B,) of each. Raises ValueError for other values and for an iteration of one class.
    """
    _require_probabilities(y_true, y_prob, lengths)
    positives = np.add.reduceat(y_true.astype(np.int64), _starts(lengths))
    pairs = positives * (lengths - positives)
    if not pairs.all():
        raise ValueError(f"iteration {np.flatnonzero(pairs == 0)[0]} has one class")
    # One sort of integers: iteration, then probability (the bits of a non-negative float are in its order; adding 0
    # makes -0 one of them), then class. Below 2^30 for a probability up to 1, so 31 bits stay for the iteration.
    bits = (y_prob + np.float32(0)).view(np.uint32).astype(np.uint64)
    iteration = np.repeat(np.arange(lengths.size, dtype=np.uint64), lengths)
    keys = np.sort(iteration << np.uint64(33) | bits << np.uint64(1) | y_true.astype(np.uint64))
    positive = (keys & np.uint64(1)).astype(np.int64)
    # Negatives so far, over all iterations; within a tie they come before the positives.
    negatives = np.cumsum(1 - positive)
    before = np.concatenate([[0], negatives[:-1]])
    opens_tie = np.concatenate([[True], keys[1:] >> np.uint64(1) != keys[:-1] >> np.uint64(1)])
    below = np.maximum.accumulate(np.where(opens_tie, before, 0))
    twice_won = np.add.reduceat(positive * (below + negatives), _starts(lengths))
    twice_won -= 2 * positives * before[_starts(lengths)]
    areas: NDArray[np.float64] = twice_won / (2 * pairs)
    return areas


def brier_each(y_true: NDArray[np.integer], y_prob: Floats32, lengths: NDArray[np.integer]) -> NDArray[np.float64]:
    """(B,) mean squared difference of outcome and probability. Arguments as those of `auroc_each`."""
    _require_probabilities(y_true, y_prob, lengths)
    squares = np.square(y_prob.astype(np.float64) - y_true)
    scores: NDArray[np.float64] = np.add.reduceat(squares, _starts(lengths)) / lengths
    return scores


def _starts(lengths: NDArray[np.integer]) -> NDArray[np.int64]:
    starts: NDArray[np.int64] = np.cumsum(lengths, dtype=np.int64) - lengths
    return starts


def _require_probabilities(y_true: NDArray[np.integer], y_prob: Floats32, lengths: NDArray[np.integer]) -> None:
    if y_prob.dtype != np.float32 or not y_true.shape == y_prob.shape == (int(lengths.sum()),):
        raise ValueError(f"{y_true.shape} labels, {y_prob.shape} {y_prob.dtype} probabilities, {lengths.sum()} rows")
    if not lengths.size or lengths.min() < 1:
        raise ValueError("an iteration has no case")
    bad = ~((y_prob >= 0) & (y_prob <= 1))
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        iteration = int(np.searchsorted(np.cumsum(lengths), row, side="right"))
        raise ValueError(f"iteration {iteration} has a probability of {y_prob[row]}")
