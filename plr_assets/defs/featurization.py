"""The asset of the featurization stage.

Belongs here: the declaration. Does not belong here: features, which are data (configs/methods/featurization.yaml).
"""

from __future__ import annotations

from plr_assets.defs.data_import import cohort_split, recordings
from plr_assets.defs.imputation import imputed_signals
from plr_assets.defs.outlier_detection import outlier_masks
from plr_assets.defs.stages import FEATURIZATION
from plr_assets.platform.artifacts import Product
from plr_assets.platform.previews import markdown_table
from plr_assets.platform.stages import Task, reads, stage_asset
from plr_assets.schemas import FEATURE_COVERAGE, FEATURE_METRICS, FEATURES


@stage_asset(
    FEATURIZATION,
    keys=lambda grid: grid.features,
    axes=("featurization", "outlier_detection", "imputation"),
    method_axis="featurization",
    reads=[
        reads(recordings),
        reads(cohort_split, "development"),
        reads(cohort_split, "cases"),
        reads(cohort_split, "roles"),
        reads(outlier_masks),
        reads(imputed_signals),
    ],
    tables={
        "features": FEATURES,
        "features_of_cases": FEATURES,
        "feature_coverage": FEATURE_COVERAGE,
        "feature_metrics": FEATURE_METRICS,
    },
    settings=("gaps",),
    seeded=True,
)
def features(task: Task) -> Product:
    """One row a recording, one column a feature. `dictionary` says what each column is: window, unit, source.

    `features_of_cases` are the rows of the evaluated recordings, from which pipelines are computed.
    `feature_coverage` says how much of each feature's window was recorded, and flags those with a long gap; they keep
    their value. What imputation does to features is measured on evaluated recordings.
    """
    import polars as pl

    from plr_assets.errors import DataError
    from plr_assets.featurization.coverage import feature_coverage
    from plr_assets.featurization.scoring import feature_error, score_features
    from plr_assets.imputation.errors import changed_samples
    from plr_assets.recordings.roles import scored_rows
    from plr_assets.recordings.table import Recordings, signal_array

    cohort = Recordings.from_frame(task.table("recordings"))
    signal = signal_array(task.table("imputed_signals")["signal"])
    mask = signal_array(task.table("outlier_masks")["mask"])
    if changed := changed_samples(signal, mask, cohort):
        raise DataError(
            f"imputed_signals {task.key.only(*imputed_signals.axes)}",
            f"{changed} samples differ from the recording although they are not masked.",
            "Imputation replaces masked samples only: mend the method, or the run that was logged from outside.",
        )
    development = set(task.table("cohort_split", "development")["recording"])
    rows = [row for row, name in enumerate(cohort.recording) if name in development]
    featurizer = task.make().fit(cohort.take(rows), signal[rows])
    table = featurizer.transform(cohort, signal)
    cases = task.table("cohort_split", "cases")["recording"].to_list()
    coverage = feature_coverage(featurizer, cohort, mask, task.setting("gaps").longest_s)
    scored, prefix = scored_rows(task.table("cohort_split", "roles"), cohort.recording)
    names = [cohort.recording[row] for row in scored]
    judged = coverage.filter(pl.col("recording").is_in(names))
    scores = score_features(featurizer, cohort.take(scored), signal[scored], mask[scored], judged, seed=task.seed)
    oracle = task.grid.registry.methods["imputation"][task.key.named("imputation")].oracle
    described = scores.select(
        *(pl.lit(task.key.named(axis)).alias(axis) for axis in features.axes),
        pl.lit(oracle).alias("oracle"),
        pl.lit(cohort.synthetic).alias("synthetic"),
        pl.lit("development" if prefix else "evaluated").alias("role"),
        pl.all(),
    )
    dictionary = featurizer.describe()
    metrics = {"features": float(len(dictionary)), "flagged_features": float(coverage["flagged"].sum())}
    if (error := feature_error(scores)) is not None:
        metrics[f"{prefix}feature_error"] = error
    return Product(
        tables={
            "features": table,
            "features_of_cases": table.filter(pl.col("recording").is_in(cases)),
            "feature_coverage": coverage,
            "feature_metrics": described,
        },
        documents={"dictionary": dictionary},
        folders={"model": featurizer.save},
        metrics=metrics,
        notes={"dictionary": markdown_table(pl.DataFrame(dictionary), rows=60)},
    )
