"""Assets of the results stage: the study's tables, and the database that holds them.

Belongs here: the declarations. Does not belong here: a metric (`evaluation`), judges of checks (`verdicts`), or writing
DuckDB (`platform.results_db`). A table is built from the pipelines that are published, and names those that are
missing.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from plr_assets import schemas
from plr_assets.defs import verdicts
from plr_assets.defs.comparisons import pipeline_comparisons
from plr_assets.defs.evaluation import published
from plr_assets.defs.featurization import feature_catalog, features
from plr_assets.defs.imputation import imputed_signals
from plr_assets.defs.outlier_detection import outlier_masks
from plr_assets.defs.stages import RESULTS, all_pipelines, labelled
from plr_assets.defs.validation import confounders, internal_validation
from plr_assets.platform import results_db
from plr_assets.platform.artifacts import Product
from plr_assets.platform.contract import Contract
from plr_assets.platform.lineage import lineage_of
from plr_assets.platform.previews import markdown_table
from plr_assets.platform.stages import Check, StageAsset, Task, reads, stage_asset
from plr_assets.study import Study

if TYPE_CHECKING:
    import polars as pl


def _study_table(task: Task, name: str, source: str = "evaluation", what: str = "pipeline") -> Product:
    """The rows of all published partitions of `source`, which are each one `what`, in one table."""
    import polars as pl

    from plr_assets.errors import DataError

    rows = list(task.tables(source, name).values())
    if not rows:
        raise DataError(name, f"no {what} is published, so there is nothing to tabulate.", f"Run the {what}s first.")
    frame = pl.concat(rows)
    notes = {"head": markdown_table(frame)}
    if task.missing:
        notes[f"missing {what}s"] = "\n".join(f"- {text}" for text in task.missing)
    return Product(tables={name: frame}, metrics={f"{what}s": len(rows), "missing": len(task.missing)}, notes=notes)


def _study_tables(task: Task, source: str, *, shown: str) -> Product:
    """All tables of the asset, as `_study_table` makes one; its page shows the table `shown`."""
    made = {name: _study_table(task, name, source) for name in task.asset.tables}
    tables = {name: product.tables[name] for name, product in made.items()}
    return Product(tables=tables, metrics=made[shown].metrics, notes=made[shown].notes)


@stage_asset(
    RESULTS,
    reads=[reads(outlier_masks, "outlier_metrics", lambda grid, _: grid.outlier_masks, required=False)],
    tables={"outlier_metrics": schemas.OUTLIER_METRICS},
    checks=[
        Check(
            "better_than_random",
            "No method's 95 % interval of F1 lies below the F1 of flagging the same share of samples at random; "
            "oracles are not judged.",
            verdicts.better_than_random,
            blocking=False,
        )
    ],
)
def outlier_metrics(task: Task) -> Product:
    """How far every outlier method agrees with the human: by sample and event, kind of artefact and light phase."""
    return _study_table(task, "outlier_metrics", "outlier_masks", "method")


@stage_asset(
    RESULTS,
    reads=[reads(imputed_signals, "imputation_metrics", lambda grid, _: grid.imputed_signals, required=False)],
    tables={"imputation_metrics": schemas.IMPUTATION_METRICS},
    checks=[
        Check(
            "unmasked_as_recorded",
            "Every signal equals the recording at the samples that are not masked.",
            verdicts.unmasked_as_recorded,
        ),
        Check(
            "better_than_linear",
            "No method's MAE at masked samples is above that of `linear` under the same mask; oracles are not judged, "
            "nor is anything in a study without `linear`.",
            verdicts.better_than_linear,
            blocking=False,
        ),
    ],
)
def imputation_metrics(task: Task) -> Product:
    """How far every imputation method is from ground truth under every mask: by gap length and light phase."""
    return _study_table(task, "imputation_metrics", "imputed_signals", "signal")


@stage_asset(
    RESULTS,
    reads=[reads(imputed_signals, "imputation_error_sums", lambda grid, _: grid.imputed_signals, required=False)],
    tables={"imputation_comparisons": schemas.IMPUTATION_COMPARISONS},
    seeded=True,
)
def imputation_comparisons(task: Task) -> Product:
    """Every imputation method against straight lines at the same masked samples, with paired intervals.

    Oracles are left out. Empty in a study without `linear` or without ground truth.
    """
    import polars as pl

    from plr_assets.imputation.against_linear import compare_with_linear

    masks: dict[str, dict[str, pl.DataFrame]] = {}
    for key, sums in task.tables("imputed_signals", "imputation_error_sums").items():
        if not task.grid.registry.methods["imputation"][key.named("imputation")].oracle:
            masks.setdefault(key.named("outlier_detection"), {})[key.named("imputation")] = sums
    columns = schemas.IMPUTATION_COMPARISONS.column_names
    compared = [
        compare_with_linear(sums, seed=task.seed).with_columns(
            outlier_detection=pl.lit(mask), synthetic=pl.lit(task.study.synthetic)
        )
        for mask, sums in (masks or {"": {}}).items()
    ]
    frame = pl.concat(compared).select(columns)
    return Product(
        tables={"imputation_comparisons": frame},
        metrics={"signals": float(sum(map(len, masks.values()))), "missing": float(len(task.missing))},
        notes={"head": markdown_table(frame.filter(stratum="all"))},
    )


@stage_asset(
    RESULTS,
    reads=[reads(features, "feature_metrics", lambda grid, _: grid.features, required=False)],
    tables={"feature_metrics": schemas.FEATURE_METRICS},
)
def feature_metrics(task: Task) -> Product:
    """The error that cleaning and imputation carry into every feature, and how much of it was recorded."""
    return _study_table(task, "feature_metrics", "features", "featurization")


@stage_asset(
    RESULTS,
    reads=[published("essential_metrics")],
    tables={"essential_metrics": schemas.ESSENTIAL_METRICS},
    offered=labelled,
)
def essential_metrics(task: Task) -> Product:
    """One row a pipeline: the STRATOS core, with intervals. This is the leaderboard's table."""
    return _study_table(task, "essential_metrics")


@stage_asset(RESULTS, reads=[published("predictions")], tables={"predictions": schemas.PREDICTIONS}, offered=labelled)
def predictions(task: Task) -> Product:
    """Each evaluated recording's averaged out-of-bag probability in each pipeline, and its spread."""
    return _study_table(task, "predictions")


@stage_asset(RESULTS, reads=[published("roc_curves")], tables={"roc_curves": schemas.ROC_CURVES}, offered=labelled)
def roc_curves(task: Task) -> Product:
    """ROC curve of each pipeline's averaged out-of-bag prediction."""
    return _study_table(task, "roc_curves")


@stage_asset(
    RESULTS,
    reads=[published("calibration_curves")],
    tables={"calibration_curves": schemas.CALIBRATION_CURVES},
    offered=labelled,
)
def calibration_curves(task: Task) -> Product:
    """Observed against predicted share of events, ten groups a pipeline."""
    return _study_table(task, "calibration_curves")


@stage_asset(RESULTS, reads=[published("dca_curves")], tables={"dca_curves": schemas.DCA_CURVES}, offered=labelled)
def dca_curves(task: Task) -> Product:
    """Net benefit of each pipeline over threshold probabilities, beside referring everyone and no one."""
    return _study_table(task, "dca_curves")


@stage_asset(
    RESULTS,
    reads=[published("probability_distributions")],
    tables={"probability_distributions": schemas.PROBABILITY_DISTRIBUTIONS},
    offered=labelled,
)
def probability_distributions(task: Task) -> Product:
    """Histogram of each pipeline's averaged out-of-bag prediction, by class."""
    return _study_table(task, "probability_distributions")


# One asset for seven tables, as `reliability` below.
@stage_asset(
    RESULTS,
    reads=[published(table.name) for table in schemas.FURTHER_TABLES],
    tables={table.name: table for table in schemas.FURTHER_TABLES},
    offered=labelled,
    checks=[
        Check(
            "every_pipeline",
            "Every pipeline of the study has rows; those that have none are named.",
            verdicts.of_all_pipelines("supplementary_metrics"),
            blocking=False,
        )
    ],
)
def further_metrics(task: Task) -> Product:
    """What is reported of all published pipelines beyond the core, in seven tables.

    `supplementary_metrics` and `classification_at_thresholds` with intervals, the curves `calibration_smooth`,
    `pr_curves` and `roc_bands`, `retention_metrics` (some recordings left to a human), and `distribution_stats`.
    """
    return _study_tables(task, "evaluation", shown="supplementary_metrics")


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
    return _study_tables(task, "internal_validation", shown="optimism")


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
