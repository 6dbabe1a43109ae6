"""F1 of all outlier methods of a study on one picture, beside flagging at random.

Belongs here: the drawing. Does not belong here: computing what is drawn: it is read from `schemas.OUTLIER_METRICS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import polars as pl

from plr_assets.figures.style import Style, require_origin
from plr_assets.registry import Method

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANELS = {"f1": "F1 of samples", "event_f1": "F1 of events"}
DAGGER = "\u2020"
ROW_IN = 0.21
# Rows of air between the others and the oracles.
GAP = 0.6


def draw_f1(metrics: pl.DataFrame, methods: Mapping[str, Method], *, synthetic: bool, style: Style) -> Figure:
    """F1 with 95 % intervals, a row a method, a panel for samples and one for events.

    metrics   `schemas.OUTLIER_METRICS` of one study.
    methods   name -> registry entry, from the top row down; oracles last, where they stand apart.
    The tick beside each dot is the expected F1 of as many flags by lot (samples only). Raises ValueError if there is
    nothing to draw, or if `synthetic` contradicts the table.
    """
    chosen = metrics.filter(pl.col("method").is_in(list(methods)), stratum="all")
    if chosen.filter(metric="f1").is_empty():
        raise ValueError("nothing to draw: no method has an F1")
    require_origin(chosen["synthetic"], synthetic)
    honest = sum(not method.oracle for method in methods.values())
    heights = {name: float(index + GAP * (index >= honest)) for index, name in enumerate(methods)}
    with style.applied():
        title = "Artefacts found by outlier detection: F1 with 95 % intervals"
        figure = style.page(1.25 + ROW_IN * (len(methods) + GAP), title=title, synthetic=synthetic)
        panels = figure.subplots(1, len(PANELS), sharey=True)
        for axes, (metric, heading) in zip(panels, PANELS.items(), strict=True):
            style.dress(axes, "", heading)
            _draw_panel(axes, chosen.filter(metric=metric), heights, methods, style)
        _draw_by_lot(panels[0], chosen.filter(metric="f1_random"), heights, methods, style)
        names = [method.display + f" {DAGGER}" * method.oracle for method in methods.values()]
        panels[0].set_yticks(list(heights.values()), names)
        for label, method in zip(panels[0].get_yticklabels(), methods.values(), strict=True):
            label.set_color(style.categories[method.category])
        panels[0].set_ylim(max(heights.values()) + 0.6, -0.6)
        panels[1].tick_params(labelleft=False)
        notes = ["evaluated on simulated recordings" if synthetic else "evaluated on clinical recordings"]
        notes.append("grey tick: as many flags by lot")
        if honest < len(methods):
            notes.append(f"{DAGGER} uses the human masks that it is scored by: shown, never ranked")
        figure.supxlabel("   |   ".join(notes), fontsize=style.small_size)
    return figure


def _draw_panel(
    axes: Axes, rows: pl.DataFrame, heights: Mapping[str, float], methods: Mapping[str, Method], style: Style
) -> None:
    for row in rows.drop_nulls("value").iter_rows(named=True):
        method, height = methods[row["method"]], heights[row["method"]]
        colour = style.categories[method.category]
        if row["lower"] is not None and row["upper"] is not None:
            axes.plot(
                [row["lower"], row["upper"]], [height, height], color=colour, linewidth=style.line_width, zorder=3
            )
        fill = "white" if method.oracle else colour
        axes.plot(
            row["value"], height, marker="o", markersize=4.5, markerfacecolor=fill, markeredgecolor=colour, zorder=4
        )
    axes.grid(axis="x", color=style.faint, linewidth=0.5)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_xlim(0, 1.02)


def _draw_by_lot(
    axes: Axes, rows: pl.DataFrame, heights: Mapping[str, float], methods: Mapping[str, Method], style: Style
) -> None:
    for name, value in rows.drop_nulls("value").select("method", "value").iter_rows():
        if not methods[name].oracle:
            axes.plot(value, heights[name], marker="|", markersize=8, color=style.muted, linestyle="none", zorder=2)
