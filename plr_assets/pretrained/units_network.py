"""UniTS as a network that rebuilds windows (`networks.training.Reconstructor`).

Belongs here: that adaptation. Does not belong here: the architecture (`units`) or files (`units_weights`).
"""

from __future__ import annotations

from torch import Tensor, nn

from plr_assets.pretrained.units import UniTS

# 32 patches of 16; the original cut windows of 500, whose last patch is a quarter full.
WINDOW = 512


class UnitsReconstructor(nn.Module):
    """What is hidden and what was never observed are the same to UniTS: neither is read, and a patch without a visible
    sample becomes the mask token."""

    def __init__(self, model: UniTS) -> None:
        super().__init__()
        self.model = model

    def forward(self, signal: Tensor, observed: Tensor, visible: Tensor) -> Tensor:  # noqa: ARG002 - the interface
        return self.model.reconstruct(signal, visible > 0)
