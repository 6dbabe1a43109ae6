"""The asset that draws which pipelines and methods are best, and how sure that is.

Belongs here: the declaration, and which of its figures a study has. Does not belong here: drawing (`figures`), or a
rank, a test or an interval: they are read from `pipeline_comparisons`.
"""

from __future__ import annotations

from dataclasses import replace

from plr_assets.defs.comparisons import pipeline_comparisons
from plr_assets.defs.figure_parts import configuration, labelled, products
from plr_assets.defs.figures_study import PLACE, Drawn, drawer
from plr_assets.defs.results import essential_metrics
from plr_assets.defs.stages import FIGURES
from plr_assets.platform.artifacts import Product
from plr_assets.platform.stages import Task, reads, stage_asset

# Figure -> why a study may not have it.
_REASONS = {
    "winner": "every published pipeline uses ground truth of evaluated recordings, or no metric has a value",
    "critical_difference": "no stage has two methods that are published in the same combinations",
    "variance_decomposition": "pipelines differ in no stage, or no share can be told from the others",
    "against_best": "there are not two pipelines that use no ground truth",
    "against_ground_truth": "no pipeline has ground truth in the place of both outlier detection and imputation",
}


@stage_asset(
    FIGURES,
    reads=[
        reads(essential_metrics),
        *(reads(pipeline_comparisons, table) for table in pipeline_comparisons.tables),
    ],
    settings=("title",),
    configuration=configuration,
    exports=PLACE,
    offered=labelled,
    kinds=("matplotlib", "mlflow"),
)
def ranking_figures(task: Task) -> Product:
    """Which is best, and how sure that is: the winner less what choosing it adds, ranks of pipelines with intervals,
    critical-difference diagram of methods, shares of variance, paired differences to the best and to ground truth.

    Ranks are always drawn; what a study is too small for is left out, and a note says why.
    """
    from plr_assets.figures.differences import draw_comparisons, draw_variance_decomposition
    from plr_assets.figures.ranking import draw_critical_difference, draw_pipeline_ranks, draw_winner

    metrics, draw = task.table("essential_metrics"), drawer(task, coloured=False)
    tables = {name: task.table("pipeline_comparisons", name) for name in pipeline_comparisons.tables}
    ranks, winner, methods = tables["pipeline_ranks"], tables["winner"], tables["method_ranks"]
    names = metrics.select("pipeline", "outlier_detection", "imputation", "featurization", "classification")
    drawn: Drawn = {
        "pipeline_ranks": (
            {"pipeline_ranks": ranks, "pipelines": names},
            draw(draw_pipeline_ranks, "pipeline_ranks", ranks, metrics),
        )
    }
    if winner["pipeline"].is_not_null().any():
        figure = draw(draw_winner, "winner", winner, ranks, metrics)
        drawn["winner"] = ({"winner": winner, "pipeline_ranks": ranks, "pipelines": names}, figure)
    if methods["mean_rank"].is_not_null().any():
        figure = drawer(task)(draw_critical_difference, "critical_difference", methods)
        drawn["critical_difference"] = (methods, figure)
    if (shares := tables["variance_decomposition"])["eta_squared"].is_not_null().any():
        figure = draw(draw_variance_decomposition, "variance_decomposition", shares)
        drawn["variance_decomposition"] = (shares, figure)
    for name, family in (("against_best", "best"), ("against_ground_truth", "reference")):
        if not (pairs := tables["comparisons"].filter(family=family)).is_empty():
            figure = draw(draw_comparisons, name, pairs, metrics)
            drawn[name] = ({"comparisons": pairs, "pipelines": names}, figure)
    found = products(task, drawn)
    left_out = [f"- `{name}`: {reason}" for name, reason in _REASONS.items() if name not in drawn]
    return replace(found, notes={**found.notes, "not drawn": "\n".join(left_out)}) if left_out else found
