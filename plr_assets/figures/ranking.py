"""Which is best, and how sure that is: the winner less what choosing it adds, ranks of pipelines and of methods.

Belongs here: drawing `winner`, `pipeline_ranks` and `method_ranks`. Does not belong here: a rank, a group or an
interval: all are read; nor differences and their shares (`differences`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from plr_assets.figures.comparison import ROW_IN
from plr_assets.figures.panels import ends_of
from plr_assets.figures.style import Style
from plr_assets.figures.tables import (
    AXIS_TITLES,
    DAGGER,
    MOST,
    ORACLE_NOTE,
    Names,
    colour_of,
    intervals,
    note_below,
    numbers,
    pipeline_name,
    pipeline_names,
    present,
    require_pipelines,
    require_rows,
    rows_page,
    with_methods,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

METRICS: Mapping[str, str] = {
    "auroc": "AUROC",
    "brier": "Brier score (lower is better)",
    "net_benefit_15pct": "Net benefit at 15 %",
}
_MOST_ORACLES = 8  # of a page of ranks


def draw_winner(
    winner: pl.DataFrame,
    pipeline_ranks: pl.DataFrame,
    essential_metrics: pl.DataFrame,
    *,
    display: Names,
    synthetic: bool,
    style: Style,
    title: str,
) -> Figure:
    """The best pipeline by each metric: its score, what is left of it less what choosing adds, the best oracle apart.

    winner              `schemas.WINNER`; a metric without a winner has no panel.
    pipeline_ranks      `schemas.PIPELINE_RANKS`, for the scores of oracles.
    essential_metrics   `schemas.ESSENTIAL_METRICS`, for the names of methods.
    Raises ValueError if no metric has a winner, or the origin is another.
    """
    require_rows(winner, "winner", ["metric", "pipeline", "apparent", "corrected", "probability_best", "n_pipelines"])
    require_pipelines(essential_metrics, synthetic)
    shown = winner.filter(pl.col("pipeline").is_not_null())
    if shown.is_empty():
        raise ValueError("nothing to draw: winner names no pipeline")
    with style.applied():
        figure = style.page(0.8 + 1.2 * shown.height, title=title, synthetic=synthetic, width_in=min(style.width_in, 6))
        panels = figure.subplots(shown.height, 1, squeeze=False)[:, 0]
        for axes, row in zip(panels, shown.iter_rows(named=True), strict=True):
            metric = METRICS.get(row["metric"], row["metric"])
            (of,) = essential_metrics.filter(pipeline=row["pipeline"]).iter_rows(named=True)
            ends = np.array([row["corrected_lower"]], dtype=float), np.array([row["corrected_upper"]], dtype=float)
            corrected = np.array([row["corrected"]], dtype=float)
            intervals(axes, corrected, ends, np.array([0.0]), color=style.model, size=5.0)
            axes.scatter([row["apparent"]], [1], s=22, facecolor="white", edgecolor=style.model, linewidth=1, zorder=4)
            names = ["less what choosing adds", "as it was chosen"]
            if (oracle := _best_oracle(pipeline_ranks, row["metric"])) is not None:
                axes.scatter([oracle], [2], s=22, marker="D", facecolor="white", edgecolor=style.ink, linewidth=0.8)
                names.append(f"best oracle {DAGGER}")
            style.dress(axes, "", metric, [pipeline_name(of, display), _support(row)])
            rows_page(axes, names, style)
            axes.margins(x=0.08)
        notes = ["line: 95 % interval of what choosing like this yields"]
        note_below(figure, [*notes, *([ORACLE_NOTE] if essential_metrics["oracle"].any() else [])], style)
    return figure


def _support(row: Mapping[str, object]) -> str:
    if row["probability_best"] is None:
        return f"of {row['n_pipelines']}"
    return f"best of {row['n_pipelines']} in {100 * float(str(row['probability_best'])):.0f} % of resamples of subjects"


def _best_oracle(pipeline_ranks: pl.DataFrame, metric: str) -> float | None:
    """The best score of an oracle: the least Brier score, the largest of others. None without oracles."""
    scores = pipeline_ranks.filter(pl.col("oracle"), pl.col("metric") == metric)["score"].drop_nulls()
    best = scores.sort(descending=metric != "brier").head(1).to_list()
    return float(best[0]) if best else None


def draw_pipeline_ranks(
    pipeline_ranks: pl.DataFrame,
    essential_metrics: pl.DataFrame,
    *,
    display: Names,
    synthetic: bool,
    style: Style,
    title: str,
) -> Figure:
    """AUROC of the best pipelines, their rank with its interval, how often each is the best; below, oracles unranked.

    pipeline_ranks      `schemas.PIPELINE_RANKS`; the rows of AUROC are drawn.
    essential_metrics   `schemas.ESSENTIAL_METRICS`, for the names of methods.
    Raises ValueError if there is no row of AUROC, or the origin is another.
    """
    require_rows(pipeline_ranks, "pipeline_ranks", ["pipeline", "metric", "score", "rank", "probability_best"])
    own = pipeline_ranks.drop("oracle", strict=False).filter(pl.col("metric") == "auroc")
    every = with_methods(own, essential_metrics, synthetic)
    ranked = every.filter(~pl.col("oracle")).sort(["rank", "pipeline"], nulls_last=True)
    apart = every.filter(pl.col("oracle")).sort(["score", "pipeline"], descending=[True, False]).head(_MOST_ORACLES)
    n_ranked = ranked.height
    ranked = ranked.head(MOST - apart.height)
    rows = pl.concat([ranked, apart])
    place, first_apart = np.arange(rows.height, dtype=np.float64), ranked.height
    with style.applied():
        figure = style.page(1.4 + ROW_IN * rows.height, title=title, synthetic=synthetic)
        score, rank, best = figure.subplots(1, 3, gridspec_kw={"width_ratios": [1.2, 1.2, 0.8]})
        oracle = rows["oracle"].to_numpy()
        value = numbers(rows, "score")
        score.scatter(value[~oracle], place[~oracle], s=14, color=style.model, zorder=3)
        score.scatter(
            value[oracle], place[oracle], s=14, facecolor="white", edgecolor=style.ink, linewidth=0.8, zorder=3
        )
        ends = ends_of(rows, "rank") or (numbers(rows, "rank"), numbers(rows, "rank"))
        intervals(rank, numbers(rows, "rank"), ends, place, color=style.model)
        best.barh(place, numbers(rows, "probability_best") * 100, height=0.6, color=style.model, zorder=2)
        names = pipeline_names(rows, display)
        for axes, heading in ((score, "AUROC over pairs"), (rank, "Rank"), (best, "Best")):
            style.dress(axes, "", heading)
            rows_page(axes, names, style, named=axes is score)
            if 0 < first_apart < rows.height:
                axes.axhline(first_apart - 0.5, color=style.muted, linewidth=0.7)
        rank.set_xlabel(f"of {n_ranked}")
        rank.set_xlim(left=0)
        best.set_xlabel("% of resamples")
        best.set_xlim(left=0)
        notes = ["rank: 1 is best; lines and right panel: 95 % interval and share over resamples of the subjects"]
        notes += [f"the {ranked.height} best of {n_ranked} pipelines"] * (ranked.height < n_ranked)
        if (oracles := int(every["oracle"].sum())) > 0:
            notes.append(ORACLE_NOTE + (f"; the best {apart.height} of {oracles}" if apart.height < oracles else ""))
        note_below(figure, notes, style)
    return figure


def draw_critical_difference(
    method_ranks: pl.DataFrame, *, display: Names, categories: Names, synthetic: bool, style: Style, title: str
) -> Figure:
    """Mean ranks of the methods of each stage (1 is best), and bars that join methods that share a group.

    method_ranks   `schemas.METHOD_RANKS`; a stage without a rank is named in a note.
    Raises ValueError if no method has a rank, or one has no name.
    """
    require_rows(method_ranks, "method_ranks", ["axis", "method", "mean_rank", "critical_difference", "groups"])
    there = method_ranks.filter(pl.col("mean_rank").is_not_null())
    if there.is_empty():
        raise ValueError("nothing to draw: no method has a rank")
    shown = [axis for axis in AXIS_TITLES if axis in set(there["axis"])]
    heights = [there.filter(axis=axis).height * ROW_IN + 0.7 for axis in shown]
    with style.applied():
        figure = style.page(0.9 + sum(heights), title=title, synthetic=synthetic, width_in=min(style.width_in, 6.0))
        panels = figure.subplots(len(shown), 1, squeeze=False, gridspec_kw={"height_ratios": heights})[:, 0]
        for panel, axis in zip(panels, shown, strict=True):
            rows = there.filter(axis=axis).sort(["mean_rank", "method"])
            present(rows, axis, display, "method")
            style.dress(panel, "", AXIS_TITLES[axis], [_test_of(rows.row(0, named=True))])
            _draw_ranks(panel, rows, [display[axis][m] for m in rows["method"]], categories[axis], style)
        panels[-1].set_xlabel("mean rank by AUROC (1 is best), 95 % interval over resamples of subjects")
        figure.set_layout_engine("constrained", rect=(0, 0, 0.94, 1))  # the bars stand on the right of the panels
        notes = ["bars on the right join methods whose mean ranks differ by less than the critical difference (5 %)"]
        without = [AXIS_TITLES[axis] for axis in AXIS_TITLES if axis in set(method_ranks["axis"]) - set(shown)]
        if without:
            notes.append(f"{', '.join(without)}: no combination of the other stages' methods has all methods")
        note_below(figure, notes, style)
    return figure


def _test_of(row: Mapping[str, object]) -> str:
    """`40 combinations, critical difference 0.52, Friedman p = 0.004`."""
    parts = [f"{row['blocks']} combinations with all of them"] if row.get("blocks") is not None else []
    if row["critical_difference"] is not None:
        parts.append(f"critical difference {float(str(row['critical_difference'])):.2f}")
    if (p := row.get("p_friedman")) is not None:
        parts.append("Friedman p < 0.001" if float(str(p)) < 0.001 else f"Friedman p = {float(str(p)):.3f}")
    return ", ".join(parts)


def _draw_ranks(axes: Axes, rows: pl.DataFrame, names: list[str], categories: Mapping[str, str], style: Style) -> None:
    rank, place = numbers(rows, "mean_rank"), np.arange(rows.height, dtype=np.float64)
    colours = [colour_of(categories[method], style) for method in rows["method"]]
    ends = ends_of(rows, "mean_rank")
    for index, colour in enumerate(colours):
        one = slice(index, index + 1)
        limits = (rank[one], rank[one]) if ends is None else (ends[0][one], ends[1][one])
        intervals(axes, rank[one], limits, place[one], color=colour, size=5.0)
    rows_page(axes, names, style, colours)
    widest = float(np.nanmax(rank if ends is None else np.maximum(rank, np.nan_to_num(ends[1], nan=0))))
    axes.set_xlim(0.8, widest + 0.3)
    letters = [set(groups or "") for groups in rows["groups"]]
    for level, letter in enumerate(sorted(set().union(*letters))):
        members = [row for row, own in enumerate(letters) if letter in own]
        axes.plot(
            [1.012 + 0.014 * level] * 2, [members[0] - 0.25, members[-1] + 0.25], color=style.ink, linewidth=1.8,
            solid_capstyle="butt", transform=axes.get_yaxis_transform(), clip_on=False,
        )  # fmt: skip
