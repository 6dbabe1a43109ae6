"""SAITS as an imputer (Du et al. 2023, doi 10.1016/j.eswa.2023.119619).

Belongs here: the published parameters by name, limits by dropout. Does not belong here: the network (`networks.saits`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from plr_assets.imputation.windowed import Gapped, WindowedImputer
from plr_assets.networks.dropping import dropping
from plr_assets.recordings.table import Signal

if TYPE_CHECKING:
    import torch


@dataclass(eq=False, kw_only=True)
class SAITSImputer(WindowedImputer):
    """`WindowedImputer` with SAITS; n_layers, d_model, n_heads, d_k, d_v, d_ffn, dropout as in the paper.

    Limits are those of Monte-Carlo dropout (Gal & Ghahramani 2016, arXiv 1506.02142), stretched to the hold-out.
    """

    window: int = 200
    n_layers: int = 2
    d_model: int = 256
    n_heads: int = 4
    d_k: int = 64
    d_v: int = 64
    d_ffn: int = 128
    dropout: float = 0.1
    attn_dropout: float = 0.0
    draws: int = 8

    def _check(self) -> None:
        super()._check()
        self._require_training()

    def _build(self) -> torch.nn.Module:
        from plr_assets.networks.saits import build_saits

        return build_saits(
            window=self.window,
            scale=self.line_error_,
            n_layers=self.n_layers,
            d_model=self.d_model,
            n_heads=self.n_heads,
            d_k=self.d_k,
            d_v=self.d_v,
            d_ffn=self.d_ffn,
            dropout=self.dropout,
            attn_dropout=self.attn_dropout,
        )

    def _fill_and_draw(self, gapped: Gapped, limits: bool) -> tuple[Signal, Signal | None]:
        filled = self._fill(gapped)
        if not (limits and self.draws):
            return filled, None
        with dropping(self.network_):
            return filled, np.stack([self._fill(gapped) for _ in range(self.draws)])
