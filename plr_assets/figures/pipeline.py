"""One pipeline on one page: discrimination, calibration, utility, distribution, and what else its study has.

Belongs here: drawing the evaluation tables of one pipeline. Does not belong here: computing them, or comparing
pipelines (`study`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from plr_assets.figures.page_tables import FITTED_AGAIN, RELIABILITY, TABLES
from plr_assets.figures.panels import (
    draw_band,
    draw_confusion,
    draw_importance,
    draw_instability,
    draw_operating_points,
    draw_precision_recall,
    draw_risk_coverage,
    draw_screening,
    draw_smooth_calibration,
)
from plr_assets.figures.style import Style, require_origin
from plr_assets.figures.tables import numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# The threshold of the confusion matrix: the reference of virtual clinics (evaluation.md 1.1).
_REFERRAL = 0.1


def draw_pipeline(tables: Mapping[str, pl.DataFrame], *, title: str, synthetic: bool, style: Style) -> Figure:
    """Two panels a row: ROC curve, calibration, decision curve, predictions by class, precision-recall, decisions.

    tables   `TABLES` by name, as `schemas` declares them, the rows of one pipeline each.
    Raises ValueError if a table is missing, empty, of another or several pipelines, or of another origin than
    `synthetic` says.
    """
    _require_one_pipeline(tables)
    require_origin(tables["essential_metrics"]["synthetic"], synthetic)
    metrics, further = tables["essential_metrics"].row(0, named=True), tables["supplementary_metrics"]
    decisions = tables["classification_at_thresholds"]
    at = decisions["threshold"][int((decisions["threshold"] - _REFERRAL).abs().arg_min() or 0)]
    with style.applied():
        figure = style.page(9.9, title=title, synthetic=synthetic)
        axes = figure.subplots(3, 2)
        _draw_roc(axes[0, 0], tables["roc_curves"], tables["roc_bands"], style)
        draw_operating_points(axes[0, 0], further, style)
        _draw_calibration(axes[0, 1], tables["calibration_curves"], tables["probability_distributions"], style)
        draw_smooth_calibration(axes[0, 1], tables["calibration_smooth"], style)
        _draw_decision_curve(axes[1, 0], tables["dca_curves"], style)
        _draw_distribution(axes[1, 1], tables["probability_distributions"], style)
        draw_precision_recall(axes[2, 0], tables["pr_curves"], metrics["prevalence"], style)
        style.dress(axes[0, 0], "A", "Discrimination", _discrimination(metrics))
        style.dress(axes[0, 1], "B", "Calibration", _calibration(metrics))
        style.dress(axes[1, 0], "C", "Clinical utility")
        style.dress(axes[1, 1], "D", "Predictions")
        style.dress(axes[2, 0], "E", "Precision and recall", _average_precision(further))
        style.dress(axes[2, 1], "F", f"Decisions at {100 * at:.3g} %")
        draw_confusion(axes[2, 1], decisions.filter(threshold=at), style)
    return figure


def draw_reliability(tables: Mapping[str, pl.DataFrame], *, title: str, synthetic: bool, style: Style) -> Figure:
    """What the numbers of one pipeline stand on: screening, setting the unsure aside, stability, features.

    tables   `RELIABILITY` by name, and any of `FITTED_AGAIN`, the rows of one pipeline each.
    Raises ValueError if a table is missing, empty, or of another or several pipelines.
    """
    _require_one_pipeline(tables, RELIABILITY, FITTED_AGAIN)
    panels: list[_Panel] = [
        (heading, draw, tables[name])
        for name, heading, draw in (
            ("classification_at_thresholds", "Screening 1000 people", draw_screening),
            ("retention_metrics", "Setting the unsure aside", draw_risk_coverage),
            ("stability", "Stability of predictions", draw_instability),
            ("feature_importance", "Importance of features", draw_importance),
        )
        if name in tables
    ]
    rows = -(-len(panels) // 2)
    with style.applied():
        figure = style.page(0.3 + 3.1 * rows, title=title, synthetic=synthetic)
        axes = figure.subplots(rows, 2, squeeze=False)
        _draw_panels(list(axes.flat), panels, "ABCD", style)
    return figure


_Panel = tuple[str, "Callable[[Axes, pl.DataFrame, Style], None]", pl.DataFrame]


def _draw_panels(axes: Sequence[Axes], panels: Sequence[_Panel], letters: str, style: Style) -> None:
    for letter, panel, (heading, draw, table) in zip(letters, axes, panels, strict=False):
        style.dress(panel, letter, heading)
        draw(panel, table, style)
    for panel in axes[len(panels) :]:
        panel.set_axis_off()


def _require_one_pipeline(
    tables: Mapping[str, pl.DataFrame], required: Sequence[str] = TABLES, optional: Sequence[str] = ()
) -> None:
    pipelines = set()
    for name in (*required, *(name for name in optional if name in tables)):
        if name not in tables or tables[name].is_empty():
            raise ValueError(f"nothing to draw: {name} is {'empty' if name in tables else 'missing'}")
        pipelines |= set(tables[name]["pipeline"].unique())
    if len(pipelines) > 1:
        raise ValueError(f"a figure shows one pipeline, and the tables hold {sorted(pipelines)}")


def _with_interval(metrics: Mapping[str, Any], name: str) -> str:
    """`0.85 (0.78-0.90)`; a value that the data do not define is `undefined`."""
    value, lower, upper = (metrics[name + end] for end in ("", "_ci_lower", "_ci_upper"))
    if value is None:
        return "undefined"
    interval = "no interval" if lower is None or upper is None else f"{lower:.2f} to {upper:.2f}"
    return f"{value:.2f} ({interval})".replace("-", "\u2212")


def _discrimination(metrics: Mapping[str, Any]) -> list[str]:
    return [
        f"AUROC  {_with_interval(metrics, 'auroc')}  one model",
        f"AUROC  {_with_interval(metrics, 'auroc_bagged')}  averaged prediction",
        "curve, thresholds (%): averaged prediction; 95 % intervals",
    ]


def _average_precision(supplementary: pl.DataFrame) -> list[str]:
    """The area as a line below the heading; none where the table lacks it."""
    rows = supplementary.filter(metric="aupr").select(aupr="value", aupr_ci_lower="lower", aupr_ci_upper="upper")
    return [f"area  {_with_interval(row, 'aupr')}  averaged prediction" for row in rows.iter_rows(named=True)]


def _calibration(metrics: Mapping[str, Any]) -> list[str]:
    return [
        f"slope  {_with_interval(metrics, 'calibration_slope')}",
        f"in the large  {_with_interval(metrics, 'calibration_intercept')}",
        f"observed / expected  {_with_interval(metrics, 'o_e_ratio')}",
    ]


def _unit_square(axes: Axes, xlabel: str, ylabel: str, style: Style) -> None:
    axes.plot([0, 1], [0, 1], color=style.muted, linewidth=0.7, linestyle=(0, (4, 3)), zorder=1)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xlabel=xlabel, ylabel=ylabel, aspect="equal")
    ticks = np.linspace(0, 1, 6)
    axes.set_xticks(ticks)
    axes.set_yticks(ticks)


def _draw_roc(axes: Axes, curve: pl.DataFrame, band: pl.DataFrame, style: Style) -> None:
    curve, band = curve.sort("point"), band.sort("false_positive_rate")
    _unit_square(axes, "1 \u2212 specificity", "sensitivity", style)
    draw_band(axes, band["false_positive_rate"].to_numpy(), band, "true_positive_rate", style)
    axes.plot(curve["false_positive_rate"].to_numpy(), curve["true_positive_rate"].to_numpy(), color=style.model)


def _draw_calibration(axes: Axes, curve: pl.DataFrame, histogram: pl.DataFrame, style: Style) -> None:
    """Groups with intervals; below them how many cases (up) and controls (down) had which prediction."""
    curve = curve.sort("bin")
    x, share = curve["predicted_mean"].to_numpy(), curve["observed_share"].to_numpy()
    # null intervals become NaN, which matplotlib leaves out
    ends = [curve[f"observed_share_ci_{end}"].cast(pl.Float64).to_numpy() for end in ("lower", "upper")]
    _unit_square(axes, "predicted probability", "observed share", style)
    axes.vlines(x, ends[0], ends[1], color=style.model, linewidth=0.8, alpha=0.6, zorder=2)
    size = curve["n"].to_numpy()
    axes.scatter(x, share, s=30 * size / size.max(), color=style.model, edgecolor="white", linewidth=0.5, zorder=3)
    foot, tall = -0.13, 0.09
    most = max(1, int(histogram["n"].to_numpy().max()))
    for value, colour, sign in ((1, style.classes.case, 1), (0, style.classes.control, -1)):
        rows = histogram.filter(pl.col("y_true") == value).sort("bin")
        width = rows["bin_end"].to_numpy() - rows["bin_start"].to_numpy()
        heights = sign * tall * rows["n"].to_numpy() / most
        axes.bar(rows["bin_start"].to_numpy(), heights, width=width, bottom=foot, align="edge", color=colour)
    axes.set_ylim(foot - tall - 0.02, 1.02)


def _draw_decision_curve(axes: Axes, curve: pl.DataFrame, style: Style) -> None:
    """The model's curve with its pointwise band, beside referring everyone and no one."""
    curve = curve.sort("threshold")
    percent = curve["threshold"].to_numpy() * 100
    model, everyone = curve["net_benefit_model"].to_numpy(), curve["net_benefit_all"].to_numpy()
    lower, upper = (numbers(curve, f"net_benefit_model_ci_{end}") for end in ("lower", "upper"))
    draw_band(axes, percent, curve, "net_benefit_model", style)
    axes.plot(percent, curve["net_benefit_none"].to_numpy(), color=style.muted, linewidth=0.8, label="refer no one")
    axes.plot(percent, everyone, color=style.muted, linewidth=0.8, linestyle=(0, (4, 2)), label="refer everyone")
    axes.plot(percent, model, color=style.model, label="refer by the model")
    # Referring everyone falls far below 0; the window shows its beginning and all of the model.
    top = float(np.nanmax([*model, *everyone, *upper, 0.02]))
    least = float(np.nanmin([*model, *lower, -0.2 * top]))
    axes.set(xlabel="threshold probability (%)", ylabel="net benefit", xlim=(0, percent[-1] + 1))
    axes.set_ylim(least - 0.02 * top, 1.3 * top)  # a quarter of headroom for the legend
    axes.legend(loc="upper right", reverse=True, borderaxespad=0)


def _draw_distribution(axes: Axes, histogram: pl.DataFrame, style: Style) -> None:
    """Cases upwards, controls downwards: two overlaid histograms hide each other."""
    tallest = {}
    for value, name, colour, sign in ((1, "cases", style.classes.case, 1), (0, "controls", style.classes.control, -1)):
        rows = histogram.filter(pl.col("y_true") == value).sort("bin")
        start, n = rows["bin_start"].to_numpy(), rows["n"].to_numpy()
        width = rows["bin_end"].to_numpy() - start
        axes.bar(start, sign * n, width=width, align="edge", color=colour, edgecolor="white", linewidth=0.4, label=name)
        tallest[name] = max(1, int(n.max(initial=0)))
    axes.axhline(0, color=style.ink, linewidth=0.6)
    axes.set(xlabel="predicted probability", ylabel="recordings", xlim=(-0.02, 1.02))
    height = tallest["cases"] + tallest["controls"]
    axes.set_ylim(-tallest["controls"] - 0.04 * height, tallest["cases"] + 0.2 * height)  # room for the legend
    axes.yaxis.set_major_locator(_integer_ticks())
    axes.yaxis.set_major_formatter(lambda value, _: f"{abs(value):.0f}")
    axes.legend(loc="upper right", borderaxespad=0)


def _integer_ticks() -> Any:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(nbins=7, integer=True)
