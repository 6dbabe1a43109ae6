"""TabPFN: a network that has learned from synthetic tables how to read a table (Hollmann et al. 2025, Nature 637:319).

Belongs here: the package as a `Classifier`. Does not belong here: where its weights come from
(`pretrained.tabpfn_weights`); without weights there is no TabPFN.

Nothing is trained: fitting keeps the cases, and each prediction is a forward pass over them and the new rows. A row's
probability does not depend on which rows are asked about with it, beyond the last digits of float32. A bootstrap
is thus as many forward passes as iterations, times `n_estimators` shuffled copies of the table: of 208 cases and 8
features 0.8 s a copy on one core.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from plr_assets.classification.base import Classes, Classifier, Features, Weights
from plr_assets.errors import ConfigError
from plr_assets.networks.seeding import device, reproducible
from plr_assets.pretrained.tabpfn_weights import WEIGHTS_FILE
from plr_assets.pretrained.weights import ORIGIN_FILE, Origin


@dataclass(eq=False, kw_only=True)
class TabPFN(Classifier):
    """Version 2, with the package's own preprocessing, which is fitted on the given rows.

    weights: the folder that `obtain_tabpfn` wrote. It is no parameter: `pretrained_on_` says what it is, and a fitted
    TabPFN is kept with its weights.
    """

    # The package has no weights; a count is as many rows.
    counts_as_weights: ClassVar[bool] = True

    n_estimators: int = 4
    weights: Path | None = None
    X_: list[list[float]] = field(init=False)
    y_: list[int] = field(init=False)
    pretrained_on_: str = field(init=False)

    @property
    def parameters(self) -> dict[str, Any]:
        return {name: value for name, value in super().parameters.items() if name != "weights"}

    def _fit(self, X: Features, y: Classes, sample_weight: Weights | None) -> None:
        self._require("n_estimators", self.n_estimators >= 1, "must be at least 1")
        if self.weights is None:
            raise ConfigError("TabPFN", "it has no weights.", "Give it the folder that `obtain_tabpfn` writes.")
        if sample_weight is not None:
            counts = np.rint(sample_weight).astype(np.int64)
            if not np.array_equal(counts, sample_weight):
                raise ValueError("TabPFN takes weights that are counts: it has none of its own, and rows are repeated")
            X, y = np.repeat(X, counts, axis=0), np.repeat(y, counts)
        self.X_, self.y_ = X.tolist(), y.tolist()
        self.pretrained_on_ = Origin.load(self.weights).pretrained_on
        self._reader = self._read_table()

    def _probability(self, X: Features) -> NDArray[np.float64]:
        with reproducible(self.random_state):
            return np.asarray(self._reader.predict_proba(X)[:, 1], dtype=np.float64)

    def save(self, folder: Path) -> None:
        super().save(folder)
        assert self.weights is not None  # noqa: S101 - `learned` was there, so it is fitted
        for name in (WEIGHTS_FILE, ORIGIN_FILE):
            shutil.copyfile(self.weights / name, folder / name)

    @classmethod
    def load(cls, folder: Path) -> Self:
        classifier = super().load(folder)
        classifier.weights = folder
        classifier._reader = classifier._read_table()
        return classifier

    def _read_table(self) -> Any:
        """The package's classifier over the cases that are kept."""
        import torch
        from tabpfn import TabPFNClassifier

        assert self.weights is not None  # noqa: S101 - seen to by `_fit` and `load`
        reader = TabPFNClassifier(
            model_path=str(self.weights / WEIGHTS_FILE),
            n_estimators=self.n_estimators,
            device=device(),
            # What `auto` means differs by device.
            inference_precision=torch.float32,
            random_state=self.random_state,
        )
        with reproducible(self.random_state):
            return reader.fit(np.array(self.X_), np.array(self.y_))
