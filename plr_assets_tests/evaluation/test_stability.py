"""Instability of single predictions around the developed model's."""

from __future__ import annotations

import numpy as np
import pytest

from plr_assets.evaluation.stability import instability

RNG = np.random.default_rng(4)
P = np.where(RNG.random((200, 7)) < 0.4, RNG.random((200, 7)), np.nan)
OWN = RNG.random(7)


def test_each_number_is_that_of_a_loop_over_recordings() -> None:
    found = instability(OWN, P, [0.1, 0.5])
    for i, own in enumerate(OWN):
        p = P[~np.isnan(P[:, i]), i]
        assert found.mape[i] == pytest.approx(np.mean(np.abs(p - own)), abs=1e-12)
        assert (found.lower[i], found.upper[i]) == pytest.approx(tuple(np.quantile(p, [0.025, 0.975])), abs=1e-12)
        for row, threshold in zip(found.class_changes, (0.1, 0.5), strict=True):
            assert row[i] == pytest.approx(np.mean((p >= threshold) != (own >= threshold)))


def test_replicates_that_repeat_the_developed_model_are_stable() -> None:
    found = instability(OWN, np.tile(OWN, (5, 1)), [0.5])
    assert found.mape == pytest.approx(np.zeros(7))
    assert found.class_changes == pytest.approx(np.zeros((1, 7)))
    assert found.lower == pytest.approx(OWN)
    assert found.upper == pytest.approx(OWN)


def test_the_reference_is_the_developed_model_not_the_mean_of_the_replicates() -> None:
    """The original took the mean, so that a model which no replicate resembles looked stable."""
    found = instability([0.9], np.full((4, 1), 0.2), [0.5])
    assert found.mape == pytest.approx([0.7])
    assert found.class_changes == pytest.approx(np.array([[1.0]]))


def test_a_probability_at_the_threshold_is_on_its_positive_side() -> None:
    assert instability([0.5], np.array([[0.7]]), [0.5]).class_changes.item() == 0


def test_without_a_developed_model_only_the_range_is_known() -> None:
    found = instability(np.full(7, np.nan), P, [0.5])
    assert np.isnan(found.mape).all()
    assert np.isnan(found.class_changes).all()
    assert np.isfinite(found.lower).all()


def test_recordings_that_were_never_out_of_bag_and_single_replicates_are_defined() -> None:
    found = instability([0.3, 0.3], np.array([[np.nan, 0.4]]), [0.5])
    assert np.isnan([found.mape[0], found.lower[0], found.upper[0], found.class_changes[0, 0]]).all()
    assert (found.lower[1], found.upper[1], found.mape[1]) == pytest.approx((0.4, 0.4, 0.1))


def test_predictions_of_other_recordings_are_refused() -> None:
    with pytest.raises(ValueError, match="developed"):
        instability([0.3], P, [0.5])
