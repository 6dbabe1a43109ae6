"""The published model for use: whoever reads it from the store can use it, and what is said is of the same model."""

from __future__ import annotations

import polars as pl
import pytest

from plr_assets.classification.model import Model
from plr_assets.grid import grid_of
from plr_assets.platform.artifacts import ArtifactRef, folder_path, read_table
from plr_assets.platform.contract import Contract
from plr_assets.platform.results_db import database_path
from plr_assets.platform.results_db import read_table as in_database
from plr_assets.registry import load_registry
from plr_assets.schemas import APPARENT_PREDICTIONS, FEATURES
from plr_assets_tests.e2e.lab import Lab


def artifact(asset: str, key: str, name: str) -> ArtifactRef:
    contract = Contract("trial")
    run = contract.latest(asset, key)
    assert run is not None
    return contract.ref(run, name)


def test_a_published_model_predicts_from_features_what_was_published_with_it(finished: Lab) -> None:
    """Of every classifier of the trial, read from the store alone."""
    for key in grid_of(finished.study()).pipelines:
        method = load_registry().methods["classification"][key.named("classification")]
        model = Model.load(folder_path(artifact("models", str(key), "model")), method.load())
        features = read_table(
            artifact(
                "features", str(key.only("featurization", "outlier_detection", "imputation")), "features_of_cases"
            ),
            FEATURES,
        )
        kept = read_table(artifact("models", str(key), "apparent_predictions"), APPARENT_PREDICTIONS)
        assert kept["recording"].to_list() == features["recording"].to_list()
        assert model.predict(features)["y_prob"].to_list() == pytest.approx(kept["y_prob"].to_list(), abs=1e-7)
        schema = model.schema
        assert (schema.pipeline, schema.labels, schema.origin) == (str(key), ("control", "glaucoma"), "synthetic")
        assert (schema.n_recordings, schema.n_events, schema.pretrained_on) == (24, 12, ())
        assert schema.featurization
        assert {column.unit for column in schema.features} == {"%", "% s"}


def test_what_is_said_of_reliability_is_of_these_models(finished: Lab) -> None:
    path = database_path(finished.folder)
    optimism, importance = in_database(path, "optimism"), in_database(path, "feature_importance")
    assert optimism["reason"].null_count() == optimism.height, "every bootstrap is fitted again"
    assert optimism["n_replicates"].to_list() == [12] * optimism.height
    for key in grid_of(finished.study()).pipelines:
        folder = folder_path(artifact("models", str(key), "model"))
        model = Model.load(folder, load_registry().methods["classification"][key.named("classification")].load())
        named = importance.filter(pl.col("pipeline") == str(key)).sort("position")
        assert named["feature"].to_list() == [column.name for column in model.schema.features]
