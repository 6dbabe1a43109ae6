"""MOMENT as an embedder: windows of a signal in, one vector a window out.

Belongs here: what momentfm's task "embedding" does with the network of `moment`. Does not belong here: how a recording
is cut, or what becomes of its vectors (`featurization.embedding`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from plr_assets.pretrained.moment import WINDOW

if TYPE_CHECKING:
    import torch


def embed_windows(
    network: torch.nn.Module, windows: NDArray[np.float32], inside: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """(k, 512) windows -> (k, d): the encoder's outputs, averaged over the patches that hold nothing but signal.

    network   of `load_moment`; its head is not used.
    inside    (k, 512) true where there is signal, false at padding. Every window has at least one whole patch of it.
    The library normalises each window by its own mean and spread, so that size and level of a response are not in its
    vector; only shape is. Raises ValueError for windows of another length.
    """
    import torch

    if windows.shape != inside.shape or windows.shape[1] != WINDOW:
        raise ValueError(f"windows are (k, {WINDOW}), with as many flags, not {windows.shape} and {inside.shape}")
    place = next(network.parameters()).device
    with torch.no_grad():
        found = network.model.embed(  # type: ignore[operator, union-attr]
            x_enc=torch.from_numpy(np.where(inside, windows, np.float32(0))).unsqueeze(1).to(place),
            input_mask=torch.from_numpy(inside.astype(np.float32)).to(place),
            reduction="mean",
        )
    return np.asarray(found.embeddings.cpu().numpy(), dtype=np.float64)
