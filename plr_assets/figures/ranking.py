"""What differences between methods amount to: ranks, shares of variance, paired comparisons.

Belongs here: drawing `method_ranks`, `variance_decomposition` and `comparisons`. Does not belong here: a test, a rank
or an interval: all are read.
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
    Names,
    colour_of,
    intervals,
    note_below,
    numbers,
    require_rows,
    rows_page,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST = 40  # rows of a page


def draw_critical_difference(
    method_ranks: pl.DataFrame, *, display: Names, categories: Names, synthetic: bool, style: Style, title: str
) -> Figure:
    """Mean ranks of the methods of each axis (1 is best), and bars that join methods no further apart than can be told.

    method_ranks   `axis`, `method`, `mean_rank`, its interval if there is one, `critical_difference`; a row a method.
    A bar joins methods, neighbours by rank, that differ by no more than the critical difference; it is as long as can
    be. Raises ValueError if there is no row, a method has no name, or an axis has several critical differences.
    """
    require_rows(method_ranks, "method_ranks", ["axis", "method", "mean_rank", "critical_difference"])
    shown = [axis for axis in AXIS_TITLES if axis in set(method_ranks["axis"])]
    heights = [method_ranks.filter(axis=axis).height * ROW_IN + 0.55 for axis in shown]
    with style.applied():
        figure = style.page(0.9 + sum(heights), title=title, synthetic=synthetic, width_in=min(style.width_in, 6.0))
        panels = figure.subplots(len(shown), 1, squeeze=False, gridspec_kw={"height_ratios": heights})[:, 0]
        for panel, axis in zip(panels, shown, strict=True):
            rows = method_ranks.filter(axis=axis).sort(["mean_rank", "method"])
            if unknown := sorted(set(rows["method"]) - set(display[axis])):
                raise ValueError(f"no display name for {axis} {unknown}")
            _draw_ranks(panel, rows, [display[axis][m] for m in rows["method"]], categories[axis], style)
            style.dress(panel, "", AXIS_TITLES[axis])
        panels[-1].set_xlabel("mean rank (1 is best)")
        figure.set_layout_engine("constrained", rect=(0, 0, 0.94, 1))  # the bars stand on the right of the panels
        note_below(figure, ["bars on the right join methods whose ranks differ by less than can be told (5 %)"], style)
    return figure


def _draw_ranks(axes: Axes, rows: pl.DataFrame, names: list[str], categories: Mapping[str, str], style: Style) -> None:
    rank, place = numbers(rows, "mean_rank"), np.arange(rows.height, dtype=np.float64)
    if rows["critical_difference"].n_unique() != 1:
        raise ValueError("methods of one axis have one critical difference")
    colours = [colour_of(categories[method], style) for method in rows["method"]]
    ends = ends_of(rows, "mean_rank")
    for index, colour in enumerate(colours):
        one = slice(index, index + 1)
        limits = (rank[one], rank[one]) if ends is None else (ends[0][one], ends[1][one])
        intervals(axes, rank[one], limits, place[one], color=colour, size=5.0)
    rows_page(axes, names, style, colours)
    widest = float(np.nanmax(rank if ends is None else np.maximum(rank, np.nan_to_num(ends[1], nan=0))))
    axes.set_xlim(0.8, widest + 0.3)
    apart = rows["critical_difference"][0]
    if apart is None:
        return
    for level, (first, last) in enumerate(_joined(rank, float(apart))):
        axes.plot(
            [1.012 + 0.014 * level] * 2, [first - 0.25, last + 0.25], color=style.ink, linewidth=1.8,
            solid_capstyle="butt", transform=axes.get_yaxis_transform(), clip_on=False,
        )  # fmt: skip


def _joined(rank: np.ndarray[tuple[int], np.dtype[np.float64]], apart: float) -> list[tuple[int, int]]:
    """First and last of each run of sorted ranks within `apart`, of two or more, none inside another."""
    runs: list[tuple[int, int]] = []
    for first in range(rank.size):
        last = int(np.searchsorted(rank, rank[first] + apart, side="right")) - 1
        if last > first and (not runs or last > runs[-1][1]):
            runs.append((first, last))
    return runs


def draw_variance_decomposition(
    variance_decomposition: pl.DataFrame, *, synthetic: bool, style: Style, title: str
) -> Figure:
    """The share of AUROC's variance between pipelines that each stage explains, with intervals.

    variance_decomposition   `term`, `eta_squared` and its interval; a row a term, drawn in its order. `model` groups
                             rows into panels where the table has it.
    Raises ValueError if there is no row, or no share.
    """
    require_rows(variance_decomposition, "variance_decomposition", ["term", "eta_squared"])
    if variance_decomposition["eta_squared"].is_null().all():
        raise ValueError("nothing to draw: variance_decomposition has no share")
    groups = (
        [(str(key), rows) for (key,), rows in variance_decomposition.group_by("model", maintain_order=True)]
        if "model" in variance_decomposition.columns
        else [("", variance_decomposition)]
    )
    heights = [rows.height * 0.26 + 0.35 for _, rows in groups]
    with style.applied():
        figure = style.page(0.9 + sum(heights), title=title, synthetic=synthetic, width_in=min(style.width_in, 5.0))
        panels = figure.subplots(len(groups), 1, squeeze=False, sharex=True, gridspec_kw={"height_ratios": heights})[
            :, 0
        ]
        for panel, (name, rows) in zip(panels, groups, strict=True):
            place, share = np.arange(rows.height, dtype=np.float64), numbers(rows, "eta_squared") * 100
            panel.barh(place, share, height=0.62, color=style.model, alpha=0.75, zorder=2)
            if (ends := ends_of(rows, "eta_squared")) is not None:
                panel.hlines(place, ends[0] * 100, ends[1] * 100, color=style.ink, linewidth=1.0, zorder=3)
            style.dress(panel, "", name)
            rows_page(panel, [_term(term) for term in rows["term"]], style)
            panel.set_xlim(left=min(0.0, float(np.nanmin(share))))
        panels[-1].set_xlabel("share of the variance of AUROC between pipelines (%)")
        note_below(figure, ["lines: 95 % intervals over resamples of the subjects"], style)
    return figure


def _term(term: str) -> str:
    """`outlier_detection:imputation` as a reader knows it."""
    parts = term.replace("*", ":").split(":")
    return " x ".join(AXIS_TITLES.get(part.strip(), part.strip().replace("_", " ")) for part in parts)


def draw_comparisons(comparisons: pl.DataFrame, *, synthetic: bool, style: Style, title: str) -> Figure:
    """Paired differences in AUROC with intervals, filled where the adjusted p is below 5 %.

    comparisons   `first`, `second` (names as they are to be written), `difference` and its interval, `p_adjusted`. The
                  largest differences are drawn where there are more than a page holds, and a note counts the rest.
    Raises ValueError if there is no row or a column is missing.
    """
    require_rows(comparisons, "comparisons", ["first", "second", "difference", "p_adjusted"])
    rows = comparisons.sort(pl.col("difference").abs(), descending=True, nulls_last=True).head(MOST)
    rows = rows.sort("difference", descending=True)
    with style.applied():
        figure = style.page(1.2 + ROW_IN * rows.height, title=title, synthetic=synthetic)
        axes = figure.subplots()
        place, value = np.arange(rows.height, dtype=np.float64), numbers(rows, "difference")
        told = numbers(rows, "p_adjusted") < 0.05
        if (ends := ends_of(rows, "difference")) is not None:
            axes.hlines(place, *ends, color=style.model, linewidth=1.0, zorder=2)
        for which, face in ((told, style.model), (~told, "white")):
            axes.scatter(
                value[which], place[which], s=16, facecolor=face, edgecolor=style.model, linewidth=0.8, zorder=3
            )
        axes.axvline(0, color=style.ink, linewidth=0.6, zorder=1)
        style.dress(axes, "", "")
        rows_page(axes, [f"{a} \u2212 {b}" for a, b in rows.select("first", "second").iter_rows()], style)
        axes.set_xlabel("difference in AUROC (95 % interval)")
        notes = ["filled: p below 0.05 after adjusting for the number of comparisons"]
        if (more := comparisons.height - rows.height) > 0:
            notes.append(f"the {rows.height} largest of {comparisons.height}; {more} are not shown")
        note_below(figure, notes, style)
    return figure
