"""What differences between pipelines amount to: paired differences in AUROC, and shares of their variance.

Belongs here: drawing `comparisons` and `variance_decomposition`. Does not belong here: a test or an interval: all are
read; nor ranks (`ranking`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from plr_assets.figures.comparison import ROW_IN
from plr_assets.figures.panels import ends_of
from plr_assets.figures.style import Style
from plr_assets.figures.tables import (
    AXIS_TITLES,
    MOST,
    ORACLE_NOTE,
    Names,
    counted,
    note_below,
    numbers,
    pipeline_name,
    pipeline_names,
    require_rows,
    rows_page,
    with_methods,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Models in `variance_decomposition` that are of no classifier: without interactions, and with them.
_ALL, _CROSSED = "all", "crossed"


def draw_variance_decomposition(
    variance_decomposition: pl.DataFrame, *, display: Names, synthetic: bool, style: Style, title: str
) -> Figure:
    """The share of AUROC's variance between pipelines that each stage explains, a panel a model, with intervals.

    variance_decomposition   `schemas.VARIANCE_DECOMPOSITION`; rows are drawn in its order. A term that cannot be told
                             from the others says so in the place of its bar.
    Pipelines of one classifier that differ in one stage alone, once each, have no panel: the stage would have all. Nor
    has the model without interactions, where the one with them is of all pipelines, too.
    Raises ValueError if there is no row, or no share.
    """
    columns = ["model", "term", "df", "eta_squared", "n_pipelines", "reason"]
    require_rows(variance_decomposition, "variance_decomposition", columns)
    if variance_decomposition["eta_squared"].is_null().all():
        raise ValueError("nothing to draw: variance_decomposition has no share")
    sizes = dict(variance_decomposition.select("model", "n_pipelines").unique().iter_rows())
    whole = sizes.get(_CROSSED) == sizes.get(_ALL)
    headings = {_ALL: "All pipelines", _CROSSED: "All pipelines" if whole else "Every method with every other"}
    groups = [
        (str(key), rows)
        for (key,), rows in variance_decomposition.group_by("model", maintain_order=True)
        if not (key == _ALL and whole)
        and (key in headings or rows.height > 2 or rows.filter(term="residual")["df"].sum() > 0)
    ]
    heights = [rows.height * ROW_IN + 0.35 for _, rows in groups]
    with style.applied():
        figure = style.page(0.9 + sum(heights), title=title, synthetic=synthetic, width_in=min(style.width_in, 6.0))
        panels = figure.subplots(len(groups), 1, squeeze=False, sharex=True, gridspec_kw={"height_ratios": heights})
        for panel, (name, rows) in zip(panels[:, 0], groups, strict=True):
            place, share = np.arange(rows.height, dtype=np.float64), numbers(rows, "eta_squared") * 100
            left = rows["term"].to_numpy() == "residual"
            panel.barh(place, share, height=0.62, color=np.where(left, style.faint, style.model), alpha=0.75, zorder=2)
            if (ends := ends_of(rows, "eta_squared")) is not None:
                panel.hlines(place, ends[0] * 100, ends[1] * 100, color=style.ink, linewidth=1.0, zorder=3)
            for row in place[np.isnan(share)]:
                panel.annotate(
                    "no value", (0, row), (2, 0), textcoords="offset points", va="center",
                    fontsize=style.small_size, color=style.muted, bbox={"facecolor": "white", "linewidth": 0, "pad": 1},
                )  # fmt: skip
            for row in place[~np.isnan(share)]:
                panel.annotate(
                    f"{share[int(row)]:.1f}", (1, row), (3, 0), xycoords=("axes fraction", "data"), va="center",
                    textcoords="offset points", fontsize=style.small_size,
                )  # fmt: skip
            model = headings.get(name) or f"With {display['classification'][name]}"
            style.dress(panel, "", f"{model} ({rows['n_pipelines'][0]})")
            rows_page(panel, [_term(term) for term in rows["term"]], style)
            panel.set_xlim(0, 100)
            panel.tick_params(labelbottom=panel is panels[-1, 0])
        panels[-1, 0].set_xlabel("share of the variance of AUROC between pipelines (%)")
        notes = ["lines: 95 % intervals over resamples of the subjects; x: interaction"]
        absent = variance_decomposition.filter(pl.col("eta_squared").is_null(), pl.col("term") != "residual")
        notes += [f"no value: {reason}" for reason in absent["reason"].drop_nulls().unique(maintain_order=True)]
        note_below(figure, notes, style)
    return figure


def _term(term: str) -> str:
    """`outlier_detection:imputation` as a reader knows it."""
    return " x ".join(AXIS_TITLES.get(part, "What is left" if part == "residual" else part) for part in term.split(":"))


def draw_comparisons(
    comparisons: pl.DataFrame,
    essential_metrics: pl.DataFrame,
    *,
    display: Names,
    synthetic: bool,
    style: Style,
    title: str,
) -> Figure:
    """Paired differences in AUROC of pipelines to another, with intervals, filled where Holm's p is below 5 %.

    comparisons         rows of one `family` of `schemas.COMPARISONS`; those of the pipelines of the highest AUROC are
                        drawn where there are more than a page holds, and a note counts all.
    essential_metrics   `schemas.ESSENTIAL_METRICS`, for the names of methods.
    Raises ValueError if there is no row, several families, a column is missing, or the origin is another.
    """
    require_rows(comparisons, "comparisons", ["family", "first", "second", "difference", "p_holm"])
    if comparisons["family"].n_unique() != 1:
        raise ValueError("a figure shows one family of comparisons")
    every = with_methods(comparisons.rename({"first": "pipeline"}), essential_metrics, synthetic)
    rows = every.head(MOST)
    with style.applied():
        figure = style.page(1.3 + ROW_IN * rows.height, title=title, synthetic=synthetic)
        axes = figure.subplots()
        place, value = np.arange(rows.height, dtype=np.float64), numbers(rows, "difference")
        told = numbers(rows, "p_holm") < 0.05
        if (ends := ends_of(rows, "difference")) is not None:
            axes.hlines(place, *ends, color=style.model, linewidth=1.0, zorder=2)
        for which, face in ((told, style.model), (~told, "white")):
            axes.scatter(
                value[which], place[which], s=16, facecolor=face, edgecolor=style.model, linewidth=0.8, zorder=3
            )
        axes.axvline(0, color=style.ink, linewidth=0.6, zorder=1)
        style.dress(axes, "", "")
        rows_page(axes, pipeline_names(rows, display), style)
        axes.set_xlabel("difference in AUROC (95 % interval)")
        told_of_all = int((numbers(every, "p_holm") < 0.05).sum())
        notes = [
            f"less {_second(every, essential_metrics, display)}",
            f"filled: p below 0.05, adjusted by Holm ({told_of_all} of {every.height} comparisons)",
            *counted(rows.height, every.height),
        ]
        note_below(figure, [*notes, *([ORACLE_NOTE] if rows["oracle"].any() else [])], style)
    return figure


def _second(rows: pl.DataFrame, essential_metrics: pl.DataFrame, display: Names) -> str:
    """What the pipelines are compared with, as a note says it."""
    if rows["second"].n_unique() == 1:
        (of,) = essential_metrics.filter(pipeline=rows["second"][0]).iter_rows(named=True)
        return pipeline_name(of, display)
    return "the pipeline of the same features and classifier with ground truth in the place of both cleaning stages"
