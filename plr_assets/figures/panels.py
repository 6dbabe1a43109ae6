"""Panels of a pipeline's pages beyond its four curves: precision and recall, decisions, selective prediction,
stability, importance of features; and the intervals that are laid over curves.

Belongs here: one function a panel, each of the rows of one pipeline. Does not belong here: the pages (`pipeline`), or
any number that is not in the table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from plr_assets.figures.style import Style
from plr_assets.figures.tables import Values, numbers, require_rows, rows_page

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# The most features that a panel names; the rest is counted in a note.
MOST_FEATURES = 14


def ends_of(frame: pl.DataFrame, column: str) -> tuple[Values, Values] | None:
    """The ends of the 95 % interval of `column`; None where the table has none."""
    for lower, upper in ((f"{column}_ci_lower", f"{column}_ci_upper"), (f"{column}_lower", f"{column}_upper")):
        if lower in frame.columns and upper in frame.columns:
            return numbers(frame, lower), numbers(frame, upper)
    return None


def draw_band(axes: Axes, x: Values, frame: pl.DataFrame, column: str, style: Style) -> None:
    """The 95 % band of `column` over `x`; none where the table has no ends of it."""
    if (ends := ends_of(frame, column)) is not None:
        axes.fill_between(x, *ends, color=style.model, alpha=0.18, linewidth=0, zorder=1)


def draw_smooth_calibration(axes: Axes, curve: pl.DataFrame, style: Style) -> None:
    """The flexible calibration curve with its band: `predicted`, `observed` of `calibration_smooth`. Where no curve
    could be fitted there is none."""
    rows = curve.sort("point").filter(pl.col("observed").is_not_null())
    x = numbers(rows, "predicted")
    draw_band(axes, x, rows, "observed", style)
    axes.plot(x, numbers(rows, "observed"), color=style.model, zorder=2)


def at_thresholds(supplementary: pl.DataFrame, metric: str) -> pl.DataFrame:
    """`threshold`, `value`, `lower`, `upper` of a metric that `supplementary_metrics` has at thresholds, ascending."""
    name = pl.format(metric + "_{}pct", (100 * pl.col("threshold")).round().cast(pl.Int64))
    return supplementary.filter(pl.col("metric") == name).sort("threshold")


def draw_operating_points(axes: Axes, supplementary: pl.DataFrame, style: Style) -> None:
    """Sensitivity and specificity at the declared thresholds, with their intervals, on a ROC curve."""
    rows = at_thresholds(supplementary, "sensitivity").join(
        at_thresholds(supplementary, "specificity"), on="threshold", suffix="_specificity"
    )
    x, y = 1 - numbers(rows, "value_specificity"), numbers(rows, "value")
    ends = 1 - numbers(rows, "upper_specificity"), 1 - numbers(rows, "lower_specificity")
    axes.hlines(y, *ends, color=style.muted, linewidth=0.7)
    axes.vlines(x, numbers(rows, "lower"), numbers(rows, "upper"), color=style.muted, linewidth=0.7)
    axes.scatter(x, y, s=12, color=style.ink, edgecolor="white", linewidth=0.5, zorder=4)
    for threshold, across, up in zip(rows["threshold"], x, y, strict=True):
        if np.isfinite([across, up]).all():
            axes.annotate(
                f"{100 * threshold:.0f}", (across, up), (3, -3), textcoords="offset points", va="top",
                fontsize=style.small_size, bbox={"facecolor": "white", "linewidth": 0, "pad": 0.6}, zorder=5,
            )  # fmt: skip


def draw_precision_recall(axes: Axes, curve: pl.DataFrame, prevalence: float, style: Style) -> None:
    """`recall`, `precision` of `pr_curves`, in the order of `point`, above the precision of referring everyone."""
    curve = curve.sort("point")
    axes.axhline(prevalence, color=style.muted, linewidth=0.7, linestyle=(0, (4, 3)), zorder=1)
    axes.plot(numbers(curve, "recall"), numbers(curve, "precision"), color=style.model, drawstyle="steps-post")
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xlabel="recall (sensitivity)", ylabel="precision", aspect="equal")


def draw_confusion(axes: Axes, decisions: pl.DataFrame, style: Style) -> None:
    """Who was referred and who should have been, at one threshold: the row of `classification_at_thresholds`."""
    columns = ["true_positive", "false_negative", "false_positive", "true_negative"]
    require_rows(decisions, "classification_at_thresholds", ["threshold", *columns])
    if decisions.height != 1:
        raise ValueError(f"a confusion matrix is of one threshold, and the table has {decisions.height}")
    row = decisions.row(0, named=True)
    counts = np.array([[row[columns[0]], row[columns[1]]], [row[columns[2]], row[columns[3]]]], dtype=np.float64)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap=style.colormap, vmin=0, vmax=1, aspect="auto")
    for (down, across), count in np.ndenumerate(counts):
        ink = "white" if shares[down, across] < 0.6 else style.ink
        axes.text(across, down, f"{count:.0f}", ha="center", va="center", color=ink)
    axes.set_xticks([0, 1], ["referred", "not referred"])
    axes.set_yticks([0, 1], ["cases", "controls"])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def draw_screening(axes: Axes, decisions: pl.DataFrame, style: Style) -> None:
    """Of 1000 people screened: found, missed, false alarms over the thresholds, with intervals.

    decisions   `classification_at_thresholds`: `threshold`, `found_per_1000`, `missed_per_1000`,
                `false_alarms_per_1000`.
    """
    names = {
        "found_per_1000": ("found", style.classes.case),
        "missed_per_1000": ("missed", style.ink),
        "false_alarms_per_1000": ("false alarms", style.classes.control),
    }
    require_rows(decisions, "classification_at_thresholds", ["threshold", *names])
    rows = decisions.sort("threshold")
    percent = numbers(rows, "threshold") * 100
    for place, (column, (name, colour)) in enumerate(names.items()):
        shifted = percent + (place - 1) * 0.6  # intervals beside each other, not on each other
        if (ends := ends_of(rows, column)) is not None:
            axes.vlines(shifted, *ends, color=colour, linewidth=1.0)
        axes.plot(shifted, numbers(rows, column), color=colour, marker="o", markersize=3, linewidth=0.7, label=name)
    axes.set_yscale("symlog", linthresh=10)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0f}")
    axes.set(xlabel="threshold probability (%)", ylabel="of 1000 people", ylim=(0, 1500))
    axes.legend(loc="upper right", borderaxespad=0, ncols=3, handlelength=1.2, columnspacing=1.0)


def draw_risk_coverage(axes: Axes, retention: pl.DataFrame, style: Style) -> None:
    """What is left when the least sure are set aside: AUROC, scaled Brier and errors over `rate`.

    retention   `retention_metrics`, of which `surest` is drawn.
    """
    require_rows(retention, "retention_metrics", ["kind", "rate"])
    rows = retention.filter(kind="surest").sort("rate")
    percent = numbers(rows, "rate") * 100
    drawn, least = False, -0.05
    for place, (column, name) in enumerate(
        (("auroc", "AUROC"), ("scaled_brier", "scaled Brier"), ("risk", "wrong decisions"))
    ):
        if column in rows.columns and not np.isnan(numbers(rows, column)).all():
            axes.plot(percent, numbers(rows, column), color=style.series[place], label=name)
            drawn, least = True, min(least, float(np.nanmin(numbers(rows, column))) - 0.05)
    if not drawn:
        raise ValueError("nothing to draw: retention_metrics has no metric")
    axes.set(xlabel="kept, surest first (%)", ylabel="of the kept", xlim=(0, 101), ylim=(max(-1.0, least), 1.25))
    axes.legend(loc="upper center", borderaxespad=0, ncols=2)


def draw_instability(axes: Axes, stability: pl.DataFrame, style: Style) -> None:
    """Each recording's prediction by the model for use, and the central 95 % of those of models fitted without it."""
    require_rows(stability, "stability", ["recording", "y_true", "y_prob_model", "y_prob_lower", "y_prob_upper"])
    axes.plot([0, 1], [0, 1], color=style.muted, linewidth=0.7, linestyle=(0, (4, 3)), zorder=1)
    for value, name, colour in ((0, "controls", style.classes.control), (1, "cases", style.classes.case)):
        rows = stability.filter(pl.col("y_true") == value)
        axes.vlines(
            numbers(rows, "y_prob_model"), numbers(rows, "y_prob_lower"), numbers(rows, "y_prob_upper"),
            color=colour, linewidth=0.6, alpha=0.6, zorder=2 + value, label=name,
        )  # fmt: skip
    axes.set(
        xlim=(-0.02, 1.02), ylim=(-0.02, 1.14), xlabel="model for use", ylabel="models without the recording",
        aspect="equal",
    )  # fmt: skip
    axes.legend(loc="upper left", borderaxespad=0, ncols=2)


def draw_importance(axes: Axes, importance: pl.DataFrame, style: Style) -> None:
    """How much AUROC is lost when a feature is shuffled, the most important on top, with the spread over replicates."""
    require_rows(importance, "feature_importance", ["feature", "importance"])
    rows = importance.sort(["importance", "feature"], descending=[True, False], nulls_last=True).head(MOST_FEATURES)
    place = np.arange(rows.height, dtype=np.float64)
    if (ends := ends_of(rows, "importance")) is not None:
        axes.hlines(place, *ends, color=style.model, linewidth=1.0, zorder=2)
    axes.scatter(
        numbers(rows, "importance"), place, s=14, color=style.model, edgecolor="white", linewidth=0.5, zorder=3
    )
    axes.axvline(0, color=style.ink, linewidth=0.6, zorder=1)
    names = rows["feature"].str.replace_all("_", " ").to_list()
    rows_page(axes, names, style)
    axes.set_xlabel("AUROC lost when shuffled")
    if (more := importance.height - rows.height) > 0:
        axes.set_xlabel(f"AUROC lost when shuffled\n{more} more features are not shown")
