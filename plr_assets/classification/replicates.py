"""Refitted replicates: what some of the bootstrap's models say of every case, and of cases with a feature shuffled.

Belongs here: refitting them from the stored draws and the study's seed, because no replicate is kept. Does not belong
here: what is concluded from their predictions (`evaluation`).

A case with a shuffled feature, or a case that was drawn, is put to a replicate as one more row that is never drawn. So
`Classifier.out_of_bag` answers for it, whichever way the method fits its replicates, and it cannot reach a fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from plr_assets.classification.base import Classes, Classifier, Features
from plr_assets.classification.resampling import MOST_CASES, Resamples
from plr_assets.seeds import generator

# Replicates that share one shuffle. Methods that fit replicates together are the faster the more there are; 100
# replicates then see 10 shuffles of each feature, which average the luck of one.
_SHARE_A_SHUFFLE = 10


@dataclass(frozen=True, eq=False)
class Replicates:
    """`R` replicates, `n` cases, `p` features: probabilities of class 1.

    counts     (R, n) how often the replicate was fitted on each case; 0 = out of bag.
    on_all     (R, n) of every case, drawn or not.
    shuffled   (R, p, n) of every case with feature j shuffled among the cases.
    """

    counts: NDArray[np.int64]
    on_all: NDArray[np.float64]
    shuffled: NDArray[np.float64]

    @property
    def out_of_bag(self) -> NDArray[np.bool_]:
        out: NDArray[np.bool_] = self.counts == 0
        return out

    def departure(self, bootstrap: pl.DataFrame) -> float:
        """The largest difference between these predictions and those that `schemas.BOOTSTRAP_RESULTS` holds of the same
        replicates, its first ones."""
        rows = bootstrap.sort("iteration").head(len(self.counts))
        stored = [np.asarray(row, dtype=np.float64) for row in rows["y_prob"].to_list()]
        pairs = zip(stored, self.on_all, self.counts == 0, strict=True)
        return max(float(np.abs(kept - p[out]).max(initial=0.0)) for kept, p, out in pairs)


def resamples_of(bootstrap: pl.DataFrame, n: int, seed: int, first: int | None = None) -> Resamples:
    """The draws that `schemas.BOOTSTRAP_RESULTS` of `n` cases holds, or the `first` of them, by iteration."""
    rows = bootstrap.sort("iteration").head(bootstrap.height if first is None else first)
    drawn = [np.asarray(row, dtype=np.int64) for row in rows["train_indices"].to_list()]
    return Resamples(np.array([np.bincount(row, minlength=n) for row in drawn], dtype=np.int64), seed)


def refit(classifier: Classifier, X: Features, y: Classes, resamples: Resamples, seeds: Sequence[int]) -> Replicates:
    """Fit the replicates of `resamples` again and ask them for every case, intact and with each feature shuffled.

    X (n, p) finite, y (n,), seeds (len(resamples),): those of the replicates. Which cases swap values follows from the
    study's seed, the same for all pipelines.
    """
    n, features = X.shape
    on_all = np.empty((len(resamples), n))
    shuffled = np.empty((len(resamples), features, n))
    # indices of cases are uint16: the cases, the cases again, and as many shuffled copies as there is room for
    at_once = max(1, MOST_CASES // n - 2)
    for first in range(0, len(resamples), _SHARE_A_SHUFFLE):
        chunk = slice(first, first + _SHARE_A_SHUFFLE)
        draw = generator(resamples.seed, "permutation", str(first))
        copies = _with_one_shuffled(X, draw)
        for start in range(0, max(features, 1), at_once):
            block = copies[start : start + at_once]
            asked = np.vstack([X, X, *block])
            counts = np.zeros((len(resamples.counts[chunk]), len(asked)), dtype=np.int64)
            counts[:, :n] = resamples.counts[chunk]
            answers = classifier.out_of_bag(
                asked, np.tile(y, len(asked) // n), Resamples(counts, resamples.seed), seeds[chunk]
            )
            for row, predicted in enumerate(answers, start=first):
                further = predicted[-(len(asked) - n) :].reshape(-1, n)
                on_all[row], shuffled[row, start : start + len(block)] = further[0], further[1:]
    return Replicates(resamples.counts, on_all, shuffled)


def _with_one_shuffled(X: Features, draw: np.random.Generator) -> list[Features]:
    copies = []
    for feature in range(X.shape[1]):
        copy = X.copy()
        copy[:, feature] = X[draw.permutation(len(X)), feature]
        copies.append(copy)
    return copies
