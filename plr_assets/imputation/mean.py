"""Ensembles of imputers.

Belongs here: combining signals and their limits. Does not belong here: choosing the members (the registry does).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from plr_assets.imputation.base import NORMAL_90, Reconstruction
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


def mean_with_limits(members: Sequence[Reconstruction]) -> Reconstruction:
    """`mean_of_members`, with 5 % and 95 % limits. One member keeps its own limits, or has none.

    The members are taken as a mixture of equal shares, each a normal distribution about its own value, and the mixture
    as one normal distribution (Lakshminarayanan et al. 2017, arXiv 1612.01474): its variance is the mean of theirs plus
    the variance of their values. A member without limits counts with the mean variance of those that have some.
    """
    signal = mean_of_members([member.signal for member in members])
    if len(members) == 1:
        return members[0]
    between = np.var(np.stack([member.signal for member in members]).astype(np.float64), axis=0)
    own = [
        np.square((member.upper.astype(np.float64) - member.lower) / 2 / NORMAL_90)
        for member in members
        if member.lower is not None and member.upper is not None
    ]
    half = NORMAL_90 * np.sqrt(between + (np.mean(own, axis=0) if own else 0.0))
    return Reconstruction(signal, (signal - half).astype(np.float32), (signal + half).astype(np.float32))
