"""The tables of internal validation: each number from its place, and nothing said of models that are not the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import brier_score_loss, roc_auc_score

from plr_assets import schemas
from plr_assets.evaluation.internal_validation import Refitted, confounder_table, validate_pipeline
from plr_assets.evaluation.out_of_bag import read_out_of_bag
from plr_assets_tests.evaluation.conftest import REPLICATES, Tables, bootstrap_tables, refitted_of, values_of

NAME = "simple__LOF__linear__CatBoost"


def validate(tables: Tables, refitted: Refitted, values: pl.DataFrame | None = None) -> dict[str, pl.DataFrame]:
    given = values_of(tables[1]) if values is None else values
    found = validate_pipeline(*tables, refitted, given, pipeline=NAME, seed=2)
    return {table.name: schemas.validate(found[table.name], table) for table in schemas.VALIDATION_TABLES}


TABLES = bootstrap_tables()
REFITTED = refitted_of(TABLES)
OUT = read_out_of_bag(*TABLES, pipeline=NAME)


def test_every_table_has_its_rows() -> None:
    found = validate(TABLES, REFITTED)
    n = len(TABLES[1])
    assert {name: frame.height for name, frame in found.items()} == {
        "uncertainty": n,
        "stability": n,
        "optimism": 1,
        "feature_importance": 2,
        "adjusted_auroc": 1,
    }
    assert all(set(frame["pipeline"]) == {NAME} for frame in found.values())


def test_optimism_is_of_the_model_for_use_and_of_the_replicates() -> None:
    row = validate(TABLES, REFITTED)["optimism"].row(0, named=True)
    y = OUT.y
    assert row["auroc_apparent"] == pytest.approx(roc_auc_score(y, REFITTED.developed))
    assert row["brier_apparent"] == pytest.approx(brier_score_loss(y, REFITTED.developed))
    known = ~np.isnan(OUT.p)
    oob = [roc_auc_score(y[k], p[k]) for p, k in zip(OUT.p, known, strict=True)]
    assert row["auroc_out_of_bag"] == pytest.approx(np.mean(oob))
    in_bag = [
        roc_auc_score(y, p, sample_weight=c) - roc_auc_score(y, p)
        for p, c in zip(REFITTED.on_all, REFITTED.counts, strict=True)
    ]
    assert row["auroc_optimism"] == pytest.approx(np.mean(in_bag))
    assert row["auroc_corrected"] == pytest.approx(row["auroc_apparent"] - np.mean(in_bag))
    briers = [
        brier_score_loss(y, p, sample_weight=c) - brier_score_loss(y, p)
        for p, c in zip(REFITTED.on_all, REFITTED.counts, strict=True)
    ]
    assert row["brier_optimism"] == pytest.approx(np.mean(briers))
    assert row["auroc_out_of_bag"] <= row["auroc_632plus"] <= row["auroc_632"] <= row["auroc_apparent"]
    assert row["brier_apparent"] <= row["brier_632"] <= row["brier_632plus"] <= row["brier_out_of_bag"]
    assert (row["n_iterations"], row["n_replicates"], row["reason"]) == (60, REPLICATES, None)


def test_importance_names_the_features_in_their_order() -> None:
    found = validate(TABLES, REFITTED)["feature_importance"]
    assert found["feature"].to_list() == ["idle", "used"]
    assert found["position"].to_list() == [0, 1]
    assert found["mean_abs_shap"].to_list() == [0, 0.5]
    idle, used = found.rows(named=True)
    assert (idle["importance"], idle["importance_lower"], idle["importance_upper"]) == (0, 0, 0)
    assert used["importance"] > 0.1
    assert found["vif"].is_between(1, 1.2).all()


def test_a_bootstrap_of_other_models_leaves_what_needs_both_empty_and_says_why() -> None:
    found = validate(TABLES, replace(REFITTED, departure=0.2))
    optimism = found["optimism"].row(0, named=True)
    empty = {name for name, value in optimism.items() if value is None}
    assert empty == set(optimism) - {
        "pipeline",
        "auroc_out_of_bag",
        "brier_out_of_bag",
        "auroc_no_information",
        "n_iterations",
        "n_replicates",
        "reason",
    }
    assert found["stability"]["mape"].null_count() == len(OUT.y)
    assert found["stability"]["y_prob_upper"].null_count() == 0
    assert found["feature_importance"]["importance"].null_count() == 2
    for name in ("optimism", "stability", "feature_importance"):
        assert found[name]["reason"].str.contains("0.2").all()
    assert found["uncertainty"].equals(validate(TABLES, REFITTED)["uncertainty"])


def test_a_method_without_shapley_values_has_none() -> None:
    found = validate(TABLES, replace(REFITTED, contributions=None))["feature_importance"]
    assert found["mean_abs_shap"].null_count() == 2
    assert found["reason"].null_count() == 2


def test_ages_are_matched_by_recording_whatever_their_order() -> None:
    values = values_of(TABLES[1])
    assert validate(TABLES, REFITTED, values)["adjusted_auroc"].equals(
        validate(TABLES, REFITTED, values.reverse())["adjusted_auroc"]
    )


def test_without_ages_the_adjusted_auroc_is_missing_with_a_reason() -> None:
    row = validate(TABLES, REFITTED, values_of(TABLES[1], [None] * 40))["adjusted_auroc"].row(0, named=True)
    assert row["auroc_matched"] is None
    assert "not known" in row["reason"]


@pytest.mark.parametrize("probability", [0.0, 0.4, 1.0])
def test_predictions_that_are_all_alike_are_no_obstacle(probability: float) -> None:
    tables = bootstrap_tables(probability=probability)
    found = validate(tables, refitted_of(tables))
    assert found["optimism"]["auroc_out_of_bag"].item() == pytest.approx(0.5)
    assert found["uncertainty"]["mutual_information"].max() == 0


def test_several_recordings_of_a_subject_are_one_cluster() -> None:
    tables = bootstrap_tables(per_subject=2)
    assert validate(tables, refitted_of(tables))["adjusted_auroc"]["n_pairs"].item() > 0


def test_confounders_say_how_many_they_rest_on_and_why_there_is_none() -> None:
    found = schemas.validate(confounder_table(values_of(TABLES[1])), schemas.CONFOUNDERS)
    by_name = {row["confounder"]: row for row in found.rows(named=True)}
    assert list(by_name) == ["age", "baseline", "blink_rate", "dropout_share", "artefact_share", "noise"]
    assert by_name["age"]["n"] == 40
    assert by_name["age"]["reason"] is None
    assert by_name["blink_rate"]["reason"] == "all recordings have the same value"
    assert (by_name["artefact_share"]["n"], by_name["artefact_share"]["auroc"]) == (0, None)
