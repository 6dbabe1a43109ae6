"""What pipelines cost: a measurement of the machine, so no table of the results database.

Belongs here: declarations. Does not belong here: adding seconds up (`platform.costs`).
"""

from __future__ import annotations

from plr_assets.schemas.columns import PIPELINE
from plr_assets.schemas.table import Column, Table

PIPELINE_COSTS = Table(
    "pipeline_costs",
    "One row a pipeline: seconds of one process that its parts took to compute. Shared parts count in full for each.",
    (
        PIPELINE,
        Column("seconds_outlier_detection", "float64", "fitting, scoring and masks, of members too", "s", minimum=0),
        Column("seconds_imputation", "float64", "fitting and reconstructions, of members too", "s", minimum=0),
        Column("seconds_featurization", "float64", "features of all recordings", "s", minimum=0),
        Column("seconds_classification", "float64", "the bootstrap", "s", minimum=0),
        Column("seconds", "float64", "their sum", "s", minimum=0),
    ),
    ("pipeline",),
)
