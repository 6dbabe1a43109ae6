"""Classification at a threshold against scikit-learn, statsmodels, scipy and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics
from statsmodels.stats.proportion import proportion_confint

from plr_assets.evaluation import decisions as d
from plr_assets.evaluation.estimate import ALL_REFERRED, NONE_REFERRED, ONE_CLASS, Estimate

PAIRS = st.lists(st.tuples(st.booleans(), st.sampled_from([0.0, 0.15, 0.5, 1.0])), min_size=2, max_size=30)
RATES = ("sensitivity", "specificity", "ppv", "npv", "accuracy")


@given(PAIRS, st.sampled_from([0.15, 0.5, 1.0]))
@settings(deadline=None, max_examples=30)
@pytest.mark.filterwarnings("ignore:.*:sklearn.exceptions.UndefinedMetricWarning")
def test_counts_rates_and_report_equal_scikit_learn(pairs: list[tuple[bool, float]], threshold: float) -> None:
    y, p = np.array([truth for truth, _ in pairs]), np.array([v for _, v in pairs])
    found, decided = d.decisions(y, p, threshold), p >= threshold
    tn, fp, fn, tp = metrics.confusion_matrix(y, decided, labels=[False, True]).ravel()
    assert found.confusion == (tp, fp, fn, tn)
    assert found.accuracy.value == pytest.approx(metrics.accuracy_score(y, decided), abs=1e-9)
    nan = {"zero_division": np.nan}
    expected = {
        "sensitivity": metrics.recall_score(y, decided, **nan),
        "specificity": metrics.recall_score(~y, ~decided, **nan),
        "ppv": metrics.precision_score(y, decided, **nan),
        "npv": metrics.precision_score(~y, ~decided, **nan),
    }
    for name, value in expected.items():
        np.testing.assert_allclose(getattr(found, name).value, value, atol=1e-9)
    np.testing.assert_allclose(found.f1, metrics.f1_score(y, decided, **nan), atol=1e-9)
    if len(set(y)) == 2:
        assert found.balanced_accuracy == pytest.approx(metrics.balanced_accuracy_score(y, decided), abs=1e-9)
        report = metrics.classification_report(
            y, decided, labels=[False, True], target_names=["control", "case"], output_dict=True, **nan
        )
        ours = d.classification_report(found.confusion)
        theirs = [report[key] for key in ("control", "case")]
        for line, other in zip(ours, theirs, strict=False):
            expected_line = [other[key] for key in ("precision", "recall", "f1-score", "support")]
            np.testing.assert_allclose(line[1:], expected_line, atol=1e-9)
        if not np.isnan([line[1:] for line in ours]).any():
            for line, key in zip(ours[2:], ("macro avg", "weighted avg"), strict=True):
                expected_line = [report[key][name] for name in ("precision", "recall", "f1-score", "support")]
                np.testing.assert_allclose(line[1:], expected_line, atol=1e-9)


@pytest.mark.parametrize(("hits", "n"), [(0, 7), (3, 7), (7, 7), (55, 56), (1, 1)])
def test_intervals_of_rates_equal_wilson_in_statsmodels(hits: int, n: int) -> None:
    y, p = np.ones(n + 2, int), np.r_[np.arange(n) < hits, 1, 1].astype(float)
    y[-2:] = 0
    found = d.decisions(y, p, 0.5).sensitivity
    assert found[1:] == pytest.approx(proportion_confint(hits, n, method="wilson"), abs=1e-9)


@pytest.mark.filterwarnings("error")
@given(PAIRS, st.sampled_from([0.15, 0.5, 1.0]), st.integers(1, 3))
@settings(deadline=None)
def test_any_input_gives_an_ordered_interval_or_a_reason(pairs: list, threshold: float, per_subject: int) -> None:
    y, p = np.array([truth for truth, _ in pairs]), np.array([v for _, v in pairs])
    found = d.decisions(y, p, threshold, np.arange(y.size) // per_subject)
    numbers = d.screening(found)
    rates = [getattr(found, name) for name in (*RATES, "population_ppv", "population_npv")]
    for estimate in (*rates, numbers.found, numbers.missed, numbers.false_alarms):
        if np.isnan(estimate).any():
            assert estimate.reason
        else:
            assert estimate.lower <= estimate.value <= estimate.upper
            assert estimate.upper - estimate.lower > 0


def test_an_empty_denominator_has_its_reason() -> None:
    nobody, everybody = d.decisions([0, 1], [0.1, 0.2], 0.5), d.decisions([0, 1], [0.6, 0.7], 0.5)
    assert (nobody.ppv.reason, nobody.population_ppv.reason) == (NONE_REFERRED, NONE_REFERRED)
    assert (everybody.npv.reason, everybody.population_npv.reason) == (ALL_REFERRED, ALL_REFERRED)
    assert d.decisions([1, 1], [0.1, 0.6], 0.5).specificity.reason == ONE_CLASS
    assert d.decisions([1, 1], [0.1, 0.6], 0.5).population_ppv.reason == ONE_CLASS


def test_predictive_values_at_the_population_prevalence_follow_bayes() -> None:
    y = np.repeat([1, 0], [100, 400])
    p = np.r_[np.repeat([0.9, 0.1], [86, 14]), np.repeat([0.9, 0.1], [72, 328])]
    found = d.decisions(y, p, 0.5)
    se, sp, prevalence = 0.86, 0.82, 0.0354
    assert found.population_ppv.value == pytest.approx(
        se * prevalence / (se * prevalence + (1 - sp) * (1 - prevalence))
    )
    assert found.population_npv.value == pytest.approx(
        sp * (1 - prevalence) / (sp * (1 - prevalence) + (1 - se) * prevalence)
    )
    assert found.population_ppv.value < 0.16 < found.ppv.value  # of six people referred, five are healthy
    again = d.predictive_values(found.sensitivity, found.specificity, 0.2)  # at the cohort's own prevalence
    assert again[0].value == pytest.approx(found.ppv.value)
    assert again[1].value == pytest.approx(found.npv.value)
    with pytest.raises(ValueError, match="prevalence"):
        d.predictive_values(found.sensitivity, found.specificity, 1.0)


def test_the_likelihood_ratio_interval_is_as_wide_as_the_log_delta_interval_in_large_samples() -> None:
    n1, n0, se, sp = 4000, 9000, 0.8, 0.9
    ppv, _ = d.predictive_values(d.wilson(se, n1), d.wilson(sp, n0), 0.0354)
    odds = 0.0354 / 0.9646
    half = 1.959964 * np.sqrt((1 - se) / (se * n1) + sp / ((1 - sp) * n0))
    ratio = se / (1 - sp) * np.exp(half * np.array([-1, 1]))
    assert ppv[1:] == pytest.approx(tuple(ratio * odds / (1 + ratio * odds)), rel=0.01)


def test_screening_numbers_add_up_to_the_people_screened() -> None:
    rng = np.random.default_rng(1)
    y = np.arange(208) < 56
    found = d.decisions(y, 1 / (1 + np.exp(1 - rng.normal(size=208) - 1.5 * y)), 0.3)
    numbers = d.screening(found)
    assert numbers.cases == pytest.approx(35.4)
    assert numbers.found.value + numbers.missed.value == pytest.approx(35.4)
    assert numbers.found.value == pytest.approx(35.4 * found.sensitivity.value)
    assert numbers.false_alarms.upper == pytest.approx(964.6 * (1 - found.specificity.lower))
    assert numbers.missed.lower == pytest.approx(35.4 - numbers.found.upper)
    assert numbers.referred * found.population_ppv.value == pytest.approx(numbers.found.value)


def test_recordings_entered_twice_do_not_narrow_the_rates() -> None:
    rng = np.random.default_rng(4)
    y = np.arange(90) < 30
    p = rng.random(90) * 0.6 + 0.4 * y
    once = d.decisions(y, p, 0.5)
    twice = d.decisions(np.repeat(y, 2), np.repeat(p, 2), 0.5, np.repeat(np.arange(90), 2))
    for name in RATES:
        a, b = getattr(once, name), getattr(twice, name)
        assert a.value == pytest.approx(b.value)
        assert b.upper - b.lower == pytest.approx(a.upper - a.lower, rel=0.03)


def test_a_share_of_1_counts_every_subject_once() -> None:
    y, p = np.repeat([1, 1, 0, 0], 3), np.repeat([0.9, 0.8, 0.1, 0.2], 3)
    found = d.decisions(y, p, 0.5, np.repeat(np.arange(4), 3)).sensitivity
    assert found[1:] == pytest.approx(d.wilson(1.0, 2)[1:])


def test_an_estimate_is_three_numbers_with_a_reason() -> None:
    value, lower, upper = Estimate(0.5, 0.4, 0.6, "none")
    assert (value, lower, upper) == (0.5, 0.4, 0.6)
    assert Estimate(0.5, 0.4, 0.6) == Estimate(0.5, 0.4, 0.6, "not part of equality")
