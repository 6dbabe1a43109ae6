"""TimesNet as a detector: rebuilt in short windows (Wu et al. 2023, arXiv 2210.02186).

Belongs here: the published parameters by name. Does not belong here: the network (`networks.timesnet`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from plr_assets.networks.timesnet import build_timesnet
from plr_assets.outlier_detection.reconstruction import ReconstructionDetector

if TYPE_CHECKING:
    import torch


@dataclass(eq=False, kw_only=True)
class TimesNetDetector(ReconstructionDetector):
    """`ReconstructionDetector` with TimesNet; n_layers, top_k, d_model, d_ffn, n_kernels, dropout as in the paper."""

    window: int = 100
    n_layers: int = 2
    top_k: int = 3
    d_model: int = 64
    d_ffn: int = 64
    n_kernels: int = 6
    dropout: float = 0.1

    def _check(self) -> None:
        super()._check()
        self._require_training()

    def _build(self) -> torch.nn.Module:
        return build_timesnet(
            window=self.window,
            n_layers=self.n_layers,
            top_k=self.top_k,
            d_model=self.d_model,
            d_ffn=self.d_ffn,
            n_kernels=self.n_kernels,
            dropout=self.dropout,
        )
