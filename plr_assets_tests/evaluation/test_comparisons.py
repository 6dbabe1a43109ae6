"""Paired differences, corrections for their number, the corrected winner and ranks, against literal computations."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score
from statsmodels.stats.multitest import multipletests

from plr_assets.evaluation import comparisons as c
from plr_assets.evaluation import winner as w
from plr_assets.evaluation.operating_points import recording_weights
from plr_assets.evaluation.pair_kernel import auroc_variance, mean_pair_kernel

Y = np.arange(60) < 20


def pipelines(count: int = 4, seed: int = 0, digits: int = 6) -> np.ndarray:
    """(count, 60) probabilities that share most of their noise, from bad to good."""
    rng = np.random.default_rng(seed)
    common = rng.normal(size=60)
    scores = common + 0.6 * rng.normal(size=(count, 60)) + Y * np.linspace(0.8, 1.8, count)[:, None]
    return np.round(1 / (1 + np.exp(-scores)), digits)


def kernels(p: np.ndarray) -> list[np.ndarray]:
    return [mean_pair_kernel(Y, row[None, :]) for row in p]


def literal_covariance(a: np.ndarray, b: np.ndarray) -> float:
    """DeLong et al. 1988, one structural component at a time."""

    def components(p: np.ndarray) -> tuple[list[float], list[float]]:
        psi = np.array([[1.0 if i > j else 0.5 if i == j else 0.0 for j in p[~Y]] for i in p[Y]])
        return list(psi.mean(axis=1)), list(psi.mean(axis=0))

    (a10, a01), (b10, b01) = components(a), components(b)
    return float(np.cov(a10, b10)[0, 1] / len(a10) + np.cov(a01, b01)[0, 1] / len(a01))


@pytest.mark.parametrize("digits", [1, 6])
def test_covariance_equals_delong_written_out(digits: int) -> None:
    p = pipelines(digits=digits)
    found = c.auroc_covariance(kernels(p), Y)
    expected = [[literal_covariance(a, b) for b in p] for a in p]
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_its_diagonal_is_the_clustered_variance_where_subjects_repeat() -> None:
    p, subjects = pipelines(), np.random.default_rng(1).integers(0, 25, 60)
    found = c.auroc_covariance(kernels(p), Y, subjects)
    expected = [auroc_variance(kernel, subjects[Y], subjects[~Y]) for kernel in kernels(p)]
    np.testing.assert_allclose(np.diag(found), expected, atol=1e-12)
    np.testing.assert_allclose(found, found.T)


def test_paired_delong_is_the_difference_with_its_paired_interval() -> None:
    p = pipelines()
    found = c.paired_delong(kernels(p), Y, c.against(0, 4))
    for i in range(3):
        a, b = p[found.first[i]], p[found.second[i]]
        value = roc_auc_score(Y, a) - roc_auc_score(Y, b)
        error = np.sqrt(literal_covariance(a, a) + literal_covariance(b, b) - 2 * literal_covariance(a, b))
        assert found.value[i] == pytest.approx(value, abs=1e-9)
        assert found.upper[i] - value == pytest.approx(1.959963984540054 * error, abs=1e-9)
        assert found.p_value[i] == pytest.approx(2 * norm.sf(abs(value) / error), abs=1e-9)
    unpaired = np.sqrt(literal_covariance(p[3], p[3]) + literal_covariance(p[0], p[0]))
    assert found.upper[2] - found.value[2] < 1.96 * unpaired * 0.8  # sharing subjects is worth something


def test_pipelines_that_rank_alike_have_a_difference_of_0_and_no_p() -> None:
    p = pipelines(2)
    p[1] = p[0] ** 2
    for found in (
        c.paired_delong(kernels(p), Y, [(0, 1)]),
        c.paired_bootstrap(c.auroc_scores(kernels(p), Y, recording_weights(np.arange(60), 50, 1)), [(0, 1)]),
    ):
        assert found.value[0] == 0
        assert np.isnan([found.lower[0], found.upper[0], found.p_value[0], found.p_holm[0]]).all()


def test_auroc_under_weights_equals_scikit_learn_with_repeated_rows() -> None:
    p, weights = pipelines(digits=1), recording_weights(np.arange(60), 30, 2)
    found = c.auroc_scores(kernels(p), Y, weights)
    for j, row in enumerate(p):
        for r, times in enumerate(weights.astype(int)):
            assert found[j, r] == pytest.approx(roc_auc_score(np.repeat(Y, times), np.repeat(row, times)), abs=1e-9)


def test_pairs_that_were_never_tested_are_left_out_of_the_score() -> None:
    kernel = kernels(pipelines(1))[0]
    kernel[3, :] = np.nan
    weights = np.ones((1, 60))
    assert c.auroc_scores([kernel], Y, weights)[0, 0] == pytest.approx(np.nanmean(kernel))
    no_cases = np.where(Y, 0.0, 1.0)[None, :]
    assert np.isnan(c.auroc_scores([kernel], Y, no_cases)).all()


def test_the_bootstrap_agrees_with_delong_and_its_p_is_never_0() -> None:
    p = pipelines(3, seed=3)
    scores = c.auroc_scores(kernels(p), Y, recording_weights(np.arange(60), 4000, 2))
    pairs = c.each_pair(3)
    ours, delong = c.paired_bootstrap(scores, pairs), c.paired_delong(kernels(p), Y, pairs)
    np.testing.assert_allclose(ours.value, delong.value, atol=1e-12)
    np.testing.assert_allclose(ours.upper - ours.lower, delong.upper - delong.lower, rtol=0.12)
    far = np.vstack([np.full(4001, 0.9), np.full(4001, 0.5) + np.arange(4001) / 1e6])
    assert c.paired_bootstrap(far, [(0, 1)]).p_value[0] == pytest.approx(2 / 4001)


def test_mean_scores_are_weighted_means() -> None:
    rng = np.random.default_rng(0)
    parts, weights = rng.random((3, 8)), rng.integers(0, 3, (5, 8)).astype(float)
    np.testing.assert_allclose(
        c.mean_scores(parts, weights), [[np.average(a, weights=b) for b in weights] for a in parts]
    )


def test_corrections_equal_their_definitions_and_pass_nan_by() -> None:
    p = np.array([0.01, np.nan, 0.04, 0.03, 0.20])
    known = p[[0, 2, 3, 4]]
    holm, bh = c.adjusted(p, "holm"), c.adjusted(p, "fdr_bh")
    # Holm by hand: 0.01 x 4, 0.03 x 3, max(0.09, 0.04 x 2), max(0.09, 0.20)
    np.testing.assert_allclose(holm, [0.04, np.nan, 0.09, 0.09, 0.20])
    np.testing.assert_allclose(bh[[0, 2, 3, 4]], multipletests(known, method="fdr_bh")[1])
    assert np.isnan(bh[1])
    assert np.isnan(c.adjusted([np.nan], "holm")).all()


def literal_bbc(p: np.ndarray, weights: np.ndarray) -> list[float]:
    """Tsamardinos et al. 2018, algorithm 5: choose in the bag, score outside it."""
    found = []
    for times in weights[1:].astype(int):
        out = times == 0
        inside = [roc_auc_score(np.repeat(Y, times), np.repeat(row, times)) for row in p]
        best = np.flatnonzero(np.isclose(inside, max(inside), rtol=0, atol=1e-12))
        found.append(float(np.mean([roc_auc_score(Y[out], p[j][out]) for j in best])))
    return found


def test_the_corrected_winner_equals_choosing_and_scoring_one_resample_at_a_time() -> None:
    p = pipelines(5, seed=2)
    weights = recording_weights(np.arange(60), 80, 7)
    found = w.corrected_winner(w.shared_auroc(kernels(p), Y, resamples=80, seed=7))
    expected = literal_bbc(p, weights)
    best = [roc_auc_score(Y, row) for row in p]
    assert found.pipeline == int(np.argmax(best))
    assert found.apparent == pytest.approx(max(best), abs=1e-9)
    assert found.corrected.value == pytest.approx(np.mean(expected), abs=1e-9)
    assert found.corrected[1:] == pytest.approx(tuple(np.quantile(expected, (0.025, 0.975))), abs=1e-9)
    assert found.optimism == pytest.approx(max(best) - np.mean(expected), abs=1e-9)


def test_an_oracle_is_neither_ranked_nor_the_winner_and_changes_nothing_for_the_others() -> None:
    p = pipelines(4)
    perfect = np.vstack([p, 0.01 + 0.98 * Y])
    oracle = [False] * 4 + [True]
    scores = w.shared_auroc(kernels(perfect), Y, resamples=60, seed=1)
    without = w.shared_auroc(kernels(p), Y, resamples=60, seed=1)
    assert w.corrected_winner(scores).pipeline == 4
    assert w.corrected_winner(scores, oracle) == w.corrected_winner(without)
    ranked = w.ranks(scores, oracle)
    assert np.isnan([field[4] for field in ranked]).all()
    for ours, theirs in zip(ranked, w.ranks(without), strict=True):
        np.testing.assert_array_equal(ours[:4], theirs)
    with pytest.raises(ValueError, match="oracle"):
        w.corrected_winner(scores, [True] * 5)
    with pytest.raises(ValueError, match="marks"):
        w.ranks(scores, [True])


def test_ranks_and_the_probability_of_being_best() -> None:
    p = pipelines(5, seed=4)
    scores = w.shared_auroc(kernels(p), Y, resamples=200, seed=1)
    found = w.ranks(scores)
    assert sorted(found.rank) == [1, 2, 3, 4, 5]
    assert found.probability_best.sum() == pytest.approx(1)
    assert ((found.lower <= found.rank) & (found.rank <= found.upper)).all()
    first = np.isclose(scores.drawn[:, 1:], scores.drawn[:, 1:].max(axis=0), rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.probability_best, (first / first.sum(axis=0)).mean(axis=1))


def test_twins_split_the_win_and_share_the_rank() -> None:
    p = pipelines(3, seed=4)
    p = p[np.argsort([roc_auc_score(Y, row) for row in p])]
    twins = np.vstack([p, p[2]])
    found = w.ranks(w.shared_auroc(kernels(twins), Y, resamples=100, seed=1))
    assert found.probability_best[2] == pytest.approx(found.probability_best[3])
    assert found.rank[2] == found.rank[3] == 1.5


def test_one_pipeline_is_not_optimistic_beyond_chance() -> None:
    found = w.corrected_winner(w.shared_auroc(kernels(pipelines(1)), Y, resamples=500, seed=1))
    assert abs(found.optimism) < 0.01


def test_a_winner_by_brier_score() -> None:
    p = pipelines(3, seed=1)
    scores = w.shared_mean(-((p - Y) ** 2), resamples=50, seed=1)
    found = w.corrected_winner(scores)
    assert found.pipeline == int(np.argmin(((p - Y) ** 2).mean(axis=1)))
    assert found.corrected.value <= found.apparent


def test_a_class_of_one_subject_is_chosen_but_not_scored_outside() -> None:
    y = np.array([1, 0, 0, 0])
    kernel = mean_pair_kernel(y.astype(bool), np.array([[0.9, 0.1, 0.2, 0.3]]))
    found = w.corrected_winner(w.shared_auroc([kernel], y, resamples=40, seed=1))
    assert found.apparent == 1
    assert np.isnan(found.corrected).all()
    assert found.corrected.reason


@pytest.mark.slow
def test_the_winner_of_440_exchangeable_pipelines_is_unbiased_once_corrected() -> None:
    from benchmarks.coverage import exchangeable

    found = exchangeable(440, 63, 120)
    assert found.apparent_bias > 0.05  # AUROC 0.875 looks like 0.95
    assert abs(found.corrected_bias) < 3 * found.standard_error
    assert found.standard_error < 0.006
