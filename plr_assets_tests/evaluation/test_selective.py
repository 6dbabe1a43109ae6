"""Selective prediction against the published formulas, every order of ties, and scikit-learn."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from plr_assets.evaluation import selective as s


def literal(wrong: np.ndarray, confidence: np.ndarray) -> tuple[np.ndarray, float]:
    """Risk and AURC when no two recordings are as sure: cumulative errors from the surest down."""
    ordered = wrong[np.argsort(-confidence)]
    risk = np.array([ordered[: k + 1].mean() for k in range(wrong.size)])
    return risk, float(risk.mean())


@given(st.integers(0, 10_000))
@settings(deadline=None)
def test_risk_coverage_without_ties_is_the_cumulative_error(seed: int) -> None:
    rng = np.random.default_rng(seed)
    y, p, confidence = rng.random(20) < 0.4, rng.random(20), rng.permutation(20) / 20
    wrong = (p >= 0.5) != y
    found = s.risk_coverage(y, p, confidence)
    risk, aurc = literal(wrong, confidence)
    np.testing.assert_allclose(found.risk, risk, atol=1e-12)
    assert found.aurc == pytest.approx(aurc, abs=1e-12)
    # the excess is over the order in which the errors come last
    best = literal(wrong, -wrong.astype(float) + rng.random(20) / 100)[1]
    assert found.e_aurc == pytest.approx(aurc - best, abs=1e-12)


def test_ties_are_the_mean_over_all_their_orders() -> None:
    y, p = np.array([1, 0, 0, 1, 1]), np.array([0.9, 0.8, 0.2, 0.3, 0.6])
    confidence = np.array([1.0, 1.0, 0.5, 0.5, 0.5])
    wrong = (p >= 0.5) != y
    risks = []
    for first in permutations([0, 1]):
        for last in permutations([2, 3, 4]):
            risks.append([wrong[[*first, *last][: k + 1]].mean() for k in range(5)])
    found = s.risk_coverage(y, p, confidence)
    np.testing.assert_allclose(found.risk, np.mean(risks, axis=0))
    assert found.risk[-1] == pytest.approx(wrong.mean())


@given(st.integers(0, 10_000))
@settings(deadline=None, max_examples=30)
def test_the_order_of_rows_does_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    y, p, confidence = rng.random(30) < 0.4, rng.random(30).round(1), rng.integers(0, 4, 30)
    order = rng.permutation(30)
    assert s.risk_coverage(y, p, confidence).aurc == pytest.approx(
        s.risk_coverage(y[order], p[order], confidence[order]).aurc
    )
    a, b = (s.retention(y[o], p[o], confidence[o], threshold=0.15) for o in (np.arange(30), order))
    for ours, theirs in zip(a, b, strict=True):
        np.testing.assert_allclose(ours, theirs)


def test_a_confidence_that_knows_the_errors_has_no_excess_and_a_constant_one_the_error_rate() -> None:
    y, p = np.array([1, 0, 1, 0, 0, 1]), np.array([0.9, 0.1, 0.2, 0.7, 0.3, 0.8])
    wrong = (p >= 0.5) != y
    assert s.risk_coverage(y, p, -wrong.astype(float)).e_aurc == pytest.approx(0)
    constant = s.risk_coverage(y, p, np.zeros(6))
    np.testing.assert_allclose(constant.risk, wrong.mean())
    assert constant.aurc == pytest.approx(wrong.mean())
    no_errors = s.risk_coverage(y, y.astype(float), np.arange(6.0))
    assert (no_errors.aurc, no_errors.e_aurc) == (0.0, 0.0)


def test_retention_without_ties_equals_the_metrics_of_the_kept() -> None:
    rng = np.random.default_rng(5)
    y = rng.random(100) < 0.4
    p = np.clip(rng.random(100) * 0.6 + 0.4 * y, 0, 1)
    confidence = s.distance_from_threshold(p)
    found = s.retention(y, p, confidence, threshold=0.15)
    for i, rate in enumerate(s.RETENTION):
        kept = np.argsort(-confidence)[: round(100 * rate)]
        tp, fp = (y[kept] & (p[kept] >= 0.15)).sum(), (~y[kept] & (p[kept] >= 0.15)).sum()
        assert found.brier[i] == pytest.approx(metrics.brier_score_loss(y[kept], p[kept]), abs=1e-9)
        assert found.net_benefit[i] == pytest.approx((tp - fp * 0.15 / 0.85) / kept.size, abs=1e-9)
        assert found.prevalence[i] == pytest.approx(y[kept].mean())
        if len(set(y[kept])) == 2:
            assert found.auroc[i] == pytest.approx(metrics.roc_auc_score(y[kept], p[kept]), abs=1e-9)
        else:
            assert np.isnan(found.auroc[i])


def test_tied_recordings_at_the_border_are_kept_in_part() -> None:
    weights = s.retained(np.array([3.0, 1.0, 1.0, 1.0]), np.array([0.25, 0.5, 1.0]))
    np.testing.assert_allclose(weights, [[1, 0, 0, 0], [1, 1 / 3, 1 / 3, 1 / 3], [1, 1, 1, 1]])


@pytest.mark.filterwarnings("error")
@given(st.lists(st.tuples(st.booleans(), st.sampled_from([0.0, 0.5, 1.0])), min_size=1, max_size=12))
@settings(deadline=None)
def test_any_input_gives_numbers_or_nan(pairs: list[tuple[bool, float]]) -> None:
    y, p = np.array([truth for truth, _ in pairs]), np.array([v for _, v in pairs])
    curve = s.risk_coverage(y, p, np.abs(p - 0.5))
    assert curve.e_aurc + 1e-12 >= 0
    assert curve.aurc <= 1
    kept = s.retention(y, p, np.abs(p - 0.5), threshold=0.15)
    assert np.isfinite(kept.brier).all()


def test_a_confidence_that_is_nan_and_a_rate_of_0_are_refused() -> None:
    with pytest.raises(ValueError, match="confidence"):
        s.risk_coverage([0, 1], [0.1, 0.9], [np.nan, 1.0])
    with pytest.raises(ValueError, match="rates"):
        s.retention([0, 1], [0.1, 0.9], [1.0, 2.0], [0.0], threshold=0.15)
