"""Ensembles of detectors.

Belongs here: combining masks. Does not belong here: choosing the members (the registry does).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from plr_assets.recordings.table import Mask


def majority_vote(masks: Sequence[Mask]) -> Mask:
    """(n, T) bool: the samples that more than half of the members mask; a tie keeps the sample as it is.

    Every member masks every dropout, so the vote does. Raises ValueError without members or on unequal shapes.
    """
    if not masks:
        raise ValueError("a vote needs members")
    votes = np.zeros(masks[0].shape, dtype=np.int64)
    for mask in masks:
        if mask.shape != votes.shape or mask.dtype != np.bool_:
            raise ValueError(f"a member's mask is {mask.dtype} {mask.shape}, the first is bool {votes.shape}")
        votes += mask
    return np.asarray(2 * votes > len(masks))
