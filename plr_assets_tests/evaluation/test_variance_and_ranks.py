"""Variance by stage against statsmodels' type III table; Friedman and Nemenyi against scipy and published tables."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy.stats import friedmanchisquare
from statsmodels.formula.api import ols

from plr_assets.evaluation import critical_difference as cd
from plr_assets.evaluation import variance_decomposition as v

LEVELS = {"outlier": "LMOU", "imputation": "SCT", "classifier": "XYZ"}


def grid(seed: int, *, missing: int = 0, resamples: int = 0) -> tuple[dict[str, list[str]], np.ndarray]:
    rng = np.random.default_rng(seed)
    cells = list(product(*LEVELS.values()))
    cells = [cells[i] for i in sorted(rng.permutation(len(cells))[missing:])]
    factors = {name: [cell[i] for cell in cells] for i, name in enumerate(LEVELS)}
    effect = {level: rng.normal(0, 0.03) for level in "LMOUSCTXYZ"}
    scores = np.array([0.85 + sum(effect[level] for level in cell) for cell in cells]) + rng.normal(0, 0.01, len(cells))
    return factors, scores[:, None] + np.c_[np.zeros(len(cells)), rng.normal(0, 0.005, (len(cells), resamples))]


@pytest.mark.parametrize("missing", [0, 5])
@pytest.mark.parametrize("interactions", [False, True])
def test_sums_of_squares_equal_statsmodels_type_iii(missing: int, interactions: bool) -> None:
    factors, scores = grid(missing, missing=missing)
    names = [f"C({name}, Sum)" for name in factors]
    formula = "y ~ " + (f"({' + '.join(names)})**2" if interactions else " + ".join(names))
    table = sm.stats.anova_lm(ols(formula, data=pd.DataFrame({**factors, "y": scores[:, 0]})).fit(), typ=3)
    found = v.variance_decomposition(factors, scores, interactions=interactions, n_subjects=50)
    residual, residual_df = table.loc["Residual", ["sum_sq", "df"]]
    assert found.residual_df == residual_df
    assert found.residual_sum_of_squares == pytest.approx(residual, abs=1e-9)
    assert found.total_sum_of_squares == pytest.approx(np.sum((scores - scores.mean()) ** 2), abs=1e-9)
    for effect in found.effects:
        squares, df = table.loc[":".join(f"C({name}, Sum)" for name in effect.term), ["sum_sq", "df"]]
        assert (effect.df, effect.sum_of_squares) == (df, pytest.approx(squares, abs=1e-9))
        error = residual / residual_df
        assert effect.eta_squared.value == pytest.approx(squares / found.total_sum_of_squares, abs=1e-9)
        assert effect.partial_eta_squared.value == pytest.approx(squares / (squares + residual), abs=1e-9)
        omega = (squares - df * error) / (squares + (len(scores) - df) * error)
        assert effect.partial_omega_squared.value == pytest.approx(omega, abs=1e-9)


def test_a_balanced_grid_splits_the_total_and_intervals_hold_their_value_loosely() -> None:
    factors, scores = grid(3, resamples=200)
    found = v.variance_decomposition(factors, scores, n_subjects=50)
    parts = sum(effect.sum_of_squares for effect in found.effects) + found.residual_sum_of_squares
    assert parts == pytest.approx(found.total_sum_of_squares)
    for effect in found.effects:
        for share in effect[3:]:
            assert share.lower < share.upper
            assert share.lower - 0.1 < share.value < share.upper + 0.1


def test_resamples_are_decomposed_one_by_one() -> None:
    factors, scores = grid(5, resamples=30, missing=2)
    found = v.variance_decomposition(factors, scores, n_subjects=50)
    alone = [v.variance_decomposition(factors, scores[:, [r]], n_subjects=50) for r in range(1, 31)]
    for i, effect in enumerate(found.effects):
        shares = [one.effects[i].partial_eta_squared.value for one in alone]
        assert effect.partial_eta_squared[1:] == pytest.approx(tuple(np.quantile(shares, (0.025, 0.975))), abs=1e-9)


def test_a_factor_that_does_nothing_has_no_omega_and_one_that_does_everything_all_of_eta() -> None:
    factors = {"a": [a for a in "PQRS" for _ in range(6)], "b": list("UVW") * 8}
    strong = np.repeat([0.7, 0.75, 0.8, 0.9], 6)
    scores = strong + np.tile([0.001, -0.001], 12)
    effects = {e.term: e for e in v.variance_decomposition(factors, scores[:, None], n_subjects=9).effects}
    assert effects["a",].eta_squared.value > 0.999
    assert effects["b",].partial_omega_squared.value < 0.05
    assert effects["a",].eta_squared.reason  # without resamples there is no interval


def test_degenerate_grids_give_nan_with_a_reason() -> None:
    factors = {"a": ["P", "P", "Q", "Q"], "b": ["U", "V", "U", "V"], "constant": ["z"] * 4}
    equal = v.variance_decomposition(factors, np.full((4, 5), 0.8), n_subjects=9)
    assert len(equal.effects) == 2  # a factor with one level is no factor
    assert {e.eta_squared.reason for e in equal.effects} == {v.NO_DIFFERENCES}
    saturated = v.variance_decomposition(factors, np.arange(4.0)[:, None], interactions=True, n_subjects=9)
    assert {e.partial_eta_squared.reason for e in saturated.effects} == {v.NOTHING_LEFT}
    # embeddings were only run under one detector: their interaction is not to be had
    nested = {"a": ["P", "P", "Q", "Q", "P"], "b": ["U", "V", "U", "V", "W"]}
    found = v.variance_decomposition(nested, np.arange(5.0)[:, None], interactions=True, n_subjects=9)
    assert {e.term: e.eta_squared.reason for e in found.effects}["a", "b"] == v.NOT_ESTIMABLE
    with pytest.raises(ValueError, match="factor"):
        v.variance_decomposition({"a": ["P", "P"]}, np.ones((2, 1)), n_subjects=9)
    with pytest.raises(ValueError, match="score"):
        v.variance_decomposition({"a": ["P", "Q"]}, np.array([[np.nan], [0.5]]), n_subjects=9)


def test_a_whole_grid_is_crossed_as_it_is() -> None:
    cells = list(product("abc", "xy", "1234"))
    factors = dict(zip("pqr", zip(*cells, strict=True), strict=True))
    assert v.crossed(factors).tolist() == list(range(24))


@pytest.mark.parametrize("seed", range(6))
def test_what_is_crossed_has_no_empty_cell(seed: int) -> None:
    rng = np.random.default_rng(seed)
    cells = [cell for cell in product("abcde", "wxyz", "123") if rng.random() < 0.8]
    factors = dict(zip("pqr", zip(*cells, strict=True), strict=True))
    kept = [cells[place] for place in v.crossed(factors)]
    assert kept
    assert set(kept) == set(product(*(sorted(set(levels)) for levels in zip(*kept, strict=True))))


def test_methods_that_are_in_few_combinations_are_left_out_of_what_is_crossed() -> None:
    """The study `paper`: one detector with straight lines alone, and features that few signals were made into."""
    whole = list(product(range(10), range(8), ["simple"], range(4)))
    few = [*product([10], [0], ["simple"], range(4)), *product([1, 2], [3], ["extended", "embedding"], range(4))]
    factors = dict(zip("difc", zip(*((str(part) for part in cell) for cell in few + whole), strict=True), strict=True))
    assert v.crossed(factors).tolist() == list(range(len(few), len(few) + len(whole)))


@pytest.mark.parametrize("digits", [1, 9])
def test_friedman_equals_scipy_with_ties(digits: int) -> None:
    scores = np.random.default_rng(1).random((12, 5)).round(digits)
    found = cd.critical_difference(scores, replicates="cells")
    expected = friedmanchisquare(*scores.T)
    assert found.friedman == pytest.approx(expected.statistic, abs=1e-9)
    assert found.p_value == pytest.approx(expected.pvalue, abs=1e-9)
    f = 11 * found.friedman / (12 * 4 - found.friedman)
    assert found.iman_davenport == pytest.approx(f, abs=1e-9)


def test_demsars_example() -> None:
    # Demsar 2006, 3.2.2-3.2.4: four classifiers on 14 data sets, mean ranks 3.143 2.000 2.893 1.964
    c45 = [0.763, 0.599, 0.954, 0.628, 0.882, 0.936, 0.661, 0.583, 0.775, 1.000, 0.940, 0.619, 0.972, 0.957]
    c45_m = [0.768, 0.591, 0.971, 0.661, 0.888, 0.931, 0.668, 0.583, 0.838, 1.000, 0.962, 0.666, 0.981, 0.978]
    c45_cf = [0.771, 0.590, 0.968, 0.654, 0.886, 0.916, 0.609, 0.563, 0.866, 1.000, 0.965, 0.614, 0.9751, 0.946]
    c45_both = [0.798, 0.569, 0.967, 0.657, 0.898, 0.931, 0.685, 0.625, 0.875, 1.000, 0.962, 0.669, 0.975, 0.970]
    found = cd.critical_difference(np.array([c45, c45_m, c45_cf, c45_both]).T, replicates="data sets")
    assert found.mean_rank == pytest.approx([3.143, 2.000, 2.893, 1.964], abs=5e-4)
    assert found.critical_difference == pytest.approx(1.25, abs=0.005)
    assert found.groups == ((3, 1, 2, 0),)  # 3.143 - 1.964 is below 1.25


def test_nemenyi_equals_the_published_critical_values() -> None:
    # Demsar 2006, table 5a: q at 5 %
    for methods, q in {2: 1.960, 3: 2.343, 5: 2.728, 10: 3.164}.items():
        expected = q * np.sqrt(methods * (methods + 1) / (6 * 9))
        assert cd.nemenyi(methods, 9) == pytest.approx(expected, rel=5e-4)


def test_groups_are_the_longest_runs() -> None:
    assert cd.cliques(np.array([4.0, 1.0, 1.5, 3.6]), 0.6) == ((1, 2), (3, 0))
    assert cd.cliques(np.array([1.0, 2.0, 3.0]), 0.5) == ()
    assert cd.cliques(np.array([1.0, 2.0, 3.0]), 5.0) == ((0, 1, 2),)


def test_ranks_without_a_test_say_why() -> None:
    one = cd.critical_difference(np.array([[0.9, 0.8]]), replicates="cells")
    assert one.reason
    assert np.isnan([one.friedman, one.p_value]).all()
    assert one.mean_rank.tolist() == [1, 2]
    equal = cd.critical_difference(np.full((4, 3), 0.8), replicates="cells")
    assert equal.reason
    assert equal.mean_rank.tolist() == [2, 2, 2]
    agreeing = cd.critical_difference(np.tile([0.9, 0.8, 0.7], (6, 1)), replicates="cells")
    assert (agreeing.iman_davenport, agreeing.p_iman_davenport) == (np.inf, 0.0)


def test_replicates_must_be_named_and_scores_whole() -> None:
    with pytest.raises(ValueError, match="replicates"):
        cd.critical_difference(np.ones((3, 2)), replicates=" ")
    with pytest.raises(ValueError, match="NaN"):
        cd.critical_difference(np.array([[0.1, np.nan]]), replicates="cells")


def test_rank_intervals_come_from_resamples_of_the_subjects() -> None:
    rng = np.random.default_rng(0)
    scores = np.array([[0.9, 0.8, 0.7]] * 5)
    resampled = scores + rng.normal(0, 0.05, (300, 1, 3))  # a cohort's noise is common to its blocks
    found = cd.critical_difference(scores, replicates="cells", resampled=resampled)
    assert (found.lower <= found.mean_rank).all()
    assert (found.upper >= found.mean_rank).all()
    assert found.upper[0] > 1  # the test sees five blocks that agree; the resamples see one cohort
