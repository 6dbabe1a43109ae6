"""Tables and numbers for a paper: the cells of published tables, written as LaTeX and markdown read them."""

from __future__ import annotations

import re
from typing import Any

import polars as pl
import pytest

from plr_assets.platform.leaderboard import ranked
from plr_assets.registry import load_registry
from plr_assets.reporting.latex import Macro, PaperTable, as_latex, as_macros, as_markdown, latex, number, with_interval
from plr_assets.reporting.papers import detection_table, headline_numbers, imputation_table, pipelines_table

DISPLAY = {axis: {n: m.display for n, m in methods.items()} for axis, methods in load_registry().methods.items()}


def essential(n: int = 30) -> pl.DataFrame:
    outliers, imputers = list(DISPLAY["outlier_detection"]), list(DISPLAY["imputation"])
    rows: list[dict[str, Any]] = []
    for i in range(n):
        row: dict[str, Any] = {"outlier_detection": outliers[i % 5], "imputation": imputers[i // 5]}
        row |= {"featurization": "simple", "classification": "CatBoost" if i % 2 else "LogisticRegression"}
        row["pipeline"] = "__".join((row["featurization"], row["outlier_detection"], row["imputation"]))
        row |= {"oracle": row["outlier_detection"] == "pupil-gt", "scaled_brier": -0.1, "net_benefit_15pct": 0.1234}
        for name in ("auroc", "calibration_slope", "o_e_ratio"):
            row |= {name: 0.7 + i / 1000, f"{name}_ci_lower": 0.6, f"{name}_ci_upper": 0.9}
        row |= {"n_subjects": 208, "n_events": 56, "prevalence": 0.269, "n_iterations": 1000}
        rows.append(row)
    return ranked(pl.DataFrame(rows))


def test_letters_that_latex_would_read_as_commands_are_printed() -> None:
    assert latex("50 % of A_1 & B#{x} ~ ^ \\ $") == (
        r"50 \% of A\_1 \& B\#\{x\} \textasciitilde{} \textasciicircum{} \textbackslash{} \$"
    )
    assert latex("LOF † −0.1") == r"LOF \textdagger{} $-$0.1"


def test_numbers_without_value_or_interval_say_so() -> None:
    assert number(None) == "–"
    assert number(-0.5) == "−0.50"
    assert with_interval(0.5, None, None) == "0.50"
    assert with_interval(0.5, 0.25, 0.75) == "0.50 (0.25 to 0.75)"


def test_the_best_pipelines_stand_with_their_intervals_and_oracles_without_a_rank() -> None:
    best = essential()
    table = pipelines_table(best, DISPLAY, source="essential_metrics, digest abc", origin="simulated data")
    assert len(table.rows) == 20
    assert "20 of 30" in table.caption
    assert "simulated data" in table.caption
    for row, facts in zip(table.rows, best.iter_rows(named=True), strict=False):
        assert row[0] == ("†" if facts["oracle"] else str(facts["rank"]))
        assert row[5] == f"{facts['auroc']:.2f} (0.60 to 0.90)"
        assert row[6] == "−0.10"


def test_latex_and_markdown_hold_the_same_cells() -> None:
    table = PaperTable("x", "50 % & more", ("a|b", "n"), [("p_1", "1"), ("q", "2")], (1,), "somewhere")
    text = as_latex(table)
    body = text[text.index(r"\midrule") : text.index(r"\bottomrule")]
    assert body.split("\n")[1:3] == [r"p\_1 & 1 \\", r"q & 2 \\"]
    assert r"\begin{tabular}{lr}" in text
    assert r"\toprule" in text
    assert text.startswith("% somewhere\n")
    assert as_markdown(table).split("\n")[2:6] == ["| a\\|b | n |", "|---|---:|", "| p_1 | 1 |", "| q | 2 |"]
    with pytest.raises(ValueError, match="no rows"):
        PaperTable("x", "c", ("a",), [], (), "s")


def test_every_headline_number_is_a_cell_and_says_which() -> None:
    best = essential()
    macros = {m.name: m for m in headline_numbers(best, DISPLAY, asked_for=440, source="essential_metrics")}
    honest = best.filter(oracle=False).row(0, named=True)
    assert macros["plrPipelines"].text == "440"
    assert macros["plrPublishedPipelines"].text == "30"
    assert macros["plrBestAuroc"].text == f"{honest['auroc']:.3f}"
    assert honest["pipeline"] in macros["plrBestAuroc"].source
    assert "column auroc" in macros["plrBestAuroc"].source
    assert "Ground truth" in macros["plrBestOracleName"].text
    cat = best.filter(oracle=False, classification="CatBoost").row(0, named=True)
    assert macros["plrBestCatBoostAuroc"].text == f"{cat['auroc']:.3f}"
    assert not any("TabM" in name for name in macros), "nothing is said of what was not computed"
    text = as_macros(list(macros.values()), ["a study"])
    assert len(re.findall(r"^\\newcommand\{\\plr[A-Za-z]+\}\{.*\} % .+$", text, flags=re.MULTILINE)) == len(macros)


def test_macros_with_digits_or_twice_are_refused() -> None:
    with pytest.raises(ValueError, match="letters"):
        Macro("plrBest2", "1", "x")
    with pytest.raises(ValueError, match="twice"):
        as_macros([Macro("plrA", "1", "x"), Macro("plrA", "2", "y")], [])


def test_tables_of_methods_hold_every_method_that_was_scored() -> None:
    scored = pl.DataFrame(
        [
            {"method": method, "stratum": "all", "metric": metric, "oracle": method == "pupil-gt"}
            | {"value": 0.5, "lower": 0.4, "upper": None if metric == "recall" else 0.6}
            for method in ("LOF", "pupil-gt")
            for metric in ("f1", "precision", "recall")
        ],
        schema_overrides={"upper": pl.Float64},
    )
    table = detection_table(scored, DISPLAY, source="s", origin="clinical data")
    assert table.rows == [
        ["Ground truth †", "0.50 (0.40 to 0.60)", "0.50 (0.40 to 0.60)", "0.50", "–", "–"],
        ["LOF", "0.50 (0.40 to 0.60)", "0.50 (0.40 to 0.60)", "0.50", "–", "–"],
    ]
    errors = scored.rename({"method": "imputation"}).with_columns(
        outlier_detection=pl.lit("LOF"), imputation=pl.lit("SAITS"), oracle=pl.lit(False), metric=pl.lit("mae")
    )
    table = imputation_table(errors.head(1), DISPLAY, source="s", origin="clinical data")
    assert table.rows == [["LOF", "SAITS", "0.50 (0.40 to 0.60)", "–", "–", "–"]]
