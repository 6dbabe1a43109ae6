"""Logistic regression with an L2 penalty on standardised features.

Belongs here: scaler and regression as one estimator, so that the scaler can only be fitted where the regression is.
Does not belong here: the minimisation (`newton`), search for the penalty.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from plr_assets.classification.base import Classes, Classifier, Features, Weights, require_resamples_of
from plr_assets.classification.class_weights import CHOICES, ClassWeight, balance
from plr_assets.classification.newton import minimise
from plr_assets.classification.resampling import Resamples
from plr_assets.errors import ConfigError

# Replicates a block: speed is the same from 8 to 1000, memory is not (208 cases x 96 embedding components: 160 kB each,
# and a few copies of that).
_BLOCK = 32


@dataclass(eq=False, kw_only=True)
class LogisticRegression(Classifier):
    """The optimum that scikit-learn's StandardScaler and LogisticRegression approach, by Newton's method.

    The penalised likelihood and the scaler's moments are sums over rows, so a weight is a count, and all replicates of
    a bootstrap are one problem over the same rows. What is learned is a few numbers, kept as such.
    class_weight: null or balanced.
    """

    counts_as_weights: ClassVar[bool] = True

    C: float = 1.0
    max_iter: int = 1000
    class_weight: ClassWeight | None = None
    mean_: list[float] = field(init=False)
    scale_: list[float] = field(init=False)
    coefficients_: list[float] = field(init=False)
    intercept_: float = field(init=False)

    def _fit(self, X: Features, y: Classes, sample_weight: Weights | None) -> None:
        weights = np.ones(y.size) if sample_weight is None else sample_weight
        (fitted,) = self._replicates(X, y, weights[None], [self.random_state], ["the sample"])
        for name, value in fitted.learned.items():
            setattr(self, name, value)

    def out_of_bag(
        self, X: Features, y: Classes, resamples: Resamples, seeds: Sequence[int]
    ) -> Iterator[NDArray[np.float64]]:
        require_resamples_of(X, y, resamples, seeds)
        for start in range(0, len(seeds), _BLOCK):
            block = slice(start, start + _BLOCK)
            names = [f"iteration {i} of the bootstrap" for i in range(len(seeds))[block]]
            weights = resamples.counts[block].astype(np.float64)
            for i, replicate in enumerate(self._replicates(X, y, weights, seeds[block], names), start):
                yield replicate.predict_proba(X[resamples.test(i)])[:, 1]

    def fit_resample(self, X: Features, y: Classes, counts: NDArray[np.int64], seed: int) -> Self:
        """As the base class's. Rows that are not drawn keep their place at weight 0, as they do in `out_of_bag`: sums
        over other places would round otherwise."""
        (replicate,) = self._replicates(X, y, counts[None].astype(np.float64), [seed], ["the resample"])
        return replicate

    def _replicates(
        self, X: Features, y: Classes, weights: Weights, seeds: Sequence[int], names: Sequence[str]
    ) -> list[Self]:
        """One fitted regression a row of `weights` (B, n). Raises ConfigError naming the first that has no optimum."""
        self._require("C", self.C > 0, "must be above 0")
        self._require("class_weight", self.class_weight in CHOICES, f"must be one of {CHOICES}")
        drawn = weights > 0
        # Rows without weight are 0, whatever they hold: they cannot enter, not even by rounding.
        # In one layout, because products of the same numbers in another order round otherwise.
        rows = np.where(drawn[..., None], np.ascontiguousarray(X), 0.0)
        mean, scale = _moments(rows, weights)
        Z = np.where(drawn[..., None], (rows - mean[:, None]) / scale[:, None], 0.0)
        counted = weights if self.class_weight is None else weights * balance(y, weights)
        optima = minimise(Z, y, counted, self.C, self.max_iter)
        if not optima.converged.all():
            raise ConfigError(
                f"LogisticRegression: {names[int(np.flatnonzero(~optima.converged)[0])]}",
                f"no optimum within max_iter = {self.max_iter} steps at C = {self.C:g} "
                "(with so little penalty, classes that a line separates have none).",
                "Lower C, or raise max_iter.",
            )
        replicates = []
        for i, seed in enumerate(seeds):
            replicate = replace(self, random_state=seed)
            replicate.mean_, replicate.scale_ = mean[i].tolist(), scale[i].tolist()
            replicate.coefficients_, replicate.intercept_ = optima.coefficients[i].tolist(), float(optima.intercepts[i])
            replicates.append(replicate)
        return replicates

    def _probability(self, X: Features) -> NDArray[np.float64]:
        standardised = (X - np.asarray(self.mean_)) / np.asarray(self.scale_)
        # Row sums instead of a matrix product: BLAS may round one row differently in a batch of many.
        return np.asarray(expit((standardised * np.asarray(self.coefficients_)).sum(axis=1) + self.intercept_))


def _moments(rows: Features, weights: Weights) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(B, n, p), (B, n) -> means and standard deviations (B, p); 1 where a feature is constant up to rounding.

    Constant is what scikit-learn's scaler takes for it: a variance below the error of summing n values.
    """
    total = weights.sum(axis=1)[:, None]
    mean = np.matmul(weights[:, None], rows)[:, 0] / total
    squares = np.square(rows - mean[:, None])
    variance = np.matmul(weights[:, None], squares)[:, 0] / total
    eps = np.finfo(np.float64).eps
    constant = variance <= total * eps * variance + np.square(total * mean * eps)
    return mean, np.where(constant, 1.0, np.sqrt(variance))
