"""The asset that hands a study's tables and numbers to a paper.

Belongs here: the declaration, and what is read for it. Does not belong here: LaTeX, or which rows and columns
(`reporting`). Copies for people: `data/<study>/tables/`.
"""

from __future__ import annotations

from pathlib import Path

from plr_assets.defs.comparisons import pipeline_comparisons
from plr_assets.defs.figure_parts import labelled, texts
from plr_assets.defs.results import essential_metrics
from plr_assets.defs.results_of_signals import imputation_metrics, outlier_metrics
from plr_assets.defs.stages import FIGURES
from plr_assets.platform.artifacts import Product
from plr_assets.platform.leaderboard import ranked
from plr_assets.platform.stages import WHOLE, Task, reads, stage_asset


def _source(task: Task, table: str, asset: str = "") -> str:
    """Which table a number comes from, by content: equal results give equal files, whichever run they are from."""
    ref = task.inputs[asset or table, table][WHOLE]
    return f"{table} of study {task.study.name}, digest {ref.info.digest[:16]}"


@stage_asset(
    FIGURES,
    reads=[
        reads(essential_metrics),
        reads(outlier_metrics),
        reads(imputation_metrics),
        reads(pipeline_comparisons, "winner"),
        reads(pipeline_comparisons, "pipeline_ranks"),
    ],
    settings=("title",),
    configuration=lambda grid: texts(grid, "display"),
    exports={"tables": "tables"},
    offered=labelled,
    kinds=("latex", "mlflow"),
)
def paper_tables(task: Task) -> Product:
    """Tables for a paper as LaTeX (booktabs) and markdown, and `numbers.tex`: one macro a headline number.

    Every table and macro says in a comment which published table and which row it comes from.
    """
    from plr_assets.reporting.latex import as_latex, as_macros, as_markdown
    from plr_assets.reporting.papers import detection_table, headline_numbers, imputation_table, pipelines_table
    from plr_assets.reporting.winner import Compared, winner_numbers, winner_table

    display, best = texts(task.grid, "display"), ranked(task.table("essential_metrics"))
    origin = "simulated data" if task.study.synthetic else "clinical data"
    source = {name: _source(task, name) for name in ("essential_metrics", "outlier_metrics", "imputation_metrics")}
    of_winner, of_ranks = (_source(task, name, "pipeline_comparisons") for name in ("winner", "pipeline_ranks"))
    winner, ranks = (task.table("pipeline_comparisons", name) for name in ("winner", "pipeline_ranks"))
    compared = Compared(winner, ranks, best, display)
    tables = [pipelines_table(best, display, source=source["essential_metrics"], origin=origin)]
    if (of_best := winner_table(compared, source=of_winner, origin=origin)) is not None:
        tables.append(of_best)
    for make, name, some in (
        (detection_table, "outlier_metrics", {"stratum": "all"}),
        (imputation_table, "imputation_metrics", {"stratum": "all", "metric": "mae", "oracle": False}),
    ):
        if not task.table(name).filter(**some).is_empty():
            tables.append(make(task.table(name), display, source=source[name], origin=origin))
    macros = headline_numbers(best, display, asked_for=len(task.grid.pipelines), source=source["essential_metrics"])
    macros += winner_numbers(compared, source=of_winner, ranks=of_ranks)
    heading = [f"{task.setting('title')} ({origin}). Written by plr; do not edit.", source["essential_metrics"]]

    def write(folder: Path) -> None:
        for table in tables:
            (folder / f"{table.name}.tex").write_text(as_latex(table), encoding="utf-8")
            (folder / f"{table.name}.md").write_text(as_markdown(table), encoding="utf-8")
        (folder / "numbers.tex").write_text(as_macros(macros, heading), encoding="utf-8")

    return Product(
        folders={"tables": write},
        metrics={"tables": len(tables), "numbers": len(macros)},
        notes={"pipelines": as_markdown(tables[0])},
    )
