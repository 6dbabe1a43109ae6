"""The second page of a pipeline, intervals on its curves, and figures of internal validation."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from plr_assets.figures.page_tables import RELIABILITY
from plr_assets.figures.pipeline import draw_pipeline, draw_reliability
from plr_assets.figures.style import Style
from plr_assets.figures.validation import draw_confounders, draw_like_age, draw_optimism
from plr_assets_tests.figures.pages import assert_good_page, texts

Tables = dict[str, pl.DataFrame]
Display = dict[str, dict[str, str]]
PIPELINE = "simple__LOF__linear__CatBoost"


@pytest.fixture
def pipelines(metrics: pl.DataFrame) -> pl.DataFrame:
    return metrics.with_columns(
        pipeline=pl.concat_str("featurization", "outlier_detection", "imputation", "classification", separator="__"),
        auroc_ci_lower=pl.col("auroc") - 0.05,
        auroc_ci_upper=pl.col("auroc") + 0.03,
    )


@pytest.fixture
def further() -> Tables:
    """What the second page of a pipeline is drawn from."""
    grid = np.linspace(0, 1, 30)
    decisions: dict[str, Any] = {"threshold": [0.05, 0.1, 0.2]}
    for name, value in (("found", 30.0), ("missed", 4.0), ("false_alarms", 400.0)):
        ends = {"": value, "_lower": value / 2, "_upper": value * 1.5}
        decisions |= {f"{name}_per_1000{end}": [number] * 3 for end, number in ends.items()}
    kept = np.tile(grid[1:], 2)
    columns: dict[str, dict[str, Any]] = {
        "classification_at_thresholds": decisions,
        "retention_metrics": {
            "kind": np.repeat(["surest", "unflagged"], 29), "rate": kept, "auroc": 0.9 - 0.1 * kept,
            "scaled_brier": 0.5 - 0.2 * kept, "risk": 0.1 * kept,
        },
        "stability": {
            "recording": [f"r{i}" for i in range(30)], "y_true": np.arange(30) % 2, "y_prob_model": grid,
            "y_prob_lower": grid * 0.8, "y_prob_upper": 1 - (1 - grid) * 0.8,
        },
        "feature_importance": {
            "feature": [f"Red_{i}" for i in range(20)], "importance": grid[:20] - 0.1,
            "importance_lower": grid[:20] - 0.2, "importance_upper": grid[:20],
        },
    }  # fmt: skip
    return {name: pl.DataFrame(values).with_columns(pipeline=pl.lit(PIPELINE)) for name, values in columns.items()}


def test_what_numbers_stand_on_fills_a_page_with_and_without_fits_that_were_repeated(
    further: Tables, style: Style
) -> None:
    page = draw_reliability(further, title="LOF", synthetic=True, style=style)
    assert_good_page(page, synthetic=True)
    assert [axes.get_title("left")[0] for axes in page.axes] == list("ABCD")
    assert any("6 more features" in word for word in texts(page))
    short = draw_reliability({name: further[name] for name in RELIABILITY}, title="LOF", synthetic=True, style=style)
    assert_good_page(short, synthetic=True)
    assert [axes.get_title("left")[0] for axes in short.axes] == list("AB")


def test_retention_is_of_the_surest_alone(further: Tables, style: Style) -> None:
    page = draw_reliability(further, title="LOF", synthetic=True, style=style)
    lines = {line.get_label(): line for line in page.axes[1].lines}
    surest = further["retention_metrics"].filter(kind="surest")
    for name, column in (("AUROC", "auroc"), ("scaled Brier", "scaled_brier"), ("wrong decisions", "risk")):
        np.testing.assert_array_equal(lines[name].get_ydata(), surest[column].to_numpy())


def test_curves_have_the_intervals_of_their_tables_at_declared_thresholds(tables: Tables, style: Style) -> None:
    figure = draw_pipeline(tables, title="x", synthetic=True, style=style)
    roc, calibration = figure.axes[:2]
    further = tables["supplementary_metrics"]
    sensitivity = further.filter(pl.col("metric").str.starts_with("sensitivity")).sort("threshold")
    ends = [np.sort(path.vertices[:, 1]) for c in roc.collections for path in c.get_paths() if len(path.vertices) == 2]
    for lower, upper in sensitivity.select("lower", "upper").iter_rows():
        assert any(np.allclose(own, [lower, upper]) for own in ends)
    assert {"5", "10", "20"} <= set(texts(figure))
    smooth = tables["calibration_smooth"]
    assert any(np.array_equal(line.get_ydata(), smooth["observed"].to_numpy()) for line in calibration.lines)
    assert any("FillBetween" in type(c).__name__ for c in calibration.collections)


@pytest.mark.parametrize(
    ("panel", "table", "column"), [(0, "roc_bands", "true_positive_rate"), (2, "dca_curves", "net_benefit_model")]
)
def test_curves_have_the_bands_of_their_tables(
    tables: Tables, style: Style, panel: int, table: str, column: str
) -> None:
    axes = draw_pipeline(tables, title="x", synthetic=True, style=style).axes[panel]
    (band,) = (c for c in axes.collections if "FillBetween" in type(c).__name__)
    ends = {round(float(y), 9) for path in band.get_paths() for y in path.vertices[:, 1]}
    told = tables[table].select(f"{column}_ci_lower", f"{column}_ci_upper").to_numpy().ravel()
    assert ends == {round(float(y), 9) for y in told}


def test_a_calibration_curve_that_could_not_be_fitted_leaves_its_groups(tables: Tables, style: Style) -> None:
    nothing = [pl.lit(None, pl.Float64).alias(f"observed{end}") for end in ("", "_lower", "_upper")]
    tables["calibration_smooth"] = tables["calibration_smooth"].with_columns(nothing)
    figure = draw_pipeline(tables, title="x", synthetic=True, style=style)
    assert_good_page(figure, synthetic=True)


@pytest.mark.parametrize(
    "name", ["classification_at_thresholds", "retention_metrics", "stability", "feature_importance"]
)
def test_a_further_table_without_rows_or_columns_is_refused_by_name(further: Tables, style: Style, name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} is empty"):
        draw_reliability({**further, name: further[name].clear()}, title="x", synthetic=True, style=style)
    bare = further[name].select("pipeline")
    with pytest.raises(ValueError, match=f"{name} lacks"):
        draw_reliability({**further, name: bare}, title="x", synthetic=True, style=style)


def test_nothing_and_two_pipelines_are_refused(further: Tables, style: Style) -> None:
    with pytest.raises(ValueError, match="classification_at_thresholds is missing"):
        draw_reliability({}, title="x", synthetic=True, style=style)
    mixed = {**further, "stability": further["stability"].with_columns(pipeline=pl.lit("another"))}
    with pytest.raises(ValueError, match="one pipeline"):
        draw_reliability(mixed, title="x", synthetic=True, style=style)


def test_internal_validation_fills_its_pages_however_many_pipelines(
    pipelines: pl.DataFrame, display: Display, style: Style
) -> None:
    look: dict[str, Any] = {"display": display, "synthetic": True, "style": style, "title": "Validation"}
    base = pipelines.select("pipeline", auroc="auroc", auroc_lower="auroc_ci_lower", auroc_upper="auroc_ci_upper")
    age = base.with_columns(
        confounder=pl.lit("age"), window=pl.lit(5.0), auroc_matched="auroc",
        auroc_matched_lower="auroc_lower", auroc_matched_upper="auroc_upper",
    )  # fmt: skip
    optimism = pipelines.select("pipeline", auroc_out_of_bag="auroc").with_columns(
        auroc_apparent=pl.col("auroc_out_of_bag") + 0.1, auroc_corrected=pl.col("auroc_out_of_bag") + 0.01,
        auroc_632plus=pl.col("auroc_out_of_bag") + 0.03,
    )  # fmt: skip
    confounders = pl.DataFrame(
        {"confounder": ["age", "artefact_share"], "auroc": [0.55, None], "auroc_lower": [0.4, None]}
    ).with_columns(auroc_upper=pl.col("auroc") + 0.1)
    for figure, words in (
        (draw_like_age(age, pipelines, **look), "of 377 pipelines"),
        (draw_optimism(optimism, pipelines, **look), "of 377 pipelines"),
        (draw_confounders(confounders, pipelines, **look), "without a value here: artefact share"),
        (draw_optimism(optimism, pipelines.head(3), **look), "apparent"),
    ):
        assert_good_page(figure, synthetic=True)
        assert any(words in word for word in texts(figure))
        assert figure.get_figheight() < 11
    for draw, table, name in (
        (draw_like_age, age, "adjusted_auroc"),
        (draw_optimism, optimism, "optimism"),
        (draw_confounders, confounders, "confounders"),
    ):
        with pytest.raises(ValueError, match=f"{name} is empty"):
            draw(table.clear(), pipelines, **look)
        with pytest.raises(ValueError, match="synthetic=False"):
            draw(table, pipelines, **{**look, "synthetic": False})
