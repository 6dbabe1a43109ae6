"""Assets of internal validation: what confounds the cohort, and how far each pipeline's numbers can be relied on.

Belongs here: the declarations. Does not belong here: an estimate (`evaluation`), refitting (`classification`), or the
study's tables (`results`).
"""

from __future__ import annotations

from plr_assets import schemas
from plr_assets.defs.classification import bootstrap_results
from plr_assets.defs.data_import import cohort_split
from plr_assets.defs.featurization import features
from plr_assets.defs.models import models
from plr_assets.defs.stages import RESULTS, labelled, whole
from plr_assets.platform.artifacts import Product
from plr_assets.platform.previews import markdown_table
from plr_assets.platform.stages import Task, reads, stage_asset
from plr_assets.registry import AXES

# Replicates of the bootstrap that are fitted again: one in ten, which is about what they cost; 20 to 100. At 100,
# Harrell's optimism of AUROC has a standard error of 0.002 to 0.003 (his own default is 40).
_ONE_IN, _FEWEST, _MOST = 10, 20, 100


@stage_asset(
    RESULTS,
    reads=[reads(cohort_split, "cases"), reads(cohort_split, "evaluated")],
    tables={"confounders": schemas.CONFOUNDERS, "confounder_values": schemas.CONFOUNDER_VALUES},
    settings=("labels",),
    offered=labelled,
)
def confounders(task: Task) -> Product:
    """How far age, pupil size, blinks, lost samples, artefacts and noise alone tell the classes apart.

    A pipeline that ranks no better than these may be ranking by them. `confounder_values` are the values themselves.
    """
    from plr_assets.classification.resampling import cases_from
    from plr_assets.evaluation.internal_validation import confounder_table
    from plr_assets.recordings.nuisances import nuisances_of
    from plr_assets.recordings.table import Recordings

    cases = cases_from(task.table("cohort_split", "cases"), task.setting("labels"))
    measured = nuisances_of(Recordings.from_frame(task.table("cohort_split", "evaluated")))
    values = cases.drop("case").join(measured.fill_nan(None), on="recording", how="left", maintain_order="left")
    table = confounder_table(values)
    return Product(
        tables={"confounders": table, "confounder_values": values},
        metrics={
            f"auroc.{name}": auroc for name, auroc in table.drop_nulls("auroc").select("confounder", "auroc").rows()
        },
        notes={"confounders": markdown_table(table)},
    )


@stage_asset(
    RESULTS,
    keys=lambda grid: grid.pipelines,
    axes=AXES,
    method_axis="classification",
    reads=[
        reads(bootstrap_results),
        reads(bootstrap_results, "bootstrap_cases"),
        reads(models, "model"),
        reads(models, "apparent_predictions"),
        reads(features, "features_of_cases"),
        reads(confounders, "confounder_values", whole),
    ],
    tables={table.name: table for table in schemas.VALIDATION_TABLES},
    seeded=True,
    offered=labelled,
)
def internal_validation(task: Task) -> Product:
    """How far one pipeline's numbers can be relied on: uncertainty, stability, optimism, importance, age.

    Some of the bootstrap's replicates are fitted again from their seeds, for what they say of the subjects that they
    learned from, and of features that were shuffled. The model for use is read from its files, and refused if it does
    not say what it said when it was fitted.
    """
    import numpy as np

    from plr_assets.classification.bootstrap import replicate_seeds
    from plr_assets.classification.contributions import contributions
    from plr_assets.classification.matrix import case_matrix, feature_names
    from plr_assets.classification.model import require_same
    from plr_assets.classification.replicates import refit, resamples_of
    from plr_assets.evaluation.internal_validation import Refitted, validate_pipeline

    bootstrap, table = task.table("bootstrap_results"), task.table("features", "features_of_cases")
    cases = task.table("bootstrap_results", "bootstrap_cases").sort("case")
    (classifier,) = task.fitted("models").values()
    X, y = case_matrix(table, cases), cases["y_true"].to_numpy()
    developed = classifier.predict_proba(X)[:, 1]
    require_same(developed, task.table("models", "apparent_predictions"), cases, pipeline=str(task.key))
    chosen = min(max(bootstrap.height // _ONE_IN, _FEWEST), _MOST)
    resamples = resamples_of(bootstrap, len(cases), task.seed, chosen)
    replicates = refit(task.make(), X, y, resamples, replicate_seeds(resamples))
    refitted = Refitted(
        developed=developed,
        counts=replicates.counts,
        on_all=replicates.on_all,
        shuffled=replicates.shuffled,
        departure=replicates.departure(bootstrap),
        features=feature_names(table),
        X=X,
        contributions=contributions(classifier, X),
    )
    tables = validate_pipeline(
        bootstrap,
        cases,
        refitted,
        task.table("confounders", "confounder_values"),
        pipeline=str(task.key),
        seed=task.seed,
    )
    row = tables["optimism"].row(0, named=True) | tables["adjusted_auroc"].row(0, named=True)
    named = ("auroc_apparent", "auroc_632plus", "auroc_corrected", "brier_632plus", "brier_corrected", "auroc_matched")
    return Product(
        tables=tables,
        metrics={name: np.nan if row[name] is None else row[name] for name in named},
        notes={"importance": markdown_table(tables["feature_importance"].sort("importance", descending=True))},
    )
