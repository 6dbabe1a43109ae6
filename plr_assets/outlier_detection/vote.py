"""Ensembles of detectors.

Belongs here: combining masks. Does not belong here: choosing the members (the registry does).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from plr_assets.recordings.table import Mask, Signal


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
