"""How far a study's numbers can be relied on: confounders, like age, optimism.

Belongs here: drawing the study's tables of internal validation (`confounders`, `adjusted_auroc`, `optimism`). Does not
belong here: single pipelines (`panels`), or any estimate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from plr_assets.figures.comparison import ROW_IN
from plr_assets.figures.panels import ends_of
from plr_assets.figures.style import Style
from plr_assets.figures.tables import (
    MOST,
    Names,
    best_honest,
    counted,
    note_below,
    numbers,
    pipeline_name,
    pipeline_names,
    require_pipelines,
    require_rows,
    rows_page,
    with_methods,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_confounders(
    confounders: pl.DataFrame,
    essential_metrics: pl.DataFrame,
    *,
    display: Names,
    synthetic: bool,
    style: Style,
    title: str,
) -> Figure:
    """AUROC of each nuisance alone, beside that of the best pipeline: what ranking by age or blinks would reach.

    confounders         `schemas.CONFOUNDERS`; those without a value are named in a note.
    essential_metrics   `schemas.ESSENTIAL_METRICS`, for the best pipeline.
    Raises ValueError if no confounder has a value, or the origin is another.
    """
    require_rows(confounders, "confounders", ["confounder", "auroc", "auroc_lower", "auroc_upper"])
    require_pipelines(essential_metrics, synthetic)
    rows = confounders.filter(pl.col("auroc").is_not_null())
    if rows.is_empty():
        raise ValueError("nothing to draw: no confounder has a value")
    place = np.arange(rows.height, dtype=np.float64)
    with style.applied():
        figure = style.page(1.5 + 1.3 * ROW_IN * (rows.height + 1), title=title, synthetic=synthetic, width_in=5.0)
        axes = figure.subplots()
        axes.hlines(place, numbers(rows, "auroc_lower"), numbers(rows, "auroc_upper"), color=style.ink, linewidth=1.0)
        axes.scatter(numbers(rows, "auroc"), place, s=20, color=style.ink, zorder=3)
        names = [name.replace("_", " ") for name in rows["confounder"]]
        notes = ["each nuisance alone, larger read as a case; lines: 95 % intervals"]
        if (best := best_honest(essential_metrics)) is not None:
            last = float(rows.height)
            axes.hlines([last], best["auroc_ci_lower"], best["auroc_ci_upper"], color=style.model, linewidth=1.0)
            axes.scatter([best["auroc"]], [last], s=20, color=style.model, zorder=3)
            names.append("best pipeline")
            notes.append(f"best pipeline: {pipeline_name(best, display)}")
        if without := confounders.filter(pl.col("auroc").is_null())["confounder"].to_list():
            notes.append(f"without a value here: {', '.join(without)}".replace("_", " "))
        axes.axvline(0.5, color=style.muted, linewidth=0.7, linestyle=(0, (4, 3)), zorder=0)
        style.dress(axes, "", "")
        rows_page(axes, names, style)
        axes.set_xlabel("AUROC")
        note_below(figure, notes, style)
    return figure


def draw_like_age(
    adjusted_auroc: pl.DataFrame,
    essential_metrics: pl.DataFrame,
    *,
    display: Names,
    synthetic: bool,
    style: Style,
    title: str,
) -> Figure:
    """AUROC among all pairs and among pairs of like age, pipeline by pipeline: what is left when age cannot help.

    adjusted_auroc   `schemas.ADJUSTED_AUROC`, one confounder; the pipelines of the highest AUROC where there are many.
    Raises ValueError if there is no row of these pipelines, several confounders, or another origin.
    """
    require_rows(adjusted_auroc, "adjusted_auroc", ["pipeline", "confounder", "window", "auroc", "auroc_matched"])
    if adjusted_auroc["confounder"].n_unique() != 1:
        raise ValueError("one figure shows one confounder")
    rows = with_methods(adjusted_auroc.rename({"auroc": "all_pairs"}), essential_metrics, synthetic).head(MOST)
    name, window = adjusted_auroc["confounder"][0], adjusted_auroc["window"][0]
    series = (("all_pairs", "auroc", "all pairs", style.muted), ("auroc_matched", "", "like pairs", style.model))
    with style.applied():
        figure = style.page(1.5 + 1.25 * ROW_IN * rows.height, title=title, synthetic=synthetic)
        axes = figure.subplots()
        for shift, (column, ends_name, label, colour) in zip((-0.18, 0.18), series, strict=True):
            place = np.arange(rows.height) + shift
            if (ends := ends_of(rows, ends_name or column)) is not None:
                axes.hlines(place, *ends, color=colour, linewidth=1.0, zorder=2)
            axes.scatter(numbers(rows, column), place, s=14, color=colour, zorder=3, label=label)
        _finish(figure, rows, display, style)
        axes.set_xlabel("AUROC of one model (95 % interval)")
        notes = [f"like pairs: case and control differ by at most {window:g} in {name.replace('_', ' ')}"]
        note_below(figure, [*notes, *counted(rows.height, adjusted_auroc.height)], style)
    return figure


def draw_optimism(
    optimism: pl.DataFrame,
    essential_metrics: pl.DataFrame,
    *,
    display: Names,
    synthetic: bool,
    style: Style,
    title: str,
) -> Figure:
    """AUROC of the model for use on what it was fitted on, and what three corrections leave of it.

    optimism   `schemas.OPTIMISM`; the pipelines of the highest AUROC where there are many.
    Raises ValueError if there is no row of these pipelines, or another origin.
    """
    marks = (
        ("auroc_apparent", "apparent", "o", "white"),
        ("auroc_corrected", "less Harrell's optimism", "s", style.series[1]),
        ("auroc_632plus", ".632+", "D", style.series[2]),
        ("auroc_out_of_bag", "out of bag", "o", style.series[0]),
    )
    require_rows(optimism, "optimism", ["pipeline", *(column for column, *_ in marks)])
    rows = with_methods(optimism, essential_metrics, synthetic).head(MOST)
    place = np.arange(rows.height)
    with style.applied():
        figure = style.page(1.5 + ROW_IN * rows.height, title=title, synthetic=synthetic)
        axes = figure.subplots()
        axes.hlines(
            place, numbers(rows, "auroc_out_of_bag"), numbers(rows, "auroc_apparent"), color=style.faint, linewidth=2.0
        )
        for column, label, marker, face in marks:
            axes.scatter(
                numbers(rows, column), place, s=16, marker=marker, facecolor=face, linewidth=0.7, zorder=3, label=label,
                edgecolor=style.ink if face == "white" else "white",
            )  # fmt: skip
        _finish(figure, rows, display, style)
        axes.set_xlabel("AUROC")
        note_below(figure, counted(rows.height, optimism.height), style)
    return figure


def _finish(figure: Figure, rows: pl.DataFrame, display: Names, style: Style) -> None:
    """Names of pipelines, by the methods in which they differ, and the legend below the panel."""
    (axes,) = figure.axes
    style.dress(axes, "", "")
    rows_page(axes, pipeline_names(rows, display), style)
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(handles, labels, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=4, borderaxespad=0.1)
