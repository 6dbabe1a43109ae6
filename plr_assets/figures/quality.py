"""How well outlier detection and imputation do their own work, before any classifier.

Belongs here: drawing `schemas.OUTLIER_METRICS`, `IMPUTATION_METRICS` and `IMPUTATION_COMPARISONS`. Does not belong
here: single recordings (`detection`, `imputation`), or scoring.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from plr_assets.figures.comparison import ROW_IN
from plr_assets.figures.heat import (
    CELL_IN,
    MARGINS_IN,
    NARROWEST_PAGE_IN,
    NARROWEST_PANEL_IN,
    colour_bar,
    colour_scale,
    draw_cells,
)
from plr_assets.figures.style import Style, require_origin
from plr_assets.figures.tables import (
    DAGGER,
    Names,
    colour_labels,
    colours_of,
    intervals,
    note_below,
    numbers,
    present,
    require_rows,
    rows_page,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# metric of `outlier_metrics` -> how it is called here
_DETECTION = {"f1": "F1", "precision": "Precision", "recall": "Recall"}
_EVENTS = {"event_f1": "F1", "event_precision": "Precision", "event_recall": "Recall"}


def draw_detection_quality(
    outlier_metrics: pl.DataFrame, *, display: Names, categories: Names, synthetic: bool, style: Style, title: str
) -> Figure:
    """F1, precision and recall of every outlier method, by sample and by artefact, with intervals.

    outlier_metrics   `schemas.OUTLIER_METRICS`; the stratum `all` is drawn. A tick marks the F1 of flagging as many
                      samples at random.
    Raises ValueError if there is nothing to draw, a method has no name, or the origin is another.
    """
    rows = outlier_metrics.filter(pl.col("stratum") == "all")
    require_rows(rows, "outlier_metrics")
    require_origin(rows["synthetic"], synthetic)
    methods = present(rows, "outlier_detection", display, "method")
    oracles, inks = set(rows.filter("oracle")["method"]), colours_of(methods, categories["outlier_detection"], style)
    with style.applied():
        figure = style.page(1.3 + 2 * (0.45 + ROW_IN * len(methods)), title=title, synthetic=synthetic)
        grid = figure.subplots(2, 3, sharex=True)
        for down, (kind, named) in enumerate((("samples", _DETECTION), ("artefacts", _EVENTS))):
            for across, (metric, name) in enumerate(named.items()):
                axes = grid[down, across]
                for place, method in enumerate(methods):
                    one = rows.filter(method=method, metric=metric)
                    intervals(
                        axes, numbers(one, "value"), (numbers(one, "lower"), numbers(one, "upper")),
                        np.full(one.height, float(place)), color=inks[place],
                    )  # fmt: skip
                    if metric == "f1":
                        by_lot = numbers(rows.filter(method=method, metric="f1_random"), "value")
                        axes.plot(by_lot, np.full(by_lot.size, place), "|", color=style.ink, markersize=6, zorder=5)
                style.dress(axes, "", f"{name}, {kind}")
                names = [display["outlier_detection"][m] + f" {DAGGER}" * (m in oracles) for m in methods]
                rows_page(axes, names, style, inks, named=across == 0)
                axes.set_xlim(-0.02, 1.02)
        notes = ["points: all scored recordings together; lines: 95 % bootstrap by subject; tick: flagged at random"]
        if oracles:
            notes.append(f"{DAGGER} uses the human masks that it is scored by: shown, never ranked")
        note_below(figure, notes, style)
    return figure


def draw_imputation_matrix(
    imputation_metrics: pl.DataFrame, *, display: Names, categories: Names, synthetic: bool, style: Style, title: str
) -> Figure:
    """Mean absolute error at masked samples, mask x imputation, in % of the baseline.

    imputation_metrics   `schemas.IMPUTATION_METRICS`; metric `mae` of the stratum `all` is drawn.
    Raises ValueError if there is nothing to draw, a method has no name, a cell is there twice, or the origin
    is another.
    """
    rows = imputation_metrics.filter(pl.col("stratum") == "all", pl.col("metric") == "mae", ~pl.col("oracle"))
    require_rows(rows, "imputation_metrics (mae)")
    require_origin(rows["synthetic"], synthetic)
    if rows.select(pl.struct("outlier_detection", "imputation").is_duplicated().any()).item():
        raise ValueError("imputation_metrics holds several values for one cell")
    masks, imputers = present(rows, "outlier_detection", display), present(rows, "imputation", display)
    values = np.full((len(masks), len(imputers)), np.nan)
    for mask, imputer, value in rows.select("outlier_detection", "imputation", "value").iter_rows():
        values[masks.index(mask), imputers.index(imputer)] = np.nan if value is None else value
    cell = CELL_IN[0] * 1.35  # `12.34`
    width = MARGINS_IN + max(NARROWEST_PANEL_IN, cell * len(imputers))
    with style.applied():
        figure = style.page(
            2.2 + CELL_IN[1] * len(masks), title=title, synthetic=synthetic,
            width_in=max(NARROWEST_PAGE_IN, min(style.width_in, width)),
        )  # fmt: skip
        axes = figure.subplots()
        colours, norm = colour_scale(values, style)
        style.dress(axes, "", "MAE at masked samples")
        draw_cells(
            axes, values, np.zeros(values.shape, dtype=bool), colours=colours, norm=norm, style=style,
            write=lambda value: f"{value:.2f}",
        )  # fmt: skip
        axes.set_yticks(np.arange(len(masks)), [display["outlier_detection"][mask] for mask in masks])
        axes.set_xticks(np.arange(len(imputers)), [display["imputation"][name] for name in imputers], rotation=90)
        colour_labels(axes.get_yticklabels(), masks, categories["outlier_detection"], style)
        colour_labels(axes.get_xticklabels(), imputers, categories["imputation"], style)
        axes.set(ylabel="masked by", xlabel="imputed by")
        colour_bar(figure, axes, colours, norm, label="MAE (% of baseline)", style=style)
        note_below(figure, ["hatched: not computed"] if np.isnan(values).any() else [], style)
    return figure


def draw_imputation_differences(
    imputation_comparisons: pl.DataFrame,
    *,
    display: Names,
    categories: Names,
    synthetic: bool,
    style: Style,
    title: str,
) -> Figure:
    """Each imputation method's MAE less that of straight lines at the same samples, a panel a mask, with intervals.

    imputation_comparisons   `schemas.IMPUTATION_COMPARISONS`; the stratum `all` is drawn.
    Raises ValueError if there is nothing to draw, a method has no name, or the origin is another.
    """
    rows = imputation_comparisons.filter(pl.col("stratum") == "all")
    require_rows(rows, "imputation_comparisons")
    require_origin(rows["synthetic"], synthetic)
    masks, methods = present(rows, "outlier_detection", display), present(rows, "imputation", display)
    inks = colours_of(methods, categories["imputation"], style)
    across = min(3, len(masks))
    down = -(-len(masks) // across)
    with style.applied():
        figure = style.page(1.2 + down * (0.45 + ROW_IN * len(methods)), title=title, synthetic=synthetic)
        grid = figure.subplots(down, across, squeeze=False, sharex=True)
        for index, axes in enumerate(grid.flat):
            if index >= len(masks):
                axes.set_axis_off()
                continue
            one = rows.filter(outlier_detection=masks[index])
            for method in one["imputation"]:
                row = one.filter(imputation=method)
                intervals(
                    axes, numbers(row, "difference"), (numbers(row, "lower"), numbers(row, "upper")),
                    np.array([float(methods.index(method))]), color=inks[methods.index(method)],
                )  # fmt: skip
            axes.axvline(0, color=style.ink, linewidth=0.6, zorder=1)
            style.dress(axes, "", display["outlier_detection"][masks[index]])
            rows_page(axes, [display["imputation"][m] for m in methods], style, inks, named=index % across == 0)
            axes.tick_params(labelbottom=index + across >= len(masks))
        figure.supxlabel(
            "difference in MAE from straight lines (% of baseline, 95 % interval); left of 0: better than lines",
            fontsize=style.small_size,
        )
    return figure
