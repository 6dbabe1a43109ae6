"""Ensembles of imputers.

Belongs here: combining signals and their limits. Does not belong here: choosing the members (the registry does).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from plr_assets.recordings.table import Mask, Signal

# Ends of a 90 % interval lie this many standard deviations from the mean of a normal distribution.
_NORMAL_90 = 1.6449


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


def limits_of_members(
    signals: Sequence[Signal], limits: Sequence[tuple[Signal, Signal] | None], mask: Mask
) -> tuple[Signal, Signal] | None:
    """(n, T) float32 each: 5 % and 95 % limits of the members' mean, NaN where not `mask`; None of one member without.

    The members are taken as a mixture of equal shares, each a normal distribution about its own value, and the mixture
    as one normal distribution (Lakshminarayanan et al. 2017, arXiv 1612.01474): its variance is the mean of theirs plus
    the variance of their values. A member without limits counts with the mean variance of those that have some; one
    method alone keeps its own. Raises ValueError as `mean_of_members`.
    """
    mean = mean_of_members(signals)
    if len(signals) == 1:
        return limits[0]
    known = [pair for pair in limits if pair is not None]
    between = np.var(np.stack(signals).astype(np.float64), axis=0)
    within = np.zeros(mean.shape)
    for lower, upper in known:
        within += np.square((upper.astype(np.float64) - lower) / 2 / _NORMAL_90) / len(known)
    half = _NORMAL_90 * np.sqrt(between + within)
    return (
        np.where(mask, mean - half, np.nan).astype(np.float32),
        np.where(mask, mean + half, np.nan).astype(np.float32),
    )
