"""TimesNet (Wu et al. 2023, arXiv 2210.02186), the network of pypots.

Belongs here: the library's network as a `Reconstructor`. Does not belong here: its training (`training`): the
library's own loop rewards copying what the network sees, and never asks for what it does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from plr_assets.networks.library import quiet_import

if TYPE_CHECKING:
    import torch


def build_timesnet(
    *, window: int, n_layers: int, top_k: int, d_model: int, d_ffn: int, n_kernels: int, dropout: float
) -> torch.nn.Module:
    """Each window is normalised by the mean and deviation of its observed samples, as published.

    The library picks the periods of a batch by its mean spectrum, so a window's result depends on its batch: give it
    one recording's windows at a time.
    """
    import torch

    with quiet_import():
        from pypots.imputation.timesnet.core import _TimesNet
        from pypots.nn.modules.loss import MSE

    class TimesNet(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = _TimesNet(n_layers, window, 1, top_k, d_model, d_ffn, n_kernels, dropout, True, MSE(), MSE())

        def forward(self, signal: torch.Tensor, observed: torch.Tensor, visible: torch.Tensor) -> torch.Tensor:  # noqa: ARG002
            # the library takes the mean of all it is given, and expects zeros at what is missing
            seen = torch.where(visible > 0, signal, 0.0)
            inputs = {"X": seen.unsqueeze(-1), "missing_mask": visible.unsqueeze(-1)}
            rebuilt: torch.Tensor = self.network(inputs)["reconstruction"]
            return rebuilt.squeeze(-1)

    return TimesNet()
