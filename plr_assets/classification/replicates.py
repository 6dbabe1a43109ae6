"""Refitted replicates: what some of the bootstrap's models say of every case, and of cases with a feature shuffled.

Belongs here: refitting them from the stored draws and the study's seed, because no replicate is kept. Does not belong
here: what is concluded from their predictions (`evaluation`).

Replicates are fitted one by one (`Classifier.fit_resample`), but for methods that are quick only together: there, what
is asked joins the cases as rows that are never drawn, so that `Classifier.out_of_bag` answers for them.
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
    answers = np.empty((len(resamples), 1 + features, n))
    for first in range(0, len(resamples), _SHARE_A_SHUFFLE):
        chunk = slice(first, first + _SHARE_A_SHUFFLE)
        asked = [X, *_with_one_shuffled(X, generator(resamples.seed, "permutation", str(first)))]
        counts = Resamples(resamples.counts[chunk], resamples.seed)
        ask = _together if _is_quick_together_only(classifier) else _one_by_one
        answers[chunk] = ask(classifier, X, y, counts, seeds=seeds[chunk], asked=asked)
    return Replicates(resamples.counts, answers[:, 0], answers[:, 1:])


def _is_quick_together_only(classifier: Classifier) -> bool:
    """Whether the method fits many replicates as one problem, and knows nothing better for one than `fit`: networks."""
    kind = type(classifier)
    return kind.out_of_bag is not Classifier.out_of_bag and kind.fit_resample is Classifier.fit_resample


def _one_by_one(
    classifier: Classifier,
    X: Features,
    y: Classes,
    resamples: Resamples,
    *,
    seeds: Sequence[int],
    asked: list[Features],
) -> NDArray[np.float64]:
    """(len(resamples), len(asked), n) probability of class 1."""
    rows, shape = np.vstack(asked), (len(asked), len(X))
    fitted = (classifier.fit_resample(X, y, counts, seed) for counts, seed in zip(resamples.counts, seeds, strict=True))
    return np.array([replicate.predict_proba(rows)[:, 1].reshape(shape) for replicate in fitted])


def _together(
    classifier: Classifier,
    X: Features,
    y: Classes,
    resamples: Resamples,
    *,
    seeds: Sequence[int],
    asked: list[Features],
) -> NDArray[np.float64]:
    """The same by `out_of_bag`: what is asked is put behind the cases as rows that are never drawn."""
    n, answers = len(X), np.empty((len(resamples), len(asked), len(X)))
    at_once = max(1, MOST_CASES // n - 1)  # indices of cases are uint16
    for start in range(0, len(asked), at_once):
        block = asked[start : start + at_once]
        rows = np.vstack([X, *block])
        counts = np.zeros((len(resamples), len(rows)), dtype=np.int64)
        counts[:, :n] = resamples.counts
        copies = np.tile(y, len(rows) // n)
        predicted = classifier.out_of_bag(rows, copies, Resamples(counts, resamples.seed), seeds)
        for row, of_replicate in enumerate(predicted):
            answers[row, start : start + len(block)] = of_replicate[-len(block) * n :].reshape(len(block), n)
    return answers


def _with_one_shuffled(X: Features, draw: np.random.Generator) -> list[Features]:
    copies = []
    for feature in range(X.shape[1]):
        copy = X.copy()
        copy[:, feature] = X[draw.permutation(len(X)), feature]
        copies.append(copy)
    return copies
