"""How well a score puts artefacts before the rest: average precision and area under the ROC curve.

Belongs here: both, exactly, for many weightings of the subjects at once. Does not belong here: thresholds, or drawing
the weights (`subject_bootstrap`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from plr_assets.recordings.table import Mask, Signal

# Thresholds that are worked on at once: 1001 weightings of them take 16 MB an array.
_CHUNK = 2048


def weighted_ranking(
    score: Signal, artefact: Mask, observed: Mask, subject: NDArray[np.intp], weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Average precision and AUROC of the pooled observed samples, (R,) each; NaN where there is only one class.

    score, artefact, observed   (n, T)
    subject                     (n,) 0-based subject of each recording
    weights                     (R, S) whole numbers: how often each subject counts in each weighting

    Exact, without bins. Average precision is the sum over artefacts of the precision at their own score, so only scores
    of artefacts are thresholds; AUROC is a quadratic form of the weights, whose matrix holds the pairs of (artefacts of
    one subject, others of another) in the right order, ties half. All sums but the last are of whole numbers, which
    float64 holds exactly. Raises ValueError for an observed sample without a finite score.
    """
    values = score[observed]
    if not np.isfinite(values).all():
        raise ValueError("an observed sample has no finite score")
    order = np.argsort(-values, kind="stable")
    values, positive = values[order], artefact[observed][order]
    owner = np.broadcast_to(subject[:, None], observed.shape)[observed][order]
    n_subjects = weights.shape[1]
    positives = np.bincount(owner[positive], minlength=n_subjects).astype(np.float64)
    negatives = np.bincount(owner[~positive], minlength=n_subjects).astype(np.float64)
    bucket, tied, n_thresholds = _thresholds(values, positive)

    # Products of whole numbers are exact in float32, too, below 2^24, and take half the time.
    exact = np.float32 if weights.max(initial=0) * values.size < 2**24 else np.float64
    drawn = weights.astype(exact)
    precision_sum = np.zeros(len(weights))
    wrong_pairs = np.zeros((n_subjects, n_subjects))  # twice (a negative of the column's subject ahead), a tie once
    hits, flags = np.zeros((len(weights), 1)), np.zeros((len(weights), 1))
    negatives_above = np.zeros((n_subjects, 1))
    for start in range(0, n_thresholds, _CHUNK):
        size = min(_CHUNK, n_thresholds - start)
        part = slice(*np.searchsorted(bucket, (start, start + size)))
        cell = owner[part] * size + (bucket[part] - start)
        own, other, level = (
            np.bincount(cell[which[part]], minlength=n_subjects * size).reshape(n_subjects, size)
            for which in (positive, ~positive, tied)
        )
        above = negatives_above + np.cumsum(other, axis=1)
        negatives_above = above[:, -1:]
        _add_by_subject(
            wrong_pairs, (2 * above - level).T, owner[part][positive[part]], bucket[part][positive[part]] - start
        )
        new_hits = drawn @ own.astype(exact)
        all_hits = hits + np.cumsum(new_hits, axis=1, dtype=np.float64)
        all_flags = flags + np.cumsum(drawn @ (own + other).astype(exact), axis=1, dtype=np.float64)
        hits, flags = all_hits[:, -1:].copy(), all_flags[:, -1:].copy()
        all_hits /= np.maximum(all_flags, 1)  # precision; where nobody is flagged yet there is no hit either
        precision_sum += np.einsum("rk,rk->r", new_hits, all_hits)

    n_positive, n_negative = weights @ positives, weights @ negatives
    pairs = n_positive * n_negative
    wrong = np.einsum("rs,rs->r", weights @ wrong_pairs, weights) / 2
    nowhere = np.full(len(weights), np.nan)
    one_class = pairs == 0
    aupr = np.divide(precision_sum, n_positive, out=nowhere.copy(), where=~one_class)
    return aupr, np.divide(pairs - wrong, pairs, out=nowhere, where=~one_class)


def _add_by_subject(
    total: NDArray[np.float64], pairs: NDArray[np.float64], owner: NDArray[np.intp], at: NDArray[np.int64]
) -> None:
    """Add row `at[i]` of `pairs` (B, S) to row `owner[i]` of `total` (S, S), for every artefact i."""
    order = np.argsort(owner, kind="stable")
    subjects, first = np.unique(owner[order], return_index=True)
    if subjects.size:
        total[subjects] += np.add.reduceat(np.ascontiguousarray(pairs)[at[order]], first, axis=0)


def _thresholds(values: NDArray[np.float32], positive: Mask) -> tuple[NDArray[np.int64], Mask, int]:
    """For samples by falling score: the first threshold that flags each, whether it is a negative level with it, and
    how many thresholds there are: one for each distinct score of an artefact. Samples below all get that number.
    """
    if values.size == 0:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.bool_), 0
    level = np.concatenate([[0], np.cumsum(values[1:] != values[:-1])])
    holds_artefact = np.bincount(level, weights=positive) > 0
    passed = np.cumsum(holds_artefact)
    bucket: NDArray[np.int64] = (passed - holds_artefact).astype(np.int64)[level]
    return bucket, ~positive & holds_artefact[level], int(passed[-1])
