"""What every classifier promises, whatever its method."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from plr_assets.classification.base import Classifier
from plr_assets.classification.bootstrap import bootstrap, refit, replicate_seeds
from plr_assets.classification.resampling import Resamples, resample
from plr_assets.errors import ConfigError
from plr_assets.schemas import BOOTSTRAP_RESULTS, validate
from plr_assets_tests.builders import make_features
from plr_assets_tests.contract.registered import construct, implemented, start

AXIS = "classification"
FEATURES, CASES = make_features(60)
X, Y = FEATURES[:, 2:].to_numpy(), CASES["y_true"].to_numpy()
RESAMPLES = resample(CASES["subject"].to_list(), Y, 8, seed=3)


@pytest.fixture(scope="module", params=implemented(AXIS))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def _make(name: str, seed: int = 5, **more: Any) -> Classifier:
    classifier: Classifier = construct(AXIS, name, random_state=seed, **start(AXIS, name), **more)
    return classifier


def _learns(name: str) -> bool:
    """Whether it can tell cases apart here: tests start foundation models from random weights."""
    return not start(AXIS, name)


def _run(name: str, features: pl.DataFrame, cases: pl.DataFrame, iterations: int = 8) -> pl.DataFrame:
    resamples = resample(cases["subject"].to_list(), cases["y_true"].to_numpy(), iterations, seed=3)
    return bootstrap(features, cases, _make(name), resamples)


def test_probabilities_are_two_columns_that_sum_to_one(name: str) -> None:
    p = _make(name).fit(X, Y).predict_proba(X)
    assert p.shape == (len(X), 2)
    assert np.allclose(p.sum(axis=1), 1)
    assert ((p >= 0) & (p <= 1)).all()
    assert not _learns(name) or p[Y == 1, 1].mean() > p[Y == 0, 1].mean() + 0.1


def test_the_same_seed_gives_the_same_probabilities(name: str) -> None:
    assert np.array_equal(_make(name).fit(X, Y).predict_proba(X), _make(name).fit(X, Y).predict_proba(X))


def test_saving_and_loading_changes_nothing_and_needs_no_pickle(name: str, tmp_path: Path) -> None:
    fitted = _make(name).fit(X, Y)
    fitted.save(tmp_path)
    loaded = type(fitted).load(tmp_path)
    assert loaded.parameters == fitted.parameters
    assert np.array_equal(loaded.predict_proba(X), fitted.predict_proba(X))
    assert not [file for file in tmp_path.rglob("*") if file.suffix in (".pkl", ".pickle", ".joblib", ".pt")]


def test_equal_models_are_equal_files(name: str, tmp_path: Path) -> None:
    for copy in ("a", "b"):
        _make(name).fit(X, Y).save(tmp_path / copy)
    for file in (tmp_path / "a").iterdir():
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes(), file.name


def test_one_case_is_predicted_as_among_many(name: str) -> None:
    fitted = _make(name).fit(X, Y)
    together = fitted.predict_proba(X)
    alone = np.vstack([fitted.predict_proba(row[None]) for row in X])
    if name == "TabPFN":  # its package computes in float32, whose last digits follow the shape of the batch
        assert np.allclose(alone, together, rtol=0, atol=1e-6)
    else:
        assert np.array_equal(alone, together)


def test_weights_are_counts_exactly_where_declared(name: str) -> None:
    counts = np.random.default_rng(0).integers(1, 4, len(X))
    weighted = _make(name).fit(X, Y, sample_weight=counts.astype(float)).predict_proba(X)
    repeated = _make(name).fit(np.repeat(X, counts, axis=0), np.repeat(Y, counts)).predict_proba(X)
    # The solver stops at a tolerance, so equal optima agree to about 1e-4.
    assert np.allclose(weighted, repeated, atol=1e-3) == _make(name).counts_as_weights


def test_inputs_are_left_as_they_were(name: str) -> None:
    features, labels, weights = X.copy(), Y.copy(), np.ones(len(X))
    _make(name).fit(features, labels, weights).predict_proba(features)
    assert np.array_equal(features, X)
    assert np.array_equal(labels, Y)
    assert (weights == 1).all()


def test_a_constant_feature_is_no_obstacle(name: str) -> None:
    constant = np.column_stack([X, np.full(len(X), 3.0)])
    assert np.isfinite(_make(name).fit(constant, Y).predict_proba(constant)).all()


def test_missing_features_and_single_classes_are_refused(name: str) -> None:
    gap = X.copy()
    gap[4, 2] = np.nan
    with pytest.raises(ValueError, match="feature 2 of row 4"):
        _make(name).fit(gap, Y)
    with pytest.raises(ValueError, match="classes"):
        _make(name).fit(X, np.zeros_like(Y))


def test_bootstrap_results_fit_the_schema_and_repeat(name: str) -> None:
    results = validate(_run(name, FEATURES, CASES), BOOTSTRAP_RESULTS)
    assert results.equals(_run(name, FEATURES, CASES))
    assert not _learns(name) or results["auroc"].mean() > 0.6


def test_out_of_bag_is_the_loop_of_fit_and_predict(name: str) -> None:
    """A method that fits all replicates as one problem may not find others."""
    seeds = replicate_seeds(RESAMPLES)
    yielded = list(_make(name).out_of_bag(X, Y, RESAMPLES, seeds))
    looped = list(Classifier.out_of_bag(_make(name), X, Y, RESAMPLES, seeds))
    assert [len(row) for row in yielded] == [len(RESAMPLES.test(i)) for i in range(len(RESAMPLES))]
    for ours, loop in zip(yielded, looped, strict=True):
        assert np.allclose(ours, loop, rtol=0, atol=1e-6)


def test_the_order_of_iterations_changes_none_of_them(name: str) -> None:
    """Each is of its own draw and its own seed."""
    seeds = replicate_seeds(RESAMPLES)
    backwards = Resamples(RESAMPLES.counts[::-1], RESAMPLES.seed)
    forth = list(_make(name).out_of_bag(X, Y, RESAMPLES, seeds))
    back = list(_make(name).out_of_bag(X, Y, backwards, seeds[::-1]))
    for one, other in zip(forth, reversed(back), strict=True):
        assert np.allclose(one, other, rtol=0, atol=1e-6)


def test_resamples_of_other_cases_or_of_one_class_are_refused(name: str) -> None:
    seeds = replicate_seeds(RESAMPLES)
    with pytest.raises(ValueError, match="seeds"):
        list(_make(name).out_of_bag(X, Y, RESAMPLES, seeds[1:]))
    with pytest.raises(ValueError, match="resamples"):
        list(_make(name).out_of_bag(X[1:], Y[1:], RESAMPLES, seeds))
    with pytest.raises(ValueError, match="iteration 0 draws"):
        list(_make(name).out_of_bag(X, Y, Resamples(RESAMPLES.counts * (Y == 0), 3), seeds))


def test_out_of_bag_rows_never_reach_the_fit(name: str) -> None:
    """Were scaler or bin borders fitted on the whole matrix, they would move when out-of-bag rows do.

    One case that is out of bag stays, the others go far away: what is said of the one shall not change by a bit.
    """
    resamples = resample(CASES["subject"].to_list(), Y, 1, seed=3)
    out_of_bag = resamples.test(0)
    disturbed = X.copy()
    disturbed[out_of_bag[1:]] = disturbed[out_of_bag[1:]] * 1e3 + 1e4
    (before,), (after,) = (list(_make(name).out_of_bag(values, Y, resamples, [5])) for values in (X, disturbed))
    assert before[0] == after[0]
    assert not np.array_equal(before, after)


def test_a_stored_iteration_is_built_again_exactly(name: str) -> None:
    """No replicate is kept, so seed and parameters have to be enough."""
    results = bootstrap(FEATURES, CASES, _make(name), RESAMPLES)
    for i in (0, len(RESAMPLES) - 1):
        again = refit(FEATURES, CASES, _make(name), RESAMPLES, i)
        predicted = again.predict_proba(X[RESAMPLES.test(i)])[:, 1].astype(np.float32)
        assert np.array_equal(predicted, results["y_prob"][i].to_numpy())


def test_every_classifier_but_the_pretrained_one_weights_classes_by_choice(name: str) -> None:
    """TabPFN learned what a case is worth before it saw any."""
    assert ("class_weight" in _make(name).parameters) is (name != "TabPFN")


@pytest.mark.parametrize("name", [name for name in implemented(AXIS) if name != "TabPFN"], indirect=True)
def test_balanced_classes_raise_the_probability_of_the_rarer(name: str) -> None:
    """A third is positive: weighting both alike is doubling the positives, and the mean moves from 1/3 towards 1/2."""
    assert _make(name).parameters["class_weight"] is None
    plain, balanced = (_make(name, class_weight=choice).fit(X, Y) for choice in (None, "balanced"))
    assert plain.predict_proba(X)[:, 1].mean() == pytest.approx(1 / 3, abs=0.05)
    assert balanced.predict_proba(X)[:, 1].mean() > plain.predict_proba(X)[:, 1].mean() + 0.05
    with pytest.raises(ConfigError, match="class_weight"):
        _make(name, class_weight="heavy").fit(X, Y)


def test_permuted_labels_are_not_predictable(name: str) -> None:
    """The mean AUROC over permutations holds 0.5 within its 95 % interval (t, 11 permutations' degrees of freedom).

    Features far from chance, so that a leak of out-of-bag labels or rows would show.
    """
    means = []
    for seed in range(12):
        y = np.random.default_rng(seed).permutation(Y)
        means.append(_run(name, FEATURES, CASES.with_columns(pl.Series("y_true", y)), iterations=6)["auroc"].mean())
    found = np.array(means, dtype=float)
    assert abs(found.mean() - 0.5) < 2.2 * found.std(ddof=1) / np.sqrt(found.size)
