"""What masked pretraining hides, and the error it is scored by.

Belongs here: drawing hidden patches, and losses that count observed samples only. Does not belong here: models.
"""

from __future__ import annotations

import torch
from torch import Tensor

from plr_assets.pretrained.units import UnitsConfig


def draw_hidden(config: UnitsConfig, windows: int, patches: int, generator: torch.Generator) -> Tensor:
    """(windows, patches) bool: the patches to hide, drawn as the official UniTS does.

    One draw for the batch decides whether windows lose their last patches or random ones; each window has its own
    share. `generator` must be on the CPU, so that equal seeds hide equal patches on every device.
    """
    from_right = bool(torch.rand((), generator=generator) <= config.right_prob)
    share = torch.empty(windows, 1).uniform_(config.min_mask_ratio, config.max_mask_ratio, generator=generator)
    kept = (patches * (1 - share)).long()
    noise = torch.rand(windows, patches, generator=generator)
    rank = noise.argsort(dim=1).argsort(dim=1)
    return (torch.arange(patches).expand_as(rank) if from_right else rank) >= kept


def squared_error(reconstruction: Tensor, x: Tensor, observed: Tensor) -> Tensor:
    """Mean squared error over observed samples (all (B, L)); 0 if there is none. `x` may be NaN elsewhere."""
    error = torch.where(observed, x, 0.0) - torch.where(observed, reconstruction, 0.0)
    return error.square().sum() / observed.sum().clamp(min=1)


def pretraining_loss(reconstructions: tuple[Tensor, Tensor], x: Tensor, observed: Tensor) -> Tensor:
    """The official loss of `UniTS.pretrain`: both errors, over every observed sample, hidden or not.

    It is in squared units of `x`, so windows of large amplitude weigh more: the official data are standardised first.
    """
    first, second = reconstructions
    return squared_error(first, x, observed) + squared_error(second, x, observed)
