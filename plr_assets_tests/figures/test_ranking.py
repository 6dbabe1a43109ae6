"""Figures of the winner, ranks, shares of variance and paired differences: of the tables that a study publishes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from matplotlib.collections import PathCollection

from plr_assets.defs.figures_ranking import ranking_figures
from plr_assets.figures.differences import draw_comparisons, draw_variance_decomposition
from plr_assets.figures.ranking import draw_critical_difference, draw_pipeline_ranks, draw_winner
from plr_assets.figures.style import Style, load_figures_config
from plr_assets.grid import grid_of
from plr_assets.platform.stages import WHOLE, Task
from plr_assets.registry import load_registry
from plr_assets.study import load_study
from plr_assets_tests.evaluation.test_between import compared, study
from plr_assets_tests.figures.pages import assert_good_page, texts

Tables = dict[str, pl.DataFrame]
METHODS = load_registry().methods
DISPLAY = {axis: {n: m.display for n, m in methods.items()} for axis, methods in METHODS.items()}
CATEGORIES = {axis: {n: m.category for n, m in methods.items()} for axis, methods in METHODS.items()}
OUTLIERS = ("pupil-gt", "LOF", "MOMENT-gt-finetune", "PROPHET")
ALL = {"pipeline_ranks", "winner", "critical_difference", "variance_decomposition"}
ALL |= {"against_best", "against_ground_truth"}
IMPUTERS, CLASSIFIERS = ("pupil-gt", "linear", "SAITS"), ("CatBoost", "TabM", "LogisticRegression")


def tables_of(*axes: tuple[str, ...]) -> Tables:
    """The tables of comparison of such a grid, and what figures read of its `essential_metrics`."""
    pipelines, scores = study(*axes)
    found = compared(pipelines, scores)
    auroc = found["pipeline_ranks"].filter(metric="auroc").select("pipeline", auroc="score")
    rows = [{"pipeline": p.name, **p.methods, "oracle": p.oracle, "synthetic": True} for p in pipelines]
    essential = pl.DataFrame(rows).join(auroc, on="pipeline", maintain_order="left")
    ends = {"auroc_ci_lower": pl.col("auroc") - 0.1, "auroc_ci_upper": pl.col("auroc") + 0.05}
    return {**found, "essential_metrics": essential.with_columns(**ends)}


@pytest.fixture(scope="module")
def tables() -> Tables:
    return tables_of(OUTLIERS, IMPUTERS, CLASSIFIERS)


@pytest.fixture
def look(style: Style) -> dict[str, Any]:
    return {"display": DISPLAY, "synthetic": True, "style": style, "title": "Study"}


def dots(axes: Any) -> dict[float, float]:
    """Height -> value of every mark of a panel."""
    marks = [c for c in axes.collections if isinstance(c, PathCollection)]
    return {float(y): float(x) for mark in marks for x, y in np.asarray(mark.get_offsets()) if np.isfinite(x)}


def test_the_winner_is_drawn_beside_what_is_left_of_it_and_the_best_oracle(tables: Tables, look: Any) -> None:
    given = tables["winner"], tables["pipeline_ranks"], tables["essential_metrics"]
    figure = draw_winner(*given, **look)
    assert_good_page(figure, synthetic=True)
    assert len(figure.axes) == 3
    for axes, row in zip(figure.axes, tables["winner"].iter_rows(named=True), strict=True):
        oracles = tables["pipeline_ranks"].filter(metric=row["metric"], oracle=True)["score"]
        oracle = oracles.min() if row["metric"] == "brier" else oracles.max()
        assert dots(axes) == pytest.approx({0.0: row["corrected"], 1.0: row["apparent"], 2.0: oracle})
    words = " ".join(texts(figure))
    assert f"in {100 * tables['winner']['probability_best'][0]:.0f} % of resamples" in words
    empty = tables["winner"].with_columns(pipeline=pl.lit(None, pl.String))
    with pytest.raises(ValueError, match="names no pipeline"):
        draw_winner(empty, *given[1:], **look)


def test_oracles_stand_below_the_ranked_and_have_no_rank(tables: Tables, look: Any) -> None:
    figure = draw_pipeline_ranks(tables["pipeline_ranks"], tables["essential_metrics"], **look)
    assert_good_page(figure, synthetic=True)
    score, rank, _ = figure.axes
    names = [label.get_text() for label in score.get_yticklabels()]
    own = tables["pipeline_ranks"].filter(metric="auroc")
    honest = own.filter(~pl.col("oracle")).height
    assert [name.endswith("†") for name in names] == [False] * honest + [True] * 8
    assert sorted(dots(rank).values()) == sorted(own["rank"].drop_nulls())
    assert len(dots(score)) == len(names)
    assert any(f"the best 8 of {own.height - honest}" in word for word in texts(figure))


def test_a_page_of_ranks_holds_the_best_of_many(look: Any) -> None:
    many = tables_of(
        tuple(name for name in METHODS["outlier_detection"] if name != "pupil-gt")[:8],
        ("linear", "SAITS", "CSDI"),
        CLASSIFIERS,
    )
    figure = draw_pipeline_ranks(many["pipeline_ranks"], many["essential_metrics"], **look)
    assert_good_page(figure, synthetic=True)
    assert sorted(dots(figure.axes[1]).values())[0] == 1
    assert len(dots(figure.axes[1])) == 40
    assert any("the 40 best of 72" in word for word in texts(figure))


def test_bars_join_the_methods_that_the_table_puts_in_one_group(tables: Tables, look: Any) -> None:
    ranks = tables["method_ranks"]
    figure = draw_critical_difference(ranks, categories=CATEGORIES, **look)
    assert_good_page(figure, synthetic=True)
    for axes, axis in zip(figure.axes, ("outlier_detection", "imputation", "classification"), strict=True):
        rows = ranks.filter(axis=axis).sort(["mean_rank", "method"])
        letters = sorted(set("".join(rows["groups"].drop_nulls())))
        places = [[i for i, own in enumerate(rows["groups"]) if letter in (own or "")] for letter in letters]
        bars = [[round(float(y)) for y in line.get_ydata()] for line in axes.lines]
        assert bars == [[own[0], own[-1]] for own in places]
        assert dots(axes) == pytest.approx(dict(enumerate(rows["mean_rank"])))
    assert any(f"critical difference {ranks['critical_difference'][0]:.2f}" in word for word in texts(figure))


def test_a_stage_without_ranks_is_named_and_groups_of_the_table_alone_make_bars(tables: Tables, look: Any) -> None:
    look = {**look, "categories": CATEGORIES}
    ranks = tables["method_ranks"]
    gone = pl.when(pl.col("axis") != "imputation").then("mean_rank")
    figure = draw_critical_difference(ranks.with_columns(mean_rank=gone, groups=pl.lit(None, pl.String)), **look)
    assert [axes.get_title("left") for axes in figure.axes] == ["Outlier detection", "Classifier"]
    assert not any(axes.lines for axes in figure.axes)
    assert any(word.startswith("bars") and "Imputation: no combination" in word for word in texts(figure))
    with pytest.raises(ValueError, match="method_ranks is empty"):
        draw_critical_difference(ranks.clear(), **look)
    with pytest.raises(ValueError, match="no display name"):
        draw_critical_difference(ranks.with_columns(method=pl.lit("?")), **look)


def test_shares_of_variance_are_drawn_and_written_and_what_has_none_says_so(tables: Tables, look: Any) -> None:
    shares = tables["variance_decomposition"]
    figure = draw_variance_decomposition(shares, **look)
    assert_good_page(figure, synthetic=True)
    assert len(figure.axes) == 1 + len(CLASSIFIERS)
    # the grid is whole: the model without interactions is not drawn beside the one with them
    own = shares.filter(model="crossed")["eta_squared"] * 100
    assert [bar.get_width() for bar in figure.axes[0].patches] == pytest.approx(own.to_list())
    words = texts(figure)
    assert {f"{share:.1f}" for share in own} <= set(words)
    assert {"Outlier detection x Imputation", "What is left", "With Logistic regression (6)"} <= set(words)
    lost = pl.when(pl.col("term") != "imputation").then("eta_squared")
    words = texts(
        draw_variance_decomposition(shares.with_columns(eta_squared=lost, reason=pl.lit("cells are empty")), **look)
    )
    assert words.count("no value") == 1 + len(CLASSIFIERS)
    assert any("no value: cells are empty" in word for word in words)
    with pytest.raises(ValueError, match="variance_decomposition is empty"):
        draw_variance_decomposition(shares.clear(), **look)
    with pytest.raises(ValueError, match="no share"):
        draw_variance_decomposition(shares.with_columns(eta_squared=pl.lit(None, pl.Float64)), **look)


def test_interactions_are_drawn_beside_all_pipelines_where_cells_are_empty(tables: Tables, look: Any) -> None:
    shares = tables["variance_decomposition"]
    fewer = pl.when(pl.col("model") == "crossed").then(pl.lit(12, pl.Int64)).otherwise("n_pipelines")
    figure = draw_variance_decomposition(shares.with_columns(n_pipelines=fewer), **look)
    headings = [axes.get_title("left") for axes in figure.axes]
    assert headings[:2] == ["All pipelines (18)", "Every method with every other (12)"]


def test_a_stage_that_explains_all_because_it_is_alone_has_no_panel(look: Any) -> None:
    alone = tables_of(("LOF", "PROPHET"), ("linear",), ("CatBoost", "TabM"))["variance_decomposition"]
    assert alone["model"].n_unique() == 4
    figure = draw_variance_decomposition(alone, **look)
    assert [axes.get_title("left") for axes in figure.axes] == ["All pipelines (4)"]


@pytest.mark.parametrize(
    ("family", "second"),
    [("best", "less {best}"), ("reference", "less the pipeline of the same features and classifier")],
)
def test_differences_are_filled_by_the_adjusted_p_of_the_table(
    tables: Tables, look: Any, family: str, second: str
) -> None:
    metrics = tables["essential_metrics"]
    pairs = tables["comparisons"].filter(family=family).with_columns(p_holm=pl.int_range(pl.len()) / pl.len())
    figure = draw_comparisons(pairs, metrics, **look)
    assert_good_page(figure, synthetic=True)
    filled, open_ = (c for c in figure.axes[0].collections if isinstance(c, PathCollection))
    told = pairs.filter(pl.col("p_holm") < 0.05)["difference"]
    assert sorted(np.asarray(filled.get_offsets())[:, 0]) == pytest.approx(sorted(told))
    assert len(open_.get_offsets()) == pairs.height - len(told)
    row = metrics.filter(pipeline=tables["winner"]["pipeline"][0]).row(0, named=True)
    best = " → ".join(
        DISPLAY[axis][row[axis]] for axis in ("outlier_detection", "imputation", "featurization", "classification")
    )
    words = texts(figure)
    assert any(second.format(best=best) in word for word in words)
    assert any(f"({len(told)} of {pairs.height} comparisons)" in word for word in words)
    with pytest.raises(ValueError, match="comparisons is empty"):
        draw_comparisons(pairs.clear(), metrics, **look)


def test_two_families_are_not_drawn_as_one_and_the_origin_is_asked(tables: Tables, look: Any) -> None:
    with pytest.raises(ValueError, match="one family"):
        draw_comparisons(tables["comparisons"], tables["essential_metrics"], **look)
    given = tables["winner"], tables["pipeline_ranks"], tables["essential_metrics"]
    draws: list[Callable[[], Any]] = [
        lambda: draw_winner(*given, **{**look, "synthetic": False}),
        lambda: draw_pipeline_ranks(*given[1:], **{**look, "synthetic": False}),
        lambda: draw_comparisons(tables["comparisons"].filter(family="best"), given[2], **{**look, "synthetic": False}),
    ]
    for draw in draws:
        with pytest.raises(ValueError, match="synthetic=False"):
            draw()


def test_one_pipeline_has_a_rank_and_a_winner(look: Any) -> None:
    one = tables_of(("LOF",), ("linear",), ("CatBoost",))
    for figure in (
        draw_pipeline_ranks(one["pipeline_ranks"], one["essential_metrics"], **look),
        draw_winner(one["winner"], one["pipeline_ranks"], one["essential_metrics"], **look),
    ):
        assert_good_page(figure, synthetic=True)
        assert not any("†" in word for word in texts(figure))


def test_oracles_alone_are_shown_without_ranks(look: Any) -> None:
    alone = tables_of(("pupil-gt",), ("pupil-gt", "linear"), ("CatBoost",))
    figure = draw_pipeline_ranks(alone["pipeline_ranks"], alone["essential_metrics"], **look)
    assert len(dots(figure.axes[0])) == 2
    assert not dots(figure.axes[1])


@dataclass(frozen=True)
class Given(Task):
    """A task whose tables are handed to it."""

    given: Mapping[str, pl.DataFrame] = field(default_factory=dict)

    def table(self, asset: str, artifact: str | None = None) -> pl.DataFrame:
        return self.given[artifact or asset]


def drawn_of(tables: Tables, folder: Path) -> tuple[set[str], str]:
    """Which figures `ranking_figures` writes of such tables, and what it says of the others."""
    asked = load_study("demo")
    product = ranking_figures.compute(Given(ranking_figures, asked, grid_of(asked), WHOLE, {}, given=tables))
    product.folders["figure"](folder)
    assert {path.suffix for path in folder.iterdir()} == {".json", ".png", ".svg"}
    return {path.stem for path in folder.glob("*.json")}, product.notes.get("not drawn", "")


@pytest.mark.parametrize(
    ("axes", "drawn"),
    [
        ((("LOF",), ("linear",), ("CatBoost",)), {"pipeline_ranks", "winner"}),
        ((("pupil-gt",), ("linear",), ("CatBoost",)), {"pipeline_ranks"}),
        ((("pupil-gt",), ("pupil-gt", "linear"), ("CatBoost",)), {"pipeline_ranks", "against_ground_truth"}),
    ],
    ids=["one", "one oracle", "oracles"],
)
def test_a_study_too_small_for_a_figure_lacks_it_and_says_why(
    axes: tuple[tuple[str, ...], ...], drawn: set[str], tmp_path: Path
) -> None:
    found, left_out = drawn_of(tables_of(*axes), tmp_path)
    assert found == drawn
    assert {line.split("`")[1] for line in left_out.splitlines()} == ALL - drawn


def test_a_study_of_a_whole_grid_has_every_figure_with_a_caption(tables: Tables, tmp_path: Path) -> None:
    assert drawn_of(tables, tmp_path) == (ALL, "")
    assert set(load_figures_config().figures) >= ALL
