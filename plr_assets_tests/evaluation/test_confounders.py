"""AUROC of nuisances alone, and of pipelines among pairs of like age."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from plr_assets.evaluation.confounders import matched_auroc, nuisance_auroc
from plr_assets.evaluation.discrimination import auroc_estimate, mean_pair_kernel

RNG = np.random.default_rng(8)
N = 120
Y = np.arange(N) % 3 == 0
AGE = RNG.normal(58, 12, N) + 9 * Y
CODES = np.arange(N)


def test_a_nuisance_is_ranked_by_its_value_whatever_its_unit() -> None:
    found = nuisance_auroc(Y, AGE)
    assert found.auroc.value == pytest.approx(roc_auc_score(Y, AGE))
    assert found.auroc.lower < found.auroc.value < found.auroc.upper
    assert (found.n, found.n_events, found.reason) == (N, int(Y.sum()), None)
    assert nuisance_auroc(Y, -1000 * AGE).auroc.value == pytest.approx(1 - found.auroc.value)


def test_the_interval_of_a_nuisance_is_clustered_by_subject() -> None:
    twice, owner = np.tile(Y, 2), np.tile(CODES, 2)
    clustered = nuisance_auroc(twice, np.tile(AGE, 2), owner).auroc
    plain = auroc_estimate(Y, np.unique(AGE, return_inverse=True)[1] / N)
    assert clustered.lower == pytest.approx(plain.lower, abs=0.003)
    assert clustered.upper == pytest.approx(plain.upper, abs=0.003)


def test_recordings_without_a_value_are_left_out() -> None:
    some = np.where(np.arange(N) < 60, AGE, np.nan)
    found = nuisance_auroc(Y, some, CODES)
    assert (found.n, found.n_events) == (60, int(Y[:60].sum()))
    assert found.auroc.value == pytest.approx(roc_auc_score(Y[:60], AGE[:60]))


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (np.full(N, np.nan), "no recording"),
        (np.full(N, 3.0), "same value"),
        (np.where(Y, AGE, np.nan), "one class"),
    ],
)
def test_a_nuisance_that_cannot_be_judged_says_why(values: np.ndarray, reason: str) -> None:
    found = nuisance_auroc(Y, values)
    assert np.isnan(found.auroc).all()
    assert found.reason is not None
    assert reason in found.reason


def _matched(score: np.ndarray, age: np.ndarray, **options: float):  # type: ignore[no-untyped-def]
    return matched_auroc(mean_pair_kernel(Y, score[None, :]), Y, age, CODES, seed=1, **options)


def test_matched_pairs_are_those_of_a_double_loop() -> None:
    score = RNG.random(N)
    wins = [score[i] > score[j] for i in np.flatnonzero(Y) for j in np.flatnonzero(~Y) if abs(AGE[i] - AGE[j]) <= 5]
    found = _matched(score, AGE)
    assert found.pairs == len(wins)
    assert found.matched.value == pytest.approx(np.mean(wins))
    assert found.all_pairs.value == pytest.approx(roc_auc_score(Y, score))


def test_a_pipeline_that_ranks_by_age_adds_nothing_to_it() -> None:
    found = _matched((AGE - AGE.min()) / np.ptp(AGE), AGE, window=2.0)
    assert found.all_pairs.value > 0.65
    assert found.matched.lower < 0.5 < found.matched.upper


def test_a_pipeline_that_knows_nothing_of_age_loses_nothing_by_matching() -> None:
    score = 1 / (1 + np.exp(-(RNG.normal(size=N) + 2 * Y)))
    found = _matched(score, AGE)
    assert found.matched.value == pytest.approx(found.all_pairs.value, abs=0.05)
    assert found.matched.lower < found.matched.value < found.matched.upper


def test_a_window_without_end_compares_all() -> None:
    found = _matched(RNG.random(N), AGE, window=1000.0)
    assert found.matched == pytest.approx(found.all_pairs)


def test_recordings_without_an_age_are_in_no_pair() -> None:
    age = AGE.copy()
    age[:30] = np.nan
    found = _matched(RNG.random(N), age, window=1000.0)
    assert found.pairs == int(Y[30:].sum()) * int((~Y[30:]).sum())


@pytest.mark.parametrize("age", [np.full(N, np.nan), np.where(Y, 80.0, 20.0)], ids=["unknown", "far apart"])
def test_without_pairs_there_is_no_number_but_a_reason(age: np.ndarray) -> None:
    found = _matched(RNG.random(N), age)
    assert np.isnan(found.matched).all()
    assert found.pairs == 0
    assert found.reason
