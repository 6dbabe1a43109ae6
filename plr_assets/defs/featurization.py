"""The asset of the featurization stage.

Belongs here: the declaration. Does not belong here: features, which are data (configs/methods/featurization.yaml).
"""

from __future__ import annotations

from plr_assets.defs.data_import import cohort_split, recordings
from plr_assets.defs.imputation import imputed_signals
from plr_assets.defs.stages import FEATURIZATION
from plr_assets.platform.artifacts import Product
from plr_assets.platform.previews import markdown_table
from plr_assets.platform.stages import Task, reads, stage_asset
from plr_assets.schemas import FEATURES


@stage_asset(
    FEATURIZATION,
    keys=lambda grid: grid.features,
    axes=("featurization", "outlier_detection", "imputation"),
    method_axis="featurization",
    reads=[
        reads(recordings),
        reads(cohort_split, "development"),
        reads(cohort_split, "cases"),
        reads(imputed_signals),
    ],
    tables={"features": FEATURES, "features_of_cases": FEATURES},
)
def features(task: Task) -> Product:
    """One row a recording, one column a feature. `dictionary` says what each column is: window, unit, source.

    `features_of_cases` are the rows of the evaluated recordings, from which pipelines are computed.
    """
    import polars as pl

    from plr_assets.recordings.table import Recordings, signal_array

    cohort = Recordings.from_frame(task.table("recordings"))
    signal = signal_array(task.table("imputed_signals")["signal"])
    development = set(task.table("cohort_split", "development")["recording"])
    rows = [row for row, name in enumerate(cohort.recording) if name in development]
    featurizer = task.make().fit(cohort.take(rows), signal[rows])
    table = featurizer.transform(cohort, signal)
    cases = task.table("cohort_split", "cases")["recording"].to_list()
    dictionary = featurizer.describe()
    return Product(
        tables={"features": table, "features_of_cases": table.filter(pl.col("recording").is_in(cases))},
        documents={"dictionary": dictionary},
        folders={"model": featurizer.save},
        metrics={"features": len(dictionary)},
        notes={"dictionary": markdown_table(pl.DataFrame(dictionary), rows=60)},
    )
