"""The asset of evaluation: every metric and curve of one pipeline, and what study tables share in reading it.

Belongs here: the declaration. Does not belong here: a metric (`evaluation`), or a table of all pipelines (`results`,
`comparisons`).
"""

from __future__ import annotations

from plr_assets import schemas
from plr_assets.defs.classification import bootstrap_results
from plr_assets.defs.featurization import features
from plr_assets.defs.stages import RESULTS, all_pipelines, labelled
from plr_assets.platform.artifacts import Product
from plr_assets.platform.stages import Reads, Task, reads, stage_asset
from plr_assets.registry import AXES


@stage_asset(
    RESULTS,
    keys=lambda grid: grid.pipelines,
    axes=AXES,
    reads=[
        reads(bootstrap_results),
        reads(bootstrap_results, "bootstrap_cases"),
        # a table of features that was logged from outside need not have it
        reads(features, "feature_coverage", required=False),
    ],
    tables={table.name: table for table in (*schemas.EVALUATION_TABLES, schemas.PAIR_SCORES)},
    seeded=True,
    offered=labelled,
)
def evaluation(task: Task) -> Product:
    """Every metric and curve of one pipeline: discrimination, calibration, clinical utility, with intervals."""
    from plr_assets.evaluation.report import evaluate_pipeline

    coverage = next(iter(task.tables("features", "feature_coverage").values()), None)
    tables = evaluate_pipeline(
        task.table("bootstrap_results"),
        task.table("bootstrap_results", "bootstrap_cases"),
        pipeline=str(task.key),
        methods={axis: task.key.named(axis) for axis in AXES},
        oracle=task.grid.is_oracle(task.key),
        synthetic=task.study.synthetic,
        seed=task.seed,
        flagged=None if coverage is None else set(coverage.filter("flagged")["recording"]),
    )
    row = tables["essential_metrics"].row(0, named=True)
    metrics = {
        name: value for name, value in row.items() if isinstance(value, float | int) and not isinstance(value, bool)
    }
    return Product(tables=tables, metrics=metrics)


def published(artifact: str) -> Reads:
    return reads(evaluation, artifact, all_pipelines, required=False)
