"""What pipelines cost beside what they achieve.

Belongs here: drawing the published seconds of runs against published performance. Does not belong here: adding seconds
up (`schemas.PIPELINE_COSTS` has the sums), or measuring them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from plr_assets.figures.style import Style
from plr_assets.figures.tables import (
    AXES,
    Names,
    colour_of,
    note_below,
    numbers,
    pipeline_name,
    present,
    require_pipelines,
    require_rows,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Shapes that are told apart at 4 pt, one a classifier.
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")


def draw_costs(
    essential_metrics: pl.DataFrame,
    pipeline_costs: pl.DataFrame,
    *,
    display: Names,
    categories: Names,
    synthetic: bool,
    style: Style,
    title: str,
) -> Figure:
    """AUROC of every pipeline against the seconds that its parts took: colour outlier detection, shape classifier.

    pipeline_costs   `schemas.PIPELINE_COSTS`.
    The line joins the pipelines that no cheaper one beats; oracles are open and not on it. Pipelines without measured
    seconds are left out and counted. Raises ValueError if a table is empty, no pipeline has seconds, a method has no
    name, or the origin is another.
    """
    require_pipelines(essential_metrics, synthetic)
    require_rows(pipeline_costs, "pipeline_costs", ["pipeline", "seconds"])
    rows = essential_metrics.filter(pl.col("auroc").is_not_null()).join(
        pipeline_costs.filter(pl.col("seconds") > 0).select("pipeline", "seconds"),
        on="pipeline",
        maintain_order="left",
    )
    if rows.is_empty():
        raise ValueError("nothing to draw: pipeline_costs has no seconds of these pipelines")
    size = 22 if rows.height < 100 else 12
    classifiers = present(rows, "classification", display)
    detectors = present(rows, "outlier_detection", display)
    with style.applied():
        figure = style.page(4.2, title=title, synthetic=synthetic)
        axes = figure.subplots()
        for (classifier, detector, oracle), group in rows.group_by(
            "classification", "outlier_detection", "oracle", maintain_order=True
        ):
            colour = colour_of(categories["outlier_detection"][detector], style)
            axes.scatter(
                numbers(group, "seconds"), numbers(group, "auroc"), s=size, linewidth=0.8, alpha=0.8, zorder=3,
                edgecolor=colour, facecolor="white" if oracle else colour,
                marker=_MARKERS[classifiers.index(classifier) % len(_MARKERS)],
            )  # fmt: skip
        front = _front(rows.filter(~pl.col("oracle")))
        axes.plot(
            numbers(front, "seconds"), numbers(front, "auroc"), color=style.muted, linewidth=0.8,
            drawstyle="steps-post", zorder=2,
        )  # fmt: skip
        _draw_uncertainty(axes, front, categories["outlier_detection"], style)
        axes.set_xscale("log")
        _plain_ticks(axes)
        axes.set(xlabel="seconds of computing, all parts of the pipeline on one process", ylabel="AUROC of one model")
        style.dress(axes, "", "")
        _legend(
            axes,
            {
                display["classification"][name]: _MARKERS[place % len(_MARKERS)]
                for place, name in enumerate(classifiers)
            },
            list(dict.fromkeys(categories["outlier_detection"][name] for name in detectors)),
            style,
        )
        notes = ["step line: no cheaper pipeline has a higher AUROC; bar: 95 % interval of its last pipeline"]
        if not front.is_empty():
            notes.append("on it, at its end: " + pipeline_name(front.row(-1, named=True), display, AXES))
        if left_out := essential_metrics.height - rows.height:
            notes.append(f"{left_out} pipeline(s) without measured seconds are not shown")
        if rows["oracle"].any():
            notes.append("open: uses ground truth of evaluated recordings, never ranked")
        note_below(figure, notes, style)
    return figure


def _front(rows: pl.DataFrame) -> pl.DataFrame:
    """Pipelines whose AUROC is above that of all cheaper ones."""
    ordered = rows.sort(["seconds", "auroc"], descending=[False, True])
    before = ordered["auroc"].cum_max().shift(1, fill_value=-np.inf)
    return ordered.filter(ordered["auroc"] > before)


def _draw_uncertainty(axes: Axes, front: pl.DataFrame, categories: Mapping[str, str], style: Style) -> None:
    """How wide an AUROC's interval is here: that of the last pipeline of the front."""
    if not front.is_empty():
        last = front.row(-1, named=True)
        colour = colour_of(categories[last["outlier_detection"]], style)
        axes.vlines(last["seconds"], last["auroc_ci_lower"], last["auroc_ci_upper"], color=colour, zorder=2)


def _plain_ticks(axes: Axes) -> None:
    """Seconds as 1, 2, 5, 10, 20 ...: a study's pipelines may lie within one decade."""
    from matplotlib.ticker import LogLocator, NullFormatter, NullLocator

    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    low, high = axes.get_xlim()
    if high / low > 300:  # then every third would do, and decades are what one reads
        axes.xaxis.set_major_locator(LogLocator())
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.6g}")


def _legend(axes: Axes, shapes: Mapping[str, str], colours: Sequence[str], style: Style) -> None:
    """On the right of the panel: classifiers by shape, and below them outlier detection by colour."""
    from matplotlib.lines import Line2D

    def entry(name: str, marker: str, colour: str) -> Line2D:
        return Line2D([], [], linestyle="none", marker=marker, markersize=4, color=colour, label=name)

    handles = [entry("classifier:", "", style.ink)]
    handles += [entry(name, marker, style.muted) for name, marker in shapes.items()]
    handles += [entry("", "", style.ink), entry("outlier detection:", "", style.ink)]
    handles += [entry(name, "o", colour_of(name, style)) for name in colours]
    axes.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.01, 1.0), borderaxespad=0.2)
