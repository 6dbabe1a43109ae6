"""The asset that compares the pipelines of a study.

Belongs here: the declaration, and which pipeline is the reference of which. Does not belong here: an estimate
(`evaluation`), judges of its checks (`verdicts`), or tables of rows that pipelines have by themselves (`results`).
"""

from __future__ import annotations

from plr_assets import schemas
from plr_assets.defs import verdicts
from plr_assets.defs.evaluation import published
from plr_assets.defs.stages import RESULTS, labelled
from plr_assets.grid import Grid, PipelineKey
from plr_assets.platform.artifacts import Product
from plr_assets.platform.previews import markdown_table
from plr_assets.platform.stages import Check, Task, stage_asset
from plr_assets.registry import AXES, Axis

_CLEANING: tuple[Axis, ...] = ("outlier_detection", "imputation")


@stage_asset(
    RESULTS,
    reads=[published("pair_scores")],
    tables={table.name: table for table in schemas.COMPARISON_TABLES},
    seeded=True,
    offered=labelled,
    checks=[
        Check(
            "every_pipeline_ranked",
            "Every pipeline of the study is compared; those that have no result are named.",
            verdicts.of_all_pipelines("pipeline_ranks"),
            blocking=False,
        ),
        Check(
            "comparisons_agree",
            "Probabilities of being the best add up to 1, ranks are of as many pipelines as there are, the winner has "
            "its own score, and every interval holds its difference.",
            verdicts.comparisons_agree,
        ),
    ],
)
def pipeline_comparisons(task: Task) -> Product:
    """All published pipelines against each other, on the same recordings, in five tables.

    `comparisons` (against the best, and against ground truth in the place of cleaning), `winner` (less what choosing it
    adds), `pipeline_ranks`, `method_ranks` and `variance_decomposition`. Oracles are compared with and never ranked.
    """
    from plr_assets.errors import DataError
    from plr_assets.evaluation.between import Pipeline, compare_pipelines

    scores = task.tables("evaluation", "pair_scores")
    if not scores:
        raise DataError("comparisons", "no pipeline is published, so there is none to compare.", "Run pipelines first.")
    references = {_kept(key): str(key) for key in scores if _cleaned_by_truth(task.grid, key)}
    pipelines = [
        Pipeline(
            str(key),
            {axis: key.named(axis) for axis in AXES},
            task.grid.is_oracle(key),
            references.get(_kept(key)),
        )
        for key in scores
    ]
    tables = compare_pipelines(pipelines, {str(key): frame for key, frame in scores.items()}, seed=task.seed)
    winner = tables["winner"].filter(metric="auroc").row(0, named=True)
    numbers = {name: winner[name] for name in ("apparent", "corrected", "optimism", "probability_best")}
    notes = {"winner": markdown_table(tables["winner"])}
    if task.missing:
        notes["missing pipelines"] = "\n".join(f"- {text}" for text in task.missing)
    return Product(
        tables=tables,
        metrics={"pipelines": len(scores), "missing": len(task.missing)}
        | {name: value for name, value in numbers.items() if value is not None},
        notes=notes,
    )


def _kept(key: PipelineKey) -> tuple[str, str]:
    """What a pipeline has in common with its reference."""
    return key.named("featurization"), key.named("classification")


def _cleaned_by_truth(grid: Grid, key: PipelineKey) -> bool:
    """Whether ground truth stands in the place of both detection and imputation."""
    methods = grid.registry.methods
    return all(methods[axis][key.named(axis)].oracle for axis in _CLEANING)
