"""The flexible curve against statsmodels, its distances against their definitions, ECE against a loop."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit

from plr_assets.evaluation import calibration_curves as c
from plr_assets.evaluation.estimate import ONE_CLASS
from plr_assets.evaluation.operating_points import recording_weights


def draw(seed: int, n: int = 208, slope: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(-1.2, 1.2, n)
    return (rng.random(n) < expit(slope * x)).astype(int), expit(x)


def weights(n: int, resamples: int = 40) -> np.ndarray:
    return recording_weights(np.arange(n), resamples, 1)


def harrell(x: np.ndarray, knots: np.ndarray) -> np.ndarray:
    """The restricted cubic spline as Harrell 2015 (2.4.5) writes it, one term at a time."""
    t1, t2, t3 = knots
    term = [
        max(v - t1, 0) ** 3 - max(v - t2, 0) ** 3 * (t3 - t1) / (t3 - t2) + max(v - t3, 0) ** 3 * (t2 - t1) / (t3 - t2)
        for v in x
    ]
    return np.column_stack([np.ones_like(x), x, term])


def fitted(y: np.ndarray, p: np.ndarray, times: np.ndarray | None = None) -> np.ndarray:
    x = logit(p)
    design = harrell(x, np.quantile(x, c.KNOT_QUANTILES))
    model = sm.GLM(y, design, family=sm.families.Binomial(), freq_weights=np.ones(y.size) if times is None else times)
    return np.asarray(model.fit(tol=1e-14, maxiter=200).predict(design))


@pytest.mark.parametrize("seed", range(4))
def test_distances_equal_those_of_a_statsmodels_fit(seed: int) -> None:
    y, p = draw(seed)
    found = c.smooth_calibration(y, p, weights(y.size))
    distance = np.abs(fitted(y, p) - p)
    assert found.ici.value == pytest.approx(distance.mean(), abs=1e-9)
    assert found.e50.value == pytest.approx(np.quantile(distance, 0.5, method="inverted_cdf"), abs=1e-9)
    assert found.e90.value == pytest.approx(np.quantile(distance, 0.9, method="inverted_cdf"), abs=1e-9)
    assert found.emax.value == pytest.approx(distance.max(), abs=1e-9)


def test_resamples_are_fitted_as_if_alone() -> None:
    y, p = draw(7)
    w = weights(y.size, 30)
    found = c.smooth_calibration(y, p, w)
    alone = [np.average(np.abs(fitted(y, p, times) - p), weights=times) for times in w[1:]]
    assert found.ici[1:] == pytest.approx(tuple(np.quantile(alone, (0.025, 0.975))), abs=1e-8)


def test_the_curve_runs_over_the_probabilities_inside_its_band() -> None:
    y, p = draw(1)
    found = c.smooth_calibration(y, p, weights(y.size, 200))
    assert found.predicted[[0, -1]] == pytest.approx([p.min(), p.max()])
    assert ((found.lower <= found.observed) & (found.observed <= found.upper)).mean() > 0.95
    assert ((found.observed > 0) & (found.observed < 1)).all()
    at_p = np.interp(p, found.predicted, found.observed)
    np.testing.assert_allclose(at_p, fitted(y, p), atol=2e-3)  # 101 points are dense enough to draw


def test_a_curved_miscalibration_is_seen_and_a_true_model_is_not_accused() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=30_000)
    y = rng.random(x.size) < expit(x + 0.8 * x**2 - 0.8)
    bent = c.smooth_calibration(y, expit(x), weights(x.size, 5))
    straight = c.smooth_calibration(rng.random(x.size) < expit(x), expit(x), weights(x.size, 5))
    truth = np.abs(expit(x + 0.8 * x**2 - 0.8) - expit(x)).mean()
    assert bent.ici.value == pytest.approx(truth, abs=0.02)
    assert straight.ici.value < 0.01


DEGENERATE = {
    "one class": ([1] * 6, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6], ONE_CLASS),
    "constant": ([0, 1, 1, 0], [0.3] * 4, c.TOO_FEW_VALUES),
    "two": ([0, 1], [0.2, 0.6], c.TOO_FEW_VALUES),
    "separated": ([0] * 10 + [1] * 10, list(np.linspace(0.05, 0.95, 20)), c.NO_MAXIMUM),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", DEGENERATE)
def test_a_curve_that_does_not_exist_has_a_reason(name: str) -> None:
    y, p, reason = DEGENERATE[name]
    found = c.smooth_calibration(y, p, weights(len(y), 20))
    assert np.isnan(found.observed).all()
    for measure in found[4:]:
        assert np.isnan(measure).all()
        assert measure.reason == reason


@pytest.mark.filterwarnings("error")
@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1) | st.sampled_from([0.0, 0.5, 1.0])), min_size=2, max_size=25))
@settings(deadline=None, max_examples=80)
def test_any_input_gives_ordered_intervals_or_a_reason(pairs: list[tuple[bool, float]]) -> None:
    y, p = np.array([truth for truth, _ in pairs]), np.array([v for _, v in pairs])
    w = weights(y.size, 20)
    for estimate in (*c.smooth_calibration(y, p, w)[4:], *c.calibration_error(y, p, w)[:2]):
        assert estimate.reason or not np.isnan(estimate).any()
        assert np.isnan(estimate.value) or 0 <= estimate.value <= 1
        assert np.isnan(estimate.lower) or estimate.lower <= estimate.upper


@pytest.mark.parametrize("binning", ["equal_size", "equal_width"])
def test_calibration_error_equals_a_loop_over_its_bins(binning: str) -> None:
    y, p = draw(3)
    p[:3] = 0.0, 1.0, 0.3
    found = c.calibration_error(y, p, weights(y.size), bins=10, binning=binning)
    if binning == "equal_width":
        members = [(p >= k / 10) & ((p < (k + 1) / 10) | (k == 9)) for k in range(10)]
    else:
        order = np.argsort(np.argsort(p, kind="stable"), kind="stable")
        members = [np.floor(10 * (order + 0.5) / y.size) == k for k in range(10)]
    gaps = [(m.sum(), abs(y[m].mean() - p[m].mean())) for m in members if m.any()]
    assert found.ece.value == pytest.approx(sum(n * gap for n, gap in gaps) / y.size, abs=1e-9)
    assert found.mce.value == pytest.approx(max(gap for _, gap in gaps), abs=1e-9)
    assert (found.binning, found.bins) == (binning, len(gaps))
    assert found.ece.value < found.mce.value


def test_calibration_error_grows_with_the_number_of_bins_by_chance() -> None:
    y, p = draw(5)
    few, many = (c.calibration_error(y, p, weights(y.size), bins=k).ece.value for k in (3, 50))
    assert many > few + 0.05


def test_recordings_entered_twice_do_not_narrow_the_intervals() -> None:
    y, p = draw(2, n=120)
    codes = np.repeat(np.arange(120), 2)
    w = recording_weights(codes, 60, 1)
    once = c.smooth_calibration(y, p, weights(120, 60))
    twice = c.smooth_calibration(np.repeat(y, 2), np.repeat(p, 2), w, codes)
    # knots are quantiles, which move a little when every value is there twice
    assert twice.ici == pytest.approx(once.ici, abs=2e-3)
    np.testing.assert_allclose(twice.upper - twice.lower, once.upper - once.lower, atol=0.02)
