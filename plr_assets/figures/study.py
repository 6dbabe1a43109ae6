"""All pipelines of a study on one page.

Belongs here: figures that compare methods. Does not belong here: averaging over them; a cell is one pipeline or it is
empty.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from plr_assets.figures.style import Style, require_origin

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap, Normalize
    from matplotlib.figure import Figure
    from matplotlib.text import Text

Names = Mapping[str, Mapping[str, str]]
Values = NDArray[np.float64]
Flags = NDArray[np.bool_]
DAGGER = "\u2020"
# The least cell that holds `.85` and a dagger in 6.5 pt. Two panels of the nine imputations then fit side by side.
CELL_IN = (0.27, 0.2)
# Names of detectors on the left, the colour bar on the right.
MARGINS_IN = 2.05
NARROWEST_PANEL_IN = 1.25  # the longest name of a classifier
NARROWEST_PAGE_IN = 3.5  # one journal column


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
    rows, columns, panels = (_present(essential_metrics, axis, display) for axis in cell)
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
        colours, norm = _colour_scale(values, style)
        for index, panel in enumerate(axes.flat):
            if index >= len(panels):
                panel.set_axis_off()
                continue
            style.dress(panel, "", display["classification"][panels[index]])
            _draw_panel(panel, values[index], oracle[index], colours=colours, norm=norm, style=style)
            panel.set_yticks(np.arange(len(rows)), names[0])
            panel.set_xticks(np.arange(len(columns)), names[1], rotation=90)
            if categories is not None:
                _colour_names(panel.get_yticklabels(), rows, categories["outlier_detection"], style)
                _colour_names(panel.get_xticklabels(), columns, categories["imputation"], style)
            panel.tick_params(labelbottom=index + across >= len(panels), labelleft=index % across == 0)
            # Above an empty place, names hang into it instead of pushing the row below down.
            panel.xaxis.set_in_layout(index + across >= across * down or index + across < len(panels))
        figure.supylabel("outlier detection", fontsize=style.small_size)
        notes = ["imputation"]
        if oracle.any():
            notes.append(f"{DAGGER} uses ground truth of evaluated recordings: shown, never ranked")
        if np.isnan(values).any():
            notes.append("hatched: not computed")
        figure.supxlabel("\n".join(notes), fontsize=style.small_size)
        _colour_bar(figure, axes, colours, norm, style)
    return figure


def _present(metrics: pl.DataFrame, axis: str, display: Names) -> list[str]:
    found = set(metrics[axis].unique())
    if unknown := sorted(found - set(display[axis])):
        raise ValueError(f"no display name for {axis} {unknown}")
    return [name for name in display[axis] if name in found]


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


def _colour_scale(values: Values, style: Style) -> tuple[Colormap, Normalize]:
    from matplotlib import colormaps
    from matplotlib.colors import Normalize

    if np.isnan(values).all():
        raise ValueError("nothing to draw: no pipeline has an AUROC")
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    spare = 0.005 if high - low < 0.01 else 0.0  # equal values would have no scale
    return colormaps[style.colormap], Normalize(low - spare, high + spare)


def _draw_panel(axes: Axes, values: Values, oracle: Flags, *, colours: Colormap, norm: Normalize, style: Style) -> None:
    from matplotlib.patches import Rectangle

    axes.imshow(np.ma.masked_invalid(values), cmap=colours, norm=norm, aspect="auto", interpolation="nearest")
    for (row, column), value in np.ndenumerate(values):
        if np.isnan(value):
            corner = (column - 0.5, row - 0.5)
            axes.add_patch(Rectangle(corner, 1, 1, facecolor="white", edgecolor=style.faint, hatch="////", linewidth=0))
            continue
        red, green, blue, _ = colours(norm(value))
        # WCAG relative luminance (gamma 2.2); black and white print have equal contrast on 0.18
        luminance = 0.2126 * red**2.2 + 0.7152 * green**2.2 + 0.0722 * blue**2.2
        ink = "white" if luminance < 0.18 else style.ink
        text = f"{value:.2f}".lstrip("0") + (DAGGER if oracle[row, column] else "")
        axes.text(column, row, text, ha="center", va="center", color=ink, fontsize=style.small_size)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xticks(np.arange(values.shape[1] + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(values.shape[0] + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=0.8)
    axes.tick_params(which="minor", length=0)


def _colour_names(labels: Sequence[Text], methods: Sequence[str], categories: Mapping[str, str], style: Style) -> None:
    for label, method in zip(labels, methods, strict=True):
        label.set_color(style.categories[categories[method]])


def _colour_bar(figure: Figure, axes: Any, colours: Colormap, norm: Normalize, style: Style) -> None:
    from matplotlib.cm import ScalarMappable

    bar = figure.colorbar(ScalarMappable(norm, colours), ax=axes, fraction=0.03, pad=0.02, aspect=30)
    bar.set_label("AUROC of one model", fontsize=style.small_size)
    bar.ax.tick_params(labelsize=style.small_size, width=0.6, length=2.5)
    bar.outline.set_visible(False)
