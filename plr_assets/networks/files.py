"""Networks on disk, without pickle.

Belongs here: a network's tensors as safetensors. Does not belong here: what else a fitted method remembers
(`estimator`).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from plr_assets.errors import ContractError

if TYPE_CHECKING:
    import torch

NETWORK_FILE = "network.safetensors"


def save_network(network: torch.nn.Module, folder: Path) -> None:
    """Write the network's tensors to `folder`; equal networks give equal bytes. Tensors that are shared are written
    once each under every name."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in network.state_dict().items()}
    save_file(tensors, folder / NETWORK_FILE)


def load_network(network: torch.nn.Module, folder: Path) -> torch.nn.Module:
    """Fill `network` with what `save_network` wrote. Raises ContractError if the file is gone, broken, or of another
    network."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        network.load_state_dict(load_file(folder / NETWORK_FILE))
    except (RuntimeError, SafetensorError, FileNotFoundError) as error:
        raise ContractError(
            str(folder / NETWORK_FILE), f"these are not the weights of this network: {error}", "Fit it again."
        ) from error
    return network.eval()
