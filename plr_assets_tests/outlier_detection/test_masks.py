"""The human mask and the vote."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from plr_assets.errors import DataError
from plr_assets.outlier_detection.agreement import pooled_f1
from plr_assets.outlier_detection.artefact_share import artefact_share
from plr_assets.outlier_detection.human import human_mask
from plr_assets.outlier_detection.vote import majority_vote, vote_share, voters
from plr_assets.recordings.table import Recordings
from plr_assets.schemas import RECORDINGS as RECORDINGS_TABLE
from plr_assets.schemas import validate
from plr_assets_tests.builders import assert_same, make_recordings

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


def partly(reviewed: list[bool]) -> Recordings:
    """As import gives them: nothing is marked where no human looked."""
    assert RECORDINGS.artefact is not None
    looked = np.array(reviewed)
    return replace(RECORDINGS, artefact=RECORDINGS.artefact & looked[:, None], reviewed=looked)


def test_where_a_human_reviewed_some_the_others_are_not_called_clean() -> None:
    some, kept = partly([True, False, True]), RECORDINGS.take([0, 2])
    mask = np.random.default_rng(0).random(RECORDINGS.pupil.shape) < 0.2
    assert pooled_f1(mask, some) == pooled_f1(mask[[0, 2]], kept)
    assert artefact_share(some) == artefact_share(kept) != artefact_share(replace(some, reviewed=np.empty(0, bool)))
    with pytest.raises(DataError, match=r"R001: pupil-gt needs human-rejected samples; 1 recording\(s\)"):
        human_mask(some)
    np.testing.assert_array_equal(human_mask(some.take([2, 0])), human_mask(RECORDINGS.take([2, 0])))


def test_a_table_keeps_which_recordings_were_reviewed() -> None:
    some = partly([True, False, True])
    frame = some.to_frame()
    assert validate(frame, RECORDINGS_TABLE)["artefact"].is_null().to_list() == [False, True, False]
    again = Recordings.from_frame(frame)
    assert_same(again, some)
    assert again.artefact is not None
    np.testing.assert_array_equal(again.artefact, some.artefact)
    np.testing.assert_array_equal(again.reviewed, some.reviewed)
    alone = again.take([1])
    assert alone.artefact is None
    assert not alone.reviewed.any()
    assert not replace(some, artefact=None).reviewed.any()


def test_an_even_number_of_good_members_votes_without_the_worst() -> None:
    assert voters({"a": 0.5, "b": 0.3, "c": 0.1}, 0.2) == ("a",)
    assert voters({"a": 0.3, "b": 0.5, "c": 0.4}, 0.2) == ("a", "b", "c")
    assert voters({"a": 0.3, "b": 0.5}, 0.0) == ("b",)
    assert voters({"a": float("nan"), "b": 0.5, "c": 0.1, "d": 0.2}, 0.0) == ("b", "c", "d")
    assert voters({"a": float("nan"), "b": float("nan")}, 0.2) == ("a", "b")
    with pytest.raises(DataError, match=r"no member reaches an F1 of 0.6 .*a 0.500"):
        voters({"a": 0.5, "b": 0.3}, 0.6)
