"""Figures of a whole study: single pipelines with their own intervals, complete, legible, refused without data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.figure import Figure

from plr_assets.figures.comparison import draw_auroc_by_method, draw_featurizations, draw_specification_curve
from plr_assets.figures.costs import draw_costs
from plr_assets.figures.quality import draw_detection_quality, draw_imputation_differences, draw_imputation_matrix
from plr_assets.figures.style import Style
from plr_assets.figures.tables import AXES
from plr_assets.registry import load_registry
from plr_assets_tests.figures.pages import assert_good_page, texts

Draw = Callable[..., Figure]
Display = dict[str, dict[str, str]]
RAW_NAMES = ("pupil-gt", "OneClassSVM", "ensemble-", "LogisticRegression", "MOMENT-gt")


@pytest.fixture
def categories() -> Display:
    return {axis: {n: m.category for n, m in methods.items()} for axis, methods in load_registry().methods.items()}


@pytest.fixture
def pipelines(metrics: pl.DataFrame) -> pl.DataFrame:
    """The published design with intervals, and what names a pipeline."""
    return metrics.with_columns(
        pipeline=pl.concat_str("featurization", "outlier_detection", "imputation", "classification", separator="__"),
        auroc_ci_lower=pl.col("auroc") - 0.05,
        auroc_ci_upper=pl.col("auroc") + 0.03,
    )


@pytest.fixture
def look(display: Display, categories: Display, style: Style) -> dict[str, Any]:
    return {"display": display, "categories": categories, "synthetic": True, "style": style, "title": "All of it"}


def two_featurizations(pipelines: pl.DataFrame) -> pl.DataFrame:
    some = pipelines.filter(
        pl.col("outlier_detection").is_in(["LOF", "pupil-gt"]), pl.col("imputation").is_in(["SAITS", "CSDI"])
    )
    other = some.with_columns(featurization=pl.lit("embedding"), auroc=pl.col("auroc") - 0.1)
    return pl.concat([some, other.slice(1)])


def costs_of(pipelines: pl.DataFrame) -> pl.DataFrame:
    return pipelines.select("pipeline", seconds=10.0 ** (pl.int_range(pl.len()) % 5))


def outlier_metrics() -> pl.DataFrame:
    names = ("f1", "precision", "recall", "event_f1", "event_precision", "event_recall", "f1_random")
    return pl.DataFrame(
        [
            {"method": method, "oracle": method == "pupil-gt", "synthetic": True, "stratum": stratum, "metric": metric}
            | {"value": 0.5 + place / 100, "lower": 0.4, "upper": 0.7}
            for place, method in enumerate(load_registry().published("outlier_detection"))
            for metric in names
            for stratum in ("all", "kind:blink")
        ]
    )


def imputation_metrics() -> pl.DataFrame:
    registry = load_registry()
    return pl.DataFrame(
        [
            {"outlier_detection": mask, "imputation": name, "oracle": name == "pupil-gt", "synthetic": True}
            | {"stratum": "all", "metric": metric, "value": 1 + (i * j) / 10}
            for i, mask in enumerate(registry.published("outlier_detection"))
            for j, name in enumerate(registry.published("imputation"))
            for metric in ("mae", "rmse")
            if i != 3 or j != 2
        ]
    )


def imputation_comparisons() -> pl.DataFrame:
    kept = imputation_metrics().filter(metric="mae", oracle=False)
    return kept.with_columns(difference=pl.col("value") - 1.5, lower=pl.col("value") - 1.6, upper=pl.col("value") - 1.2)


def test_the_published_design_fits_its_pages_and_is_named_for_readers(
    pipelines: pl.DataFrame, look: dict[str, Any]
) -> None:
    drawn = {
        "by method": draw_auroc_by_method(pipelines, **look),
        "specification": draw_specification_curve(pipelines, **look),
        "featurizations": draw_featurizations(two_featurizations(pipelines), **look),
        "costs": draw_costs(pipelines, costs_of(pipelines), **look),
        "detection": draw_detection_quality(outlier_metrics(), **look),
        "matrix": draw_imputation_matrix(imputation_metrics(), **look),
        "differences": draw_imputation_differences(imputation_comparisons(), **look),
    }
    for name, figure in drawn.items():
        assert_good_page(figure, synthetic=True)
        assert figure.get_figheight() < 11, name  # letter paper
        words = texts(figure)
        assert any("TimesNet" in word or "SAITS" in word or "TabM" in word for word in words), name
        assert not any(raw in word for word in words for raw in RAW_NAMES), name


@pytest.mark.parametrize(
    "draw", [draw_auroc_by_method, draw_specification_curve, draw_featurizations], ids=lambda draw: draw.__name__
)
def test_pipelines_that_cannot_be_drawn_are_refused(draw: Draw, pipelines: pl.DataFrame, look: dict[str, Any]) -> None:
    table = two_featurizations(pipelines)
    assert draw(table, **look)
    with pytest.raises(ValueError, match="essential_metrics is empty"):
        draw(table.clear(), **look)
    with pytest.raises(ValueError, match="a pipeline twice"):
        draw(pl.concat([table, table.head(1)]), **look)
    with pytest.raises(ValueError, match="synthetic=False"):
        draw(table, **{**look, "synthetic": False})
    with pytest.raises(ValueError, match="no display name for imputation"):
        draw(table, **{**look, "display": {**look["display"], "imputation": {}}})
    with pytest.raises(ValueError, match="no pipeline has an AUROC"):
        draw(table.with_columns(auroc=pl.lit(None, pl.Float64)), **look)


def test_a_method_is_shown_by_the_best_pipeline_with_it_in_place(pipelines: pl.DataFrame, look: dict[str, Any]) -> None:
    best = (
        pipelines.filter(~pl.col("oracle")).sort(["auroc", *AXES], descending=[True, *[False] * 4]).row(0, named=True)
    )
    figure = draw_auroc_by_method(pipelines, **look)
    panel = figure.axes[0]
    others = {axis: best[axis] for axis in AXES if axis != "outlier_detection"}
    expected = pipelines.filter(**others).sort("auroc")
    segments = [path for c in panel.collections if isinstance(c, LineCollection) for path in c.get_segments()]
    found = sorted((s[0][0], s[1][0]) for s in segments if 0.5 < s[0][0] < 1 and s[0][0] != s[1][0])
    assert np.allclose(found, sorted(expected.select("auroc_ci_lower", "auroc_ci_upper").rows()))
    faint = sum(len(c.get_offsets()) for c in panel.collections if isinstance(c, PathCollection) and c.get_alpha())
    assert faint == len(pipelines)


def test_a_specification_curve_rises_and_names_the_methods_of_every_pipeline_once(
    pipelines: pl.DataFrame, look: dict[str, Any]
) -> None:
    figure = draw_specification_curve(pipelines, **look)
    curve, *matrix = figure.axes
    points = np.concatenate([c.get_offsets() for c in curve.collections if isinstance(c, PathCollection)])
    points = points[np.argsort(points[:, 0])]
    assert np.array_equal(points[:, 0], np.arange(len(pipelines)))
    assert np.array_equal(points[:, 1], pipelines["auroc"].sort().to_numpy())
    for panel in matrix:
        marks = [
            s[0][0]
            for c in panel.collections
            if isinstance(c, LineCollection)
            for s in c.get_segments()
            if s[0][0] == s[1][0]
        ]
        assert sorted(marks) == list(range(len(pipelines)))


def test_featurizations_are_compared_within_a_combination_only(pipelines: pl.DataFrame, look: dict[str, Any]) -> None:
    table = two_featurizations(pipelines)
    figure = draw_featurizations(table, **look)
    drawn = sum(len(c.get_offsets()) for axes in figure.axes for c in axes.collections if isinstance(c, PathCollection))
    combination = ["outlier_detection", "imputation", "classification"]
    assert drawn == table.filter(pl.len().over(combination) > 1).height < table.height
    with pytest.raises(ValueError, match="no combination"):
        draw_featurizations(pipelines, **look)


def test_the_front_of_cost_never_falls_and_what_has_no_seconds_is_counted(
    pipelines: pl.DataFrame, look: dict[str, Any]
) -> None:
    figure = draw_costs(pipelines, costs_of(pipelines).slice(3), **look)
    (front,) = (line for line in figure.axes[0].lines if len(line.get_xdata()) > 1)
    assert (np.diff(np.asarray(front.get_ydata(), dtype=float)) > 0).all()
    honest = pipelines.slice(3).filter(~pl.col("oracle"))
    assert np.asarray(front.get_ydata(), dtype=float)[-1] == honest["auroc"].max()
    assert any("3 pipeline(s) without measured seconds" in word for word in texts(figure))
    with pytest.raises(ValueError, match="no seconds"):
        draw_costs(pipelines, costs_of(pipelines).with_columns(pipeline=pl.lit("another")), **look)
    with pytest.raises(ValueError, match="pipeline_costs is empty"):
        draw_costs(pipelines, costs_of(pipelines).clear(), **look)


@pytest.mark.parametrize(
    ("draw", "table"),
    [
        (draw_detection_quality, outlier_metrics()),
        (draw_imputation_matrix, imputation_metrics()),
        (draw_imputation_differences, imputation_comparisons()),
    ],
    ids=["detection", "matrix", "differences"],
)
def test_qualities_that_cannot_be_drawn_are_refused(draw: Draw, table: pl.DataFrame, look: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="is empty"):
        draw(table.filter(stratum="none"), **look)
    with pytest.raises(ValueError, match="synthetic=False"):
        draw(table, **{**look, "synthetic": False})
    with pytest.raises(ValueError, match="no display name"):
        draw(table, **{**look, "display": {**look["display"], "imputation": {}, "outlier_detection": {}}})


def test_errors_of_imputation_are_written_cell_by_cell_and_the_missing_hatched(look: dict[str, Any]) -> None:
    (axes, *_) = draw_imputation_matrix(imputation_metrics(), **look).axes
    rows = imputation_metrics().filter(metric="mae", oracle=False)
    assert sorted(text.get_text() for text in axes.texts) == sorted(f"{value:.2f}" for value in rows["value"])
    assert sum(bool(patch.get_hatch()) for patch in axes.patches) == 1
