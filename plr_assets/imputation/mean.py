"""Ensembles of imputers.

Belongs here: combining signals. Does not belong here: choosing the members (the registry does).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from plr_assets.recordings.table import Signal


def mean_of_members(signals: Sequence[Signal]) -> Signal:
    """(n, T) float32: the mean of the members' signals (or reconstructions), sample by sample.

    Summed in float64: the sum of equal float32 values is then exact, so samples on which all members agree (the
    unmasked ones) keep their bits. Raises ValueError without members or on unequal shapes.
    """
    if not signals:
        raise ValueError("a mean needs members")
    total = np.zeros(signals[0].shape)
    for signal in signals:
        if signal.shape != total.shape:
            raise ValueError(f"a member's signal has shape {signal.shape}, the first {total.shape}")
        total += signal
    return np.asarray((total / len(signals)).astype(np.float32))
