"""Logistic regression by Newton's method, all replicates at once, against scikit-learn's loop."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression as Reference
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from plr_assets.classification.bootstrap import bootstrap, refit, replicate_seeds
from plr_assets.classification.logistic_regression import LogisticRegression
from plr_assets.classification.resampling import Resamples, resample
from plr_assets.errors import ConfigError
from plr_assets_tests.builders import make_features

FEATURES, CASES = make_features(60)
# Scales and offsets as features have them: seconds, percent, pixels.
X = FEATURES[:, 2:].to_numpy() * [1, 10, 100, 0.01] + [5, -40, 4000, 0.3]
Y = CASES["y_true"].to_numpy()
# More than one block, and no multiple of it.
RESAMPLES = resample(CASES["subject"].to_list(), Y, 75, seed=3)

Matrix = NDArray[np.float64]


def _reference(X: Matrix, y: NDArray[np.int64], **parameters: Any) -> tuple[Matrix, float]:
    """Coefficients and intercept of scaler and regression at a tolerance that leaves 1e-8."""
    model = make_pipeline(StandardScaler(), Reference(max_iter=100_000, tol=1e-12, solver="newton-cg", **parameters))
    regression = model.fit(X, y)[-1]
    return regression.coef_[0], float(regression.intercept_[0])


@pytest.mark.parametrize("class_weight", [None, "balanced"])
@pytest.mark.parametrize("C", [0.01, 1.0, 100.0])
def test_coefficients_of_replicates_are_those_of_scikit_learn(C: float, class_weight: Any) -> None:
    classifier = LogisticRegression(C=C, class_weight=class_weight)
    for i in range(0, len(RESAMPLES), 5):
        ours = classifier.fit_resample(X, Y, RESAMPLES.counts[i], seed=i)
        train = RESAMPLES.train(i)
        coefficients, intercept = _reference(X[train], Y[train], C=C, class_weight=class_weight)
        assert np.allclose(ours.coefficients_, coefficients, rtol=0, atol=1e-6)
        assert ours.intercept_ == pytest.approx(intercept, abs=1e-6)


def test_a_feature_that_is_constant_in_bag_is_scaled_as_scikit_learn_does() -> None:
    """Also where the mean is so large that the sum's rounding looks like variance."""
    for constant in (0.0, 3.0, 0.1, 1e9 + 0.1):
        degenerate = np.column_stack([X, np.full(len(X), constant)])
        # One case differs; where it is out of bag the feature is constant.
        degenerate[RESAMPLES.test(0)[0], 4] = constant + 50
        train = RESAMPLES.train(0)
        ours = LogisticRegression().fit_resample(degenerate, Y, RESAMPLES.counts[0], seed=0)
        scaler = StandardScaler().fit(degenerate[train])
        assert ours.scale_[4] == scaler.scale_[4] == 1
        coefficients, _ = _reference(degenerate[train], Y[train])
        assert np.allclose(ours.coefficients_, coefficients, rtol=0, atol=1e-6)


def test_all_replicates_at_once_are_each_alone_to_the_last_bit() -> None:
    """What a replicate is must not depend on its neighbours, or `refit` would not find what is stored."""
    results = bootstrap(FEATURES, CASES, LogisticRegression(), RESAMPLES)
    matrix = FEATURES[:, 2:].to_numpy()
    together = list(LogisticRegression().out_of_bag(matrix, Y, RESAMPLES, replicate_seeds(RESAMPLES)))
    for i in range(len(RESAMPLES)):
        alone = refit(FEATURES, CASES, LogisticRegression(), RESAMPLES, i)
        assert np.array_equal(alone.predict_proba(matrix[RESAMPLES.test(i)])[:, 1], together[i])
        assert np.array_equal(together[i].astype(np.float32), results["y_prob"][i].to_numpy())


def test_classes_that_a_line_separates_are_fitted_because_of_the_penalty() -> None:
    separable = np.column_stack([X, np.where(Y == 1, 1.0, -1.0) * np.linspace(1, 2, len(Y))])
    for C in (1.0, 1e4):
        ours = LogisticRegression(C=C).fit(separable, Y)
        coefficients, intercept = _reference(separable, Y, C=C)
        assert np.allclose(ours.coefficients_, coefficients, rtol=1e-6, atol=1e-6)
        assert ours.intercept_ == pytest.approx(intercept, abs=1e-5)


def test_a_replicate_without_an_optimum_is_named() -> None:
    with pytest.raises(ConfigError, match=r"iteration 0 of the bootstrap.*max_iter = 2"):
        list(LogisticRegression(max_iter=2).out_of_bag(X, Y, RESAMPLES, replicate_seeds(RESAMPLES)))
    # Only one replicate is hard: its feature is low in no positive, because the one that is is out of bag.
    hard = np.where(Y == 1, 1.0, -1.0)
    hard[np.flatnonzero(Y == 1)[0]] = -1.0
    hard[np.flatnonzero(Y == 0)[0]] = 1.0
    counts = np.ones((40, len(Y)), dtype=np.int64)
    counts[37, np.flatnonzero(Y == 1)[0]] = 0
    with pytest.raises(ConfigError, match="iteration 37 of the bootstrap"):
        list(LogisticRegression(C=1e12, max_iter=15).out_of_bag(hard[:, None], Y, Resamples(counts, 0), [0] * 40))


def test_far_away_out_of_bag_rows_leave_the_fit_untouched() -> None:
    test = RESAMPLES.test(0)
    far = X.copy()
    far[test] = 1e300
    for name, learned in LogisticRegression().fit_resample(X, Y, RESAMPLES.counts[0], 0).learned.items():
        assert learned == LogisticRegression().fit_resample(far, Y, RESAMPLES.counts[0], 0).learned[name]
