"""The page of pipelines shows what is published, ranks no oracle, and says what is missing."""

from __future__ import annotations

import polars as pl

from benchmarks.leaderboard_results import PAGE, Found, parts_of
from benchmarks.pages import Run, marked
from plr_assets.paths import project_root
from plr_assets.registry import load_registry
from plr_assets.study import load_study

PIPELINES = (
    ("simple", "LOF", "SAITS", "CatBoost", False, 0.80),
    ("simple", "LOF", "SAITS", "XGBoost", False, 0.84),
    ("extended", "LOF", "SAITS", "XGBoost", False, 0.86),
    ("simple", "pupil-gt", "pupil-gt", "CatBoost", True, 0.95),
)


def found() -> Found:
    names = ("featurization", "outlier_detection", "imputation", "classification", "oracle", "auroc")
    metrics = pl.DataFrame([dict(zip(names, row, strict=True)) for row in PIPELINES]).with_columns(
        auroc_ci_lower=pl.col("auroc") - 0.05,
        auroc_ci_upper=pl.col("auroc") + 0.05,
        brier=pl.lit(0.15),
        calibration_slope=pl.lit(None, pl.Float64),
        o_e_ratio=pl.lit(1.0),
    )
    roles = pl.DataFrame({"recording": ["a", "b"], "subject": ["A", "B"], "role": ["development", "evaluated"]})
    return Found(
        run=Run(load_study("paper"), roles, commits=["abc"], weights={}, missing=[f"P{i}" for i in range(20)]),
        methods=load_registry().methods,
        metrics=metrics,
        spent={"imputers": (10.0, 4), "features": (2.0, 4), "bootstrap_results": (40.0, 4), "models": (0.0, 0)},
        seconds={("simple", "CatBoost"): [8.0, 12.0, 30.0]},
    )


def cells(text: str, start: str) -> list[str]:
    (line,) = [line for line in text.splitlines() if line.startswith(f"| {start} |")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_best_comes_first_and_oracles_are_counted_not_ranked() -> None:
    top = parts_of(found())["top"]
    assert cells(top, "1")[4:7] == ["XGBoost", "0.860 [0.810, 0.910]", "0.150"]
    assert cells(top, "3")[5] == "0.800 [0.750, 0.850]"
    assert "0.950" not in top
    assert "3 pipelines are ranked; 1 use ground truth" in top


def test_a_method_is_the_mean_of_its_pipelines_and_only_an_oracle_has_those_of_oracles() -> None:
    parts = parts_of(found())
    assert cells(parts["classifiers"], "CatBoost") == ["CatBoost", "1", "0.800", "0.800", "0.800", "0.150"]
    assert cells(parts["detectors"], "*Ground truth* \u2020")[1:3] == ["1", "0.950"]
    assert cells(parts["detectors"], "LOF")[1:3] == ["2", "0.820"]


def test_featurizations_are_compared_on_the_signals_that_all_have() -> None:
    table = parts_of(found())["featurizations"]
    assert cells(table, "Handcrafted (extended)")[1:] == ["\u2013", "0.860"]
    assert "Means over 1 pairs" in table


def test_the_published_design_is_counted_by_what_each_asset_is_computed_for() -> None:
    parts = parts_of(found())
    assert cells(parts["cost"], "`imputers`") == ["`imputers`", "4", "10", "4", "10"]
    assert cells(parts["cost"], "`features`") == ["`features`", "4", "2.0", "176", "88"]
    assert cells(parts["cost"], "`bootstrap_results`") == ["`bootstrap_results`", "4", "40", "880", "8800"]
    assert cells(parts["seconds"], "Handcrafted (simple)") == ["Handcrafted (simple)", "CatBoost", "3", "12", "30"]


def test_the_page_has_a_place_for_every_part_and_counts_what_is_missing() -> None:
    parts = parts_of(found())
    assert "`P11` and 8 more" in parts["run"]
    page = (project_root() / PAGE).read_text(encoding="utf-8")
    assert all(part in marked(page, parts) for part in parts.values())
