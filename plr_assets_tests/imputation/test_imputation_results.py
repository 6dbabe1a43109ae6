"""The page of imputation results shows what is published, and says what it is."""

from __future__ import annotations

import polars as pl

from benchmarks.imputation_results import IN_LIGHT, PAGE, Found, parts_of
from benchmarks.pages import Run, marked
from plr_assets.imputation.errors import GAP_CLASSES
from plr_assets.paths import project_root
from plr_assets.registry import load_registry
from plr_assets.study import load_study

MASKS, IMPUTERS = ("LOF", "pupil-gt"), ("SAITS", "linear", "pupil-gt")
MAE = {"SAITS": 0.5, "linear": 1.5, "pupil-gt": 0.0}


def found() -> Found:
    roles = pl.DataFrame({"recording": ["a", "b"], "subject": ["A", "B"], "role": ["development", "evaluated"]})
    methods = load_registry().methods
    owners = [(mask, imputer) for mask in MASKS for imputer in IMPUTERS]
    metrics = [
        {
            "outlier_detection": mask, "imputation": imputer, "role": "evaluated", "stratum": stratum,
            "metric": metric, "value": value, "lower": value, "upper": value, "n": 40,
        }
        for mask, imputer in owners
        for metric, stratum, value in (
            *(("mae", stratum, MAE[imputer]) for stratum in ("all", *GAP_CLASSES, IN_LIGHT)),
            ("masked_share", "all", 0.25),
        )
    ]  # fmt: skip
    comparisons = [
        {"outlier_detection": "pupil-gt", "imputation": "SAITS", "stratum": "all", "difference": -1.0,
         "lower": -1.25, "upper": -0.75}
    ]  # fmt: skip
    features = [
        {"featurization": "simple", "outlier_detection": "LOF", "imputation": "SAITS", "feature": "F", "metric": metric,
         "value": value}
        for metric, value in (("imputation_mae", 1.0), ("truth_sd", 4.0))
    ]  # fmt: skip
    return Found(
        run=Run(load_study("paper"), roles, commits=["abc"], weights={}, missing=["LOF__CSDI"]),
        imputers={name: methods["imputation"][name] for name in IMPUTERS},
        masks={name: methods["outlier_detection"][name] for name in MASKS},
        metrics=pl.DataFrame(metrics),
        comparisons=pl.DataFrame(comparisons),
        features=pl.DataFrame(features),
        seconds={"SAITS": (250.0, 33.3)},
        spent={"imputers": (10.0, 4), "features": (0.0, 0)},
    )


def cells(text: str, start: str) -> list[str]:
    (line,) = [line for line in text.splitlines() if line.startswith(f"| {start} |")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_row_shows_published_numbers_and_nothing_where_there_is_none() -> None:
    parts = parts_of(found())
    assert cells(parts["human"], "SAITS") == ["SAITS", "0.50 [0.50, 0.50]", *["0.50"] * 4, *["\u2013"] * 2, "250", "33"]
    assert cells(parts["linear"], "SAITS") == ["SAITS", "-1.00 [-1.25, -0.75]", *["\u2013"] * 4]
    assert cells(parts["masks"], "LOF") == ["LOF", "25.0 %", "0.50", "1.50"]
    assert cells(parts["features"], "LOF") == ["LOF", "0.250", "\u2013"]
    assert cells(parts["cost"], "`imputers`") == ["`imputers`", "4", "10", "2.5"]
    assert cells(parts["cost"], "`features`")[1:] == ["0", "0.0", "\u2013"]


def test_oracles_are_marked_and_compared_with_nothing() -> None:
    parts = parts_of(found())
    assert "| *Ground truth* \u2020 |" in parts["human"]
    assert "shown, never ranked" in parts["human"]
    assert "Ground truth" not in parts["linear"]


def test_the_page_names_its_origin_and_what_is_missing_and_has_a_place_for_every_part() -> None:
    parts = parts_of(found())
    assert "simulated recordings" in parts["run"]
    assert "not published, so not in the tables: `LOF__CSDI`" in parts["run"]
    page = (project_root() / PAGE).read_text(encoding="utf-8")
    assert all(part in marked(page, parts) for part in parts.values())
