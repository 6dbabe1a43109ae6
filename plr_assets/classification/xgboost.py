"""XGBoost: gradient boosting of histogram trees (Chen & Guestrin 2016).

Belongs here: the library as a `Classifier`, on one thread. Does not belong here: search for parameters.

The library's own `Booster` is used, not its scikit-learn class: that one quantises into a `QuantileDMatrix`, and the
same trees take 1.4 times as long, and 4 times where OMP_NUM_THREADS is not 1 (docs/decisions/0006-bootstrap-data.md).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from plr_assets.classification.base import Classes, Classifier, Features, Weights
from plr_assets.classification.class_weights import CHOICES, ClassWeight, class_weighted
from plr_assets.estimator import IN_ITS_OWN_FILE

MODEL_FILE = "model.json"


@dataclass(eq=False, kw_only=True)
class XGBoost(Classifier):
    """What XGBClassifier fits. Each tree draws rows (`subsample`) whatever their weight, so counts are repeated rows.

    class_weight: null or balanced.
    """

    n_estimators: int = 100
    max_depth: int = 2
    learning_rate: float = 0.1
    subsample: float = 0.75
    colsample_bytree: float = 0.75
    min_child_weight: float = 3.0
    reg_lambda: float = 1.0
    class_weight: ClassWeight | None = None
    model_: Any = field(init=False, metadata=IN_ITS_OWN_FILE)

    def _fit(self, X: Features, y: Classes, sample_weight: Weights | None) -> None:
        from xgboost import Booster, DMatrix

        self._require("class_weight", self.class_weight in CHOICES, f"must be one of {CHOICES}")
        data = DMatrix(X, y, weight=class_weighted(y, sample_weight, self.class_weight), nthread=1)
        parameters = {
            "objective": "binary:logistic",
            "max_depth": self.max_depth,
            "learning_rate": self.learning_rate,
            "subsample": self.subsample,
            "colsample_bytree": self.colsample_bytree,
            "min_child_weight": self.min_child_weight,
            "reg_lambda": self.reg_lambda,
            "tree_method": "hist",
            "seed": self.random_state,
            "nthread": 1,
        }
        # What xgboost.train does, without its callbacks, which take a quarter of the time of trees this small.
        self.model_ = Booster(parameters, [data])
        for tree in range(self.n_estimators):
            self.model_.update(data, tree)

    def _probability(self, X: Features) -> NDArray[np.float32]:
        return np.asarray(self.model_.inplace_predict(X))

    def save(self, folder: Path) -> None:
        super().save(folder)
        self.model_.save_model(folder / MODEL_FILE)

    @classmethod
    def load(cls, folder: Path) -> Self:
        from xgboost import Booster

        classifier = super().load(folder)
        classifier.model_ = Booster({"nthread": 1}, model_file=folder / MODEL_FILE)
        return classifier
