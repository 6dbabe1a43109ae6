"""The classifier: what every classification method is, and what the base class takes off its hands.

Belongs here: the contract (scikit-learn's `fit` and `predict_proba` for two classes) and its guarantees. Features
without a value and samples of one class are refused; what is fitted comes from the given rows alone. Does not belong
here: any method, how rows are drawn (`resampling`), or what is kept of a prediction (`bootstrap`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from plr_assets.classification.resampling import Resamples
from plr_assets.estimator import Estimator

Features = NDArray[np.float64]
Classes = NDArray[np.int64]
Weights = NDArray[np.float64]


@dataclass(eq=False, kw_only=True)
class Classifier(Estimator, ABC):
    """A method implements `_fit` and `_probability`.

    counts_as_weights: whether a row of weight 2 is exactly a row that occurs twice. Then a bootstrap sample is fitted
    on its distinct rows; else (bin borders, random subsets of rows, methods without weights) rows are repeated.
    """

    counts_as_weights: ClassVar[bool] = False

    random_state: int = 0

    def fit(self, X: Features, y: Classes, sample_weight: Weights | None = None) -> Self:
        """X (n, p) finite, y (n,) of 0 and 1 with both present, sample_weight (n,) positive. Returns self."""
        X, y = np.asarray(X, dtype=np.float64), np.asarray(y, dtype=np.int64)
        if X.ndim != 2 or y.shape != X.shape[:1] or (sample_weight is not None and sample_weight.shape != y.shape):
            raise ValueError(f"X is {X.shape}, y {y.shape}, weights {getattr(sample_weight, 'shape', None)}")
        _require_finite(X)
        if set(np.unique(y)) != {0, 1}:
            raise ValueError(f"y has to hold the classes 0 and 1, it holds {np.unique(y).tolist()}")
        self._fit(X, y, sample_weight)
        return self

    def predict_proba(self, X: Features) -> NDArray[np.float64]:
        """(n, 2): probability of class 0 and of class 1."""
        X = np.asarray(X, dtype=np.float64)
        _require_finite(X)
        positive = np.asarray(self._probability(X), dtype=np.float64)
        return np.column_stack([1 - positive, positive])

    def out_of_bag(
        self, X: Features, y: Classes, resamples: Resamples, seeds: Sequence[int]
    ) -> Iterator[NDArray[np.float64]]:
        """Per iteration, in order: (len(resamples.test(i)),) probability of class 1 of the cases that it leaves out.

        Each is of a model with this one's parameters and `random_state=seeds[i]`, fitted on the cases that iteration i
        draws and on nothing else. A method that can fit many replicates as one problem overrides this; what it yields
        stays that of the loop.

        X (n, p) finite, y (n,), resamples of n cases, seeds (len(resamples),). Raises ValueError.
        """
        require_resamples_of(X, y, resamples, seeds)
        for iteration, seed in enumerate(seeds):
            replicate = self.fit_resample(X, y, resamples.counts[iteration], seed)
            yield replicate.predict_proba(X[resamples.test(iteration)])[:, 1]

    def fit_resample(self, X: Features, y: Classes, counts: NDArray[np.int64], seed: int) -> Self:
        """A new classifier with these parameters and `seed`, fitted on case j `counts[j]` times.

        Only cases that are drawn are handed over: what is out of bag cannot leak.
        """
        replicate = replace(self, random_state=seed)
        drawn = np.flatnonzero(counts)
        if self.counts_as_weights:
            return replicate.fit(X[drawn], y[drawn], sample_weight=counts[drawn].astype(np.float64))
        repeated = np.repeat(drawn, counts[drawn])
        return replicate.fit(X[repeated], y[repeated])

    @abstractmethod
    def _fit(self, X: Features, y: Classes, sample_weight: Weights | None) -> None:
        """Set the learned state."""

    @abstractmethod
    def _probability(self, X: Features) -> NDArray[np.floating]:
        """(n,) probability of class 1."""


def require_resamples_of(X: Features, y: Classes, resamples: Resamples, seeds: Sequence[int]) -> None:
    """Raises ValueError unless resamples and seeds are of these cases, which have all features, and of both classes."""
    if y.shape != X.shape[:1] or resamples.counts.shape != (len(seeds), y.size):
        raise ValueError(f"X is {X.shape}, y {y.shape}, resamples {resamples.counts.shape}, {len(seeds)} seeds")
    drawn = resamples.counts > 0
    one_class = ~((drawn & (y == 1)).any(axis=1) & (drawn & (y == 0)).any(axis=1))
    if one_class.any():
        raise ValueError(f"iteration {np.flatnonzero(one_class)[0]} draws cases of one of the classes only")
    _require_finite(X)


def _require_finite(X: Features) -> None:
    if not np.isfinite(X).all():
        row, column = np.argwhere(~np.isfinite(X))[0]
        raise ValueError(f"feature {column} of row {row} has no value")
