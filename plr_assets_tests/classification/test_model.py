"""The model for use: what was fitted is what is kept, and it refuses what it was not fitted on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from plr_assets.classification.logistic_regression import LogisticRegression
from plr_assets.classification.model import FILE, FeatureColumn, Model, ModelSchema, fit_model, require_same
from plr_assets.classification.xgboost import XGBoost
from plr_assets.errors import ContractError, RecordingError
from plr_assets_tests.builders import make_features

FEATURES, CASES = make_features(45)


def schema(*names: str) -> ModelSchema:
    return ModelSchema(
        pipeline="simple__LOF__linear__LogisticRegression",
        features=tuple(FeatureColumn(name, "%") for name in names),
        featurization="abc",
        labels=("control", "glaucoma"),
        origin="synthetic",
        pretrained_on=("simulated recordings",),
        n_subjects=45,
        n_recordings=45,
        n_events=15,
    )


@pytest.fixture
def model() -> Model:
    return fit_model(LogisticRegression(), FEATURES, CASES, schema(*FEATURES.columns[2:]))


def test_it_is_fitted_on_every_case(model: Model) -> None:
    other = CASES.with_columns(y_true=pl.when(pl.col("case") == 44).then(1 - pl.col("y_true")).otherwise("y_true"))
    changed = fit_model(LogisticRegression(), FEATURES, other, model.schema)
    assert not changed.predict(FEATURES).equals(model.predict(FEATURES))


def test_a_loaded_model_says_the_same_and_knows_what_it_is(model: Model, tmp_path: Path) -> None:
    model.save(tmp_path)
    loaded = Model.load(tmp_path, LogisticRegression)
    assert loaded.schema == model.schema
    assert loaded.predict(FEATURES).equals(model.predict(FEATURES))
    assert {file.suffix for file in tmp_path.iterdir()} == {".json"}
    assert (tmp_path / FILE).is_file()


def test_it_is_not_loaded_as_another_classifier(model: Model, tmp_path: Path) -> None:
    model.save(tmp_path)
    with pytest.raises(ContractError, match="LogisticRegression"):
        Model.load(tmp_path, XGBoost)


def test_columns_are_taken_by_name_not_by_place(model: Model) -> None:
    turned = FEATURES.select("recording", "subject", *reversed(FEATURES.columns[2:]))
    assert model.predict(turned).equals(model.predict(FEATURES))


def test_other_features_are_refused_by_name(model: Model) -> None:
    with pytest.raises(ContractError, match=r"F3.*G9"):
        model.predict(FEATURES.rename({"F3": "G9"}))
    with pytest.raises(ContractError, match="F3"):
        model.predict(FEATURES.drop("F3"))


def test_a_missing_value_is_refused_with_its_recording(model: Model) -> None:
    gap = FEATURES.with_columns(F1=pl.when(pl.col("recording") == "R007").then(None).otherwise("F1"))
    with pytest.raises(RecordingError, match=r"R007.*F1"):
        model.predict(gap)


def test_a_schema_of_other_features_is_no_schema_of_this_model() -> None:
    with pytest.raises(ValueError, match="schema"):
        fit_model(LogisticRegression(), FEATURES, CASES, schema("F1", "F0", "F2", "F3"))


def test_a_model_that_says_something_else_than_when_published_is_refused(model: Model) -> None:
    kept = model.predict(FEATURES).reverse()
    y_prob = model.predict(FEATURES)["y_prob"].to_numpy()
    require_same(y_prob, kept, CASES, pipeline="p")
    moved = y_prob.copy()
    moved[3] += 1e-3
    with pytest.raises(ContractError, match="R003"):
        require_same(moved, kept, CASES, pipeline="p")
    with pytest.raises(ContractError, match="R000"):
        require_same(y_prob, kept.filter(pl.col("recording") != "R000"), CASES, pipeline="p")
    assert np.isfinite(moved).all()
