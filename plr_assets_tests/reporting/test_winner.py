"""What is said of the winner: cells of published tables, oracles apart, nothing of what is not there."""

from __future__ import annotations

import polars as pl
import pytest

from plr_assets.registry import load_registry
from plr_assets.reporting.latex import as_macros
from plr_assets.reporting.winner import Compared, winner_numbers, winner_rows, winner_table

DISPLAY = {axis: {n: m.display for n, m in methods.items()} for axis, methods in load_registry().methods.items()}
BEST, OTHER, TRUTH = "simple__LOF__linear__CatBoost", "simple__LOF__SAITS__TabM", "simple__pupil-gt__linear__TabM"
WORSE_TRUTH = "simple__pupil-gt__SAITS__TabM"


@pytest.fixture
def of() -> Compared:
    scores = {
        "auroc": {BEST: 0.9, OTHER: 0.8, TRUTH: 0.95, WORSE_TRUTH: 0.85},
        "brier": {BEST: 0.2, OTHER: 0.1, TRUTH: 0.05, WORSE_TRUTH: 0.15},
    }
    won = {"auroc": (BEST, 0.9, 0.881, 0.8, 0.94, 0.7), "brier": (OTHER, 0.1, 0.112, 0.08, None, None)}
    fields = ("pipeline", "apparent", "corrected", "corrected_lower", "corrected_upper", "probability_best")
    counts = {"n_pipelines": 2, "n_oracles": 2, "optimism": 0.0191}
    winner = [{"metric": metric, **dict(zip(fields, row, strict=True)), **counts} for metric, row in won.items()]
    ranks = [
        {"pipeline": name, "metric": metric, "score": score, "oracle": "pupil-gt" in name}
        for metric, own in scores.items()
        for name, score in own.items()
    ]
    axes = ("featurization", "outlier_detection", "imputation", "classification")
    essential = [{"pipeline": name, **dict(zip(axes, name.split("__"), strict=True))} for name in scores["auroc"]]
    return Compared(pl.DataFrame(winner), pl.DataFrame(ranks), pl.DataFrame(essential), DISPLAY)


def test_the_winner_stands_with_what_is_left_of_it_and_the_best_oracle_by_each_metric_apart(of: Compared) -> None:
    best, other, truth = (of.named(name) for name in (BEST, OTHER, TRUTH))
    assert best == "LOF → Linear → Handcrafted (simple) → CatBoost"
    assert winner_rows(of) == [
        ["AUROC", best, "0.900", "0.881 (0.800 to 0.940)", "70 %"],
        ["Brier score (lower is better)", other, "0.100", "0.112", "–"],
        ["AUROC", f"{truth} †", "0.950", "–", "–"],
        ["Brier score (lower is better)", f"{truth} †", "0.050", "–", "–"],
    ]
    table = winner_table(of, source="winner, digest abc", origin="simulated data")
    assert table is not None
    assert table.rows == winner_rows(of)
    assert "best of 2 pipelines" in table.caption
    assert "simulated data" in table.caption
    assert "† the best of 2 that use ground truth" in table.caption


def test_every_number_of_the_winner_is_a_cell_and_says_which(of: Compared) -> None:
    macros = {m.name: m for m in winner_numbers(of, source="winner, digest abc", ranks="pipeline_ranks, digest def")}
    assert macros["plrWinnerAuroc"].text == "0.881"
    assert macros["plrWinnerAuroc"].source == "winner, digest abc, auroc, column corrected"
    told = {name: macros[f"plrWinnerAuroc{name}"].text for name in ("AsChosen", "Lower", "Upper", "ProbabilityBest")}
    assert told == {"AsChosen": "0.900", "Lower": "0.800", "Upper": "0.940", "ProbabilityBest": "0.70"}
    assert macros["plrWinnerAurocOptimism"].text == "0.019"
    assert macros["plrWinnerBrierUpper"].text == "–"
    assert macros["plrWinnerOracleBrier"].text == "0.050"
    assert macros["plrWinnerOracleBrier"].source == f"pipeline_ranks, digest def, {TRUTH}, brier, column score"
    assert (macros["plrRankedPipelines"].text, macros["plrOraclePipelines"].text) == ("2", "2")
    assert len(as_macros(list(macros.values()), ["x"]).splitlines()) == 1 + len(macros), "no name twice"


def test_of_oracles_alone_no_winner_is_named(of: Compared) -> None:
    nobody = of.winner.with_columns(pipeline=pl.lit(None, pl.String))
    alone = Compared(nobody, of.pipeline_ranks, of.essential_metrics, DISPLAY)
    assert [row[1].endswith("†") for row in winner_rows(alone)] == [True, True]
    assert not any(m.name.startswith("plrWinnerAuroc") for m in winner_numbers(alone, source="s", ranks="r"))
    bare = Compared(nobody, of.pipeline_ranks.filter(~pl.col("oracle")), of.essential_metrics, DISPLAY)
    assert winner_table(bare, source="s", origin="o") is None


def test_a_winner_that_the_metrics_lack_is_refused(of: Compared) -> None:
    other = Compared(of.winner, of.pipeline_ranks, of.essential_metrics.filter(pl.col("pipeline") != BEST), DISPLAY)
    with pytest.raises(ValueError, match=f"0 rows of {BEST}"):
        winner_rows(other)
