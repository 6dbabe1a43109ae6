"""MOMENT as an imputer (Goswami et al. 2024, arXiv 2402.03885): as it comes, or fine-tuned.

Belongs here: its parameters by name, what it is shown. Does not belong here: the network, or where its weights come
from (`pretrained`).
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from plr_assets.imputation.windowed import WindowedImputer
from plr_assets.networks.files import load_network
from plr_assets.networks.seeding import device
from plr_assets.pretrained.weights import ORIGIN_FILE, Origin
from plr_assets.recordings.table import Recordings

if TYPE_CHECKING:
    import torch


@dataclass(eq=False, kw_only=True)
class MomentImputer(WindowedImputer):
    """`WindowedImputer` with MOMENT. Fine-tuned, or with `epochs` 0 as it comes (zero-shot).

    shown     `tokens`: a patch of 8 samples that holds a hidden one is hidden whole, as in pretraining;
              `lines`: straight lines stand in for hidden samples, and every patch is seen.
    trained   `head`: the reconstruction head only; `all`: every weight.
    """

    window: int = 512
    shown: Literal["tokens", "lines"] = "tokens"
    trained: Literal["head", "all"] = "all"
    pretrained_on_: str = field(init=False)

    def fit(self, development: Recordings, *, weights: Path) -> Self:  # type: ignore[override]
        """`weights`: a folder as `pretrained.weights` writes it."""
        self._folder = weights
        self.pretrained_on_ = Origin.load(weights).pretrained_on
        return super().fit(development)

    def _check(self) -> None:
        from plr_assets.pretrained.moment import WINDOW

        super()._check()
        self._require("window", self.window == WINDOW, f"MOMENT takes windows of {WINDOW} samples")
        self._require("draws", self.draws == 0, "it has no limits")

    def _build(self) -> torch.nn.Module:
        from plr_assets.pretrained.moment import filling, head_only, load_moment

        network = load_moment(self._folder)
        if self.trained == "head":
            head_only(network)
        return filling(network, lines=self.shown == "lines")

    def save(self, folder: Path) -> None:
        super().save(folder)
        for name in ("config.json", ORIGIN_FILE):
            shutil.copyfile(self._folder / name, folder / name)

    @classmethod
    def load(cls, folder: Path) -> Self:
        from plr_assets.pretrained.moment import build_moment, filling, read_config

        imputer = cls._read(folder)
        imputer._folder = folder
        empty = filling(build_moment(read_config(folder)), lines=imputer.shown == "lines")
        imputer.network_ = load_network(empty.to(device()), folder)
        return imputer
