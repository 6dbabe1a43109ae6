"""The boosted trees against their libraries, and CatBoost's uncertainty ensemble."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from xgboost import XGBClassifier

from plr_assets.classification.catboost import CatBoost
from plr_assets.classification.xgboost import XGBoost
from plr_assets.errors import ConfigError
from plr_assets_tests.builders import make_features

FEATURES, CASES = make_features(90)
X, Y = FEATURES[:, 2:].to_numpy(), CASES["y_true"].to_numpy()
ENSEMBLE = CatBoost(posterior_sampling=True, virtual_ensembles=8, random_state=2)


def test_xgboost_grows_the_trees_of_the_librarys_classifier() -> None:
    """It is called in another way for speed alone."""
    parameters = {"max_depth": 3, "learning_rate": 0.2, "subsample": 0.6, "min_child_weight": 2.0, "reg_lambda": 0.5}
    library = XGBClassifier(**parameters, n_estimators=40, colsample_bytree=0.5, tree_method="hist", random_state=9)
    ours = XGBoost(**parameters, n_estimators=40, colsample_bytree=0.5, random_state=9)  # type: ignore[arg-type]
    assert np.array_equal(ours.fit(X, Y).predict_proba(X)[:, 1], library.fit(X, Y).predict_proba(X)[:, 1])


def test_the_ensembles_probability_is_the_mean_of_members_that_differ() -> None:
    fitted = ENSEMBLE.fit(X, Y)
    members = fitted.member_probabilities(X)
    assert members.shape == (len(X), 8)
    assert ((members > 0) & (members < 1)).all()
    assert (members.std(axis=1) > 0).all()
    assert np.allclose(fitted.predict_proba(X)[:, 1], members.mean(axis=1), rtol=0, atol=1e-15)


def test_the_ensembles_total_uncertainty_is_that_of_the_library() -> None:
    """Entropy of the mean probability, and the mean of the members' entropies."""
    fitted = ENSEMBLE.fit(X, Y)
    members = fitted.member_probabilities(X)
    library = fitted.model_.virtual_ensembles_predict(X, prediction_type="TotalUncertainty", virtual_ensembles_count=8)
    assert np.allclose(library[:, 0], _entropy(members).mean(axis=1), atol=1e-6)
    assert np.allclose(library[:, 1], _entropy(members.mean(axis=1)), atol=1e-6)


def test_the_ensemble_is_saved_and_repeats(tmp_path: Path) -> None:
    fitted = ENSEMBLE.fit(X, Y)
    fitted.save(tmp_path)
    members = fitted.member_probabilities(X)
    assert np.array_equal(CatBoost.load(tmp_path).member_probabilities(X), members)
    again = CatBoost(posterior_sampling=True, virtual_ensembles=8, random_state=2).fit(X, Y)
    assert np.array_equal(again.member_probabilities(X), members)


def test_an_ensemble_needs_its_option_and_enough_trees() -> None:
    with pytest.raises(ConfigError, match="posterior_sampling"):
        CatBoost().fit(X, Y).member_probabilities(X)
    with pytest.raises(ConfigError, match="virtual_ensembles"):
        CatBoost(iterations=10, posterior_sampling=True, virtual_ensembles=6).fit(X, Y)


def _entropy(p: np.ndarray) -> np.ndarray:
    return np.asarray(-(p * np.log(p) + (1 - p) * np.log1p(-p)))
