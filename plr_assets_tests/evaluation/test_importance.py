"""Permutation importance and variance inflation."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from statsmodels.stats.outliers_influence import variance_inflation_factor

from plr_assets.evaluation.importance import permutation_importance, variance_inflation

N, R = 80, 60


def predictions(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Labels, p, p with (signal, noise) shuffled, out of bag: a model that weighs both features alike."""
    rng = np.random.default_rng(seed)
    y = np.arange(N) % 3 == 0
    signal, noise = rng.normal(size=N) + 1.5 * y, 0.7 * rng.normal(size=N)

    def p(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-(a + b)))

    shuffled = [
        [p(signal[rng.permutation(N)], noise), p(signal, noise[rng.permutation(N)]), p(signal, noise)] for _ in range(R)
    ]
    return y, np.tile(p(signal, noise), (R, 1)), np.array(shuffled), rng.random((R, N)) < 0.4


def test_a_decrease_is_that_of_the_area_out_of_bag() -> None:
    y, p, shuffled, out = predictions()
    found = permutation_importance(y, p, shuffled, out)
    decrease = [
        roc_auc_score(y[o], a[o]) - roc_auc_score(y[o], b[0][o]) for a, b, o in zip(p, shuffled, out, strict=True)
    ]
    assert found.mean[0] == pytest.approx(np.mean(decrease))
    assert (found.lower[0], found.upper[0]) == pytest.approx(tuple(np.quantile(decrease, [0.025, 0.975])))


def test_what_tells_classes_apart_matters_and_what_the_model_ignores_does_not() -> None:
    found = permutation_importance(*predictions())
    assert found.lower[0] > 0.02
    assert (found.mean[2], found.lower[2], found.upper[2]) == (0, 0, 0)


def test_the_interval_of_a_useless_feature_is_around_zero() -> None:
    """The model weighs noise; shuffling noise makes other noise, which is no worse on average."""
    found = permutation_importance(*predictions())
    assert found.lower[1] < 0 < found.upper[1]
    assert abs(found.mean[1]) < found.mean[0] / 5


def test_replicates_with_one_class_out_of_bag_are_left_out_and_none_gives_none() -> None:
    y, p, shuffled, out = predictions()
    one_class = out.copy()
    one_class[0] = y
    left = permutation_importance(y, p[1:], shuffled[1:], out[1:])
    assert permutation_importance(y, p, shuffled, one_class).mean == pytest.approx(left.mean)
    assert np.isnan(permutation_importance(y, p[:1], shuffled[:1], one_class[:1])).all()


def test_predictions_of_another_shape_are_refused() -> None:
    y, p, shuffled, out = predictions()
    with pytest.raises(ValueError, match="shuffled"):
        permutation_importance(y, p[:, 1:], shuffled, out)


def test_variance_inflation_is_that_of_statsmodels() -> None:
    rng = np.random.default_rng(2)
    X = rng.normal(size=(60, 4)) @ rng.normal(size=(4, 4)) + 5
    with_intercept = np.column_stack([X, np.ones(60)])
    expected = [variance_inflation_factor(with_intercept, j) for j in range(4)]
    assert variance_inflation(X) == pytest.approx(expected, rel=1e-9)


def test_uncorrelated_features_have_no_inflation() -> None:
    a, b = np.array([1.0, 1, -1, -1] * 5), np.array([1.0, -1] * 10)
    assert variance_inflation(np.column_stack([a, b])) == pytest.approx([1, 1])


def test_inflation_is_missing_where_it_is_not_defined() -> None:
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=(2, 30))
    found = variance_inflation(np.column_stack([a, b, a + b, np.full(30, 7.0)]))
    assert np.isnan(found).all()
    assert np.isfinite(variance_inflation(np.column_stack([a, b, np.full(30, 7.0)]))).tolist() == [True, True, False]
    assert np.isnan(variance_inflation(rng.normal(size=(4, 4)))).all(), "as many features as recordings"
    assert np.isnan(variance_inflation(np.zeros((5, 2)))).all()
