"""The human mask and the vote."""

from __future__ import annotations

import numpy as np
import pytest

from plr_assets.errors import DataError
from plr_assets.outlier_detection.human import human_mask
from plr_assets.outlier_detection.vote import majority_vote, vote_share
from plr_assets_tests.builders import make_recordings

RECORDINGS = make_recordings(3)


def test_human_mask_is_artefacts_and_dropouts() -> None:
    assert RECORDINGS.artefact is not None
    mask = human_mask(RECORDINGS)
    assert mask.sum() == RECORDINGS.artefact.sum() + RECORDINGS.dropout.sum()
    assert mask[RECORDINGS.artefact].all()
    with pytest.raises(DataError, match="pupil-gt"):
        human_mask(make_recordings(2, with_truth=False))


@pytest.mark.parametrize(
    ("votes", "expected"), [([1], 1), ([1, 0], 0), ([1, 1, 0], 1), ([1, 1, 0, 0], 0), ([1, 1, 1, 0], 1)]
)
def test_only_a_strict_majority_masks(votes: list[int], expected: int) -> None:
    assert majority_vote([np.array([[bool(vote)]]) for vote in votes]).item() is bool(expected)


def test_a_vote_of_masks_keeps_dropouts() -> None:
    members = [RECORDINGS.dropout, human_mask(RECORDINGS), RECORDINGS.dropout]
    assert np.array_equal(majority_vote(members), RECORDINGS.dropout)


def test_a_vote_needs_equal_masks() -> None:
    with pytest.raises(ValueError, match="members"):
        majority_vote([])
    with pytest.raises(ValueError, match="a member's mask"):
        majority_vote([RECORDINGS.dropout, RECORDINGS.dropout[:2]])


def test_the_share_of_votes_is_above_a_half_exactly_where_the_majority_masks() -> None:
    masks = [np.random.default_rng(i).random(RECORDINGS.pupil.shape) < 0.4 for i in range(4)]
    members = [mask | RECORDINGS.dropout for mask in masks]
    share = vote_share(members, RECORDINGS.dropout)
    observed = ~RECORDINGS.dropout
    assert share.dtype == np.float32
    assert np.array_equal(np.isnan(share), RECORDINGS.dropout)
    assert np.array_equal(share[observed] > 0.5, majority_vote(members)[observed])
    assert set(np.unique(share[observed])) == {0, 0.25, 0.5, 0.75, 1}
