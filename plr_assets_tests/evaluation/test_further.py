"""Tables of one pipeline beyond the core: equal to the pure functions, a reason for whatever is missing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import average_precision_score, confusion_matrix, precision_recall_curve, roc_curve

from plr_assets.evaluation.calibration_curves import smooth_calibration
from plr_assets.evaluation.decisions import decisions, screening
from plr_assets.evaluation.discrimination import mean_auroc
from plr_assets.evaluation.estimate import Estimate
from plr_assets.evaluation.operating_points import recording_weights
from plr_assets.evaluation.out_of_bag import read_out_of_bag
from plr_assets.evaluation.overall import brier_estimate, brier_parts
from plr_assets.evaluation.report import evaluate_pipeline
from plr_assets.evaluation.resampled import roc_band
from plr_assets.evaluation.selective import distance_from_threshold, risk_coverage
from plr_assets.evaluation.utility import utility

METHODS = {
    "featurization": "simple",
    "outlier_detection": "LOF",
    "imputation": "linear",
    "classification": "CatBoost",
}
SEED = 3
Make = Callable[..., tuple[pl.DataFrame, pl.DataFrame]]


def evaluate(tables: tuple[pl.DataFrame, pl.DataFrame], **further: Any) -> dict[str, pl.DataFrame]:
    told = {"pipeline": "p", "methods": METHODS, "oracle": False, "synthetic": True, "seed": SEED}
    return evaluate_pipeline(*tables, **told, **further)


def predictions(tables: dict[str, pl.DataFrame]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    return tables["predictions"]["y_true"].to_numpy(), tables["predictions"]["y_prob"].to_numpy()


def estimate(tables: dict[str, pl.DataFrame], metric: str) -> tuple[float, float, float]:
    row = tables["supplementary_metrics"].filter(metric=metric).row(0, named=True)
    return row["value"], row["lower"], row["upper"]


@pytest.mark.parametrize("per_subject", [1, 2])
def test_supplementary_metrics_are_those_of_the_pure_functions(make_tables: Make, per_subject: int) -> None:
    made = make_tables(per_subject=per_subject)
    tables, subject = evaluate(made), made[1]["subject"].to_numpy()
    y, p = predictions(tables)
    codes = np.unique(subject, return_inverse=True)[1]
    curve = smooth_calibration(y, p, recording_weights(codes, 1000, SEED)[:201], subject)
    at = decisions(y, p, 0.2, subject)
    useful = utility(y, p, subject, [0.2])
    expected: dict[str, Estimate | tuple[Any, ...]] = {
        "ici": curve.ici,
        "e90": curve.e90,
        "brier_bagged": brier_estimate(y, p, subject),
        "sensitivity_20pct": at.sensitivity,
        "population_npv_20pct": at.population_npv,
        "standardised_net_benefit_20pct": tuple(part[0] for part in useful.standardised),
        "net_benefit_beyond_all_20pct": tuple(part[0] for part in useful.beyond_all),
    }
    for metric, numbers in expected.items():
        assert estimate(tables, metric) == pytest.approx(tuple(numbers)), metric
    parts = brier_parts(y, p)
    assert estimate(tables, "brier_resolution")[0] == parts.resolution
    assert estimate(tables, "aurc")[0] == risk_coverage(y, p, distance_from_threshold(p)).aurc
    core = tables["essential_metrics"].row(0, named=True)
    assert estimate(tables, "net_benefit_10pct")[0] == pytest.approx(core["net_benefit_10pct"])
    drawn = tables["calibration_smooth"]
    for column, values in {
        "predicted": curve.predicted,
        "observed": curve.observed,
        "observed_upper": curve.upper,
    }.items():
        assert drawn[column].to_numpy() == pytest.approx(values), column


@pytest.mark.parametrize("probability", [None, 0.3, 0.0])
def test_whatever_is_missing_has_a_reason(make_tables: Make, probability: float | None) -> None:
    tables = evaluate(make_tables(probability=probability))
    table = tables["supplementary_metrics"]
    lacking = pl.any_horizontal(pl.col("value", "lower", "upper").is_null())
    assert table.filter(lacking)["reason"].null_count() == 0
    assert table.filter(~lacking)["reason"].null_count() == table.filter(~lacking).height
    constant = probability is not None
    assert table.filter(metric="ici")["value"].is_null().item() == constant
    assert tables["calibration_smooth"]["observed"].is_null().all() == constant
    kept = tables["retention_metrics"]
    assert kept.filter(pl.col("auroc").is_null())["reason"].null_count() == 0


def test_decisions_are_counted_and_turned_into_people(make_tables: Make) -> None:
    tables = evaluate(make_tables())
    y, p = predictions(tables)
    for row in tables["classification_at_thresholds"].to_dicts():
        counts = confusion_matrix(y, p >= row["threshold"]).ravel().tolist()
        names = ("true_negative", "false_positive", "false_negative", "true_positive")
        assert [row[name] for name in names] == counts
        found = screening(decisions(y, p, row["threshold"])).found
        assert tuple(row[f"found_per_1000{end}"] for end in ("", "_lower", "_upper")) == pytest.approx(tuple(found))
        assert row["found_per_1000"] + row["missed_per_1000"] == pytest.approx(35.4)


def test_precision_recall_is_that_of_scikit_learn_and_its_steps_add_up_to_the_area(make_tables: Make) -> None:
    tables = evaluate(make_tables())
    y, p = predictions(tables)
    curve = tables["pr_curves"]
    precision, recall, threshold = precision_recall_curve(y, p)
    assert curve["recall"].to_numpy() == pytest.approx(recall)
    # scikit-learn closes the curve with precision 1, which no threshold has
    assert curve["precision"].to_numpy()[:-1] == pytest.approx(precision[:-1])
    assert curve["threshold"].to_numpy()[:-1] == pytest.approx(threshold)
    area = -np.sum(np.diff(curve["recall"].to_numpy()) * curve["precision"].to_numpy()[:-1])
    assert area == pytest.approx(average_precision_score(y, p))
    assert area == pytest.approx(estimate(tables, "aupr")[0])


def test_the_roc_band_holds_the_curve_of_scikit_learn_and_is_that_of_resampled_recordings(make_tables: Make) -> None:
    tables = evaluate(make_tables())
    y, p = predictions(tables)
    band = tables["roc_bands"]
    at, value, lower, upper = (band[name].to_numpy() for name in band.columns[1:])
    rate, sensitivity, _ = roc_curve(y, p, drop_intermediate=False)
    assert value == pytest.approx(np.interp(at, rate, sensitivity))
    assert ((lower <= value) & (value <= upper)).all()
    assert upper[-1] == lower[-1] == 1
    rng, drawn = np.random.default_rng(5), []
    while len(drawn) < 400:
        rows = rng.integers(0, y.size, y.size)
        if 0 < y[rows].sum() < y.size:
            rate, sensitivity, _ = roc_curve(y[rows], p[rows], drop_intermediate=False)
            drawn.append(np.interp(at, rate, sensitivity))
    # two bootstraps, of 200 and of 400: their ends are near each other
    ends = np.quantile(drawn, (0.025, 0.975), axis=0)
    assert np.abs(lower - np.minimum(ends[0], value)).mean() < 0.05
    assert np.abs(upper - np.maximum(ends[1], value)).mean() < 0.05


@pytest.mark.parametrize(("shift", "same_subject"), [(10, False), (0, True)], ids=["separated", "one subject"])
def test_resamples_that_agree_make_no_band(shift: float, same_subject: bool) -> None:
    y = np.repeat([0, 1], 20)
    p = 1 / (1 + np.exp(-(np.linspace(-2, 2, 40)[::-1] * (shift == 0) + shift * (2 * y - 1))))
    codes = np.zeros(40, dtype=np.intp) if same_subject else np.arange(40)
    band = roc_band(y, p, recording_weights(codes, 50, 1), codes)
    assert np.isfinite(band.true_positive_rate).all()
    assert np.isnan([band.lower, band.upper]).all()


def test_the_decision_curve_has_the_intervals_of_its_declared_thresholds(make_tables: Make) -> None:
    tables = evaluate(make_tables())
    for percent in (5, 10, 15, 20, 50):
        row = tables["dca_curves"].filter((pl.col("threshold") - percent / 100).abs() < 1e-9).row(0, named=True)
        for column, metric in (
            ("net_benefit_model", "net_benefit"),
            ("standardised_net_benefit", "standardised_net_benefit"),
            ("net_benefit_beyond_all", "net_benefit_beyond_all"),
        ):
            found = [row[f"{column}{end}"] for end in ("", "_ci_lower", "_ci_upper")]
            assert found == pytest.approx(list(estimate(tables, f"{metric}_{percent}pct")))


def test_the_unflagged_are_scored_as_if_they_were_the_cohort(make_tables: Make) -> None:
    made = make_tables()
    flagged = set(made[1]["recording"][::7])
    tables = evaluate(made, flagged=flagged)
    row = tables["retention_metrics"].filter(kind="unflagged").row(0, named=True)
    rest = tables["predictions"].filter(~pl.col("flagged"))
    y, p = rest["y_true"].to_numpy(), rest["y_prob"].to_numpy()
    wins = (p[y == 1][:, None] > p[y == 0]) + 0.5 * (p[y == 1][:, None] == p[y == 0])
    assert row["auroc"] == pytest.approx(wins.mean())
    assert row["brier"] == pytest.approx(np.mean((p - y) ** 2))
    assert row["risk"] == pytest.approx(np.mean((p >= 0.5) != y))
    assert (row["n"], row["rate"]) == (rest.height, rest.height / 40)


def test_a_pipeline_of_flagged_recordings_answers_nothing(make_tables: Make) -> None:
    made = make_tables()
    kept = evaluate(made, flagged=set(made[1]["recording"]))["retention_metrics"].filter(kind="unflagged")
    assert kept.select("rate", "n", "auroc", "reason").row(0) == (0.0, 0.0, None, "every recording is flagged")


def test_all_recordings_kept_have_the_metrics_of_the_cohort(make_tables: Make) -> None:
    tables = evaluate(make_tables())
    row = tables["retention_metrics"].filter(pl.col("rate") == 1).row(0, named=True)
    core = tables["essential_metrics"].row(0, named=True)
    assert row["auroc"] == pytest.approx(core["auroc_bagged"])
    assert row["net_benefit_15pct"] == pytest.approx(core["net_benefit_15pct"])
    assert row["brier"] == pytest.approx(estimate(tables, "brier_bagged")[0])


def test_classes_are_described_apart(make_tables: Make) -> None:
    tables = evaluate(make_tables())
    y, p = predictions(tables)
    for value in (0, 1):
        row, own = tables["distribution_stats"].filter(y_true=value).row(0, named=True), p[y == value]
        assert (row["n"], row["minimum"], row["maximum"]) == (own.size, own.min(), own.max())
        assert (row["mean"], row["sd"], row["q25"]) == pytest.approx(
            (own.mean(), own.std(ddof=1), np.quantile(own, 0.25))
        )


def test_pair_scores_are_the_kernel_that_auroc_is_made_of(make_tables: Make) -> None:
    made = make_tables(per_subject=2)
    pairs = evaluate(made)["pair_scores"]
    out = read_out_of_bag(*made, pipeline="p")
    kernel = mean_auroc(out.y, out.p, out.subject, out.drawn).kernel
    wins = np.array(pairs.filter(y_true=1)["wins"].to_list())
    assert wins == pytest.approx(kernel, abs=1e-7, nan_ok=True)
    assert pairs.filter(y_true=0)["wins"].list.len().sum() == 0
    assert pairs["subject"].to_list() == made[1]["subject"].to_list()
