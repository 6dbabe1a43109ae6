"""Assets of the results stage: the study's tables, and the database that holds them.

Belongs here: the declarations. Does not belong here: a metric (`evaluation`), judges of checks (`verdicts`), or writing
DuckDB (`platform.results_db`). A table is built from the pipelines that are published, and names those that are
missing.
"""

from __future__ import annotations

from contextlib import closing

from plr_assets import schemas
from plr_assets.defs import verdicts
from plr_assets.defs.comparisons import pipeline_comparisons
from plr_assets.defs.evaluation import published
from plr_assets.defs.featurization import feature_catalog
from plr_assets.defs.results_of_signals import (
    feature_metrics,
    imputation_comparisons,
    imputation_metrics,
    outlier_metrics,
)
from plr_assets.defs.stages import RESULTS, all_pipelines, labelled
from plr_assets.defs.study_tables import study_table, study_tables
from plr_assets.defs.validation import confounders, internal_validation
from plr_assets.platform import results_db
from plr_assets.platform.artifacts import Product
from plr_assets.platform.contract import Contract
from plr_assets.platform.lineage import lineage_of
from plr_assets.platform.stages import Check, StageAsset, Task, reads, stage_asset
from plr_assets.study import Study


@stage_asset(
    RESULTS,
    reads=[published("essential_metrics")],
    tables={"essential_metrics": schemas.ESSENTIAL_METRICS},
    offered=labelled,
    checks=[
        verdicts.every_pipeline("essential_metrics"),
        verdicts.intervals("essential_metrics"),
        Check(
            "auroc_as_before",
            "No pipeline's AUROC lies outside the 95 % interval that it had in the publication before.",
            verdicts.not_drifted("essential_metrics", ("pipeline",), "auroc", ("auroc_ci_lower", "auroc_ci_upper")),
            blocking=False,
            over_time=True,
        ),
    ],
)
def essential_metrics(task: Task) -> Product:
    """One row a pipeline: the STRATOS core, with intervals. This is the leaderboard's table."""
    return study_table(task, "essential_metrics")


@stage_asset(
    RESULTS,
    reads=[published("predictions")],
    tables={"predictions": schemas.PREDICTIONS},
    offered=labelled,
    checks=[
        Check(
            "same_recordings",
            "All pipelines are judged on the same recordings.",
            verdicts.same_recordings,
        )
    ],
)
def predictions(task: Task) -> Product:
    """Each evaluated recording's averaged out-of-bag probability in each pipeline, and its spread."""
    return study_table(task, "predictions")


@stage_asset(
    RESULTS,
    reads=[published("roc_curves")],
    tables={"roc_curves": schemas.ROC_CURVES},
    offered=labelled,
    checks=[
        Check("curves_rise", "Every curve rises from (0, 0) to (1, 1), and never falls.", verdicts.curves_rise),
    ],
)
def roc_curves(task: Task) -> Product:
    """ROC curve of each pipeline's averaged out-of-bag prediction."""
    return study_table(task, "roc_curves")


@stage_asset(
    RESULTS,
    reads=[published("calibration_curves")],
    tables={"calibration_curves": schemas.CALIBRATION_CURVES},
    offered=labelled,
    checks=[
        verdicts.alike("calibration_curves", "n"),
        verdicts.intervals("calibration_curves"),
    ],
)
def calibration_curves(task: Task) -> Product:
    """Observed against predicted share of events, ten groups a pipeline."""
    return study_table(task, "calibration_curves")


@stage_asset(
    RESULTS,
    reads=[published("dca_curves")],
    tables={"dca_curves": schemas.DCA_CURVES},
    offered=labelled,
    checks=[verdicts.intervals("dca_curves")],
)
def dca_curves(task: Task) -> Product:
    """Net benefit of each pipeline over threshold probabilities, beside referring everyone and no one."""
    return study_table(task, "dca_curves")


@stage_asset(
    RESULTS,
    reads=[published("probability_distributions")],
    tables={"probability_distributions": schemas.PROBABILITY_DISTRIBUTIONS},
    offered=labelled,
    checks=[verdicts.alike("probability_distributions", "n")],
)
def probability_distributions(task: Task) -> Product:
    """Histogram of each pipeline's averaged out-of-bag prediction, by class."""
    return study_table(task, "probability_distributions")


# One asset for seven tables, as `reliability` below.
@stage_asset(
    RESULTS,
    reads=[published(table.name) for table in schemas.FURTHER_TABLES],
    tables={table.name: table for table in schemas.FURTHER_TABLES},
    offered=labelled,
    checks=[verdicts.every_pipeline("supplementary_metrics"), verdicts.intervals("roc_bands")],
)
def further_metrics(task: Task) -> Product:
    """What is reported of all published pipelines beyond the core, in seven tables.

    `supplementary_metrics` and `classification_at_thresholds` with intervals, the curves `calibration_smooth`,
    `pr_curves` and `roc_bands`, `retention_metrics` (some recordings left to a human), and `distribution_stats`.
    """
    return study_tables(task, "evaluation", shown="supplementary_metrics")


# One asset for five tables: a Dagster run of its own for each would cost more than all that is in them.
@stage_asset(
    RESULTS,
    reads=[
        reads(internal_validation, table.name, all_pipelines, required=False) for table in schemas.VALIDATION_TABLES
    ],
    tables={table.name: table for table in schemas.VALIDATION_TABLES},
    offered=labelled,
    checks=[
        Check(
            "bootstrap_reproduced",
            "Replicates of every pipeline, fitted again from their seeds, predict what the bootstrap holds. Not so "
            "where a bootstrap was logged from outside.",
            verdicts.same_models,
            blocking=False,
        )
    ],
)
def reliability(task: Task) -> Product:
    """How far the numbers of all published pipelines can be relied on, in five tables.

    `uncertainty` and `stability` are of each recording, `optimism` and `adjusted_auroc` of each pipeline,
    `feature_importance` of each feature.
    """
    return study_tables(task, "internal_validation", shown="optimism")


STUDY_TABLES: tuple[StageAsset, ...] = (
    essential_metrics,
    predictions,
    roc_curves,
    calibration_curves,
    dca_curves,
    probability_distributions,
    further_metrics,
    pipeline_comparisons,
    reliability,
    outlier_metrics,
    imputation_metrics,
    imputation_comparisons,
    feature_metrics,
)


# What the database holds: artifact -> the asset that publishes it.
DATABASE_SOURCES = {
    name: asset
    for asset in (*STUDY_TABLES, confounders, feature_catalog)
    for name, table in asset.tables.items()
    if table in schemas.DATABASE_TABLES
}


def _database_holds(study: Study, digest: str) -> bool:
    return results_db.content_digest(results_db.database_path(study.data_dir)) == digest


@stage_asset(
    RESULTS,
    reads=[*(reads(asset, name) for name, asset in DATABASE_SOURCES.items()), published("essential_metrics")],
    configuration=lambda _: results_db.SCHEMA_VERSION,
    present=_database_holds,
    offered=labelled,
    kinds=("duckdb", "mlflow"),
    pool="duckdb",
)
def results_database(task: Task) -> Product:
    """All study tables in one DuckDB file, `data/<study>/results.duckdb`, for SQL, notebooks and `plr leaderboard`.

    Rebuilt whole into a new file that takes the old one's place, so a reader never sees half of it.
    """
    evaluated = {str(key): ref.run_id for key, ref in task.inputs["evaluation", "essential_metrics"].items()}
    with closing(Contract(task.study.name)) as contract:
        lineage = lineage_of(contract, evaluated)
    content = results_db.build(
        results_db.database_path(task.study.data_dir),
        {name: task.table(asset.name, name) for name, asset in DATABASE_SOURCES.items()},
        study=task.study.name,
        published=evaluated,
        lineage=lineage,
        missing=task.missing,
    )
    rows = {name: facts["rows"] for name, facts in content["tables"].items()}
    return Product(documents={"database": content}, metrics={f"rows.{name}": count for name, count in rows.items()})
