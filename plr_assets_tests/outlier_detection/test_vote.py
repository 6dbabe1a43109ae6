"""Ensembles: members vote by what they did on development recordings, and by nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from plr_assets.errors import DataError
from plr_assets.outlier_detection.agreement import pooled_f1
from plr_assets.outlier_detection.vote import majority_vote, vote_share, voters
from plr_assets_tests.builders import make_recordings

NAN = float("nan")


@pytest.mark.parametrize(
    ("f1", "least", "expected"),
    [
        ({"a": 0.5, "b": 0.3, "c": 0.4}, 0.2, ("a", "b", "c")),
        ({"a": 0.5, "b": 0.19, "c": 0.1}, 0.2, ("a",)),
        ({"a": 0.5, "b": 0.2, "c": 0.1}, 0.2, ("a",)),  # of two the worse has no vote: no tie
        ({"a": 0.5, "b": 0.6, "c": 0.4, "d": 0.7}, 0.0, ("a", "b", "d")),
        ({"a": 0.5, "b": NAN, "c": 0.4}, 0.2, ("a",)),  # flags nothing that could be scored
        ({"a": NAN, "b": NAN}, 0.2, ("a", "b")),  # no human looked at the development recordings
    ],
)
def test_who_votes(f1: dict[str, float], least: float, expected: tuple[str, ...]) -> None:
    assert voters(f1, least) == expected


def test_where_no_member_is_good_enough_each_is_named_with_its_score() -> None:
    with pytest.raises(DataError, match=r"0\.2 .*a 0\.100, b 0\.000") as caught:
        voters({"a": 0.1, "b": NAN}, 0.2)
    assert "least_f1" in caught.value.remedy


@given(st.dictionaries(st.text(min_size=1, max_size=3), st.floats(0, 1), min_size=1, max_size=8), st.floats(0, 0.9))
def test_voters_are_odd_good_enough_in_order_and_no_better_member_is_left_out(
    f1: dict[str, float], least: float
) -> None:
    if max(f1.values()) < least:
        with pytest.raises(DataError):
            voters(f1, least)
        return
    chosen = voters(f1, least)
    assert len(chosen) % 2 == 1
    assert list(chosen) == [name for name in f1 if name in chosen]
    assert min(f1[name] for name in chosen) >= least
    left = [f1[name] for name in f1 if name not in chosen and f1[name] >= least]
    assert len(left) <= 1
    assert all(value <= min(f1[name] for name in chosen) for value in left)


@given(hnp.arrays(np.bool_, st.tuples(st.integers(1, 6), st.integers(1, 3), st.integers(1, 9))))
def test_the_vote_is_the_share_above_one_half_whatever_the_order(masks: np.ndarray) -> None:
    members, nothing_lost = list(masks), np.zeros(masks.shape[1:], dtype=np.bool_)
    mask, share = majority_vote(members), vote_share(members, nothing_lost)
    assert np.array_equal(mask, share > 0.5)
    assert np.allclose(share, masks.mean(axis=0))
    assert np.array_equal(mask, majority_vote(members[::-1]))


def test_a_lost_sample_has_no_share() -> None:
    lost = np.array([[True, False]])
    assert np.array_equal(np.isnan(vote_share([lost, lost], lost)), lost)


@pytest.mark.parametrize("masks", [[], [np.zeros((1, 2), bool), np.zeros((1, 3), bool)], [np.zeros((1, 2))]])
def test_no_member_or_masks_that_do_not_fit_are_refused(masks: list[np.ndarray]) -> None:
    with pytest.raises(ValueError, match="member"):
        majority_vote(masks)


def test_the_choice_follows_development_recordings_only() -> None:
    """Members' masks stay; ground truth of half the recordings is corrupted: of the others, and then of these."""
    cohort = make_recordings(8, seed=3, n_samples=600)
    assert cohort.artefact is not None
    rng = np.random.default_rng(0)
    dev = np.arange(4)
    found = {
        name: (cohort.artefact & (rng.random(cohort.artefact.shape) < hit))
        | (rng.random(cohort.artefact.shape) < wrong)
        for name, hit, wrong in (("good", 0.9, 0.0), ("fair", 0.6, 0.01), ("bad", 0.02, 0.1))
    }

    def chosen(artefact: np.ndarray) -> tuple[str, ...]:
        development = replace(cohort, artefact=artefact).take(dev)
        return voters({name: pooled_f1(mask[dev], development) for name, mask in found.items()}, 0.2)

    assert chosen(cohort.artefact) == ("good",)
    evaluated = np.arange(8)[:, None] >= 4
    observed = ~cohort.dropout
    assert chosen(np.where(evaluated, ~cohort.artefact & observed, cohort.artefact)) == ("good",)
    assert chosen(np.where(evaluated, cohort.artefact, found["bad"] & observed)) == ("bad",)
