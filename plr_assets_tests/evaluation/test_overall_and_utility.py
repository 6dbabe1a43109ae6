"""Brier scores and net benefit against scikit-learn, closed forms and literal counting."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss

from plr_assets.evaluation.overall import brier, brier_rows, scaled_brier
from plr_assets.evaluation.utility import THRESHOLDS, net_benefit, net_benefit_all, utility

Y = np.arange(50) % 3 == 0
P = np.random.default_rng(0).random(50).round(2)


def test_brier_equals_scikit_learn() -> None:
    assert brier(Y, P) == pytest.approx(brier_score_loss(Y, P))


def test_brier_of_many_rows_counts_what_is_out_of_bag() -> None:
    rng = np.random.default_rng(1)
    p, mask = rng.random((6, 50)), rng.random((6, 50)) < 0.4
    mask[5] = False
    found = brier_rows(Y, np.where(mask, p, np.nan), mask)
    assert found[:5] == pytest.approx([brier_score_loss(Y[m], row[m]) for row, m in zip(p[:5], mask[:5], strict=True)])
    assert np.isnan(found[5])


def test_scaled_brier_is_0_for_the_prevalence_1_for_the_truth_and_negative_for_worse() -> None:
    prevalence = float(Y.mean())
    assert scaled_brier(brier(Y, np.full(50, prevalence)), prevalence) == pytest.approx(0)
    assert scaled_brier(brier(Y, Y), prevalence) == 1
    assert scaled_brier(brier(Y, 1 - Y), prevalence) < -1
    assert np.isnan(scaled_brier(0.1, 1.0))


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 100)), min_size=1, max_size=30))
def test_net_benefit_equals_counting_and_refers_at_the_threshold_itself(pairs: list[tuple[bool, int]]) -> None:
    y, p = np.array([t for t, _ in pairs]), np.array([v / 100 for _, v in pairs])
    for t, found in zip(THRESHOLDS, net_benefit(y, p, THRESHOLDS), strict=True):
        referred = [truth for truth, v in zip(y, p, strict=True) if v >= t]
        hits = sum(bool(truth) for truth in referred)
        assert found == pytest.approx(hits / len(y) - (len(referred) - hits) / len(y) * t / (1 - t))


def test_treat_all_of_the_published_test_set() -> None:
    y = np.arange(63) < 17
    # reference/evaluation.md 0.4: what most published net benefits equal
    expected = [0.2314, 0.1887, 0.1410, 0.0873]
    assert net_benefit_all(y, [0.05, 0.10, 0.15, 0.20]) == pytest.approx(expected, abs=5e-5)
    assert net_benefit_all(y, [0.5])[0] < 0  # harm is shown, not clipped at 0


def test_decision_curve_of_a_model_that_refers_all_is_treat_all() -> None:
    curve = utility(Y, np.ones(50))
    np.testing.assert_allclose(curve.net_benefit.value, net_benefit_all(Y, THRESHOLDS), atol=1e-12)
    np.testing.assert_allclose(curve.refer_all.value, curve.net_benefit.value, atol=1e-12)
    assert curve.threshold.tolist() == [percent / 100 for percent in range(1, 51)]
    assert not utility(Y, np.zeros(50)).net_benefit.value.any()


@pytest.mark.parametrize("t", [0.0, 1.0, -0.1, np.nan])
def test_a_threshold_without_odds_is_refused(t: float) -> None:
    with pytest.raises(ValueError, match="threshold"):
        net_benefit(Y, P, [t])
