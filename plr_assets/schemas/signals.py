"""Tables of the signal stages: what detectors, imputers and features make of the recordings.

Belongs here: declarations. Does not belong here: what one table says of all methods and pipelines (`results`).
"""

from __future__ import annotations

from plr_assets.schemas.recordings import ROLE_NAMES
from plr_assets.schemas.table import RECORDING, SUBJECT, Column, Table

OUTLIER_SCORES = Table(
    "outlier_scores",
    "How unusual each sample is; larger is more unusual. NaN at dropouts.",
    (RECORDING, Column("score", "signal", "the detector's decision function")),
    ("recording",),
)

OUTLIER_MASKS = Table(
    "outlier_masks",
    "Samples to be replaced: artefacts that the method found, and all dropouts.",
    (RECORDING, Column("mask", "mask", "true where the sample is to be replaced")),
    ("recording",),
)

OUTLIER_AGREEMENT = Table(
    "outlier_agreement",
    "One row a scored recording: how far a mask agrees with the human's. Missing where no human rejected samples.",
    (
        RECORDING,
        SUBJECT,
        Column("n_observed", "int64", "samples with a pupil", minimum=0),
        Column("n_dropout", "int64", "samples without one: given, not found", minimum=0),
        Column("n_flagged", "int64", "samples with a pupil that the mask replaces", minimum=0),
        Column("n_artefact", "int64", "samples that a human rejected", nullable=True, minimum=0),
        Column("tp", "int64", "flagged artefacts", nullable=True, minimum=0),
        Column("fp", "int64", "flagged samples that are none", nullable=True, minimum=0),
        Column("fn", "int64", "artefacts that are not flagged", nullable=True, minimum=0),
        Column("f1", "float64", "of samples; missing if nothing is flagged or to find", nullable=True, minimum=0),
        Column(
            "true_events", "int64", "runs of artefacts and dropouts that hold an artefact", nullable=True, minimum=0
        ),
        Column("found_events", "int64", "those with a flagged artefact", nullable=True, minimum=0),
        Column(
            "predicted_events",
            "int64",
            "runs of flagged samples and dropouts that hold a flagged sample",
            nullable=True,
            minimum=0,
        ),
        Column("right_events", "int64", "those with a flagged artefact", nullable=True, minimum=0),
        Column(
            "threshold",
            "float64",
            "between the highest score that is kept and the lowest that is flagged; missing if there is no such place",
            nullable=True,
        ),
    ),
    ("recording",),
)

OUTLIER_VOTES = Table(
    "outlier_votes",
    "How far the members of an outlier method agree on each sample. NaN at dropouts.",
    (RECORDING, Column("share", "signal", "share of the members that flag the sample; of one method 0 or 1")),
    ("recording",),
)

OUTLIER_METRICS = Table(
    "outlier_metrics",
    "One row an outlier method, stratum and metric: agreement with the samples that a human rejected.",
    (
        Column("method", "string", "outlier detection method"),
        Column("oracle", "boolean", "uses the human masks that it is scored by: shown, never ranked"),
        Column("synthetic", "boolean", "computed from simulated recordings"),
        Column("role", "string", "recordings that are scored", allowed=ROLE_NAMES),
        Column("stratum", "string", "`all`, an artefact's shape (`kind:...`) or the light (`phase:...`)"),
        Column("metric", "string", "what is measured"),
        Column("value", "float64", "of all scored recordings, pooled", nullable=True, minimum=0),
        Column("lower", "float64", "2.5 % point of a bootstrap by subject", nullable=True, minimum=0),
        Column("upper", "float64", "97.5 % point of a bootstrap by subject", nullable=True, minimum=0),
        Column("n", "int64", "samples or events in the denominator, or that there were to find", minimum=0),
    ),
    ("method", "stratum", "metric"),
)

RECONSTRUCTIONS = Table(
    "reconstructions",
    "What an imputation method puts at masked samples. NaN at the others.",
    (RECORDING, Column("signal", "signal", "pupil", "%")),
    ("recording",),
)

SIGNALS = Table(
    "signals",
    "Pupil signals without gaps: the recording at unmasked samples, the method's values at masked ones.",
    (RECORDING, Column("signal", "signal", "pupil", "%")),
    ("recording",),
)

FEATURES = Table(
    "features",
    "One row a recording, one column a feature; definitions in configs/methods/featurization.yaml.",
    (RECORDING, SUBJECT),
    ("recording",),
    open_columns=True,
)
