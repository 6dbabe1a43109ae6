"""Pipelines beside each other: one step away from the best, all of them sorted, and over featurizations.

Belongs here: figures whose marks are single pipelines of `schemas.ESSENTIAL_METRICS` with their published intervals.
Does not belong here: averages over pipelines, tests, or ranks. The interval of a method is never the least lower and
the largest upper end of its pipelines: that is an interval of nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from plr_assets.figures.style import Style
from plr_assets.figures.tables import (
    AXES,
    AXIS_TITLES,
    DAGGER,
    ORACLE_NOTE,
    Names,
    best_honest,
    colour_labels,
    colour_of,
    colours_of,
    intervals,
    note_below,
    numbers,
    pipeline_name,
    present,
    require_pipelines,
    rows_page,
    varying,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROW_IN = 0.165  # a row of 6.5 pt with air


def draw_auroc_by_method(
    essential_metrics: pl.DataFrame, *, display: Names, categories: Names, synthetic: bool, style: Style, title: str
) -> Figure:
    """Forest of AUROC by method: the best pipeline with one method exchanged, and all pipelines of the method behind.

    essential_metrics   `schemas.ESSENTIAL_METRICS`, any number of pipelines.
    display, categories axis -> method -> name, and family (the colour).
    A row is a method. Its mark and interval are those of one pipeline: the best that is no oracle, with this method in
    its place; none where that pipeline was not computed. Raises ValueError if there is nothing to draw, a method has no
    name, or the origin is not what `synthetic` says.
    """
    require_pipelines(essential_metrics, synthetic)
    reference = best_honest(essential_metrics) or essential_metrics.sort("auroc", nulls_last=False).row(-1, named=True)
    shown = {axis: present(essential_metrics, axis, display) for axis in AXES}
    shown = {axis: methods for axis, methods in shown.items() if len(methods) > 1} or {
        "classification": shown["classification"]
    }
    rows = sum(len(methods) for methods in shown.values())
    with style.applied():
        height = 1.5 + ROW_IN * rows + 0.32 * len(shown)
        figure = style.page(height, title=title, synthetic=synthetic, width_in=min(style.width_in, 6.0))
        panels = figure.subplots(
            len(shown), 1, squeeze=False, sharex=True,
            gridspec_kw={"height_ratios": [len(methods) + 0.4 for methods in shown.values()]},
        )[:, 0]  # fmt: skip
        for panel, (axis, methods) in zip(panels, shown.items(), strict=True):
            _draw_methods(
                panel, essential_metrics, axis, methods, reference=reference, look=(display, categories, style)
            )
        panels[-1].set_xlabel("AUROC of one model (95 % interval)")
        notes = [
            f"filled: {pipeline_name(reference, display)}, with the row's method in its place",
            "faint: every pipeline of the method. Line: AUROC of that pipeline, the best of all, which flatters it",
        ]
        note_below(figure, [*notes, *([ORACLE_NOTE] if essential_metrics["oracle"].any() else [])], style)
    return figure


def _draw_methods(
    axes: Axes,
    metrics: pl.DataFrame,
    axis: str,
    methods: Sequence[str],
    *,
    reference: Mapping[str, Any],
    look: tuple[Names, Names, Style],
) -> None:
    display, categories, style = look
    others = [other for other in AXES if other != axis]
    beside = metrics.filter(pl.all_horizontal(pl.col(other) == reference[other] for other in others))
    marked = []
    for place, method in enumerate(methods):
        colour = colour_of(categories[axis][method], style)
        every = numbers(metrics.filter(pl.col(axis) == method), "auroc")
        axes.scatter(
            every, np.full(every.size, place), s=9, color=colour, alpha=0.25, linewidth=0, zorder=2, rasterized=True
        )
        one = beside.filter(pl.col(axis) == method)
        intervals(
            axes,
            numbers(one, "auroc"),
            (numbers(one, "auroc_ci_lower"), numbers(one, "auroc_ci_upper")),
            np.full(one.height, float(place)),
            color=colour,
            size=5.0,
        )
        marked.append(display[axis][method] + (f" {DAGGER}" if _always_oracle(metrics, axis, method) else ""))
    style.dress(axes, "", AXIS_TITLES[axis])
    rows_page(axes, marked, style)
    colour_labels(axes.get_yticklabels(), methods, categories[axis], style)
    axes.axvline(float(reference["auroc"]), color=style.muted, linewidth=0.7, linestyle=(0, (4, 3)), zorder=1)


def _always_oracle(metrics: pl.DataFrame, axis: str, method: str) -> bool:
    """Whether the method makes oracles of pipelines that without it are none: all of its own are, some others not."""
    own = metrics.filter(pl.col(axis) == method)
    return bool(own["oracle"].all()) and not bool(metrics["oracle"].all())


def draw_specification_curve(
    essential_metrics: pl.DataFrame, *, display: Names, categories: Names, synthetic: bool, style: Style, title: str
) -> Figure:
    """Every pipeline, sorted by AUROC with its interval, and below it which methods it is made of.

    essential_metrics   `schemas.ESSENTIAL_METRICS`; pipelines without an AUROC are left out and counted in a note.
    Raises ValueError as `draw_auroc_by_method`.
    """
    require_pipelines(essential_metrics, synthetic)
    ordered = essential_metrics.filter(pl.col("auroc").is_not_null()).sort(["auroc", *AXES])
    n, place = ordered.height, np.arange(ordered.height, dtype=np.float64)
    shown = {axis: present(ordered, axis, display) for axis in varying(ordered)}
    rows = sum(len(methods) for methods in shown.values())
    matrix = ROW_IN * rows + 0.3 * len(shown)
    with style.applied():
        figure = style.page(3.0 + matrix, title=title, synthetic=synthetic)
        panels = figure.subplots(
            1 + len(shown), 1, squeeze=False, sharex=True,
            gridspec_kw={"height_ratios": [2.2, *(ROW_IN * len(methods) + 0.06 for methods in shown.values())]},
        )[:, 0]  # fmt: skip
        _draw_curve(panels[0], ordered, place, style)
        for panel, (axis, methods) in zip(panels[1:], shown.items(), strict=True):
            for row, method in enumerate(methods):
                used = place[(ordered[axis] == method).to_numpy()]
                panel.vlines(
                    used, row - 0.36, row + 0.36, color=colour_of(categories[axis][method], style),
                    linewidth=_mark_width(n), zorder=2,
                )  # fmt: skip
            style.dress(panel, "", AXIS_TITLES[axis])
            rows_page(panel, [display[axis][method] for method in methods], style)
            colour_labels(panel.get_yticklabels(), methods, categories[axis], style)
            panel.tick_params(axis="x", bottom=False)
            panel.spines["bottom"].set_visible(False)
        panels[-1].set_xlim(-0.7 - 0.01 * n, n - 0.3 + 0.01 * n)
        panels[-1].set_xticks([])
        notes = [f"{n} pipelines, a column each, from the lowest to the highest AUROC; lines: 95 % intervals"]
        if left_out := essential_metrics.height - n:
            notes.append(f"{left_out} without an AUROC are not shown")
        if ordered["oracle"].any():
            notes.append("open: uses ground truth of evaluated recordings, never ranked")
        note_below(figure, notes, style)
    return figure


def _mark_width(n: int) -> float:
    """Points: columns stand apart up to about 100 pipelines on 5 in, and touch beyond."""
    return max(0.7, min(5.0, 300 / n))


def _draw_curve(axes: Axes, ordered: pl.DataFrame, place: np.ndarray[Any, Any], style: Style) -> None:
    value, oracle = numbers(ordered, "auroc"), ordered["oracle"].to_numpy()
    ends = numbers(ordered, "auroc_ci_lower"), numbers(ordered, "auroc_ci_upper")
    thick = _mark_width(place.size)
    axes.vlines(place, *ends, color=style.model, alpha=0.3, linewidth=min(thick, 2.0), zorder=1, rasterized=True)
    size = max(4.0, min(18.0, 900 / place.size))
    axes.scatter(place[~oracle], value[~oracle], s=size, color=style.model, linewidth=0, zorder=3)
    axes.scatter(place[oracle], value[oracle], s=size, facecolor="white", edgecolor=style.ink, linewidth=0.6, zorder=3)
    style.dress(axes, "", "AUROC of one model")
    axes.tick_params(axis="x", bottom=False)
    axes.set_ylabel("AUROC")
    if np.nanmin(ends[0]) < 0.5 < np.nanmax(ends[1]):
        axes.axhline(0.5, color=style.muted, linewidth=0.7, linestyle=(0, (4, 3)), zorder=0)


def draw_featurizations(
    essential_metrics: pl.DataFrame, *, display: Names, categories: Names, synthetic: bool, style: Style, title: str
) -> Figure:
    """Featurizations of the same signals: a panel a classifier, a row a pair of methods, a mark a featurization.

    essential_metrics   `schemas.ESSENTIAL_METRICS`; only combinations that were computed with two featurizations or
                        more are drawn, so that marks of one row differ in nothing else.
    Raises ValueError if no combination has two, or as `draw_auroc_by_method`.
    """
    require_pipelines(essential_metrics, synthetic)
    combination = ["outlier_detection", "imputation", "classification"]
    paired = essential_metrics.filter(pl.len().over(combination) > 1)
    if paired.is_empty():
        raise ValueError("nothing to draw: no combination of methods was computed with two featurizations")
    features, panels = present(paired, "featurization", display), present(paired, "classification", display)
    pairs = [
        (outlier, imputation)
        for outlier in present(paired, "outlier_detection", display)
        for imputation in present(paired, "imputation", display)
        if not paired.filter(outlier_detection=outlier, imputation=imputation).is_empty()
    ]
    inks = colours_of([outlier for outlier, _ in pairs], categories["outlier_detection"], style)
    colours = [style.series[place % len(style.series)] for place in range(len(features))]
    across = min(2, len(panels))
    down = -(-len(panels) // across)
    row = ROW_IN * (0.7 + 0.3 * len(features))
    with style.applied():
        figure = style.page(1.3 + down * (0.5 + row * len(pairs)), title=title, synthetic=synthetic)
        grid = figure.subplots(down, across, squeeze=False, sharex=True)
        for index, axes in enumerate(grid.flat):
            if index >= len(panels):
                axes.set_axis_off()
                continue
            for place, feature in enumerate(features):
                rows = paired.filter(classification=panels[index], featurization=feature)
                order = [pairs.index(pair) for pair in rows.select("outlier_detection", "imputation").iter_rows()]
                shift = (place - (len(features) - 1) / 2) * 0.6 / max(1, len(features) - 1)
                intervals(
                    axes, numbers(rows, "auroc"), (numbers(rows, "auroc_ci_lower"), numbers(rows, "auroc_ci_upper")),
                    np.array(order, dtype=np.float64) + shift, color=colours[place],
                    label=display["featurization"][feature],
                )  # fmt: skip
            style.dress(axes, "", display["classification"][panels[index]])
            names = [f"{display['outlier_detection'][a]} \u2192 {display['imputation'][b]}" for a, b in pairs]
            rows_page(axes, names, style, inks, named=index % across == 0)
            if index + across >= len(panels):
                axes.set_xlabel("AUROC of one model (95 % interval)")
                axes.tick_params(labelbottom=True)
        handles, labels = grid[0, 0].get_legend_handles_labels()
        figure.legend(
            handles, labels, loc="outside lower center", ncols=len(features),
            prop={"family": style.font_family, "size": style.small_size},
        )  # fmt: skip
    return figure
