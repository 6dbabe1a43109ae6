"""Intervals cover as often as they say: simulated cohorts with a truth in closed form (benchmarks/coverage.py).

Bounds are 95 % -/+ 2 points, and 2.6 standard errors of the repeats beyond that.
"""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.coverage import Learner, Population, TiedPopulation, coverage, whole_procedure

REPEATS = 600
SLACK = 2.6 * np.sqrt(0.05 * 0.95 / REPEATS)
NAMED = ("auroc", "calibration slope", "o:e", "brier", "scaled brier", "net benefit 10 %", "standardised 10 %")


def test_the_closed_forms_agree_with_a_large_cohort() -> None:
    from benchmarks.coverage import estimates

    for population in (Population(), TiedPopulation()):
        truth = population.truth()
        large = estimates(population.draw(np.random.default_rng(1), 4000))
        for name, value in truth.items():
            assert large[name].value == pytest.approx(value, abs=0.15 if "slope" in name or "o:e" in name else 0.03)


@pytest.mark.slow
@pytest.mark.parametrize("subjects", [63, 208])
@pytest.mark.parametrize("per_subject", [1, 2])
def test_fixed_predictions_are_covered_93_to_97_percent(subjects: int, per_subject: int) -> None:
    found = coverage(Population(per_subject=per_subject), subjects, REPEATS)
    for name in NAMED:
        assert 0.93 - SLACK < found[name].covered < 0.97 + SLACK, name
        assert found[name].missing == 0


@pytest.mark.slow
def test_near_constant_predictions_are_covered() -> None:
    assert coverage(TiedPopulation(), 63, REPEATS)["auroc"].covered > 0.93 - SLACK
    assert coverage(TiedPopulation(), 208, REPEATS)["auroc"].covered > 0.93 - SLACK


@pytest.mark.slow
def test_models_near_chance_are_covered_only_where_learning_is_in_the_variance() -> None:
    _, fixed, learnt = whole_procedure(Learner(8, 0.0), 63, 80)
    assert fixed.covered < 0.88
    assert learnt.covered > 0.90
