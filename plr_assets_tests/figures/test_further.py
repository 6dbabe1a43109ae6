"""Figures of ranks, comparisons and internal validation, and the further panels of a pipeline."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from plr_assets.figures.pipeline import draw_pipeline, draw_reliability
from plr_assets.figures.ranking import draw_comparisons, draw_critical_difference, draw_variance_decomposition
from plr_assets.figures.style import Style
from plr_assets.figures.validation import draw_confounders, draw_like_age, draw_optimism
from plr_assets.registry import load_registry
from plr_assets_tests.figures.pages import assert_good_page, texts

Tables = dict[str, pl.DataFrame]
Display = dict[str, dict[str, str]]
PIPELINE = "simple__LOF__linear__CatBoost"


@pytest.fixture
def categories() -> Display:
    return {axis: {n: m.category for n, m in methods.items()} for axis, methods in load_registry().methods.items()}


@pytest.fixture
def pipelines(metrics: pl.DataFrame) -> pl.DataFrame:
    return metrics.with_columns(
        pipeline=pl.concat_str("featurization", "outlier_detection", "imputation", "classification", separator="__"),
        auroc_ci_lower=pl.col("auroc") - 0.05,
        auroc_ci_upper=pl.col("auroc") + 0.03,
    )


@pytest.fixture
def further() -> Tables:
    """Tables of one pipeline that not every study has."""
    grid = np.linspace(0, 1, 30)
    decisions = {
        "threshold": [0.05, 0.1, 0.2], "true_positive": [50, 48, 40], "false_negative": [6, 8, 16],
        "false_positive": [90, 60, 30], "true_negative": [62, 92, 122],
    }  # fmt: skip
    for name, value in (("found", 30.0), ("missed", 4.0), ("false_alarms", 400.0)):
        decisions |= {f"{name}_per_1000": [value] * 3, f"{name}_per_1000_ci_lower": [value / 2] * 3}  # type: ignore[dict-item]
        decisions[f"{name}_per_1000_ci_upper"] = [value * 1.5] * 3  # type: ignore[assignment]
    columns: dict[str, dict[str, Any]] = {
        "pr_curves": {"point": np.arange(30), "recall": grid, "precision": 1 - 0.6 * grid**2},
        "classification_at_thresholds": decisions,
        "retention_metrics": {"rate": grid[1:], "auroc": 0.9 - 0.1 * grid[1:], "scaled_brier": 0.5 - 0.2 * grid[1:]},
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


def method_ranks() -> pl.DataFrame:
    return pl.DataFrame(
        [
            {"axis": axis, "method": method, "mean_rank": 1.0 + place, "critical_difference": 1.5}
            | {"mean_rank_lower": 0.8 + place, "mean_rank_upper": 1.4 + place}
            for axis in ("outlier_detection", "imputation", "classification")
            for place, method in enumerate(load_registry().published(axis))
        ]
    )


def test_further_tables_fill_the_pages_of_a_pipeline(tables: Tables, further: Tables, style: Style) -> None:
    figure = draw_pipeline({**tables, **further}, title="LOF", synthetic=True, style=style)
    assert_good_page(figure, synthetic=True)
    assert [axes.get_title("left")[0] for axes in figure.axes] == list("ABCDEF")
    assert {"48", "8", "60", "92"} <= set(texts(figure)), "the confusion matrix at 10 %"
    page = draw_reliability(further, title="LOF", synthetic=True, style=style)
    assert_good_page(page, synthetic=True)
    assert [axes.get_title("left")[0] for axes in page.axes] == list("ABCD")
    assert figure.get_figheight() < 11
    assert any("6 more features" in word for word in texts(page))


def test_bands_are_drawn_where_a_table_has_their_ends(tables: Tables, style: Style) -> None:
    def bands(drawn: Tables) -> list[int]:
        figure = draw_pipeline(drawn, title="x", synthetic=True, style=style)
        return [sum("FillBetween" in type(c).__name__ for c in axes.collections) for axes in figure.axes]

    assert bands(tables) == [0, 0, 0, 0]
    tables["roc_curves"] = tables["roc_curves"].with_columns(
        true_positive_rate_ci_lower=pl.col("true_positive_rate") * 0.9,
        true_positive_rate_ci_upper=pl.col("true_positive_rate") * 1.0,
    )
    tables["dca_curves"] = tables["dca_curves"].with_columns(
        net_benefit_model_ci_lower=pl.col("net_benefit_model") - 0.1,
        net_benefit_model_ci_upper=pl.col("net_benefit_model") + 0.1,
    )
    assert bands(tables) == [1, 0, 1, 0]


@pytest.mark.parametrize("name", ["retention_metrics", "stability", "feature_importance"])
def test_a_further_table_without_rows_or_columns_is_refused_by_name(further: Tables, style: Style, name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} is empty"):
        draw_reliability({**further, name: further[name].clear()}, title="x", synthetic=True, style=style)
    with pytest.raises(ValueError, match=f"{name} lacks"):
        draw_reliability({name: further[name].select("pipeline")}, title="x", synthetic=True, style=style)


def test_nothing_and_two_pipelines_are_refused(further: Tables, style: Style) -> None:
    with pytest.raises(ValueError, match="none of"):
        draw_reliability({}, title="x", synthetic=True, style=style)
    mixed = {**further, "stability": further["stability"].with_columns(pipeline=pl.lit("another"))}
    with pytest.raises(ValueError, match="one pipeline"):
        draw_reliability(mixed, title="x", synthetic=True, style=style)


def test_ranks_are_joined_where_they_cannot_be_told_apart(display: Display, categories: Display, style: Style) -> None:
    look: dict[str, Any] = {"display": display, "categories": categories, "synthetic": True, "style": style}
    figure = draw_critical_difference(method_ranks(), title="Ranks", **look)
    assert_good_page(figure, synthetic=True)
    joined = [
        sorted(round(float(y)) for y in line.get_ydata())
        for line in figure.axes[-1].lines
        if len(line.get_ydata()) == 2
    ]
    assert joined == [[0, 1], [1, 2], [2, 3], [3, 4]], "neighbours are 1 apart, the critical difference is 1.5"
    with pytest.raises(ValueError, match="method_ranks is empty"):
        draw_critical_difference(method_ranks().clear(), title="x", **look)
    with pytest.raises(ValueError, match="no display name"):
        draw_critical_difference(method_ranks().with_columns(method=pl.lit("?")), title="x", **look)


def test_shares_of_variance_and_differences_fill_their_pages(style: Style) -> None:
    look: dict[str, Any] = {"synthetic": True, "style": style, "title": "Shares"}
    shares = pl.DataFrame(
        {
            "term": ["outlier_detection", "classification", "outlier_detection:imputation"],
            "eta_squared": [0.1, 0.7, 0.2],
        }
    ).with_columns(eta_squared_ci_lower=pl.col("eta_squared") / 2, eta_squared_ci_upper=pl.col("eta_squared") * 1.2)
    figure = draw_variance_decomposition(shares, **look)
    assert_good_page(figure, synthetic=True)
    assert [bar.get_width() for bar in figure.axes[0].patches] == pytest.approx([10, 70, 20])
    assert "Outlier detection x Imputation" in texts(figure)
    with pytest.raises(ValueError, match="variance_decomposition is empty"):
        draw_variance_decomposition(shares.clear(), **look)
    pairs = pl.DataFrame(
        {"first": [f"LOF → SAITS {i}" for i in range(50)], "second": ["LOF → linear → Logistic regression"] * 50}
    ).with_columns(difference=(pl.int_range(pl.len()) - 25) / 500, p_adjusted=pl.int_range(pl.len()) / 50)
    pairs = pairs.with_columns(
        difference_ci_lower=pl.col("difference") - 0.02, difference_ci_upper=pl.col("difference") + 0.02
    )
    figure = draw_comparisons(pairs, **look)
    assert_good_page(figure, synthetic=True)
    assert any("the 40 largest of 50" in word for word in texts(figure))
    with pytest.raises(ValueError, match="comparisons is empty"):
        draw_comparisons(pairs.clear(), **look)


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
