"""Detectors that start from a foundation model: MOMENT as it comes or fine-tuned, UniTS fine-tuned.

Belongs here: their published parameters by name, and which weights are trained. Does not belong here: the networks, or
where their weights come from (`pretrained`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from plr_assets.outlier_detection.reconstruction import ReconstructionDetector
from plr_assets.pretrained.start import StartsFromWeights
from plr_assets.recordings.table import Recordings

if TYPE_CHECKING:
    import torch


@dataclass(eq=False, kw_only=True)
class PretrainedDetector(StartsFromWeights, ReconstructionDetector):
    """`ReconstructionDetector` that starts from weights."""

    def fit(self, development: Recordings, n_jobs: int = 1, *, weights: Path) -> Self:  # type: ignore[override]
        """`weights`: a folder as `pretrained.weights` writes it."""
        self._start_from(weights)
        return super().fit(development, n_jobs)


@dataclass(eq=False, kw_only=True)
class MomentDetector(PretrainedDetector):
    """MOMENT (Goswami et al. 2024). Fine-tuned, or with `epochs` 0 as it comes (zero-shot).

    trained   `head`: the reconstruction head only, the encoder as it was pretrained (the library's default, published);
              `all`: every weight.
    """

    window: int = 512
    trained: Literal["head", "all"] = "head"

    def _build(self) -> torch.nn.Module:
        from plr_assets.pretrained.moment import head_only, load_moment

        network = load_moment(self._folder)
        return head_only(network) if self.trained == "head" else network

    def _empty(self) -> torch.nn.Module:
        from plr_assets.pretrained.moment import build_moment, read_config

        return build_moment(read_config(self._folder))

    def _check(self) -> None:
        from plr_assets.pretrained.moment import WINDOW

        super()._check()
        self._require("trained", self.trained in ("head", "all"), "must be head or all")
        self._require("window", self.window == WINDOW, f"MOMENT takes windows of {WINDOW} samples")


@dataclass(eq=False, kw_only=True)
class UnitsDetector(PretrainedDetector):
    """UniTS (Gao et al. 2024), every weight fine-tuned."""

    window: int = 512

    def _build(self) -> torch.nn.Module:
        from plr_assets.pretrained.units_network import UnitsReconstructor
        from plr_assets.pretrained.units_weights import load_units

        return UnitsReconstructor(load_units(self._folder))

    def _empty(self) -> torch.nn.Module:
        from plr_assets.pretrained.units import UniTS
        from plr_assets.pretrained.units_network import UnitsReconstructor
        from plr_assets.pretrained.units_weights import read_config

        return UnitsReconstructor(UniTS(read_config(self._folder)))
