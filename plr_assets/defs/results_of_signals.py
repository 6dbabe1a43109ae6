"""Assets of the results stage about signals: how good masks, imputation and features are, over the whole study.

Belongs here: the declarations and their checks. Does not belong here: scores of one partition (its own stage's asset),
results of pipelines (`results`), or what checks ask (`verdicts`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from plr_assets import schemas
from plr_assets.defs import verdicts
from plr_assets.defs.featurization import features
from plr_assets.defs.imputation import imputed_signals
from plr_assets.defs.outlier_detection import outlier_masks
from plr_assets.defs.stages import RESULTS
from plr_assets.defs.study_tables import study_table
from plr_assets.platform.artifacts import Product
from plr_assets.platform.previews import markdown_table
from plr_assets.platform.stages import Check, Task, reads, stage_asset

if TYPE_CHECKING:
    import polars as pl


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
        ),
        Check(
            "f1_as_before",
            "No method's F1 lies outside the 95 % interval that it had in the publication before.",
            verdicts.not_drifted(
                "outlier_metrics", ("method",), "value", ("lower", "upper"), stratum="all", metric="f1"
            ),
            blocking=False,
            over_time=True,
        ),
    ],
)
def outlier_metrics(task: Task) -> Product:
    """How far every outlier method agrees with the human: by sample and event, kind of artefact and light phase."""
    return study_table(task, "outlier_metrics", "outlier_masks", "method")


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
        Check(
            "mae_as_before",
            "No method's MAE under a mask lies outside the 95 % interval that it had in the publication before.",
            verdicts.not_drifted(
                "imputation_metrics",
                ("outlier_detection", "imputation"),
                "value",
                ("lower", "upper"),
                stratum="all",
                metric="mae",
            ),
            blocking=False,
            over_time=True,
        ),
    ],
)
def imputation_metrics(task: Task) -> Product:
    """How far every imputation method is from ground truth under every mask: by gap length and light phase."""
    return study_table(task, "imputation_metrics", "imputed_signals", "signal")


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
    return study_table(task, "feature_metrics", "features", "featurization")
