"""What a paper and a report say of the winner: its score as chosen, less what choosing adds, and oracles apart.

Belongs here: choosing rows and columns of `winner` and `pipeline_ranks`. Does not belong here: a statistic (every
number is a cell of a table), other tables (`papers`), or LaTeX (`latex`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from plr_assets.reporting.latex import Macro, PaperTable, number, with_interval
from plr_assets.reporting.papers import AXES, DAGGER, Names

if TYPE_CHECKING:
    import polars as pl

HEADER = ("Metric", "Pipeline", "As chosen", "Less what choosing adds (95 % CI)", "Best in resamples")
NUMERIC = (2, 3, 4)
NOTES = (
    "As chosen: the score that it was chosen by, too good for that reason. Less what choosing adds: bootstrap bias "
    "corrected cross-validation over resamples of the subjects.",
    "AUROC here is over pairs of a case and a control; Brier score and net benefit (NB) are of the averaged out-of-bag "
    "prediction. Best in resamples: in how many of them the pipeline is the best.",
)
# metric -> its name, that of its macros, decimals
_METRICS = {
    "auroc": ("AUROC", "Auroc", 3),
    "brier": ("Brier score (lower is better)", "Brier", 3),
    "net_benefit_15pct": ("NB at 15 %", "NetBenefit", 3),
}


@dataclass(frozen=True, eq=False)
class Compared:
    """`schemas.WINNER`, `schemas.PIPELINE_RANKS`, `schemas.ESSENTIAL_METRICS`, and axis -> method -> name."""

    winner: pl.DataFrame
    pipeline_ranks: pl.DataFrame
    essential_metrics: pl.DataFrame
    display: Names

    def named(self, pipeline: str) -> str:
        """Its methods as a reader knows them. Raises ValueError for one that `essential_metrics` lacks."""
        rows = self.essential_metrics.filter(pipeline=pipeline)
        if rows.height != 1:
            raise ValueError(f"essential_metrics has {rows.height} rows of {pipeline}")
        row = rows.row(0, named=True)
        return " \u2192 ".join(self.display[axis][row[axis]] for axis in AXES)


def winner_rows(of: Compared) -> list[list[str]]:
    """Rows under `HEADER`: the winner by each metric that has one, then the best oracle by each, which has no rank."""
    rows: list[list[str]] = []
    for row in of.winner.drop_nulls("pipeline").iter_rows(named=True):
        name, _, digits = _METRICS[row["metric"]]
        corrected = with_interval(row["corrected"], row["corrected_lower"], row["corrected_upper"], digits)
        best = "\u2013" if row["probability_best"] is None else f"{100 * row['probability_best']:.0f} %"
        rows.append([name, of.named(row["pipeline"]), number(row["apparent"], digits), corrected, best])
    for metric, (name, _, digits) in _METRICS.items():
        if (oracle := best_oracle(of.pipeline_ranks, metric)) is not None:
            rows.append(
                [name, f"{of.named(oracle['pipeline'])} {DAGGER}", number(oracle["score"], digits), "\u2013", "\u2013"]
            )
    return rows


def best_oracle(pipeline_ranks: pl.DataFrame, metric: str) -> Mapping[str, Any] | None:
    """The row of the oracle with the least Brier score, or the largest of another metric; ties go to the name."""
    rows = pipeline_ranks.filter(metric=metric, oracle=True).drop_nulls("score")
    rows = rows.sort(["score", "pipeline"], descending=[metric != "brier", False])
    return rows.row(0, named=True) if rows.height else None


def winner_table(of: Compared, *, source: str, origin: str) -> PaperTable | None:
    """`winner_rows` as a table of a paper; None where there is no row (no metric has a value)."""
    rows = winner_rows(of)
    if not rows:
        return None
    counts = of.winner.row(0, named=True)
    caption = f"The best of {counts['n_pipelines']} pipelines by each metric ({origin}), less what choosing it adds."
    if counts["n_oracles"]:
        caption += f" {DAGGER} the best of {counts['n_oracles']} that use ground truth of evaluated recordings: shown, "
        caption += "never ranked."
    return PaperTable("winner", caption, HEADER, rows, NUMERIC, source)


def winner_numbers(of: Compared, *, source: str, ranks: str) -> list[Macro]:
    """Macros of the winner by each metric, `plrWinnerAuroc...`, and of the best oracle, `plrWinnerOracleAuroc...`.

    source, ranks   the tables `winner` and `pipeline_ranks` with their digests; row and column are added.
    """
    counts = of.winner.row(0, named=True)
    macros = [
        Macro("plrRankedPipelines", str(counts["n_pipelines"]), f"{source}, column n_pipelines"),
        Macro("plrOraclePipelines", str(counts["n_oracles"]), f"{source}, column n_oracles"),
    ]
    for row in of.winner.drop_nulls("pipeline").iter_rows(named=True):
        _, name, digits = _METRICS[row["metric"]]
        where = f"{source}, {row['metric']}"
        macros.append(Macro(f"plrWinner{name}Name", of.named(row["pipeline"]), f"{where}, column pipeline"))
        for column, word, decimals in (
            ("apparent", "AsChosen", digits),
            ("corrected", "", digits),
            ("corrected_lower", "Lower", digits),
            ("corrected_upper", "Upper", digits),
            ("optimism", "Optimism", digits),
            ("probability_best", "ProbabilityBest", 2),
        ):
            macros.append(Macro(f"plrWinner{name}{word}", number(row[column], decimals), f"{where}, column {column}"))
    for metric, (_, name, digits) in _METRICS.items():
        if (oracle := best_oracle(of.pipeline_ranks, metric)) is not None:
            where = f"{ranks}, {oracle['pipeline']}, {metric}"
            shown = of.named(oracle["pipeline"])
            macros.append(Macro(f"plrWinnerOracle{name}Name", shown, f"{where}, column pipeline"))
            macros.append(Macro(f"plrWinnerOracle{name}", number(oracle["score"], digits), f"{where}, column score"))
    return macros
