"""Operating points, average precision, partial AUROC and their bootstrap: scikit-learn and literal integration."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from plr_assets.evaluation import operating_points as o
from plr_assets.evaluation.estimate import NO_VARIANCE, ONE_CLASS, SAME_EVERYWHERE
from plr_assets.evaluation.resampled import ranking

# heavy ties, exact 0 and 1, and two recordings are all in here
PAIRS = st.lists(
    st.tuples(st.booleans(), st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9, 1.0]) | st.floats(0, 1)),
    min_size=2,
    max_size=40,
)


def arrays(pairs: list[tuple[bool, float]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([truth for truth, _ in pairs]), np.array([v for _, v in pairs])


@given(PAIRS)
@settings(deadline=None)
def test_auroc_and_average_precision_equal_scikit_learn(pairs: list[tuple[bool, float]]) -> None:
    y, p = arrays(pairs)
    points = o.operating_points(y, p)
    if y.all() or not y.any():
        assert np.isnan(o.auroc_of(points)).all()
        assert np.isnan(o.average_precision_of(points)).all()
        assert np.isnan(o.partial_auroc_of(points)).all()
    else:
        assert o.auroc_of(points)[0] == pytest.approx(metrics.roc_auc_score(y, p), abs=1e-9)
        assert o.average_precision_of(points)[0] == pytest.approx(metrics.average_precision_score(y, p), abs=1e-9)
        assert o.partial_auroc_of(points, 0.0, 0.0)[0] == pytest.approx(metrics.roc_auc_score(y, p), abs=1e-9)


@given(st.integers(0, 10_000))
@settings(deadline=None, max_examples=40)
def test_whole_weights_equal_repeated_rows(seed: int) -> None:
    rng = np.random.default_rng(seed)
    y, p = rng.random(25) < 0.4, rng.random(25).round(1)
    weights = rng.integers(0, 4, (5, 25))
    points = o.operating_points(y, p, weights)
    found = [o.auroc_of(points), o.average_precision_of(points), o.partial_auroc_of(points, 0.6, 0.5)]
    for row, times in enumerate(weights):
        again = np.repeat(y, times), np.repeat(p, times)
        if len(set(again[0])) < 2:
            assert all(np.isnan(values[row]) for values in found)
            continue
        single = o.operating_points(*again)
        expected = [o.auroc_of(single), o.average_precision_of(single), o.partial_auroc_of(single, 0.6, 0.5)]
        assert [values[row] for values in found] == pytest.approx([float(v[0]) for v in expected], abs=1e-9)


@given(st.integers(0, 10_000), st.floats(0, 0.95), st.floats(0, 0.95))
@settings(deadline=None, max_examples=60)
def test_partial_auroc_equals_integrating_the_curve(seed: int, sensitivity: float, specificity: float) -> None:
    rng = np.random.default_rng(seed)
    y = np.arange(40) < 15
    p = np.round(1 / (1 + np.exp(-rng.normal(size=40) - 2 * y)), 1 + seed % 3)
    fpr, tpr, _ = metrics.roc_curve(y, p, drop_intermediate=False)
    found = o.partial_auroc_of(o.operating_points(y, p), sensitivity, specificity)[0]
    # piece by piece between all corners of the curve, the corner's border, and where the curve rises through it
    limit = 1 - specificity
    area = 0.0
    for x0, x1, t0, t1 in zip(fpr, fpr[1:], tpr, tpr[1:], strict=False):
        if x1 == x0 or x0 >= limit:
            continue
        cross = x0 + (sensitivity - t0) / (t1 - t0) * (x1 - x0) if t1 != t0 else x0
        stops = sorted({x0, min(x1, limit), float(np.clip(cross, x0, min(x1, limit)))})
        heights = [max(t0 + (t1 - t0) * (x - x0) / (x1 - x0) - sensitivity, 0) for x in stops]
        area += float(np.trapezoid(heights, stops))
    assert found == pytest.approx(area / ((1 - sensitivity) * limit), abs=1e-9)


def test_partial_auroc_of_perfect_useless_and_hand_rankings() -> None:
    y = np.arange(20) < 10
    assert o.partial_auroc_of(o.operating_points(y, y.astype(float)))[0] == pytest.approx(1)
    assert o.partial_auroc_of(o.operating_points(y, np.full(20, 0.3)))[0] == 0
    # the diagonal y = x over sens >= 0.2, spec >= 0.5: a triangle of legs 0.3 in a box of 0.8 x 0.5
    diagonal = o.partial_auroc_of(o.operating_points(y, np.full(20, 0.3)), 0.2, 0.5)[0]
    assert diagonal == pytest.approx(0.3**2 / 2 / (0.8 * 0.5))
    with pytest.raises(ValueError, match="corner"):
        o.partial_auroc_of(o.operating_points(y, y.astype(float)), 1.0, 0.5)


def test_positives_at_a_threshold_include_the_threshold() -> None:
    points = o.operating_points([1, 0, 1, 0], [0.2, 0.2, 0.7, 0.9])
    tp, fp = points.at([0.0, 0.2, 0.2000001, 0.9, 0.95])
    assert tp.tolist() == [[2, 2, 1, 0, 0]]
    assert fp.tolist() == [[2, 2, 1, 1, 0]]


def test_weights_of_one_subject_go_together_and_are_shared() -> None:
    codes = np.repeat(np.arange(30), 2)
    weights = o.recording_weights(codes, 50, seed=3)
    assert (weights[0] == 1).all()
    assert (weights[:, ::2] == weights[:, 1::2]).all()
    assert (weights.sum(axis=1) == 60).all()
    np.testing.assert_array_equal(weights, o.recording_weights(codes, 50, seed=3))
    assert (weights[1:] != o.recording_weights(codes, 50, seed=4)[1:]).any()


def test_recordings_entered_twice_do_not_narrow_the_bootstrap() -> None:
    rng = np.random.default_rng(0)
    y = np.arange(80) < 25
    p = 1 / (1 + np.exp(-rng.normal(size=80) - 1.5 * y))
    once = ranking(y, p, o.recording_weights(np.arange(80), 400, 1))
    codes = np.repeat(np.arange(80), 2)
    twice = ranking(np.repeat(y, 2), np.repeat(p, 2), o.recording_weights(codes, 400, 1), codes)
    for a, b in zip(once, twice, strict=True):
        assert a == pytest.approx(b)
        assert a.lower <= a.value < a.upper


def test_the_interval_is_that_of_the_resamples_spread_on_the_logit_scale() -> None:
    rng = np.random.default_rng(1)
    y, p = np.arange(60) < 20, rng.random(60)
    weights = o.recording_weights(np.arange(60), 100, 1)
    found = ranking(y, p, weights)
    for metric, estimate in (
        (metrics.roc_auc_score, found.auroc),
        (metrics.average_precision_score, found.average_precision),
    ):
        resampled = [metric(np.repeat(y, w), np.repeat(p, w)) for w in weights[1:].astype(int)]
        value = metric(y, p)
        half = 1.959963984540054 * np.std(resampled, ddof=1) / (value * (1 - value))
        ends = 1 / (1 + np.exp(-(np.log(value / (1 - value)) + half * np.array([-1, 1]))))
        assert estimate == pytest.approx((value, *ends), abs=1e-9)


def test_the_bootstrap_of_auroc_agrees_with_delong() -> None:
    from plr_assets.evaluation.discrimination import auroc_estimate

    rng = np.random.default_rng(2)
    y = np.arange(400) < 120
    p = 1 / (1 + np.exp(-rng.normal(size=400) - y))
    ours = ranking(y, p, o.recording_weights(np.arange(400), 2000, 1)).auroc
    assert ours == pytest.approx(auroc_estimate(y, p), abs=0.006)


def test_what_cannot_be_resampled_has_a_reason_and_no_interval() -> None:
    weights = o.recording_weights(np.arange(4), 50, 1)
    assert {e.reason for e in ranking([1] * 4, [0.1, 0.2, 0.3, 0.4], weights)} == {ONE_CLASS}
    perfect = ranking([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9], weights)
    assert [(e.value, e.reason) for e in perfect] == [(1.0, NO_VARIANCE), (1.0, NO_VARIANCE), (1.0, SAME_EVERYWHERE)]
    assert all(np.isnan(e[1:]).all() for e in perfect)
    constant = ranking([0, 0, 1, 1], [0.4] * 4, weights)
    assert (constant.auroc.value, constant.auroc.reason) == (0.5, NO_VARIANCE)


def test_weights_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="weights"):
        o.operating_points([0, 1], [0.2, 0.3], np.ones((3, 3)))
