"""SAITS (Du et al. 2023, doi 10.1016/j.eswa.2023.119619), the network of pypots.

Belongs here: the library's network as a `Reconstructor` of gaps. Does not belong here: its training (`filling`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from plr_assets.networks.library import quiet_import
from plr_assets.networks.lines import LineFeatures

if TYPE_CHECKING:
    import torch


def build_saits(
    *,
    window: int,
    scale: float,
    n_layers: int,
    d_model: int,
    n_heads: int,
    d_k: int,
    d_v: int,
    d_ffn: int,
    dropout: float,
    attn_dropout: float,
) -> torch.nn.Module:
    """Features: those of `LineFeatures`, known throughout, and the correction of the lines, missing at hidden samples.

    `scale`: the usual size of a correction, in units of the signal.
    """
    import torch

    with quiet_import():
        from pypots.imputation.saits.core import _SAITS
        from pypots.nn.modules.loss import MAE

    class Saits(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.features = LineFeatures(scale)
            self.network = _SAITS(
                n_layers,
                window,
                self.features.count + 1,
                d_model,
                n_heads,
                d_k,
                d_v,
                d_ffn,
                dropout,
                attn_dropout,
                True,
                1.0,
                1.0,
                MAE(),
                MAE(),
            )

        def stages(self, signal: torch.Tensor, inside: torch.Tensor, visible: torch.Tensor) -> tuple[torch.Tensor, ...]:
            known = self.features(signal, visible)
            inputs = {
                "X": torch.cat([known, torch.zeros_like(known[..., :1])], dim=2),
                "missing_mask": torch.cat([inside.unsqueeze(-1).expand_as(known), visible.unsqueeze(-1)], dim=2),
            }
            found = self.network(inputs)
            return tuple(
                self.features.corrected(signal, found[name][..., -1])
                for name in ("X_tilde_1", "X_tilde_2", "X_tilde_3")
            )

        def forward(self, signal: torch.Tensor, inside: torch.Tensor, visible: torch.Tensor) -> torch.Tensor:
            return self.stages(signal, inside, visible)[-1]

    return Saits()
