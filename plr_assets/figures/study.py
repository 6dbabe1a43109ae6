"""All pipelines of a study on one page.

Belongs here: figures that compare methods. Does not belong here: averaging over them; a cell is one pipeline or it is
empty.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from plr_assets.figures.heat import (
    CELL_IN,
    MARGINS_IN,
    NARROWEST_PAGE_IN,
    NARROWEST_PANEL_IN,
    Flags,
    colour_bar,
    colour_scale,
    draw_cells,
)
from plr_assets.figures.style import Style, require_origin
from plr_assets.figures.tables import DAGGER, ORACLE_NOTE, Names, Values, colour_labels, present

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_auroc_heatmap(
    essential_metrics: pl.DataFrame,
    *,
    display: Names,
    synthetic: bool,
    style: Style,
    title: str = "AUROC by outlier detection and imputation",
    categories: Names | None = None,
) -> Figure:
    """AUROC of one model, outlier detection x imputation, one panel a classifier, one colour scale.

    essential_metrics   rows of one featurization: averaging over several would hide both.
    display             axis -> method -> name; its order is the order of rows, columns and panels.
    categories          axis -> method -> family, which colours the names; none: black.
    Raises ValueError if there is no row, a method without a display name, several rows for one cell, or rows
    of another origin than `synthetic` says.
    """
    if essential_metrics.is_empty():
        raise ValueError("nothing to draw: essential_metrics is empty")
    if essential_metrics["featurization"].n_unique() > 1:
        found = essential_metrics["featurization"].unique().sort().to_list()
        raise ValueError(f"one heatmap shows one featurization, and the table holds {found}")
    require_origin(essential_metrics["synthetic"], synthetic)
    cell = ["outlier_detection", "imputation", "classification"]
    if essential_metrics.select(pl.struct(cell).is_duplicated().any()).item():
        raise ValueError("essential_metrics holds several pipelines for one cell")
    rows, columns, panels = (present(essential_metrics, axis, display) for axis in cell)
    values, oracle = _cells(essential_metrics, rows, columns, panels)
    marked = _oracle_methods(oracle, ~oracle & ~np.isnan(values))
    names = [
        [display[axis][method] + f" {DAGGER}" * mark for method, mark in zip(methods, marks, strict=True)]
        for axis, methods, marks in zip(cell, (rows, columns), marked, strict=False)
    ]

    across = _panels_across(len(columns), len(panels), style)
    down = -(-len(panels) // across)
    height = 1.9 + down * (0.35 + CELL_IN[1] * len(rows))
    width = min(style.width_in, MARGINS_IN + across * max(NARROWEST_PANEL_IN, CELL_IN[0] * len(columns)))
    with style.applied():
        figure = style.page(height, title=title, synthetic=synthetic, width_in=max(width, NARROWEST_PAGE_IN))
        axes = figure.subplots(down, across, squeeze=False)
        colours, norm = colour_scale(values, style)
        for index, panel in enumerate(axes.flat):
            if index >= len(panels):
                panel.set_axis_off()
                continue
            style.dress(panel, "", display["classification"][panels[index]])
            draw_cells(panel, values[index], oracle[index], colours=colours, norm=norm, style=style)
            panel.set_yticks(np.arange(len(rows)), names[0])
            panel.set_xticks(np.arange(len(columns)), names[1], rotation=90)
            if categories is not None:
                colour_labels(panel.get_yticklabels(), rows, categories["outlier_detection"], style)
                colour_labels(panel.get_xticklabels(), columns, categories["imputation"], style)
            panel.tick_params(labelbottom=index + across >= len(panels), labelleft=index % across == 0)
            # Above an empty place, names hang into it instead of pushing the row below down.
            panel.xaxis.set_in_layout(index + across >= across * down or index + across < len(panels))
        figure.supylabel("outlier detection", fontsize=style.small_size)
        notes = ["imputation"]
        if oracle.any():
            notes.append(ORACLE_NOTE)
        if np.isnan(values).any():
            notes.append("hatched: not computed")
        figure.supxlabel("\n".join(notes), fontsize=style.small_size)
        colour_bar(figure, axes, colours, norm, label="AUROC of one model", style=style)
    return figure


def _cells(
    metrics: pl.DataFrame, rows: Sequence[str], columns: Sequence[str], panels: Sequence[str]
) -> tuple[Values, Flags]:
    """(panels, rows, columns) AUROC with NaN where there is no pipeline, and whether it is an oracle."""
    values = np.full((len(panels), len(rows), len(columns)), np.nan)
    oracle = np.zeros(values.shape, dtype=bool)
    chosen = metrics.select("classification", "outlier_detection", "imputation", "auroc", "oracle")
    for panel, row, column, auroc, is_oracle in chosen.iter_rows():
        place = panels.index(panel), rows.index(row), columns.index(column)
        values[place] = np.nan if auroc is None else auroc
        oracle[place] = is_oracle
    return values, oracle


def _oracle_methods(oracle: Flags, honest: Flags) -> tuple[list[bool], list[bool]]:
    """Which rows and columns are oracles: a row is one if it makes oracles in a column that is honest elsewhere."""
    oracles, others = oracle.sum(axis=0), honest.sum(axis=0)  # over panels
    of_row = oracles @ others.sum(axis=0) > 0
    of_column = others.sum(axis=1) @ oracles > 0
    return of_row.tolist(), of_column.tolist()


def _panels_across(columns: int, panels: int, style: Style) -> int:
    panel = max(NARROWEST_PANEL_IN, CELL_IN[0] * columns)
    return max(1, min(panels, int((style.width_in - MARGINS_IN) // panel)))
