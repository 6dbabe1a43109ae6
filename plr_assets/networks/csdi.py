"""CSDI (Tashiro et al. 2021, arXiv 2107.03502), the network of pypots, and a sampler of few steps.

Belongs here: the library's network, its diffusion objective, sampling. Does not belong here: how many samples, and
what is made of them. Imports torch: import it where it is used.

What is diffused is the correction of straight lines (`filling`), in units of its usual size: the published network
diffuses the signal itself, of which a gap's uncertain part is a tenth. And what is predicted is their velocity, a
mixture of noise and signal (Salimans & Ho 2022, arXiv 2202.00512), instead of the noise alone: after few steps of few
epochs an error in the noise is a large error in what is behind it. With one feature the published embedding of
features is a constant; its place among the side information is taken by `LineFeatures`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from plr_assets.networks.filling import FillGaps, shown
from plr_assets.networks.library import quiet_import
from plr_assets.networks.lines import LineFeatures
from plr_assets.networks.training import Examples
from plr_assets.recordings.table import Mask

# Corrections beyond this many times their usual size are not believed.
_LARGEST = 8.0


class Csdi(torch.nn.Module):
    """Conditional, quadratic schedule, as published. `scale`: the usual size of a correction, in units of the signal.

    signal_share   (n_diffusion_steps,) the share of a correction's variance that is left after so many steps of noise.
    """

    signal_share: Tensor
    moments: Tensor

    def __init__(
        self,
        *,
        window: int,
        scale: float,
        n_layers: int,
        n_heads: int,
        n_channels: int,
        d_time: int,
        d_diffusion: int,
        n_diffusion_steps: int,
        beta_start: float,
        beta_end: float,
    ) -> None:
        with quiet_import():
            from pypots.imputation.csdi.core import _CSDI

        super().__init__()
        self.features = LineFeatures(scale)
        core = _CSDI(
            1,
            n_layers,
            n_heads,
            n_channels,
            d_time,
            self.features.count,
            d_diffusion,
            False,
            n_diffusion_steps,
            "quad",
            beta_start,
            beta_end,
        )
        self.network = core.backbone.diff_model
        self.register_buffer("signal_share", torch.tensor(core.backbone.alpha, dtype=torch.float32))
        moments = core.time_embedding(torch.arange(window, dtype=torch.float32).unsqueeze(0), d_time)
        self.register_buffer("moments", moments[0].T.contiguous())

    def velocity(self, noisy: Tensor, features: Tensor, visible: Tensor, step: Tensor) -> Tensor:
        """(B, L) of `noisy` corrections (B, L) with `features` (B, L, 2) at `step` (B,) or (1,)."""
        course, rows = features[..., 0] * visible, len(noisy)
        known = [self.moments.expand(rows, -1, -1), features.transpose(1, 2), visible.unsqueeze(1)]
        inputs = torch.stack([course, noisy * (1 - visible)], dim=1).unsqueeze(2)
        found: Tensor = self.network(inputs, torch.cat(known, dim=1).unsqueeze(2), step)
        return found.squeeze(1)

    def taken(self, steps: int) -> Tensor:
        """(steps,) the steps that a sample takes, down from the noisiest; not the first, where next to no noise is."""
        return torch.linspace(len(self.signal_share) - 1, 0, steps + 1)[:-1].round().long()

    def sample(self, signal: Tensor, visible: Tensor, noise: Tensor, steps: int) -> Tensor:
        """(B, L) rebuilt from `noise` (B, L) in `steps` deterministic steps (Song et al. 2021, DDIM, 2010.02502)."""
        features = self.features(signal, visible)
        taken = self.taken(steps).tolist()
        current = clean = noise
        for turn, step in enumerate(taken):
            share = self.signal_share[step]
            found = self.velocity(current, features, visible, torch.tensor([step], device=signal.device))
            clean = (share.sqrt() * current - (1 - share).sqrt() * found).clamp(-_LARGEST, _LARGEST)
            if turn + 1 < len(taken):
                after = self.signal_share[taken[turn + 1]]
                left = (current - share.sqrt() * clean) / (1 - share).sqrt()
                current = after.sqrt() * clean + (1 - after).sqrt() * left
        return self.features.corrected(signal, clean)


@dataclass(frozen=True, slots=True)
class DiffuseGaps(FillGaps):
    """CSDI's own objective where `FillGaps` hides: the velocity of noisy corrections, at the steps that samples take.

    The hold-out's error is the masked MAE of one sample of `steps` steps that starts from the mean of all noise, 0.
    """

    steps: int = 10

    def loss(
        self, network: torch.nn.Module, examples: Examples, rows: NDArray[np.intp], hidden: Mask
    ) -> torch.Tensor | None:
        assert isinstance(network, Csdi)  # noqa: S101 - the network of this objective
        visible, asked = self._asked(examples, rows, hidden)
        if not asked.any():
            return None
        signal, _, seen = shown(network, examples.signal[rows], examples.valid[rows], visible)
        there = torch.from_numpy(asked).to(signal.device)
        correction = (torch.from_numpy(examples.target[rows]).to(signal.device) - signal) / network.features.scale
        taken = network.taken(self.steps)
        step = taken[torch.randint(len(taken), (len(rows),))].to(signal.device)
        share = network.signal_share[step].unsqueeze(1)
        noise = torch.randn(signal.shape).to(signal.device)
        noisy = torch.where(there, share.sqrt() * correction + (1 - share).sqrt() * noise, noise)
        velocity = share.sqrt() * noise - (1 - share).sqrt() * correction
        found = network.velocity(noisy, network.features(signal, seen), seen, step)
        return torch.square((found - velocity)[there]).mean()

    def _rebuilt(self, network: torch.nn.Module, examples: Examples, rows: NDArray[np.intp], visible: Mask) -> Tensor:
        assert isinstance(network, Csdi)  # noqa: S101 - the network of this objective
        signal, _, seen = shown(network, examples.signal[rows], examples.valid[rows], visible)
        return network.sample(signal, seen, torch.zeros_like(signal), self.steps)
