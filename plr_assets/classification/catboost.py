"""CatBoost: gradient boosting of symmetric trees (Prokhorenkova et al. 2018).

Belongs here: the library as a `Classifier`, on one thread and silent. Does not belong here: search for parameters.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from plr_assets.classification.base import Classes, Classifier, Features, Weights
from plr_assets.estimator import IN_ITS_OWN_FILE

MODEL_FILE = "model.cbm"


@dataclass(eq=False, kw_only=True)
class CatBoost(Classifier):
    """CatBoostClassifier. Borders of feature bins follow the rows, not their weights, so counts are repeated rows."""

    iterations: int = 100
    depth: int = 2
    learning_rate: float = 0.1
    l2_leaf_reg: float = 3.0
    border_count: int = 32
    model_: Any = field(init=False, metadata=IN_ITS_OWN_FILE)

    def _fit(self, X: Features, y: Classes, sample_weight: Weights | None) -> None:
        from catboost import CatBoostClassifier

        model = CatBoostClassifier(
            iterations=self.iterations,
            depth=self.depth,
            learning_rate=self.learning_rate,
            l2_leaf_reg=self.l2_leaf_reg,
            border_count=self.border_count,
            # The bootstrap already draws rows; drawing again inside it would only add noise.
            bootstrap_type="No",
            boosting_type="Plain",
            random_seed=self.random_state,
            thread_count=1,
            allow_writing_files=False,
            logging_level="Silent",
        )
        self.model_ = model.fit(X, y, sample_weight=sample_weight)
        # The library stamps its models; equal models shall be equal files.
        stamps = self.model_.get_metadata()
        for name in ("train_finish_time", "model_guid"):
            del stamps[name]

    def _probability(self, X: Features) -> NDArray[np.float64]:
        return np.asarray(self.model_.predict_proba(X, thread_count=1)[:, 1])

    def save(self, folder: Path) -> None:
        super().save(folder)
        self.model_.save_model(str(folder / MODEL_FILE), format="cbm")

    @classmethod
    def load(cls, folder: Path) -> Self:
        from catboost import CatBoostClassifier

        classifier = super().load(folder)
        classifier.model_ = CatBoostClassifier().load_model(str(folder / MODEL_FILE), format="cbm")
        return classifier
