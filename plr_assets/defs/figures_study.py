"""Assets that draw a whole study: pipelines beside each other, the quality of each stage, cost against performance.

Belongs here: the declarations, and which figures a study has. Does not belong here: drawing (`figures`), or a number:
figures draw published tables; nor ranks and differences (`figures_ranking`). Copies for people lie in
`data/<study>/figures/study/`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from plr_assets.defs.costs import pipeline_costs
from plr_assets.defs.figure_parts import configuration, labelled, products, texts
from plr_assets.defs.results import essential_metrics, reliability
from plr_assets.defs.results_of_signals import imputation_comparisons, imputation_metrics, outlier_metrics
from plr_assets.defs.stages import FIGURES
from plr_assets.defs.validation import confounders
from plr_assets.errors import DataError
from plr_assets.platform.artifacts import Product
from plr_assets.platform.stages import Task, reads, stage_asset

if TYPE_CHECKING:
    import polars as pl
    from matplotlib.figure import Figure

PLACE = {"figure": "figures/study"}
Draw = Callable[..., "Figure"]
Drawn = dict[str, tuple[Any, "Figure"]]


def drawer(task: Task, *, coloured: bool = True) -> Callable[..., Figure]:
    """Draws with this study's names, colours and title; `figure` is its entry in configs/figures.yaml."""
    from plr_assets.figures.style import load_figures_config

    config = load_figures_config()
    look = {"display": texts(task.grid, "display"), "synthetic": task.study.synthetic, "style": config.style}
    if coloured:  # by the families of methods
        look["categories"] = texts(task.grid, "category")

    def draw(function: Draw, figure: str, *tables: pl.DataFrame, detail: str = "") -> Figure:
        title = f"{config.figures[figure].title}: {task.setting('title')}{detail}"
        return function(*tables, title=title, **look)

    return draw


@stage_asset(
    FIGURES,
    reads=[reads(essential_metrics)],
    settings=("title",),
    configuration=configuration,
    exports=PLACE,
    offered=labelled,
    kinds=("matplotlib", "mlflow"),
)
def study_figures(task: Task) -> Product:
    """All pipelines of the study: heat maps of AUROC, AUROC by method, specification curve, featurizations.

    Featurizations are compared where a combination of the other methods was computed with two or more.
    """
    import polars as pl

    from plr_assets.figures.comparison import (
        draw_auroc_by_method,
        draw_featurizations,
        draw_specification_curve,
    )
    from plr_assets.figures.study import draw_auroc_heatmap

    metrics, draw = task.table("essential_metrics"), drawer(task)
    drawn: Drawn = {}
    for (featurization,), rows in metrics.group_by("featurization", maintain_order=True):
        figure = draw(draw_auroc_heatmap, "auroc_heatmap", rows, detail=f", {featurization}")
        drawn[f"auroc_heatmap__{featurization}"] = (rows, figure)
    drawn["auroc_by_method"] = (metrics, draw(draw_auroc_by_method, "auroc_by_method", metrics))
    drawn["specification_curve"] = (metrics, draw(draw_specification_curve, "specification_curve", metrics))
    combination = ["outlier_detection", "imputation", "classification"]
    if metrics.select((pl.len().over(combination) > 1).any()).item():
        drawn["featurizations"] = (metrics, draw(draw_featurizations, "featurizations", metrics))
    return products(task, drawn)


@stage_asset(
    FIGURES,
    reads=[reads(outlier_metrics), reads(imputation_metrics), reads(imputation_comparisons)],
    settings=("title",),
    configuration=configuration,
    exports=PLACE,
    offered=lambda study: study.has_ground_truth,
    kinds=("matplotlib", "mlflow"),
)
def method_figures(task: Task) -> Product:
    """How well outlier detection and imputation do their own work, before any classifier.

    A figure whose table has no row (no study has all: straight lines are needed to compare with) is left out.
    """
    from plr_assets.figures.quality import draw_detection_quality, draw_imputation_differences, draw_imputation_matrix

    draw, drawn = drawer(task), {}
    errors = task.table("imputation_metrics")
    for name, function, table, rows in (
        ("detection_quality", draw_detection_quality, task.table("outlier_metrics"), {"stratum": "all"}),
        ("imputation_errors", draw_imputation_matrix, errors, {"stratum": "all", "metric": "mae", "oracle": False}),
        (
            "imputation_differences",
            draw_imputation_differences,
            task.table("imputation_comparisons"),
            {"stratum": "all"},
        ),
    ):
        if not (shown := table.filter(**rows)).is_empty():
            plotted = table if name == "detection_quality" else shown
            drawn[name] = (shown, draw(function, name, plotted))
    if not drawn:
        raise DataError("method_figures", "no table has a row to draw.", "Run the study's outlier masks and signals.")
    return products(task, drawn)


@stage_asset(
    FIGURES,
    reads=[reads(essential_metrics), reads(pipeline_costs)],
    settings=("title",),
    configuration=configuration,
    exports=PLACE,
    offered=labelled,
    kinds=("matplotlib", "mlflow"),
)
def cost_figures(task: Task) -> Product:
    """AUROC of every pipeline against the seconds that computing it took.

    Seconds are measured: this is the one figure whose bytes differ between machines.
    """
    from plr_assets.figures.costs import draw_costs

    metrics, costs = task.table("essential_metrics"), task.table("pipeline_costs")
    figure = drawer(task)(draw_costs, "costs", metrics, costs)
    return products(task, {"costs": ({"essential_metrics": metrics, "pipeline_costs": costs}, figure)})


@stage_asset(
    FIGURES,
    reads=[
        reads(essential_metrics),
        reads(confounders),
        reads(reliability, "optimism"),
        reads(reliability, "adjusted_auroc"),
    ],
    settings=("title",),
    configuration=configuration,
    exports=PLACE,
    offered=labelled,
    kinds=("matplotlib", "mlflow"),
)
def validation_figures(task: Task) -> Product:
    """How far the study's numbers can be relied on: nuisances, pairs of like age, optimism of the fit.

    A figure whose table has no number (ages are not known, say) is left out.
    """
    from plr_assets.figures.validation import draw_confounders, draw_like_age, draw_optimism

    metrics, draw = task.table("essential_metrics"), drawer(task, coloured=False)
    drawn: Drawn = {}
    for name, function, table, column in (
        ("confounders", draw_confounders, task.table("confounders"), "auroc"),
        ("like_age", draw_like_age, task.table("reliability", "adjusted_auroc"), "auroc_matched"),
        ("optimism", draw_optimism, task.table("reliability", "optimism"), "auroc_apparent"),
    ):
        if not table[column].is_null().all():
            drawn[name] = ({name: table, "essential_metrics": metrics}, draw(function, name, table, metrics))
    if not drawn:
        raise DataError("validation_figures", "no table has a number to draw.", "See why in their column `reason`.")
    return products(task, drawn)
