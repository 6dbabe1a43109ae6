"""Tables of classification and results, among them those of the results database.

Belongs here: declarations. Does not belong here: estimating what they hold (`plr_assets.evaluation`).
"""

from __future__ import annotations

from functools import partial

from plr_assets.schemas.columns import PIPELINE, RECORDING, SUBJECT, SYNTHETIC, Y_TRUE, number, spread
from plr_assets.schemas.performance import COMPARISON_TABLES, FURTHER_TABLES
from plr_assets.schemas.signals import (
    FEATURE_METRICS,
    IMPUTATION_COMPARISONS,
    IMPUTATION_METRICS,
    OUTLIER_METRICS,
)
from plr_assets.schemas.table import Column, Table
from plr_assets.schemas.validation import CONFOUNDERS, VALIDATION_TABLES

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
        RECORDING,
        SUBJECT,
        Y_TRUE,
    ),
    ("case",),
)


_interval = partial(spread, ends="_ci")

ESSENTIAL_METRICS = Table(
    "essential_metrics",
    "One row a pipeline: the STRATOS core.",
    (
        PIPELINE,
        Column("featurization", "string", "method"),
        Column("outlier_detection", "string", "method"),
        Column("imputation", "string", "method"),
        Column("classification", "string", "method"),
        Column("oracle", "boolean", "uses ground truth of evaluated recordings: shown, never ranked"),
        SYNTHETIC,
        *_interval("auroc", "mean out-of-bag AUROC of one model (estimand `single`)", 0, 1),
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
        PIPELINE,
        RECORDING,
        Y_TRUE,
        Column("y_prob", "float64", "mean out-of-bag probability", minimum=0, maximum=1),
        number("y_prob_sd", "standard deviation over iterations; none with one", None, 0),
        Column("n_out_of_bag", "int64", "iterations in which the recording was out of bag", minimum=1),
        Column(
            "flagged",
            "boolean",
            "a feature of it has a gap longer than the study's `gaps.longest_s`; missing: not known",
            nullable=True,
        ),
    ),
    ("pipeline", "recording"),
)

ROC_CURVES = Table(
    "roc_curves",
    "ROC curve of the averaged out-of-bag prediction.",
    (
        PIPELINE,
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
        PIPELINE,
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
        PIPELINE,
        Column("threshold", "float64", "probability at which one would refer", minimum=0, maximum=1),
        *_interval("net_benefit_model", "of referring where p >= threshold"),
        Column("net_benefit_all", "float64", "of referring everyone"),
        Column("net_benefit_none", "float64", "of referring no one: 0"),
        *_interval("standardised_net_benefit", "of the model, per case that there is: 1 is perfect"),
        *_interval("net_benefit_beyond_all", "of the model less that of referring everyone"),
    ),
    ("pipeline", "threshold"),
)

PROBABILITY_DISTRIBUTIONS = Table(
    "probability_distributions",
    "Histogram of the averaged out-of-bag prediction, by class.",
    (
        PIPELINE,
        Y_TRUE,
        Column("bin", "int64", "0-based", minimum=0),
        Column("bin_start", "float64", "left border", minimum=0, maximum=1),
        Column("bin_end", "float64", "right border", minimum=0, maximum=1),
        Column("n", "int64", "recordings", minimum=0),
    ),
    ("pipeline", "y_true", "bin"),
)

_DESCRIPTION = (
    Column("name", "string", "column of `features`"),
    Column("description", "string", "what it is", nullable=True),
    Column("dtype", "string", "its type", nullable=True),
    Column("unit", "string", "its unit", nullable=True),
    Column("colour", "string", "the light, or `one - other` of a difference", nullable=True),
    Column("window", "string", "from when to when, and after which event of the light", nullable=True),
    Column("statistic", "string", "what is computed there, with its options", nullable=True),
    Column(
        "baseline",
        "string",
        "what the pupil is relative to: `recording`, the pupil before a light, none",
        nullable=True,
    ),
    Column("source", "string", "publication that defines it", nullable=True),
    Column("leakage", "string", "by what else than the reflex it may tell a patient", nullable=True),
    Column(
        "run_starts_s", "list[float32]", "starts of the runs of samples it rests on, on the grid", "s", nullable=True
    ),
    Column("run_ends_s", "list[float32]", "their ends", "s", nullable=True),
)

FEATURE_DICTIONARY = Table(
    "feature_dictionary",
    "One row a column of `features`: what it is. Definitions are in configs/methods/featurization.yaml.",
    _DESCRIPTION,
    ("name",),
)

FEATURE_CATALOG = Table(
    "feature_catalog",
    "One row a featurization and feature: what it is, and its distribution over development recordings.",
    (
        Column("featurization", "string", "method"),
        *_DESCRIPTION,
        Column("combinations", "int64", "published combinations of methods before it that have it", minimum=1),
        Column("n", "int64", "values: development recordings times combinations, less those missing", minimum=0),
        number("missing", "share of missing values", None, 0, 1),
        *(number(f"q{percent:02d}", f"{percent} % quantile, in `unit`") for percent in (5, 25, 50, 75, 95)),
    ),
    ("featurization", "name"),
)

# The tables of one pipeline's evaluation.
EVALUATION_TABLES = (
    ESSENTIAL_METRICS,
    PREDICTIONS,
    ROC_CURVES,
    CALIBRATION_CURVES,
    DCA_CURVES,
    PROBABILITY_DISTRIBUTIONS,
    *FURTHER_TABLES,
)

# The tables of the results database.
DATABASE_TABLES = (
    *EVALUATION_TABLES,
    *COMPARISON_TABLES,
    *VALIDATION_TABLES,
    CONFOUNDERS,
    OUTLIER_METRICS,
    IMPUTATION_METRICS,
    IMPUTATION_COMPARISONS,
    FEATURE_METRICS,
    FEATURE_CATALOG,
)
