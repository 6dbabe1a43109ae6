"""XGBoost: gradient boosting of histogram trees (Chen & Guestrin 2016).

Belongs here: the library as a `Classifier`, on one thread. Does not belong here: search for parameters.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from plr_assets.classification.base import Classes, Classifier, Features, Weights
from plr_assets.estimator import IN_ITS_OWN_FILE

MODEL_FILE = "model.json"


@dataclass(eq=False, kw_only=True)
class XGBoost(Classifier):
    """XGBClassifier. Each tree draws rows (`subsample`) whatever their weight, so counts are repeated rows."""

    n_estimators: int = 100
    max_depth: int = 2
    learning_rate: float = 0.1
    subsample: float = 0.75
    colsample_bytree: float = 0.75
    min_child_weight: float = 3.0
    reg_lambda: float = 1.0
    model_: Any = field(init=False, metadata=IN_ITS_OWN_FILE)

    def _fit(self, X: Features, y: Classes, sample_weight: Weights | None) -> None:
        from xgboost import XGBClassifier

        model = XGBClassifier(
            n_estimators=self.n_estimators,
            max_depth=self.max_depth,
            learning_rate=self.learning_rate,
            subsample=self.subsample,
            colsample_bytree=self.colsample_bytree,
            min_child_weight=self.min_child_weight,
            reg_lambda=self.reg_lambda,
            tree_method="hist",
            random_state=self.random_state,
            n_jobs=1,
        )
        self.model_ = model.fit(X, y, sample_weight=sample_weight)

    def _probability(self, X: Features) -> NDArray[np.float32]:
        return np.asarray(self.model_.predict_proba(X)[:, 1])

    def save(self, folder: Path) -> None:
        super().save(folder)
        self.model_.save_model(folder / MODEL_FILE)

    @classmethod
    def load(cls, folder: Path) -> Self:
        from xgboost import XGBClassifier

        classifier = super().load(folder)
        classifier.model_ = XGBClassifier(n_jobs=1)
        classifier.model_.load_model(folder / MODEL_FILE)
        return classifier
