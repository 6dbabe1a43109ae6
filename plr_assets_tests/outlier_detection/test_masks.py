"""The human mask, the vote and the scorer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import f1_score, precision_score, recall_score

from plr_assets.errors import DataError
from plr_assets.outlier_detection.human import human_mask
from plr_assets.outlier_detection.scoring import score_masks
from plr_assets.outlier_detection.vote import majority_vote
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


def test_scores_are_pointwise_and_over_samples_with_a_pupil() -> None:
    assert RECORDINGS.artefact is not None
    mask = np.random.default_rng(0).random(RECORDINGS.pupil.shape) < 0.2
    observed = ~RECORDINGS.dropout
    scores = score_masks(mask, RECORDINGS)
    truth, found = RECORDINGS.artefact[observed], mask[observed]
    assert scores["precision"] == pytest.approx(precision_score(truth, found))
    assert scores["recall"] == pytest.approx(recall_score(truth, found))
    assert scores["f1"] == pytest.approx(f1_score(truth, found))
    assert scores["flagged_share"] == pytest.approx(found.mean())
    assert scores == score_masks(mask | RECORDINGS.dropout, RECORDINGS)


def test_scores_that_are_undefined_are_nan_and_without_a_human_there_are_none() -> None:
    nothing = np.zeros_like(RECORDINGS.dropout)
    scores = score_masks(nothing, replace(RECORDINGS, artefact=nothing))
    assert np.isnan([scores["precision"], scores["recall"], scores["f1"]]).all()
    assert set(score_masks(nothing, replace(RECORDINGS, artefact=None))) == {"flagged_share"}
