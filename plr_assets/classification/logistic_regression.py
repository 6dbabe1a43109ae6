"""Logistic regression with an L2 penalty on standardised features.

Belongs here: scaler and regression as one estimator, so that the scaler can only be fitted where the regression is.
Does not belong here: search for the penalty.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from plr_assets.classification.base import Classes, Classifier, Features, Weights


@dataclass(eq=False, kw_only=True)
class LogisticRegression(Classifier):
    """scikit-learn's LogisticRegression. The penalised likelihood and the scaler's moments are sums over rows, so a
    weight is a count. What is learned is a few numbers, kept as such."""

    counts_as_weights: ClassVar[bool] = True

    C: float = 1.0
    max_iter: int = 1000
    mean_: list[float] = field(init=False)
    scale_: list[float] = field(init=False)
    coefficients_: list[float] = field(init=False)
    intercept_: float = field(init=False)

    def _fit(self, X: Features, y: Classes, sample_weight: Weights | None) -> None:
        from sklearn.linear_model import LogisticRegression as Regression
        from sklearn.preprocessing import StandardScaler

        self._require("C", self.C > 0, "must be above 0")
        scaler = StandardScaler().fit(X, sample_weight=sample_weight)
        regression = Regression(C=self.C, max_iter=self.max_iter).fit(scaler.transform(X), y, sample_weight)
        self.mean_, self.scale_ = scaler.mean_.tolist(), scaler.scale_.tolist()
        self.coefficients_, self.intercept_ = regression.coef_[0].tolist(), float(regression.intercept_[0])

    def _probability(self, X: Features) -> NDArray[np.float64]:
        from scipy.special import expit

        standardised = (X - np.asarray(self.mean_)) / np.asarray(self.scale_)
        # Row sums instead of a matrix product: BLAS may round one row differently in a batch of many.
        return np.asarray(expit((standardised * np.asarray(self.coefficients_)).sum(axis=1) + self.intercept_))
