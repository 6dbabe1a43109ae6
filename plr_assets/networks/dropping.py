"""Dropout while a network is used.

Belongs here: switching it on and off again. Does not belong here: what the spread of the results is taken for.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


@contextmanager
def dropping(network: torch.nn.Module) -> Iterator[None]:
    """Within, dropout layers drop as they do in training; everything else stays as it is in use."""
    import torch

    layers = [layer for layer in network.modules() if isinstance(layer, torch.nn.Dropout)]
    for layer in layers:
        layer.train()
    try:
        yield
    finally:
        for layer in layers:
            layer.eval()
