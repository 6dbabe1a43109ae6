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


def build_filling_timesnet(
    *,
    window: int,
    scale: float,
    n_layers: int,
    top_k: int,
    d_model: int,
    d_ffn: int,
    n_kernels: int,
    dropout: float,
) -> torch.nn.Module:
    """The same network as a corrector of straight lines (`filling`), of which `scale` is the usual size.

    Given `LineFeatures` and the flags of what is visible; the published network has no flags, and takes a hidden
    sample for a zero. The library's own normalisation of windows is off: `LineFeatures` centres them.
    """
    import torch

    with quiet_import():
        from pypots.imputation.timesnet.core import _TimesNet
        from pypots.nn.modules.loss import MAE

    from plr_assets.networks.lines import LineFeatures

    class FillingTimesNet(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.features = LineFeatures(scale)
            count = self.features.count + 1
            self.network = _TimesNet(
                n_layers, window, count, top_k, d_model, d_ffn, n_kernels, dropout, False, MAE(), MAE()
            )

        def forward(self, signal: torch.Tensor, inside: torch.Tensor, visible: torch.Tensor) -> torch.Tensor:  # noqa: ARG002
            known = torch.cat([self.features(signal, visible), visible.unsqueeze(-1)], dim=2)
            found = self.network({"X": known, "missing_mask": torch.ones_like(known)})["reconstruction"]
            rebuilt: torch.Tensor = self.features.corrected(signal, found[..., 0])
            return rebuilt

    return FillingTimesNet()
