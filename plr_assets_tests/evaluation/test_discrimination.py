"""AUROC and its variance against scikit-learn, the pairwise definition, hand examples and simulation."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from plr_assets.evaluation import discrimination as d


def psi(case: float, control: float) -> float:
    return 1.0 if case > control else 0.5 if case == control else 0.0


def slow_delong(y: np.ndarray, p: np.ndarray) -> tuple[float, float]:
    """AUROC and variance, literally as DeLong et al. 1988 write them."""
    cases, controls = [v for v, t in zip(p, y, strict=True) if t], [v for v, t in zip(p, y, strict=True) if not t]
    m, k = len(cases), len(controls)
    area = sum(psi(a, b) for a in cases for b in controls) / (m * k)
    of_case = [sum(psi(a, b) for b in controls) / k for a in cases]
    of_control = [sum(psi(a, b) for a in cases) / m for b in controls]
    s10 = sum((v - area) ** 2 for v in of_case) / (m - 1)
    s01 = sum((v - area) ** 2 for v in of_control) / (k - 1)
    return area, s10 / m + s01 / k


def slow_obuchowski(y: np.ndarray, p: np.ndarray, subjects: np.ndarray) -> float:
    """Variance as Obuchowski 1997 writes it, one sum at a time."""
    cases, controls = np.flatnonzero(y), np.flatnonzero(1 - y)
    m, k = len(cases), len(controls)
    area = sum(psi(p[i], p[j]) for i in cases for j in controls) / (m * k)
    s10 = s01 = s11 = 0.0
    names = sorted(set(subjects))
    for name in names:
        mine = [i for i in cases if subjects[i] == name]
        others = [j for j in controls if subjects[j] == name]
        v10 = sum(sum(psi(p[i], p[j]) for j in controls) / k for i in mine) - len(mine) * area
        v01 = sum(sum(psi(p[i], p[j]) for i in cases) / m for j in others) - len(others) * area
        s10, s01, s11 = s10 + v10**2, s01 + v01**2, s11 + v10 * v01
    i, i10, i01 = len(names), len(set(subjects[cases])), len(set(subjects[controls]))
    s10, s01, s11 = s10 * i10 / ((i10 - 1) * m), s01 * i01 / ((i01 - 1) * k), s11 * i / (i - 1)
    return s10 / m + s01 / k + 2 * s11 / (m * k)


def draw(seed: int, events: int = 9, controls: int = 14, digits: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Labels and probabilities; one digit makes many ties."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.r_[np.ones(events, int), np.zeros(controls, int)])
    return y, np.round(1 / (1 + np.exp(-rng.normal(size=y.size) - y)), digits)


def variance(y: np.ndarray, p: np.ndarray, subjects: np.ndarray) -> float:
    kernel = d.mean_pair_kernel(y.astype(bool), p[None, :])
    return d.auroc_variance(kernel, subjects[y == 1], subjects[y == 0])


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=2, max_size=40))
def test_auroc_equals_scikit_learn_with_ties(pairs: list[tuple[bool, int]]) -> None:
    y, p = np.array([t for t, _ in pairs]), np.array([v / 6 for _, v in pairs])
    if len(set(y)) < 2:
        assert math.isnan(d.auroc(y, p))
    else:
        assert d.auroc(y, p) == pytest.approx(metrics.roc_auc_score(y, p), abs=1e-12)


@given(seed=st.integers(0, 10_000), digits=st.integers(1, 9))
@settings(max_examples=40)
def test_auroc_of_many_rows_equals_scikit_learn_row_by_row(seed: int, digits: int) -> None:
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, 17)
    y[:2] = 0, 1
    p, mask = rng.random((9, 17)).round(digits).astype(np.float32), rng.random((9, 17)) < 0.5
    p[~mask] = np.nan
    found = d.auroc_rows(y, p, mask)
    for row in range(9):
        kept = mask[row]
        expected = metrics.roc_auc_score(y[kept], p[row, kept]) if len(set(y[kept])) == 2 else np.nan
        np.testing.assert_allclose(found[row], expected, atol=1e-12)


def test_auroc_of_1000_iterations_of_the_published_cohort_is_fast() -> None:
    rng = np.random.default_rng(0)
    y, p, mask = np.arange(208) < 56, rng.random((1000, 208)), rng.random((1000, 208)) < 0.37
    seconds = []
    for _ in range(7):
        start = time.process_time()
        d.auroc_rows(y, p, mask)
        seconds.append(time.process_time() - start)
    assert min(seconds) < 0.06  # 9 ms measured; a loop over rows takes above 300


def test_a_nan_that_counts_is_refused() -> None:
    with pytest.raises(ValueError, match="NaN"):
        d.auroc_rows([0, 1], np.array([[np.nan, 0.2]]), np.array([[True, True]]))


@pytest.mark.parametrize("seed", range(20))
def test_variance_equals_delong_written_pair_by_pair(seed: int) -> None:
    y, p = draw(seed)
    area, expected = slow_delong(y, p)
    estimate = d.auroc_estimate(y, p)
    assert estimate.value == pytest.approx(area)
    assert variance(y, p, np.arange(y.size)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_without_ties_the_interval_is_delongs_on_the_logit_scale(seed: int) -> None:
    y, p = draw(seed, digits=9)
    area, expected = slow_delong(y, p)
    half = 1.959963984540054 * math.sqrt(expected) / (area * (1 - area))
    logits = [math.log(v / (1 - v)) for v in d.auroc_estimate(y, p)]
    assert logits == pytest.approx([logits[0], logits[0] - half, logits[0] + half], rel=1e-9)


def test_ties_widen_the_interval_by_one_unseen_component_a_class() -> None:
    # of 20 cases 2 and of 40 controls 1 stand out: the literal variance of 0.5 cases above, 0.5 below, times the ties
    y, p = np.repeat([1, 0], [20, 40]), np.r_[np.repeat([0.4, 0.3], [2, 18]), np.repeat([0.4, 0.3], [1, 39])]
    area, plain = slow_delong(y, p)
    tied = (2 * 1 + 18 * 39) / 800
    expected = 0.0
    for group, other, sign in ((p[y == 1], p[y == 0], 1), (p[y == 0], p[y == 1], -1)):
        components = [np.mean([psi(sign * v, sign * w) for w in other]) for v in group]
        squares = sum((v - np.mean(components)) ** 2 for v in components) + tied * 0.5**2
        expected += squares / (len(group) + tied - 1) / (len(group) + tied)
    assert expected > plain
    value, lower, upper = d.auroc_estimate(y, p)
    half = 1.959963984540054 * math.sqrt(expected) / (area * (1 - area))
    assert math.log(upper / (1 - upper)) - math.log(value / (1 - value)) == pytest.approx(half, rel=1e-9)
    assert lower < value


@pytest.mark.parametrize("seed", range(20))
def test_clustered_variance_equals_obuchowski_written_sum_by_sum(seed: int) -> None:
    y, p = draw(seed)
    subjects = np.random.default_rng(seed).integers(0, 9, y.size)  # some subjects have cases and controls
    assert variance(y, p, subjects) == pytest.approx(max(slow_obuchowski(y, p, subjects), 0), rel=1e-9)


def test_a_hand_example() -> None:
    # cases 0.9 0.4, controls 0.5 0.3 0.1: pairs 1 1 1 / 0 1 1, so 5/6; V10 = 1, 2/3; V01 = 1/2, 1, 1
    y, p = np.array([1, 1, 0, 0, 0]), np.array([0.9, 0.4, 0.5, 0.3, 0.1])
    assert d.auroc(y, p) == pytest.approx(5 / 6)
    assert variance(y, p, np.arange(5)) == pytest.approx((1 / 18) / 2 + (1 / 12) / 3)


def test_variance_agrees_with_hanley_and_mcneil_for_exponential_scores() -> None:
    # Hanley & McNeil 1982: with negative-exponential scores Q1 = A/(2-A), Q2 = 2A^2/(1+A)
    rng = np.random.default_rng(5)
    case, control = rng.exponential(4.0, 2000), rng.exponential(1.0, 2000)
    y, p = np.repeat([1, 0], 2000), np.r_[case, control] / 100
    area = d.auroc(y, p)
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    expected = (area * (1 - area) + 1999 * (q1 - area**2) + 1999 * (q2 - area**2)) / 2000**2
    assert area == pytest.approx(0.8, abs=0.02)
    assert variance(y, p, np.arange(4000)) == pytest.approx(expected, rel=0.05)


def test_recordings_entered_twice_do_not_narrow_the_interval() -> None:
    y, p = draw(3, digits=6)
    once = d.auroc_estimate(y, p)
    twice = d.auroc_estimate(np.tile(y, 2), np.tile(p, 2), np.tile(np.arange(y.size), 2))
    assert twice == pytest.approx(once)
    assert d.auroc_estimate(np.tile(y, 2), np.tile(p, 2)).lower > once.lower


def test_delong_interval_covers_the_true_auroc_for_fixed_predictions() -> None:
    rng = np.random.default_rng(11)
    truth = 0.5 * (1 + math.erf(1.5 / 2))  # P(N(1.5, 1) > N(0, 1))
    y = np.arange(63) < 17  # the published test set
    covered = 0
    for _ in range(400):
        estimate = d.auroc_estimate(y, 1 / (1 + np.exp(-rng.normal(size=63) - 1.5 * y)))
        covered += estimate.lower <= truth <= estimate.upper
    assert 0.91 <= covered / 400 <= 0.985


def test_what_was_learnt_from_enters_the_variance_as_yousef_write_it() -> None:
    rng = np.random.default_rng(5)
    y, B = np.arange(24) < 10, 150
    sizes = 10, 14
    drawn = np.hstack([rng.multinomial(m, np.full(m, 1 / m), B) for m in sizes]).astype(float)
    # the ranking leans on how often the first case was drawn: who was learnt from matters
    noise = rng.normal(size=(B, 24)) * (1 + drawn[:, :1])
    p = np.where(drawn == 0, 1 / (1 + np.exp(-1.5 * y - noise)), np.nan)
    estimate = d.mean_auroc_estimate(y, p, None, drawn)
    kernel = d.mean_pair_kernel(y, p)
    pairs = [(b, i, j) for b in range(B) for i in range(10) for j in range(10, 24) if not np.isnan(p[b, [i, j]]).any()]
    surplus = np.zeros(B)
    for b, i, j in pairs:
        surplus[b] += (psi(p[b, i], p[b, j]) - kernel[i, j - 10]) / len(pairs)
    learnt, monte_carlo = np.zeros(24), 0.0
    for s in range(24):
        parts = [(drawn[b, s] - drawn[:, s].mean()) * surplus[b] for b in range(B)]
        learnt[s] = sum(parts)
        monte_carlo += sum(v**2 for v in parts) - sum(parts) ** 2 / B
    tested = np.r_[(kernel.mean(axis=1) - kernel.mean()) / 10, (kernel.mean(axis=0) - kernel.mean()) / 14]
    expected = 24 / 23 * np.sum((tested + learnt) ** 2) - monte_carlo
    assert expected > variance_of(kernel)
    value = estimate.value
    half = 1.959963984540054 * math.sqrt(expected) / (value * (1 - value))
    assert math.log(estimate.upper / (1 - estimate.upper)) - math.log(value / (1 - value)) == pytest.approx(half)


def variance_of(kernel: np.ndarray) -> float:
    return d.auroc_variance(kernel, np.arange(kernel.shape[0]), np.arange(sum(kernel.shape))[kernel.shape[0] :])


def test_models_that_learn_nothing_get_an_interval_as_wide_as_their_luck() -> None:
    rng = np.random.default_rng(3)
    y, B = np.arange(80) < 22, 400
    x = rng.normal(size=80)
    drawn = np.c_[rng.multinomial(22, np.full(22, 1 / 22), B), rng.multinomial(58, np.full(58, 1 / 58), B)].astype(
        float
    )
    sign = np.sign(drawn[:, :22] @ x[:22] / 22 - drawn[:, 22:] @ x[22:] / 58)
    p = np.where(drawn == 0, 1 / (1 + np.exp(-sign[:, None] * x)), np.nan)
    fixed, learnt = d.mean_auroc_estimate(y, p), d.mean_auroc_estimate(y, p, None, drawn)
    assert learnt.value == fixed.value
    assert learnt.upper - learnt.lower > 1.3 * (fixed.upper - fixed.lower)


def test_what_was_drawn_never_narrows_the_interval_and_must_fit() -> None:
    y, p = draw(2, events=15, controls=25)
    rows = np.where(np.random.default_rng(0).random((50, 40)) < 0.6, p, np.nan)
    same = np.ones((50, 40))  # everybody was learnt from alike: nothing to add
    fixed, learnt = d.mean_auroc_estimate(y, rows), d.mean_auroc_estimate(y, rows, None, same)
    assert learnt.upper - learnt.lower >= fixed.upper - fixed.lower
    with pytest.raises(ValueError, match="drawn"):
        d.mean_auroc_estimate(y, rows, None, same[:, :10])


def test_one_iteration_of_the_mean_auroc_is_delong() -> None:
    y, p = draw(8, events=15, controls=25, digits=9)
    out = np.random.default_rng(0).random(y.size) < 0.6
    row = np.where(out, p, np.nan)[None, :]
    assert d.mean_auroc_estimate(y, row) == pytest.approx(d.auroc_estimate(y[out], p[out]))


def test_the_averaged_kernel_is_the_mean_over_iterations_where_both_are_out_of_bag() -> None:
    rng = np.random.default_rng(2)
    y = rng.random(12) < 0.4
    p = np.where(rng.random((15, 12)) < 0.4, rng.random((15, 12)).round(1), np.nan)
    kernel = d.mean_pair_kernel(y, p)
    for a, i in enumerate(np.flatnonzero(y)):
        for b, j in enumerate(np.flatnonzero(~y)):
            scores = [psi(row[i], row[j]) for row in p if not np.isnan(row[[i, j]]).any()]
            np.testing.assert_allclose(kernel[a, b], np.mean(scores) if scores else np.nan)


def test_mean_auroc_is_the_mean_of_the_iterations_and_never_that_of_the_averaged_prediction() -> None:
    rng = np.random.default_rng(4)
    y = np.arange(40) < 15
    p = 1 / (1 + np.exp(-rng.normal(size=(80, 40)) * 2 - y))
    p[rng.random(p.shape) < 0.6] = np.nan
    rows = [metrics.roc_auc_score(y[k], row[k]) for row in p if (k := ~np.isnan(row)).any()]
    estimate = d.mean_auroc_estimate(y, p)
    assert estimate.value == pytest.approx(np.mean(rows))
    assert d.auroc(y, np.nanmean(p, axis=0)) > estimate.value + 0.05
    assert estimate.lower < estimate.value < estimate.upper


@pytest.mark.parametrize(("p", "value"), [([0.1, 0.2, 0.8, 0.9], 1.0), ([0.9, 0.8, 0.2, 0.1], 0.0)])
def test_perfect_separation_claims_no_interval(p: list[float], value: float) -> None:
    estimate = d.auroc_estimate([0, 0, 1, 1], p)
    assert estimate.value == value
    assert np.isnan(estimate[1:]).all()


def test_what_the_data_do_not_define_is_nan() -> None:
    assert np.isnan(d.auroc_estimate([1, 1], [0.2, 0.3])).all()
    assert np.isnan(d.auroc_estimate([0, 1, 0], [0.5, 0.4, 0.3])[1:]).all()  # one case has no variance
    assert np.isnan(d.mean_auroc_estimate([0, 1, 1], np.array([[np.nan, 0.2, 0.3]]))).all()
    constant = d.auroc_estimate([0, 0, 1, 1], [0.4] * 4)
    assert constant.value == 0.5
    assert np.isnan(constant[1:]).all()  # no width would claim certainty
    assert constant.reason


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 9)), min_size=2, max_size=40))
def test_roc_curve_equals_scikit_learn_and_encloses_the_auroc(pairs: list[tuple[bool, int]]) -> None:
    y, p = np.array([t for t, _ in pairs]), np.array([v / 9 for _, v in pairs])
    false_positive, true_positive = d.roc_curve(y, p)
    if len(set(y)) < 2:
        assert np.isnan(false_positive).all() != np.isnan(true_positive).all()
        return
    expected = metrics.roc_curve(y, p, drop_intermediate=False)
    np.testing.assert_allclose(false_positive, expected[0])
    np.testing.assert_allclose(true_positive, expected[1])
    assert np.trapezoid(true_positive, false_positive) == pytest.approx(d.auroc(y, p))


@pytest.mark.parametrize("p", [[0.2, 1.2], [-0.1, 0.5], [np.nan, 0.5], [0.5]])
def test_what_is_no_probability_is_refused(p: list[float]) -> None:
    with pytest.raises(ValueError, match="probabilities"):
        d.auroc([0, 1], p)
