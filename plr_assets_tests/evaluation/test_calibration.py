"""Calibration against statsmodels, scipy, a hand-written Newton iteration and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.stats import binomtest, t

from plr_assets.evaluation import calibration as c


def draw(seed: int, n: int = 120) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    risk = rng.normal(-1, 1.2, n)
    return (rng.random(n) < 1 / (1 + np.exp(-risk))).astype(int), 1 / (1 + np.exp(-0.6 * risk - 0.3))


@pytest.mark.parametrize("seed", range(5))
def test_slope_and_interval_equal_statsmodels_logit(seed: int) -> None:
    y, p = draw(seed)
    fit = sm.Logit(y, sm.add_constant(np.log(p / (1 - p)))).fit(disp=0)
    assert c.calibration_slope(y, p) == pytest.approx((fit.params[1], *fit.conf_int()[1]), rel=1e-5)


@pytest.mark.parametrize("seed", range(5))
def test_slope_maximises_the_likelihood(seed: int) -> None:
    y, p = draw(seed)
    x = np.log(p / (1 - p))
    best = minimize(lambda b: np.sum(np.logaddexp(0, -(2 * y - 1) * (b[0] + b[1] * x))), [0.0, 1.0], tol=1e-10)
    assert c.calibration_slope(y, p).value == pytest.approx(best.x[1], abs=1e-4)


@pytest.mark.parametrize("seed", range(5))
def test_calibration_in_the_large_solves_its_score_equation(seed: int) -> None:
    y, p = draw(seed)
    estimate, x = c.calibration_in_the_large(y, p), np.log(p / (1 - p))
    shifted = 1 / (1 + np.exp(-x - estimate.value))
    assert shifted.sum() == pytest.approx(y.sum())
    se = 1 / np.sqrt(np.sum(shifted * (1 - shifted)))
    assert estimate.upper - estimate.lower == pytest.approx(2 * 1.959964 * se, rel=1e-5)


def test_known_miscalibration_is_recovered() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=40_000)
    y = rng.random(x.size) < 1 / (1 + np.exp(-(0.5 + 2.0 * x)))
    p = 1 / (1 + np.exp(-x))
    slope = c.calibration_slope(y, p)
    assert slope.lower < 2.0 < slope.upper
    assert slope.upper - slope.lower < 0.2
    assert c.calibration_in_the_large(y, 1 / (1 + np.exp(-(x * 2)))).value == pytest.approx(0.5, abs=0.05)


DEGENERATE = {
    "one class": ([1, 1, 1], [0.2, 0.5, 0.9]),
    "constant": ([0, 1, 1, 0], [0.3] * 4),
    "separated": ([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9]),
    "separated the wrong way": ([1, 1, 0, 0], [0.1, 0.2, 0.8, 0.9]),
    "separated but for a tie": ([0, 0, 1, 1], [0.1, 0.4, 0.4, 0.9]),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", DEGENERATE)
def test_a_slope_that_does_not_exist_is_nan(name: str) -> None:
    assert np.isnan(c.calibration_slope(*DEGENERATE[name])).all()


@pytest.mark.filterwarnings("error")
@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1) | st.sampled_from([0.0, 0.5, 1.0])), min_size=1, max_size=25))
@settings(max_examples=150, deadline=None)
def test_any_input_gives_an_ordered_interval_or_nan(pairs: list[tuple[bool, float]]) -> None:
    y, p = np.array([t for t, _ in pairs]), np.array([v for _, v in pairs])
    for metric in (c.calibration_slope, c.calibration_in_the_large, c.observed_expected):
        value, lower, upper = metric(y, p)
        assert np.isnan(lower) == np.isnan(upper)
        assert np.isnan(lower) or lower <= value <= upper


def test_probabilities_of_0_and_1_are_clipped_where_stated() -> None:
    y, p = [0, 1, 0, 1, 1, 0], np.array([0.0, 1.0, 0.4, 0.5, 0.0, 1.0])
    assert c.calibration_slope(y, p) == c.calibration_slope(y, np.clip(p, 1e-6, 1 - 1e-6))


def test_observed_expected_is_the_ratio_with_a_delta_interval_on_the_log_scale() -> None:
    y, p = draw(3)
    n = y.size
    # delta method for log(mean y) - log(mean p), written with the covariance matrix of the two means
    gradient = np.array([1 / y.mean(), -1 / p.mean()])
    error = np.sqrt(gradient @ (np.cov(y, p) / n) @ gradient)
    factor = np.exp(t.ppf(0.975, n - 1) * error)
    ratio = y.mean() / p.mean()
    assert c.observed_expected(y, p) == pytest.approx((ratio, ratio / factor, ratio * factor), rel=1e-9)


def test_observed_expected_of_one_class_has_no_interval() -> None:
    assert c.observed_expected([0, 0], [0.1, 0.3])[0] == 0
    assert c.observed_expected([1, 1], [0.5, 0.5])[0] == 2
    assert np.isnan(c.observed_expected([1, 1], [0.5, 0.5])[1:]).all()
    assert np.isnan(c.observed_expected([1, 0], [0.0, 0.0])).all()


def test_recordings_entered_twice_do_not_narrow_the_intervals() -> None:
    y, p = draw(1, n=400)
    subjects = np.tile(np.arange(y.size), 2)
    for metric in (c.calibration_slope, c.calibration_in_the_large, c.observed_expected):
        once, twice = metric(y, p), metric(np.tile(y, 2), np.tile(p, 2), subjects)
        assert twice.value == pytest.approx(once.value)
        # the clustered variance is a sandwich: near the model's where the model holds, and not half of it
        assert twice.upper - twice.lower == pytest.approx(once.upper - once.lower, rel=0.15)


def test_clustered_observed_expected_follows_the_cluster_sums() -> None:
    y, subjects = np.array([1, 1, 0, 0, 1, 0]), np.array([0, 0, 1, 1, 2, 2])
    ratio, lower, _ = c.observed_expected(y, np.full(6, 0.5), subjects)
    # sums of y / mean(y) - 1 per subject: 2, -2, 0; their mean over 6 recordings has variance 3/2 x 8/36
    assert np.log(ratio / lower) == pytest.approx(t.ppf(0.975, 2) * np.sqrt(3 / 2 * 8 / 36))


def test_grouped_curve_has_ten_equal_groups_and_wilson_intervals() -> None:
    y, p = draw(7, n=208)
    curve = c.calibration_curve(y, p)
    order = np.argsort(p)
    assert curve.n.sum() == 208
    assert set(curve.n) == {20, 21}
    start = 0
    for group, size in enumerate(curve.n):
        rows = order[start : start + size]
        start += size
        assert curve.predicted_mean[group] == pytest.approx(p[rows].mean())
        interval = binomtest(int(y[rows].sum()), int(size)).proportion_ci(method="wilson")
        assert (curve.lower[group], curve.upper[group]) == pytest.approx((interval.low, interval.high))
        assert curve.observed_share[group] == pytest.approx(y[rows].mean())


def test_grouped_curve_does_not_depend_on_the_order_of_tied_rows() -> None:
    rng = np.random.default_rng(0)
    y, p = rng.integers(0, 2, 90), rng.integers(0, 5, 90) / 5
    shuffled = rng.permutation(90)
    for ours, theirs in zip(c.calibration_curve(y, p), c.calibration_curve(y[shuffled], p[shuffled]), strict=True):
        np.testing.assert_allclose(ours, theirs)


def test_grouped_curve_of_a_constant_is_one_group() -> None:
    curve = c.calibration_curve([0, 1, 1, 0], [0.3] * 4)
    assert (curve.n.tolist(), curve.observed_share.tolist()) == ([4], [0.5])


def test_repeated_recordings_count_once_in_the_grouped_interval() -> None:
    y, p = draw(3, n=60)
    once = c.calibration_curve(y, p)
    twice = c.calibration_curve(np.repeat(y, 2), np.repeat(p, 2), np.repeat(np.arange(60), 2))
    np.testing.assert_allclose(twice.lower, once.lower)
    assert (twice.n == 2 * once.n).all()
