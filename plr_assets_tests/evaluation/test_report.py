"""The tables of one pipeline: schema, estimands, refusals, speed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import brier_score_loss, roc_auc_score

from plr_assets import schemas
from plr_assets.errors import DataError
from plr_assets.evaluation.calibration import calibration_slope
from plr_assets.evaluation.out_of_bag import read_out_of_bag
from plr_assets.evaluation.report import evaluate_pipeline

METHODS = {
    "featurization": "simple",
    "outlier_detection": "LOF",
    "imputation": "linear",
    "classification": "CatBoost",
}
Make = Callable[..., tuple[pl.DataFrame, pl.DataFrame]]


def evaluate(bootstrap: pl.DataFrame, cases: pl.DataFrame) -> dict[str, pl.DataFrame]:
    key = "simple__LOF__linear__CatBoost"
    return evaluate_pipeline(bootstrap, cases, pipeline=key, methods=METHODS, oracle=False, synthetic=True, seed=3)


def assert_valid(tables: dict[str, pl.DataFrame]) -> None:
    assert list(tables) == [table.name for table in (*schemas.EVALUATION_TABLES, schemas.PAIR_SCORES)]
    for table in (*schemas.EVALUATION_TABLES, schemas.PAIR_SCORES):
        schemas.validate(tables[table.name], table)
        assert tables[table.name].columns == list(table.column_names)


@pytest.mark.parametrize(("per_subject", "iterations"), [(1, 60), (2, 60), (1, 400)])
def test_every_table_fits_its_schema(make_tables: Make, per_subject: int, iterations: int) -> None:
    assert_valid(evaluate(*make_tables(per_subject=per_subject, iterations=iterations)))


def test_headline_is_the_mean_over_iterations_and_the_rest_the_averaged_prediction(make_tables: Make) -> None:
    bootstrap, cases = make_tables()
    tables = evaluate(bootstrap, cases)
    row = tables["essential_metrics"].row(0, named=True)
    aurocs = [roc_auc_score(r["y_true"], r["y_prob"]) for r in bootstrap.to_dicts()]
    briers = [brier_score_loss(r["y_true"], r["y_prob"]) for r in bootstrap.to_dicts()]
    assert row["auroc"] == pytest.approx(np.mean(aurocs))
    assert row["auroc_resample_lower"] == pytest.approx(np.quantile(aurocs, 0.025))
    assert row["brier"] == pytest.approx(np.mean(briers), abs=1e-6)
    assert row["scaled_brier"] == pytest.approx(1 - np.mean(briers) / (0.3 * 0.7), abs=1e-6)

    long = bootstrap.explode("test_indices", "y_true", "y_prob")
    by_case = long.group_by("test_indices").agg(
        pl.col("y_true").first(),
        pl.col("y_prob").cast(pl.Float64).mean().alias("mean"),
        pl.col("y_prob").cast(pl.Float64).std().alias("sd"),
        pl.len(),
    )
    expected, found = by_case.sort("test_indices"), tables["predictions"]
    assert found["y_prob"].to_numpy() == pytest.approx(expected["mean"].to_numpy(), abs=1e-7)
    assert found["y_prob_sd"].to_numpy() == pytest.approx(expected["sd"].to_numpy(), abs=1e-9)
    assert found["n_out_of_bag"].to_list() == expected["len"].to_list()
    y, p = found["y_true"].to_numpy(), found["y_prob"].to_numpy()
    assert row["auroc_bagged"] == pytest.approx(roc_auc_score(y, p))
    assert row["calibration_slope"] == pytest.approx(calibration_slope(y, p).value)
    assert row["o_e_ratio"] == pytest.approx(y.sum() / p.sum())
    nb = tables["dca_curves"].filter(pl.col("threshold") == 0.15)["net_benefit_model"].item()
    assert row["net_benefit_15pct"] == pytest.approx(nb)


def test_flagged_recordings_are_marked_and_scored_as_all_others(make_tables: Make) -> None:
    bootstrap, cases = make_tables()
    told = {"pipeline": "p", "methods": METHODS, "oracle": False, "synthetic": True, "seed": 3}
    flagged = set(cases["recording"][::7])
    tables = evaluate_pipeline(bootstrap, cases, **told, flagged=flagged)
    assert_valid(tables)
    assert set(tables["predictions"].filter("flagged")["recording"]) == flagged
    unknown = evaluate_pipeline(bootstrap, cases, **told)
    assert unknown["predictions"]["flagged"].null_count() == cases.height
    added = tables["retention_metrics"].filter(kind="unflagged")
    assert (added.height, unknown["retention_metrics"].filter(kind="unflagged").height) == (1, 0)
    tables["retention_metrics"] = tables["retention_metrics"].filter(kind="surest")
    for name, table in unknown.items():
        assert table.drop("flagged", strict=False).equals(tables[name].drop("flagged", strict=False))


def test_histogram_and_curve_account_for_every_recording(make_tables: Make) -> None:
    tables = evaluate(*make_tables())
    assert tables["probability_distributions"].group_by("y_true").agg(pl.sum("n")).sort("y_true")["n"].to_list() == [
        28,
        12,
    ]
    assert tables["calibration_curves"]["n"].sum() == 40


def test_order_of_rows_does_not_matter(make_tables: Make) -> None:
    bootstrap, cases = make_tables()
    shuffled = evaluate(bootstrap.reverse(), cases.sample(fraction=1, shuffle=True, seed=3))
    for name, table in evaluate(bootstrap, cases).items():
        assert shuffled[name].equals(table)


def test_a_constant_classifier_gets_missing_values_and_not_numbers_made_of_rounding(make_tables: Make) -> None:
    tables = evaluate(*make_tables(probability=0.3, iterations=200))
    assert_valid(tables)
    row = tables["essential_metrics"].row(0, named=True)
    assert (row["auroc"], row["auroc_bagged"]) == (0.5, 0.5)
    assert row["calibration_slope"] is None
    assert row["calibration_slope_ci_lower"] is None
    assert len(tables["calibration_curves"]) == 1


def test_a_perfect_classifier_fits_the_schema(make_tables: Make) -> None:
    bootstrap, cases = make_tables()
    perfect = bootstrap.with_columns(y_prob=pl.col("y_true").cast(pl.List(pl.Float32)))
    tables = evaluate(perfect, cases)
    assert_valid(tables)
    row = tables["essential_metrics"].row(0, named=True)
    assert (row["auroc"], row["auroc_ci_lower"], row["scaled_brier"]) == (1.0, None, 1.0)


def test_a_recording_that_was_never_out_of_bag_is_named(make_tables: Make) -> None:
    bootstrap, cases = make_tables(iterations=30)
    keep = {"test_indices": [], "y_true": [], "y_prob": []}
    for row in bootstrap.to_dicts():
        kept = [i for i, case in enumerate(row["test_indices"]) if case != 7]
        for name, values in keep.items():
            values.append([row[name][i] for i in kept])
    thinned = bootstrap.with_columns(pl.Series(name, keep[name], dtype=bootstrap[name].dtype) for name in keep)
    with pytest.raises(DataError, match="r007"):
        evaluate(thinned, cases)


def edit(bootstrap: pl.DataFrame, **columns: Any) -> pl.DataFrame:
    """The tables with row 4 changed: each keyword maps that row's list to another."""
    changed = [
        row if i != 4 else {**row, **{c: f(row) for c, f in columns.items()}}
        for i, row in enumerate(bootstrap.to_dicts())
    ]
    return pl.DataFrame(changed, schema=bootstrap.schema)


BROKEN = {
    "trained on and tested": {"train_indices": lambda r: [*r["train_indices"], r["test_indices"][0]]},
    "tested twice": {"test_indices": lambda r: [r["test_indices"][1], *r["test_indices"][1:]]},
    "contradicts": {"y_true": lambda r: [1 - v for v in r["y_true"]]},
    "outside": {"y_prob": lambda r: [1.5, *r["y_prob"][1:]]},
    "NaN": {"y_prob": lambda r: [float("nan"), *r["y_prob"][1:]]},
    "beyond": {"train_indices": lambda _: [400]},
    "length": {"y_prob": lambda r: r["y_prob"][1:]},
}


@pytest.mark.parametrize("problem", BROKEN)
def test_tables_that_contradict_each_other_are_refused_by_iteration(make_tables: Make, problem: str) -> None:
    bootstrap, cases = make_tables()
    with pytest.raises(DataError, match=f"iteration 4.*{problem}"):
        evaluate(edit(bootstrap, **BROKEN[problem]), cases)


def test_training_on_the_other_eye_of_a_tested_subject_is_refused(make_tables: Make) -> None:
    bootstrap, cases = make_tables(per_subject=2)
    leaking = edit(bootstrap, train_indices=lambda r: [*r["train_indices"], r["test_indices"][0]])
    leaking = edit(leaking, **{c: (lambda r, c=c: r[c][1:]) for c in ("test_indices", "y_true", "y_prob")})
    with pytest.raises(DataError, match=r"iteration 4.*both trained on and tested"):
        evaluate(leaking, cases)


def test_an_iteration_of_one_class_is_refused(make_tables: Make) -> None:
    bootstrap, cases = make_tables()

    def controls_only(column: str) -> Callable[[dict[str, Any]], list[Any]]:
        return lambda r: [v for v, t in zip(r[column], r["y_true"], strict=True) if t == 0]

    columns = {c: controls_only(c) for c in ("test_indices", "y_prob", "y_true")}
    with pytest.raises(DataError, match=r"iteration 4.*one class"):
        evaluate(edit(bootstrap, **columns), cases)


def test_cohorts_that_cannot_be_evaluated_are_refused(make_tables: Make) -> None:
    bootstrap, cases = make_tables()
    with pytest.raises(DataError, match="one class"):
        evaluate(bootstrap, cases.with_columns(y_true=pl.lit(1, pl.Int64)))
    with pytest.raises(DataError, match="no iteration"):
        evaluate(bootstrap.clear(), cases)
    with pytest.raises(DataError, match="count"):
        evaluate(bootstrap, cases.with_columns(case=pl.col("case") + 1))


def test_predictions_keep_the_stored_precision(make_tables: Make) -> None:
    bootstrap, cases = make_tables()
    out_of_bag = read_out_of_bag(bootstrap, cases, pipeline="x")
    row = bootstrap.row(5, named=True)
    assert out_of_bag.p[5, row["test_indices"]].tolist() == row["y_prob"]
    assert np.isnan(np.delete(out_of_bag.p[5], row["test_indices"])).all()
