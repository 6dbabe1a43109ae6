"""MOMENT as an imputer (Goswami et al. 2024, arXiv 2402.03885): as it comes, or fine-tuned.

Belongs here: its parameters by name, what it is shown. Does not belong here: the network, or where its weights come
from (`pretrained`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from plr_assets.imputation.windowed import WindowedImputer
from plr_assets.pretrained.start import StartsFromWeights
from plr_assets.recordings.table import Recordings

if TYPE_CHECKING:
    import torch


@dataclass(eq=False, kw_only=True)
class MomentImputer(StartsFromWeights, WindowedImputer):
    """`WindowedImputer` with MOMENT. Fine-tuned, or with `epochs` 0 as it comes (zero-shot).

    shown     `tokens`: a patch of 8 samples that holds a hidden one is hidden whole, as in pretraining;
              `lines`: straight lines stand in for hidden samples, and every patch is seen.
    trained   `head`: the reconstruction head only; `all`: every weight.
    """

    window: int = 512
    shown: Literal["tokens", "lines"] = "tokens"
    trained: Literal["head", "all"] = "all"

    def fit(self, development: Recordings, *, weights: Path) -> Self:  # type: ignore[override]
        """`weights`: a folder as `pretrained.weights` writes it."""
        self._start_from(weights)
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

    def _empty(self) -> torch.nn.Module:
        from plr_assets.pretrained.moment import build_moment, filling, read_config

        return filling(build_moment(read_config(self._folder)), lines=self.shown == "lines")
