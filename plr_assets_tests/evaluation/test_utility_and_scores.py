"""Intervals of net benefit and Brier scores, their parts and the distributions: closed forms, statsmodels, scipy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import t as student
from scipy.stats import ttest_rel
from statsmodels.stats.proportion import proportion_confint

from plr_assets.evaluation import distributions as d
from plr_assets.evaluation import overall as o
from plr_assets.evaluation import utility as u
from plr_assets.evaluation.estimate import ONE_CLASS

T = np.array([0.05, 0.10, 0.15, 0.20])
PAIRS = st.lists(
    st.tuples(st.booleans(), st.sampled_from([0.0, 0.1, 0.5, 1.0]) | st.floats(0, 1)), min_size=1, max_size=25
)


def draw(seed: int = 0, n: int = 120) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = rng.random(n) < 0.3
    return y, 1 / (1 + np.exp(2 - rng.normal(size=n) - 1.5 * y))


def mover(a: float, b: float, worth: float, cost: float, n: int) -> tuple[float, float]:
    """worth a - cost b of one multinomial, as Zou & Donner 2008 write it, with statsmodels' Wilson."""
    (la, ua), (lb, ub) = (proportion_confint(round(s * n), n, method="wilson") for s in (a, b))
    r = -np.sqrt(a * b / ((1 - a) * (1 - b)))
    down = (worth * (a - la)) ** 2 + (cost * (ub - b)) ** 2 - 2 * r * worth * (a - la) * cost * (ub - b)
    up = (worth * (ua - a)) ** 2 + (cost * (b - lb)) ** 2 - 2 * r * worth * (ua - a) * cost * (b - lb)
    return worth * a - cost * b - np.sqrt(down), worth * a - cost * b + np.sqrt(up)


def test_net_benefit_and_what_is_beyond_all_have_movers_interval() -> None:
    y, p = draw()
    found = u.utility(y, p, thresholds=T)
    for i, threshold in enumerate(T):
        odds, referred = threshold / (1 - threshold), p >= threshold
        tp, fp, fn, tn = (np.mean(a & b) for a, b in ((referred, y), (referred, ~y), (~referred, y), (~referred, ~y)))
        for band, expected in (
            (found.net_benefit, (tp - odds * fp, *mover(tp, fp, 1.0, odds, 120))),
            (found.beyond_all, (odds * tn - fn, *mover(tn, fn, odds, 1.0, 120))),
        ):
            assert [edge[i] for edge in band] == pytest.approx(expected, abs=1e-9)


def test_the_pieces_of_utility_fit_together() -> None:
    y, p = draw(1)
    found = u.utility(y, p, thresholds=T)
    np.testing.assert_allclose(found.net_benefit.value, u.net_benefit(y, p, T), atol=1e-12)
    np.testing.assert_allclose(found.refer_all.value, u.net_benefit_all(y, T), atol=1e-12)
    beyond = found.net_benefit.value - found.refer_all.value
    np.testing.assert_allclose(found.beyond_all.value, beyond, atol=1e-12)
    np.testing.assert_allclose(found.standardised.value, found.net_benefit.value / y.mean())
    np.testing.assert_allclose(found.interventions_avoided, 100 * beyond * (1 - T) / T)
    lower, upper = proportion_confint(y.sum(), 120, method="wilson")
    np.testing.assert_allclose(found.refer_all.lower, lower - (1 - lower) * T / (1 - T))
    np.testing.assert_allclose(found.refer_all.upper, upper - (1 - upper) * T / (1 - T))


def test_net_benefit_equals_dcurves() -> None:
    # dcurves 1.1.7: dca(...).net_benefit and net_intervention_avoided, which is per person
    y, p = [0, 1, 0, 0, 1, 0, 1, 0, 0, 0, 1, 0], [0.02, 0.9, 0.12, 0.33, 0.15, 0.05, 0.6, 0.41, 0.2, 0.08, 0.07, 0.55]
    found = u.utility(y, p, thresholds=[0.05, 0.1, 0.15, 0.2, 0.4])
    model = [0.3026315789473684, 0.2037037037037037, 0.19117647058823528, 0.08333333333333331, 0.055555555555555525]
    everyone = [0.2982456140350877, 0.25925925925925924, 0.21568627450980388, 0.16666666666666663, -0.11111111111111122]
    avoided = [
        0.08333333333333359,
        -0.49999999999999994,
        -0.1388888888888887,
        -0.33333333333333326,
        0.25000000000000006,
    ]
    np.testing.assert_allclose(found.net_benefit.value, model, atol=1e-9)
    np.testing.assert_allclose(found.refer_all.value, everyone, atol=1e-9)
    np.testing.assert_allclose(found.interventions_avoided, 100 * np.array(avoided), atol=1e-9)


def test_the_mean_of_the_parts_is_the_net_benefit() -> None:
    y, p = draw(2)
    np.testing.assert_allclose(u.benefits(y, p, T).mean(axis=1), u.net_benefit(y, p, T), atol=1e-12)


def test_harm_is_shown_and_never_clipped() -> None:
    y = np.arange(40) < 8
    harmful = u.utility(y, np.where(y, 0.05, 0.9), thresholds=[0.3])
    assert harmful.standardised.value[0] < -1
    assert harmful.beyond_all.upper[0] < 0


def test_the_difference_of_two_pipelines_is_the_paired_t_interval() -> None:
    y, p = draw(3)
    q = np.clip(p + np.random.default_rng(1).normal(0, 0.08, y.size), 0, 1)
    found = u.utility_difference(y, p, q, thresholds=T)
    for i in range(T.size):
        interval = ttest_rel(u.benefits(y, p, T)[i], u.benefits(y, q, T)[i]).confidence_interval(0.95)
        assert (found.lower[i], found.upper[i]) == pytest.approx((interval.low, interval.high), abs=1e-9)
    same = u.utility_difference(y, p, p, thresholds=T)
    assert not same.value.any()
    assert np.isnan(same.lower).all()  # nothing tells how much equal decisions could differ


def test_standardised_net_benefit_has_a_delta_interval_below_1() -> None:
    y, p = draw(4)
    found = u.utility(y, p, thresholds=[0.15])
    parts = u.benefits(y, p, [0.15])[0]
    gradient = np.array([1 / y.mean(), -parts.mean() / y.mean() ** 2])
    error = np.sqrt(gradient @ (np.cov(parts, y) / y.size) @ gradient)
    ratio = parts.mean() / y.mean()
    factor = np.exp(student.ppf(0.975, y.size - 1) * error / (1 - ratio))
    assert found.standardised.lower[0] == pytest.approx(1 - (1 - ratio) * factor, abs=1e-9)
    assert found.standardised.upper[0] == pytest.approx(1 - (1 - ratio) / factor, abs=1e-9)


def test_recordings_entered_twice_do_not_narrow_utility() -> None:
    y, p = draw(5, n=300)
    twice = u.utility(np.repeat(y, 2), np.repeat(p, 2), np.repeat(np.arange(300), 2), T)
    for ours, other in zip(u.utility(y, p, thresholds=T)[1:5], twice[1:5], strict=True):
        np.testing.assert_allclose(ours.value, other.value, atol=1e-12)
        np.testing.assert_allclose(ours.upper - ours.lower, other.upper - other.lower, rtol=0.01)


@pytest.mark.filterwarnings("error")
@given(PAIRS, st.integers(1, 3))
@settings(deadline=None, max_examples=80)
def test_any_input_gives_ordered_bands_or_nan(pairs: list[tuple[bool, float]], per_subject: int) -> None:
    y, p = np.array([truth for truth, _ in pairs]), np.array([v for _, v in pairs])
    subjects = np.arange(y.size) // per_subject
    for band in u.utility(y, p, subjects)[1:5]:
        known = ~np.isnan(band.lower)
        assert (band.lower[known] <= band.value[known] + 1e-12).all()
        assert (band.value[known] <= band.upper[known] + 1e-12).all()
    estimates = (o.brier_estimate(y, p, subjects), o.scaled_brier_estimate(y, p, subjects))
    for estimate in (*estimates, d.distributions(y, p, subjects).discrimination_slope):
        assert estimate.reason or (estimate.lower <= estimate.value <= estimate.upper)
    parts = o.brier_parts(y, p)
    total = parts.reliability - parts.resolution + parts.uncertainty + parts.within
    assert total == pytest.approx(parts.brier, abs=1e-9)


def test_brier_has_the_t_interval_of_a_mean_on_the_log_scale() -> None:
    y, p = draw(6)
    squares = (p - y) ** 2
    error = squares.std(ddof=1) / np.sqrt(y.size)
    factor = np.exp(student.ppf(0.975, y.size - 1) * error / squares.mean())
    expected = squares.mean(), squares.mean() / factor, squares.mean() * factor
    assert o.brier_estimate(y, p) == pytest.approx(expected, abs=1e-9)


def test_scaled_brier_has_the_delta_interval_of_brier_and_prevalence() -> None:
    y, p = draw(7)
    squares, q = (p - y) ** 2, y.mean()
    gradient = np.array([-1 / (q * (1 - q)), squares.mean() * (1 - 2 * q) / (q * (1 - q)) ** 2])
    error = np.sqrt(gradient @ (np.cov(squares, y) / y.size) @ gradient)
    found = o.scaled_brier_estimate(y, p)
    assert found.value == pytest.approx(o.scaled_brier(o.brier(y, p), q), abs=1e-9)
    assert found.upper - found.value == pytest.approx(student.ppf(0.975, y.size - 1) * error, abs=1e-9)
    assert o.scaled_brier_estimate([1, 1], [0.2, 0.3]).reason == ONE_CLASS


def test_brier_parts_equal_murphy_where_a_group_is_one_probability() -> None:
    p = np.repeat([0.1, 0.4, 0.8], [10, 20, 10])
    y = np.r_[np.arange(10) < 2, np.arange(20) < 8, np.arange(10) < 7]
    found = o.brier_parts(y, p)
    assert found.groups == 3
    assert found.within == pytest.approx(0)
    assert found.reliability == pytest.approx((10 * 0.1**2 + 0 + 10 * 0.1**2) / 40)
    assert found.uncertainty == pytest.approx(17 / 40 * 23 / 40)
    resolution = (10 * (0.2 - 0.425) ** 2 + 20 * (0.4 - 0.425) ** 2 + 10 * (0.7 - 0.425) ** 2) / 40
    assert found.resolution == pytest.approx(resolution)


def test_distributions_describe_each_class() -> None:
    y, p = draw(8)
    found = d.distributions(y, p)
    for described, values in ((found.cases, p[y]), (found.controls, p[~y])):
        assert described[:5] == pytest.approx(
            (values.size, values.mean(), values.std(ddof=1), values.min(), values.max())
        )
        np.testing.assert_allclose(described.quantiles, np.quantile(values, d.QUANTILES))
    slope = found.discrimination_slope
    assert slope.value == pytest.approx(p[y].mean() - p[~y].mean())
    error = np.sqrt(p[y].var() / y.sum() + p[~y].var() / (~y).sum())  # two independent means
    assert slope.upper - slope.value == pytest.approx(student.ppf(0.975, 119) * error, rel=0.01)
    nobody = d.distributions([1, 1], [0.2, 0.4])
    assert (nobody.controls.n, nobody.discrimination_slope.reason) == (0, ONE_CLASS)
    assert np.isnan(nobody.controls.quantiles).all()


def test_the_histogram_holds_every_recording_once() -> None:
    y, p = draw(9)
    p[:2] = 0.0, 1.0
    found = d.histogram(y, p, bins=10)
    assert found.cases.sum() == y.sum()
    assert found.controls.sum() == (~y).sum()
    expected = [np.sum(~y & (p >= k / 10) & ((p < (k + 1) / 10) | (k == 9))) for k in range(10)]
    assert found.controls.tolist() == expected
