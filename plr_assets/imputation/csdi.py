"""CSDI as an imputer (Tashiro et al. 2021, arXiv 2107.03502).

Belongs here: the published parameters by name, samples and what is made of them. Does not belong here: the network
(`networks.csdi`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from plr_assets.imputation.windowed import Gapped, WindowedImputer
from plr_assets.networks.filling import shown
from plr_assets.networks.training import Objective
from plr_assets.recordings.table import Signal

if TYPE_CHECKING:
    import torch


@dataclass(eq=False, kw_only=True)
class CSDIImputer(WindowedImputer):
    """`WindowedImputer` with CSDI. The signal is the median of `draws` samples, the limits their spread.

    n_layers, n_heads, n_channels, d_time, d_diffusion, n_diffusion_steps, beta_start, beta_end   as in the paper.
    sampling_steps   steps that a sample takes (published: all `n_diffusion_steps`, with new noise in each).

    A draw's noise is drawn for the recording and shared by the windows that overlap: independent windows would cancel
    half of each other's spread where they are blended.
    """

    window: int = 200
    n_layers: int = 4
    n_heads: int = 8
    n_channels: int = 64
    d_time: int = 128
    d_diffusion: int = 128
    n_diffusion_steps: int = 50
    beta_start: float = 1e-4
    beta_end: float = 0.5
    sampling_steps: int = 10
    draws: int = 20

    def _check(self) -> None:
        super()._check()
        self._require_training()
        self._require("draws", self.draws >= 2, "a probabilistic method needs at least 2")
        steps = f"must be 2 to n_diffusion_steps ({self.n_diffusion_steps})"
        self._require("sampling_steps", 2 <= self.sampling_steps <= self.n_diffusion_steps, steps)

    def _build(self) -> torch.nn.Module:
        from plr_assets.networks.csdi import Csdi

        return Csdi(
            window=self.window,
            scale=self.line_error_,
            n_layers=self.n_layers,
            n_heads=self.n_heads,
            n_channels=self.n_channels,
            d_time=self.d_time,
            d_diffusion=self.d_diffusion,
            n_diffusion_steps=self.n_diffusion_steps,
            beta_start=self.beta_start,
            beta_end=self.beta_end,
        )

    def _objective(self, count: int) -> Objective:
        from plr_assets.networks.csdi import DiffuseGaps

        return DiffuseGaps(count, self.hidden_share, steps=self.sampling_steps)

    def _fill_and_draw(self, gapped: Gapped, limits: bool) -> tuple[Signal, Signal | None]:  # noqa: ARG002
        import torch

        used = gapped.used
        with torch.no_grad():
            lines, _, visible = shown(self.network_, gapped.signal[used], gapped.inside[used], gapped.visible[used])
            count, length = gapped.signal.shape
            noise = torch.randn(self.draws, (count + 1) * length // 2).unfold(1, length, length // 2)[:, used]
            rebuilt = self.network_.sample(
                lines.repeat(self.draws, 1),
                visible.repeat(self.draws, 1),
                noise.reshape(-1, length).to(lines.device),
                self.sampling_steps,
            )
        draws = np.asarray(rebuilt.cpu().numpy(), dtype=np.float32).reshape(self.draws, used.size, length)
        return np.asarray(np.median(draws, axis=0)), draws
