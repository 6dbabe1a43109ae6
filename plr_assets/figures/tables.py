"""What all figures ask of the tables they draw, and how methods are named and coloured.

Belongs here: refusing tables without rows, unknown methods, data of another origin; labels of methods. Does not belong
here: a figure, or averaging over pipelines: no figure does.
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
    from matplotlib.figure import Figure
    from matplotlib.text import Text

Names = Mapping[str, Mapping[str, str]]  # axis -> method -> text
Values = NDArray[np.float64]

# In the order in which methods are applied.
AXES = ("outlier_detection", "imputation", "featurization", "classification")
AXIS_TITLES: Mapping[str, str] = {
    "outlier_detection": "Outlier detection",
    "imputation": "Imputation",
    "featurization": "Features",
    "classification": "Classifier",
}
DAGGER = "\u2020"
MOST = 40  # pipelines that a page names
ORACLE_NOTE = f"{DAGGER} uses ground truth of evaluated recordings: shown, never ranked"


def require_rows(frame: pl.DataFrame, name: str, columns: Sequence[str] = ()) -> None:
    """Raises ValueError naming the table if it has no rows, or lacks one of `columns`."""
    if frame.is_empty():
        raise ValueError(f"nothing to draw: {name} is empty")
    if lacking := [column for column in columns if column not in frame.columns]:
        raise ValueError(f"{name} lacks the column(s) {lacking}")


def require_pipelines(metrics: pl.DataFrame, synthetic: bool, name: str = "essential_metrics") -> None:
    """Raises ValueError if there is no row, two of one pipeline, none with an AUROC, or rows of another origin."""
    require_rows(metrics, name, [*AXES, "oracle", "auroc", "auroc_ci_lower", "auroc_ci_upper", "synthetic"])
    require_origin(metrics["synthetic"], synthetic)
    if metrics.select(pl.struct(AXES).is_duplicated().any()).item():
        raise ValueError(f"{name} holds a pipeline twice")
    if metrics["auroc"].is_null().all():
        raise ValueError("nothing to draw: no pipeline has an AUROC")


def present(frame: pl.DataFrame, axis: str, display: Names, column: str | None = None) -> list[str]:
    """The methods of `axis` that `frame` names, in the order of `display`. Raises ValueError for one without a name."""
    found = set(frame[column or axis].unique())
    if unknown := sorted(found - set(display[axis])):
        raise ValueError(f"no display name for {axis} {unknown}")
    return [name for name in display[axis] if name in found]


def numbers(frame: pl.DataFrame, column: str) -> Values:
    """A column as floats, nulls as NaN, which matplotlib leaves out."""
    return frame[column].cast(pl.Float64).fill_null(float("nan")).to_numpy()


def colour_of(category: str, style: Style) -> str:
    """The colour of a category of methods. Raises ValueError where configs/figures.yaml has none."""
    if category not in style.categories:
        raise ValueError(f"configs/figures.yaml has no colour for the category {category!r}")
    return style.categories[category]


def colours_of(methods: Sequence[str], categories: Mapping[str, str], style: Style) -> list[str]:
    """The colour of each method's category."""
    return [colour_of(categories[method], style) for method in methods]


def colour_labels(labels: Sequence[Text], methods: Sequence[str], categories: Mapping[str, str], style: Style) -> None:
    """Give each tick label the colour of its method's category."""
    for label, colour in zip(labels, colours_of(methods, categories, style), strict=True):
        label.set_color(colour)


def pipeline_name(row: Mapping[str, Any], display: Names, axes: Sequence[str] = AXES) -> str:
    """`LOF → SAITS → CatBoost`: the methods of a row as a reader knows them."""
    return " \u2192 ".join(display[axis][row[axis]] for axis in axes)


def varying(metrics: pl.DataFrame) -> list[str]:
    """The axes in which pipelines differ; all but features where there is one pipeline."""
    axes = [axis for axis in AXES if metrics[axis].n_unique() > 1]
    return axes or [axis for axis in AXES if axis != "featurization"]


def best_honest(metrics: pl.DataFrame) -> Mapping[str, Any] | None:
    """The row of the highest AUROC that no oracle has; ties go to the name. None where there are only oracles."""
    honest = metrics.filter(~pl.col("oracle") & pl.col("auroc").is_not_null())
    if honest.is_empty():
        return None
    return honest.sort(["auroc", *AXES], descending=[True] + [False] * len(AXES)).row(0, named=True)


def with_methods(table: pl.DataFrame, essential_metrics: pl.DataFrame, synthetic: bool) -> pl.DataFrame:
    """Rows of `table` with the methods of their `pipeline`, `oracle`, and AUROC as `headline`, best first.

    Raises ValueError where no row is of a pipeline of `essential_metrics`, or the origin is another.
    """
    require_pipelines(essential_metrics, synthetic)
    methods = essential_metrics.select("pipeline", *AXES, "oracle", headline="auroc")
    rows = table.join(methods, on="pipeline").sort(["headline", "pipeline"], descending=[True, False], nulls_last=True)
    if rows.is_empty():
        raise ValueError("nothing to draw: no row is of a pipeline of essential_metrics")
    return rows


def pipeline_names(rows: pl.DataFrame, display: Names) -> list[str]:
    """Names of pipelines by the methods in which they differ, oracles with a dagger."""
    shown = varying(rows)
    return [
        pipeline_name(row, display, shown) + f" {DAGGER}" * bool(row["oracle"]) for row in rows.iter_rows(named=True)
    ]


def counted(shown: int, there: int) -> list[str]:
    """A note that says how many are left out, if any."""
    return [f"the {shown} of the highest AUROC of {there} pipelines"] if shown < there else []


def intervals(axes: Axes, x: Values, ends: tuple[Values, Values], y: Values, **look: Any) -> None:
    """Horizontal 95 % intervals with their values at heights `y`; what is NaN is left out."""
    look = {"color": "black", "size": 4.0, "zorder": 3, **look}
    colours = look.pop("color")
    size = look.pop("size")
    zorder = look.pop("zorder")
    axes.hlines(y, ends[0], ends[1], color=colours, linewidth=1.0, zorder=zorder, **look)
    axes.scatter(x, y, s=size**2, color=colours, edgecolor="white", linewidth=0.5, zorder=zorder + 1)


def rows_page(axes: Axes, names: Sequence[str], style: Style, colours: Sequence[str] = (), named: bool = True) -> None:
    """A panel of rows: names on the left (unless a panel beside it has them), the first on top, guides across.

    colours   of the names, one each; none: ink.
    """
    axes.set_yticks(np.arange(len(names)), names if named else [""] * len(names))
    for label, colour in zip(axes.get_yticklabels(), colours, strict=bool(colours)):
        label.set_color(colour)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.hlines(
        np.arange(len(names)), 0, 1, transform=axes.get_yaxis_transform(), color=style.faint, linewidth=0.4, zorder=0
    )


def note_below(figure: Figure, lines: Sequence[str], style: Style) -> None:
    """Small lines at the foot of the page."""
    if lines:
        figure.supxlabel("\n".join(lines), fontsize=style.small_size, x=0.01, ha="left")
