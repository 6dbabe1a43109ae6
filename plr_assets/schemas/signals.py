"""Tables of the signal stages: what detectors, imputers and features make of the recordings.

Belongs here: declarations. Does not belong here: what one table says of all methods and pipelines (`results`).
"""

from __future__ import annotations

from plr_assets.schemas.columns import RECORDING, SUBJECT, SYNTHETIC, number
from plr_assets.schemas.recordings import ROLE_NAMES
from plr_assets.schemas.table import Column, Table

_MASKED_BY = Column("outlier_detection", "string", "method that masked")
_IMPUTED_BY = Column("imputation", "string", "method that imputed")
_IMPUTES_TRUTH = Column("oracle", "boolean", "imputes ground truth itself: shown, never ranked")
_ROLE = Column("role", "string", "recordings that are scored", allowed=ROLE_NAMES)
_METRIC = Column("metric", "string", "what is measured")


def _score(low: float | None = None) -> tuple[Column, ...]:
    return (
        number("value", "of all scored recordings, pooled", None, low),
        number("lower", "2.5 % point of a bootstrap by subject", None, low),
        number("upper", "97.5 % point of a bootstrap by subject", None, low),
    )


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
        number("f1", "of samples; missing if nothing is flagged or to find", None, 0),
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
        number(
            "threshold",
            "between the highest score that is kept and the lowest that is flagged; missing if there is no such place",
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
        SYNTHETIC,
        _ROLE,
        Column("stratum", "string", "`all`, an artefact's shape (`kind:...`) or the light (`phase:...`)"),
        _METRIC,
        *_score(0),
        Column("n", "int64", "samples or events in the denominator, or that there were to find", minimum=0),
    ),
    ("method", "stratum", "metric"),
)

# What a method knows of its own error; all recordings have them, or none.
_LIMITS = (
    Column("lower", "signal", "lower limit of the 90 % band; NaN at unmasked samples", "%", nullable=True),
    Column("upper", "signal", "upper limit of the 90 % band; NaN at unmasked samples", "%", nullable=True),
)

RECONSTRUCTIONS = Table(
    "reconstructions",
    "What an imputation method puts at masked samples. NaN at the others.",
    (RECORDING, Column("signal", "signal", "pupil", "%"), *_LIMITS),
    ("recording",),
)

SIGNALS = Table(
    "signals",
    "Pupil signals without gaps: the recording at unmasked samples, the method's values at masked ones.",
    (RECORDING, Column("signal", "signal", "pupil", "%"), *_LIMITS),
    ("recording",),
)

IMPUTATION_ERRORS = Table(
    "imputation_errors",
    "One row a scored recording: how far imputed values are from ground truth. Missing where there is none.",
    (
        RECORDING,
        SUBJECT,
        Column("n_masked", "int64", "samples that were imputed", minimum=0),
        Column("n_gaps", "int64", "runs of them", minimum=0),
        Column("longest_gap_s", "float64", "the longest run", "s", minimum=0),
        number("mae", "mean absolute error at masked samples", "%", 0),
        number("rmse", "root of the mean squared error there", "%", 0),
        number("bias", "mean of imputed - truth there", "%"),
        number("coverage_90", "share of true values within the 90 % band", None, 0, 1),
    ),
    ("recording",),
)

IMPUTATION_ERROR_SUMS = Table(
    "imputation_error_sums",
    "One row a scored recording and stratum with masked samples, or `all`: what methods are compared by. Empty without "
    "truth.",
    (
        RECORDING,
        SUBJECT,
        Column("stratum", "string", "as in `imputation_metrics`"),
        Column("n", "int64", "masked samples", minimum=0),
        Column("absolute", "float64", "sum of the absolute errors at them", "%", minimum=0),
    ),
    ("recording", "stratum"),
)

IMPUTATION_METRICS = Table(
    "imputation_metrics",
    "One row an outlier method, imputation method, stratum and metric: errors of imputed values.",
    (
        _MASKED_BY,
        _IMPUTED_BY,
        _IMPUTES_TRUTH,
        SYNTHETIC,
        _ROLE,
        Column("stratum", "string", "`all`, a gap's duration (`gap:...`), the light (`phase:...`, `light:...`), both"),
        _METRIC,
        *_score(),
        Column("n", "int64", "samples that are measured", minimum=0),
    ),
    ("outlier_detection", "imputation", "stratum", "metric"),
)

IMPUTATION_COMPARISONS = Table(
    "imputation_comparisons",
    "One row an outlier method, imputation method and stratum: its MAE less that of straight lines, same samples.",
    (
        _MASKED_BY,
        _IMPUTED_BY,
        SYNTHETIC,
        Column("stratum", "string", "as in `imputation_metrics`"),
        Column("mae", "float64", "of the method, pooled over the scored recordings", "%", minimum=0),
        Column("mae_linear", "float64", "of `linear` at the same samples", "%", minimum=0),
        Column("difference", "float64", "mae - mae_linear; below 0 the method is better", "%"),
        number("lower", "2.5 % point of the difference, paired bootstrap by subject", "%"),
        number("upper", "97.5 % point of it", "%"),
        Column("n", "int64", "masked samples", minimum=1),
    ),
    ("outlier_detection", "imputation", "stratum"),
)

FEATURE_COVERAGE = Table(
    "feature_coverage",
    "One row a recording and feature: how much of the feature's window was recorded, and how much was imputed.",
    (
        RECORDING,
        Column("feature", "string", "column of `features`"),
        number("coverage", "unmasked samples of its window, of all; missing: no value", None, 0, 1),
        number("longest_gap_s", "longest masked run within its window", "s", 0),
        Column("flagged", "boolean", "the longest gap is longer than the study's `gaps.longest_s`"),
    ),
    ("recording", "feature"),
)

FEATURE_METRICS = Table(
    "feature_metrics",
    "One row a featurization, outlier method, imputation method, feature and metric: errors carried into features.",
    (
        Column("featurization", "string", "method"),
        _MASKED_BY,
        _IMPUTED_BY,
        _IMPUTES_TRUTH,
        SYNTHETIC,
        _ROLE,
        Column("feature", "string", "column of `features`"),
        _METRIC,
        *_score(),
        Column("n", "int64", "recordings in which the feature has a value", minimum=0),
    ),
    ("featurization", "outlier_detection", "imputation", "feature", "metric"),
)

FEATURES = Table(
    "features",
    "One row a recording, one column a feature; definitions in configs/methods/featurization.yaml.",
    (RECORDING, SUBJECT),
    ("recording",),
    open_columns=True,
)
