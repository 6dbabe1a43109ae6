"""Ensembles of detectors.

Belongs here: who votes, and the vote. Does not belong here: who could (the registry says).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from plr_assets.errors import DataError
from plr_assets.recordings.table import Mask, Signal


def voters(development_f1: Mapping[str, float], least_f1: float) -> tuple[str, ...]:
    """The members that vote, in their order: those whose F1 on development recordings is at least `least_f1`, and of an
    even number all but the worst, so that no vote is tied. Where nothing can be scored all vote (F1 NaN).

    Raises DataError if no member is good enough.
    """
    if all(np.isnan(value) for value in development_f1.values()):
        return tuple(development_f1)
    f1 = {name: 0.0 if np.isnan(value) else value for name, value in development_f1.items()}
    chosen = [name for name, value in f1.items() if value >= least_f1]
    if not chosen:
        listed = ", ".join(f"{name} {value:.3f}" for name, value in f1.items())
        raise DataError(
            "ensemble",
            f"no member reaches an F1 of {least_f1} on the development recordings ({listed}).",
            "Lower `least_f1`, or train the members for longer.",
        )
    if len(chosen) % 2 == 0:
        chosen.remove(min(chosen, key=lambda name: f1[name]))
    return tuple(chosen)


def majority_vote(masks: Sequence[Mask]) -> Mask:
    """(n, T) bool: the samples that more than half of the members mask; a tie keeps the sample as it is.

    Every member masks every dropout, so the vote does. Raises ValueError without members or on unequal shapes.
    """
    return np.asarray(2 * _votes(masks) > len(masks))


def vote_share(masks: Sequence[Mask], dropout: Mask) -> Signal:
    """(n, T) float32: the share of the members that mask a sample, the score of a vote; NaN at dropouts.

    Raises ValueError without members or on unequal shapes.
    """
    return np.where(dropout, np.float32(np.nan), (_votes(masks) / len(masks)).astype(np.float32))


def _votes(masks: Sequence[Mask]) -> NDArray[np.int64]:
    if not masks:
        raise ValueError("a vote needs members")
    votes = np.zeros(masks[0].shape, dtype=np.int64)
    for mask in masks:
        if mask.shape != votes.shape or mask.dtype != np.bool_:
            raise ValueError(f"a member's mask is {mask.dtype} {mask.shape}, the first is bool {votes.shape}")
        votes += mask
    return votes
