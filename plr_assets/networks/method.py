"""A fitted method that is a network: what detectors and imputers that train one have in common.

Belongs here: how long and on what scale it learns, its hold-out, its seeds, its files. Does not belong here: what the
network is asked for (`training`, `filling`), or what is made of its answers (`outlier_detection`, `imputation`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from plr_assets.errors import DataError
from plr_assets.estimator import IN_ITS_OWN_FILE, Estimator
from plr_assets.networks.files import load_network, save_network
from plr_assets.networks.holdout import split_by_subject
from plr_assets.networks.seeding import device, reproducible
from plr_assets.networks.training import Schedule
from plr_assets.recordings.table import Recordings, Signal
from plr_assets.seeds import generator, integer_seed

if TYPE_CHECKING:
    import torch


@dataclass(eq=False, kw_only=True)
class NetworkMethod(Estimator, ABC):
    """Fields that every such method has.

    window          samples that the network sees at once.
    epochs, patience, batch_size, learning_rate, weight_decay, hidden_share   see `training.Schedule`.
    holdout_share   share of the development subjects that the network is not trained on.

    A loaded method reads its network when it is first asked for: a threshold, for one, needs none.
    """

    window: int
    epochs: int = 10
    patience: int = 3
    batch_size: int = 16
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    hidden_share: float = 0.15
    holdout_share: float = 0.2
    seed: int = 0
    centre_: float = field(init=False)
    spread_: float = field(init=False)
    epoch_: int = field(init=False)
    network_: Any = field(init=False, metadata=IN_ITS_OWN_FILE)

    @abstractmethod
    def _build(self) -> torch.nn.Module:
        """The network as training begins with it."""

    def _empty(self) -> torch.nn.Module:
        """The network, to be filled with fitted weights."""
        return self._build()

    def _check(self) -> None:
        """Raise ConfigError naming a parameter that cannot be."""
        for name in ("window", "batch_size"):
            self._require(name, getattr(self, name) >= 1, "must be 1 or more")
        self._require("epochs", self.epochs >= 0, "must be 0 (use the weights as they come) or more")
        self._require("patience", self.patience >= 1, "at least one epoch without a better one has to be allowed")
        self._require("learning_rate", self.learning_rate > 0, "must be above 0")
        for name in ("holdout_share", "hidden_share"):
            self._require(name, 0 < getattr(self, name) < 1, "must be between 0 and 1")

    def _require_training(self) -> None:
        self._require("epochs", self.epochs >= 1, "a network that starts from random weights has to be trained")

    def _require_truth(self, development: Recordings) -> None:
        if self.epochs and development.truth is None:
            raise DataError(
                "development recordings",
                f"{type(self).__name__} learns from ground truth, and they have none.",
                "Leave the method out of the study, or import recordings with ground truth.",
            )

    @property
    def _schedule(self) -> Schedule:
        return Schedule(
            epochs=self.epochs,
            patience=self.patience,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            hidden_share=self.hidden_share,
        )

    def _seed_for(self, purpose: str) -> int:
        return integer_seed(self.seed, type(self).__name__, purpose)

    def _split(self, development: Recordings) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Rows to train on, and rows of the hold-out's subjects. At least one subject in either."""
        name = type(self).__name__
        return split_by_subject(development.subject, self.holdout_share, generator(self.seed, name, "holdout"), name)

    def _learn_scale(self, pupil: Signal) -> None:
        self.centre_, self.spread_ = float(np.nanmean(pupil, dtype="f8")), float(np.nanstd(pupil, dtype="f8"))

    def _standardised(self, signal: Signal) -> Signal:
        return np.asarray((signal - np.float32(self.centre_)) / np.float32(self.spread_), dtype=np.float32)

    def save(self, folder: Path) -> None:
        super().save(folder)
        save_network(self.network_, folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        method = super().load(folder)
        method.__dict__["_stored"] = folder  # no field: where it lies is nobody's parameter
        return method

    def __getattr__(self, name: str) -> Any:
        """`network_` of a loaded method, at first use."""
        if name != "network_" or "_stored" not in self.__dict__:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        # building draws weights that are thrown away, and must not move the generator of whoever asks
        with reproducible(0):
            self.network_ = load_network(self._empty().to(device()), self._stored)
        return self.network_
