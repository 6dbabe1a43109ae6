"""The tables that stages hand to each other, declared once.

Belongs here: column names, types, units, keys and value rules. Everything that checks or shows a table reads them here:
the contract (validation when published and when fetched), the asset catalogue (column schemas), the results database,
the tests. Does not belong here: computing a table. Imports nothing heavy, because the code location loads it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pandera.polars as pa
    import polars as pl

# `signal` and `mask` are fixed-length arrays (one value a sample of the common grid) of float32 and boolean.
Dtype = Literal[
    "string", "boolean", "int64", "float64", "signal", "mask", "list[uint16]", "list[uint8]", "list[float32]", "stimuli"
]


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its type, meaning, unit and rules. NaN passes only where `nullable`."""

    name: str
    dtype: Dtype
    description: str
    unit: str | None = None
    nullable: bool = False
    minimum: float | None = None
    maximum: float | None = None
    allowed: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """One table. `open_columns`: further float64 columns of any name may follow (features are data)."""

    name: str
    description: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    open_columns: bool = False

    @property
    def column_names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)


def validate(frame: pl.DataFrame, table: Table) -> pl.DataFrame:
    """`frame`, if it is a `table`. Raises ValueError that names the column and the rule it breaks."""
    import pandera.errors
    import polars as pl

    expected, found = table.column_names, tuple(frame.columns)
    if (missing := [name for name in expected if name not in found]) or (
        extra := [name for name in found if name not in expected] if not table.open_columns else []
    ):
        wrong = f"lacks column(s) {missing}" if missing else f"has unknown column(s) {extra}"
        raise ValueError(f"{table.name} {wrong}; the schema is {list(expected)}")
    try:
        _pandera_schema(table, found).validate(frame)
    except (pandera.errors.SchemaError, pandera.errors.SchemaErrors) as error:
        raise ValueError(f"{table.name} breaks its schema: {_first_line(error)}") from error
    repeated = frame.select(pl.struct(table.key).is_duplicated()).to_series()
    if repeated.any():
        row = frame.filter(repeated).select(table.key).row(0)
        raise ValueError(f"{table.name} repeats its key {dict(zip(table.key, row, strict=True))}")
    return frame


def _first_line(error: Any) -> str:
    return str(error).strip().splitlines()[0]


@cache
def _pandera_schema(table: Table, found: Sequence[str]) -> pa.DataFrameSchema:
    import pandera.polars as pa

    declared = {column.name: column for column in table.columns}
    columns = {}
    for name in found:
        column = declared.get(name, Column(name, "float64", "a feature", nullable=True))
        columns[name] = pa.Column(
            dtype=_scalar_dtype(column.dtype),
            nullable=column.nullable,
            checks=list(_checks(column)),
            required=True,
        )
    return pa.DataFrameSchema(columns, strict=True)


def _scalar_dtype(dtype: Dtype) -> Any:
    """The polars type pandera compares with; None where the type carries a length (checked in `_checks`)."""
    import polars as pl

    return {
        "string": pl.String,
        "boolean": pl.Boolean,
        "int64": pl.Int64,
        "float64": pl.Float64,
        "list[uint16]": pl.List(pl.UInt16),
        "list[uint8]": pl.List(pl.UInt8),
        "list[float32]": pl.List(pl.Float32),
        "stimuli": pl.List(pl.Struct({"colour": pl.String, "onset_s": pl.Float64, "offset_s": pl.Float64})),
    }.get(dtype)


def _checks(column: Column) -> Any:
    import pandera.polars as pa
    import polars as pl

    if column.dtype in ("signal", "mask"):
        inner = pl.Float32 if column.dtype == "signal" else pl.Boolean

        def is_array(data: pa.PolarsData) -> bool:
            dtype = data.lazyframe.collect_schema()[data.key]
            return isinstance(dtype, pl.Array) and dtype.inner == inner

        yield pa.Check(is_array, error=f"column {column.name!r} is an array of {inner}")
    if column.dtype == "float64" and not column.nullable:
        yield pa.Check(
            lambda data: data.lazyframe.select(pl.col(data.key).is_not_nan()), error=f"{column.name!r} is not NaN"
        )
    if column.minimum is not None:
        yield pa.Check.ge(column.minimum)
    if column.maximum is not None:
        yield pa.Check.le(column.maximum)
    if column.allowed is not None:
        yield pa.Check.isin(column.allowed)


_RECORDING = Column("recording", "string", "anonymised id of the recording")
_SUBJECT = Column("subject", "string", "anonymised id of the person; splits and resamples go by subject")
_PIPELINE = Column("pipeline", "string", "featurization__outlier__imputation__classifier")

RECORDINGS = Table(
    "recordings",
    "One row a recording, on the study's common time grid. Pupil in % change from the recording's baseline.",
    (
        _RECORDING,
        _SUBJECT,
        Column("eye", "string", "left or right", nullable=True, allowed=("left", "right")),
        Column("label", "string", "diagnosis; missing where none was made", nullable=True),
        Column("age", "float64", "age at the recording", "a", nullable=True, minimum=0, maximum=120),
        Column("baseline", "float64", "diameter that 0 % stands for, in baseline_unit", minimum=0),
        Column("baseline_unit", "string", "unit of the device's diameter", allowed=("px", "mm", "%")),
        Column("rate_hz", "float64", "samples a second of the common grid", "Hz", minimum=0),
        Column("synthetic", "boolean", "whether the recording was simulated"),
        Column("stimuli", "stimuli", "lights: colour, first and last moment on the common grid"),
        Column("pupil", "signal", "diameter as the device gave it; NaN where it found no pupil", "%"),
        Column("truth", "signal", "human-supervised ground truth", "%", nullable=True),
        Column(
            "artefact",
            "mask",
            "samples a human rejected, dropouts not included; missing: no human looked",
            nullable=True,
        ),
        Column("light_red", "signal", "drive of the red light, 0 = off"),
        Column("light_blue", "signal", "drive of the blue light, 0 = off"),
    ),
    ("recording",),
)

VERDICTS = ("accepted", "accepted with flags")
# Apart from `recordings`, so that a quality limit that only flags changes nothing that is computed from them.
RECORDING_VERDICTS = Table(
    "recording_verdicts",
    "What the quality gate says of each imported recording. Refused ones are in `quarantine`.",
    (
        _RECORDING,
        Column("verdict", "string", "what became of it", allowed=VERDICTS),
        Column("flags", "string", "rules that it breaks, '; ' between; missing: none", nullable=True),
        Column("reason", "string", "what was seen; missing: nothing", nullable=True),
        Column("remedy", "string", "what to do; missing: nothing", nullable=True),
    ),
    ("recording",),
)

SIMULATED_FILES = Table(
    "device_files",
    "Files that the simulator wrote: device csv, ground truth, subjects table.",
    (
        Column("content", "string", "SHA-256 of the file"),
        Column("bytes", "int64", "size of the file", "B", minimum=0),
    ),
    ("content",),
)

QUARANTINE = Table(
    "quarantine",
    "Files that were not imported, and why.",
    (
        Column("content", "string", "first 12 digits of the file's SHA-256 (its name could carry a subject code)"),
        Column("row", "int64", "1-based row at fault; missing where the whole file is", nullable=True, minimum=1),
        Column("reason", "string", "the rule that was broken"),
        Column("remedy", "string", "what to do"),
    ),
    ("content", "reason"),
)

ROLE_NAMES = ("development", "evaluated", "pending")
ROLES = Table(
    "roles",
    "What each recording is used for. Signal methods learn from `development`, pipelines are judged on `evaluated`; "
    "`pending` joined after the roles were frozen and is neither.",
    (
        _RECORDING,
        _SUBJECT,
        Column("role", "string", "what the recording is used for", allowed=ROLE_NAMES),
        Column("label", "string", "diagnosis", nullable=True),
    ),
    ("recording",),
)

OUTLIER_SCORES = Table(
    "outlier_scores",
    "How unusual each sample is; larger is more unusual. NaN at dropouts.",
    (_RECORDING, Column("score", "signal", "the detector's decision function")),
    ("recording",),
)

OUTLIER_MASKS = Table(
    "outlier_masks",
    "Samples to be replaced: artefacts that the method found, and all dropouts.",
    (_RECORDING, Column("mask", "mask", "true where the sample is to be replaced")),
    ("recording",),
)

OUTLIER_AGREEMENT = Table(
    "outlier_agreement",
    "One row a scored recording: how far a mask agrees with the human's. Missing where no human rejected samples.",
    (
        _RECORDING,
        _SUBJECT,
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
    (_RECORDING, Column("share", "signal", "share of the members that flag the sample; of one method 0 or 1")),
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

# What a method knows of its own error; all recordings have them, or none.
_LIMITS = (
    Column("lower", "signal", "lower limit of the 90 % band; NaN at unmasked samples", "%", nullable=True),
    Column("upper", "signal", "upper limit of the 90 % band; NaN at unmasked samples", "%", nullable=True),
)

RECONSTRUCTIONS = Table(
    "reconstructions",
    "What an imputation method puts at masked samples. NaN at the others.",
    (_RECORDING, Column("signal", "signal", "pupil", "%"), *_LIMITS),
    ("recording",),
)

SIGNALS = Table(
    "signals",
    "Pupil signals without gaps: the recording at unmasked samples, the method's values at masked ones.",
    (_RECORDING, Column("signal", "signal", "pupil", "%"), *_LIMITS),
    ("recording",),
)

IMPUTATION_ERRORS = Table(
    "imputation_errors",
    "One row a scored recording: how far imputed values are from ground truth. Missing where there is none.",
    (
        _RECORDING,
        _SUBJECT,
        Column("n_masked", "int64", "samples that were imputed", minimum=0),
        Column("n_gaps", "int64", "runs of them", minimum=0),
        Column("longest_gap_s", "float64", "the longest run", "s", minimum=0),
        Column("mae", "float64", "mean absolute error at masked samples", "%", nullable=True, minimum=0),
        Column("rmse", "float64", "root of the mean squared error there", "%", nullable=True, minimum=0),
        Column("bias", "float64", "mean of imputed - truth there", "%", nullable=True),
        Column(
            "coverage_90", "float64", "share of true values within the 90 % band", nullable=True, minimum=0, maximum=1
        ),
    ),
    ("recording",),
)

_SCORES = (
    Column("value", "float64", "of all scored recordings, pooled", nullable=True),
    Column("lower", "float64", "2.5 % point of a bootstrap by subject", nullable=True),
    Column("upper", "float64", "97.5 % point of a bootstrap by subject", nullable=True),
)

IMPUTATION_METRICS = Table(
    "imputation_metrics",
    "One row an outlier method, imputation method, stratum and metric: errors of imputed values.",
    (
        Column("outlier_detection", "string", "method that masked"),
        Column("imputation", "string", "method that imputed"),
        Column("oracle", "boolean", "imputes ground truth itself: shown, never ranked"),
        Column("synthetic", "boolean", "computed from simulated recordings"),
        Column("role", "string", "recordings that are scored", allowed=ROLE_NAMES),
        Column("stratum", "string", "`all`, a gap's duration (`gap:...`), the light (`phase:...`, `light:...`), both"),
        Column("metric", "string", "what is measured"),
        *_SCORES,
        Column("n", "int64", "samples that are measured", minimum=0),
    ),
    ("outlier_detection", "imputation", "stratum", "metric"),
)

FEATURE_COVERAGE = Table(
    "feature_coverage",
    "One row a recording and feature: how much of the feature's window was recorded, and how much was imputed.",
    (
        _RECORDING,
        Column("feature", "string", "column of `features`"),
        Column(
            "coverage",
            "float64",
            "unmasked samples of its window, of all; missing: no value",
            nullable=True,
            minimum=0,
            maximum=1,
        ),
        Column("longest_gap_s", "float64", "longest masked run within its window", "s", nullable=True, minimum=0),
        Column("flagged", "boolean", "the longest gap is longer than the study's `gaps.longest_s`"),
    ),
    ("recording", "feature"),
)

FEATURE_METRICS = Table(
    "feature_metrics",
    "One row a featurization, outlier method, imputation method, feature and metric: errors carried into features.",
    (
        Column("featurization", "string", "method"),
        Column("outlier_detection", "string", "method that masked"),
        Column("imputation", "string", "method that imputed"),
        Column("oracle", "boolean", "imputes ground truth itself: shown, never ranked"),
        Column("synthetic", "boolean", "computed from simulated recordings"),
        Column("role", "string", "recordings that are scored", allowed=ROLE_NAMES),
        Column("feature", "string", "column of `features`"),
        Column("metric", "string", "what is measured"),
        *_SCORES,
        Column("n", "int64", "recordings in which the feature has a value", minimum=0),
    ),
    ("featurization", "outlier_detection", "imputation", "feature", "metric"),
)

FEATURES = Table(
    "features",
    "One row a recording, one column a feature; definitions in configs/methods/featurization.yaml.",
    (_RECORDING, _SUBJECT),
    ("recording",),
    open_columns=True,
)

BOOTSTRAP_RESULTS = Table(
    "bootstrap_results",
    "Out-of-bag bootstrap by subject: a row an iteration. Indices point into the rows of `bootstrap_cases`.",
    (
        Column("iteration", "int64", "0-based", minimum=0),
        Column("train_indices", "list[uint16]", "cases that train, with repeats"),
        Column("test_indices", "list[uint16]", "cases of the subjects that were not drawn"),
        Column("y_true", "list[uint8]", "1 = positive class, of test_indices"),
        Column("y_prob", "list[float32]", "predicted probability of the positive class, of test_indices"),
        Column("auroc", "float64", "of y_prob", minimum=0, maximum=1),
        Column("brier", "float64", "of y_prob", minimum=0, maximum=1),
    ),
    ("iteration",),
)

BOOTSTRAP_CASES = Table(
    "bootstrap_cases",
    "The evaluated, labelled recordings that the bootstrap's indices point to.",
    (
        Column("case", "int64", "0-based index", minimum=0),
        _RECORDING,
        _SUBJECT,
        Column("y_true", "int64", "1 = positive class", minimum=0, maximum=1),
    ),
    ("case",),
)


def _interval(name: str, what: str, low: float | None = None, high: float | None = None) -> tuple[Column, ...]:
    return (
        Column(name, "float64", what, nullable=True, minimum=low, maximum=high),
        Column(f"{name}_ci_lower", "float64", f"lower end of the 95 % interval of {name}", nullable=True),
        Column(f"{name}_ci_upper", "float64", f"upper end of the 95 % interval of {name}", nullable=True),
    )


ESSENTIAL_METRICS = Table(
    "essential_metrics",
    "One row a pipeline: the STRATOS core.",
    (
        _PIPELINE,
        Column("featurization", "string", "method"),
        Column("outlier_detection", "string", "method"),
        Column("imputation", "string", "method"),
        Column("classification", "string", "method"),
        Column("oracle", "boolean", "uses ground truth of evaluated recordings: shown, never ranked"),
        Column("synthetic", "boolean", "computed from simulated recordings"),
        *_interval("auroc", "mean out-of-bag AUROC of one model (estimand `single`); DeLong interval", 0, 1),
        Column("auroc_resample_lower", "float64", "2.5 % of AUROC over training resamples", minimum=0, maximum=1),
        Column("auroc_resample_upper", "float64", "97.5 % of AUROC over training resamples", minimum=0, maximum=1),
        *_interval("auroc_bagged", "AUROC of the averaged out-of-bag prediction (`bagged`); DeLong interval", 0, 1),
        Column("brier", "float64", "mean out-of-bag Brier score of one model", minimum=0, maximum=1),
        Column("scaled_brier", "float64", "1 - brier / Brier of predicting the prevalence", maximum=1),
        *_interval("calibration_slope", "logistic recalibration slope of the averaged prediction; 1 is ideal"),
        *_interval("calibration_intercept", "calibration-in-the-large of the averaged prediction; 0 is ideal"),
        *_interval("o_e_ratio", "observed / expected events of the averaged prediction; 1 is ideal", 0),
        *(
            Column(f"net_benefit_{percent}pct", "float64", f"net benefit of the averaged prediction at {percent} %")
            for percent in (5, 10, 15, 20)
        ),
        Column("n_subjects", "int64", "evaluated subjects", minimum=2),
        Column("n_events", "int64", "evaluated recordings of the positive class", minimum=1),
        Column("prevalence", "float64", "share of the positive class", minimum=0, maximum=1),
        Column("n_iterations", "int64", "bootstrap iterations", minimum=2),
    ),
    ("pipeline",),
)

PREDICTIONS = Table(
    "predictions",
    "One row a pipeline and evaluated recording: the averaged out-of-bag prediction and its spread.",
    (
        _PIPELINE,
        _RECORDING,
        Column("y_true", "int64", "1 = positive class", minimum=0, maximum=1),
        Column("y_prob", "float64", "mean out-of-bag probability", minimum=0, maximum=1),
        Column("y_prob_sd", "float64", "standard deviation over iterations; none with one", nullable=True, minimum=0),
        Column("n_out_of_bag", "int64", "iterations in which the recording was out of bag", minimum=1),
    ),
    ("pipeline", "recording"),
)

ROC_CURVES = Table(
    "roc_curves",
    "ROC curve of the averaged out-of-bag prediction.",
    (
        _PIPELINE,
        Column("point", "int64", "0-based", minimum=0),
        Column("false_positive_rate", "float64", "1 - specificity", minimum=0, maximum=1),
        Column("true_positive_rate", "float64", "sensitivity", minimum=0, maximum=1),
    ),
    ("pipeline", "point"),
)

CALIBRATION_CURVES = Table(
    "calibration_curves",
    "Observed share of events against the averaged out-of-bag prediction: ten groups of equal size, Wilson intervals.",
    (
        _PIPELINE,
        Column("bin", "int64", "0-based, from low to high probability", minimum=0),
        Column("predicted_mean", "float64", "mean predicted probability", minimum=0, maximum=1),
        *_interval("observed_share", "share of the positive class", 0, 1),
        Column("n", "int64", "recordings in the group", minimum=1),
    ),
    ("pipeline", "bin"),
)

DCA_CURVES = Table(
    "dca_curves",
    "Decision curve of the averaged out-of-bag prediction, thresholds 1-50 %, beside treating all and none.",
    (
        _PIPELINE,
        Column("threshold", "float64", "probability at which one would refer", minimum=0, maximum=1),
        Column("net_benefit_model", "float64", "of referring where p >= threshold"),
        Column("net_benefit_all", "float64", "of referring everyone"),
        Column("net_benefit_none", "float64", "of referring no one: 0"),
    ),
    ("pipeline", "threshold"),
)

PROBABILITY_DISTRIBUTIONS = Table(
    "probability_distributions",
    "Histogram of the averaged out-of-bag prediction, by class.",
    (
        _PIPELINE,
        Column("y_true", "int64", "1 = positive class", minimum=0, maximum=1),
        Column("bin", "int64", "0-based", minimum=0),
        Column("bin_start", "float64", "left border", minimum=0, maximum=1),
        Column("bin_end", "float64", "right border", minimum=0, maximum=1),
        Column("n", "int64", "recordings", minimum=0),
    ),
    ("pipeline", "y_true", "bin"),
)

# The tables of one pipeline's evaluation.
EVALUATION_TABLES = (
    ESSENTIAL_METRICS,
    PREDICTIONS,
    ROC_CURVES,
    CALIBRATION_CURVES,
    DCA_CURVES,
    PROBABILITY_DISTRIBUTIONS,
)

# The tables of the results database.
DATABASE_TABLES = (*EVALUATION_TABLES, OUTLIER_METRICS, IMPUTATION_METRICS, FEATURE_METRICS)
