"""CatBoost: gradient boosting of symmetric trees (Prokhorenkova et al. 2018).

Belongs here: the library as a `Classifier`, on one thread and silent. Does not belong here: search for parameters.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from plr_assets.classification.base import Classes, Classifier, Features, Weights
from plr_assets.classification.class_weights import CHOICES, ClassWeight, class_weighted
from plr_assets.estimator import IN_ITS_OWN_FILE

MODEL_FILE = "model.cbm"


@dataclass(eq=False, kw_only=True)
class CatBoost(Classifier):
    """CatBoostClassifier. Borders of feature bins follow the rows, not their weights, so counts are repeated rows.

    class_weight        null or balanced.
    posterior_sampling  the library's uncertainty ensemble: stochastic gradient Langevin boosting, whose later states
                        are draws of the posterior (Ustimenko & Prokhorenkova 2021, arXiv 2001.07248). The probability
                        is then the mean over `virtual_ensembles` such states of one model, taken from the second half
                        of its trees (Malinin et al. 2021, arXiv 2006.10562), and `member_probabilities` has each.
    virtual_ensembles   how many, at most half of `iterations`.
    """

    iterations: int = 100
    depth: int = 2
    learning_rate: float = 0.1
    l2_leaf_reg: float = 3.0
    border_count: int = 32
    class_weight: ClassWeight | None = None
    posterior_sampling: bool = False
    virtual_ensembles: int = 10
    model_: Any = field(init=False, metadata=IN_ITS_OWN_FILE)

    def _fit(self, X: Features, y: Classes, sample_weight: Weights | None) -> None:
        from catboost import CatBoostClassifier

        self._require("class_weight", self.class_weight in CHOICES, f"must be one of {CHOICES}")
        if self.posterior_sampling:
            fits = 1 <= self.virtual_ensembles <= self.iterations // 2
            self._require("virtual_ensembles", fits, "must be from 1 to half of `iterations`")
        model = CatBoostClassifier(
            iterations=self.iterations,
            depth=self.depth,
            learning_rate=self.learning_rate,
            l2_leaf_reg=self.l2_leaf_reg,
            border_count=self.border_count,
            # The bootstrap already draws rows; drawing again inside it would only add noise.
            bootstrap_type="No",
            boosting_type="Plain",
            # False is not null to the library: it refuses other parameters beside it.
            posterior_sampling=self.posterior_sampling or None,
            random_seed=self.random_state,
            thread_count=1,
            allow_writing_files=False,
            logging_level="Silent",
        )
        self.model_ = model.fit(X, y, sample_weight=class_weighted(y, sample_weight, self.class_weight))
        # The library stamps its models; equal models shall be equal files.
        stamps = self.model_.get_metadata()
        for name in ("train_finish_time", "model_guid"):
            del stamps[name]

    def _probability(self, X: Features) -> NDArray[np.float64]:
        if self.posterior_sampling:
            return np.asarray(self.member_probabilities(X).mean(axis=1))
        return np.asarray(self.model_.predict_proba(X, thread_count=1)[:, 1])

    def member_probabilities(self, X: Features) -> NDArray[np.float64]:
        """(n, virtual_ensembles) probability of class 1 by each member; how they differ is what the model does not
        know. Raises ConfigError without `posterior_sampling`."""
        self._require("posterior_sampling", self.posterior_sampling, "must be true for an ensemble")
        raw = self.model_.virtual_ensembles_predict(
            X, prediction_type="VirtEnsembles", virtual_ensembles_count=self.virtual_ensembles, thread_count=1
        )
        return np.asarray(expit(raw[..., 0]))

    def save(self, folder: Path) -> None:
        super().save(folder)
        self.model_.save_model(str(folder / MODEL_FILE), format="cbm")

    @classmethod
    def load(cls, folder: Path) -> Self:
        from catboost import CatBoostClassifier

        classifier = super().load(folder)
        classifier.model_ = CatBoostClassifier().load_model(str(folder / MODEL_FILE), format="cbm")
        return classifier
