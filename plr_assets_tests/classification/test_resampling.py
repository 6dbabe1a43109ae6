"""The study's resamples: stratified, by subject, honest out of bag."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plr_assets.classification.resampling import cases_from, resample
from plr_assets.errors import DataError
from plr_assets.schemas import BOOTSTRAP_CASES, validate


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 4), min_size=2, max_size=12), st.lists(st.integers(1, 4), min_size=2, max_size=12))
def test_every_iteration_draws_each_class_to_its_size_and_whole_subjects(
    negative: list[int], positive: list[int]
) -> None:
    """Numbers are recordings a subject."""
    sizes = [*negative, *positive]
    subjects = [f"S{i}" for i, size in enumerate(sizes) for _ in range(size)]
    y = np.array([int(i >= len(negative)) for i, size in enumerate(sizes) for _ in range(size)])
    resamples = resample(subjects, y, 20, seed=1)
    first = np.array([subjects.index(f"S{i}") for i in range(len(sizes))])
    for i in range(len(resamples)):
        counts = resamples.counts[i]
        assert all(counts[j] == counts[subjects.index(subject)] for j, subject in enumerate(subjects))
        assert counts[first][: len(negative)].sum() == len(negative)
        assert counts[first][len(negative) :].sum() == len(positive)
        train, test = resamples.train(i), resamples.test(i)
        assert not {subjects[j] for j in train} & {subjects[j] for j in test}
        assert set(train) | set(test) == set(range(len(subjects)))
        assert set(y[test]) == {0, 1}
        assert train.dtype == test.dtype == np.uint16


def test_subjects_are_drawn_with_the_probability_of_a_bootstrap() -> None:
    """A subject of a class of m is out of bag with (1 - 1/m)^m, and drawn once a class size on average."""
    y = np.repeat([0, 1], [60, 30])
    resamples = resample([str(i) for i in range(90)], y, 3000, seed=0)
    assert resamples.counts.mean() == 1
    for m, rows in ((60, slice(0, 60)), (30, slice(60, 90))):
        assert (resamples.counts[:, rows] == 0).mean() == pytest.approx((1 - 1 / m) ** m, abs=0.005)
        assert resamples.counts[:, rows].var() == pytest.approx(1 - 1 / m, abs=0.02)


def test_the_seed_decides_and_more_iterations_only_continue() -> None:
    subjects, y = [str(i) for i in range(20)], np.arange(20) % 2
    few, many = resample(subjects, y, 5, seed=9), resample(subjects, y, 50, seed=9)
    assert np.array_equal(few.counts, many.counts[:5])
    assert not np.array_equal(few.counts, resample(subjects, y, 5, seed=10).counts)
    assert len(np.unique(many.counts, axis=0)) == 50


def test_classes_that_cannot_be_left_out_and_two_faced_subjects_are_refused() -> None:
    with pytest.raises(DataError, match=r"positive class has 1"):
        resample(["a", "b", "c", "c"], [0, 0, 1, 1], 2, seed=0)
    with pytest.raises(DataError, match=r"subject b.*both labels"):
        resample(["a", "b", "b", "c"], [0, 0, 1, 1], 2, seed=0)


def test_cases_are_the_evaluated_labelled_recordings_in_order() -> None:
    roles = pl.DataFrame(
        {
            "recording": ["e", "d", "c", "b", "a"],
            "subject": ["1", "2", "3", "4", "5"],
            "role": ["evaluated", "development", "evaluated", "evaluated", "evaluated"],
            "label": ["glaucoma", "glaucoma", None, "control", "other"],
        }
    )
    cases = validate(cases_from(roles, ("control", "glaucoma")), BOOTSTRAP_CASES)
    assert cases.rows() == [(0, "e", "1", 1), (1, "b", "4", 0)]
