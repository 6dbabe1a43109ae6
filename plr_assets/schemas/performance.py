"""Tables of performance beyond the STRATOS core, of each pipeline and of all pipelines against each other.

Belongs here: declarations. Does not belong here: estimating what they hold (`plr_assets.evaluation`). `results` has the
core and the curves, `validation` how far the numbers can be relied on.
"""

from __future__ import annotations

from plr_assets.schemas.columns import PIPELINE, REASON, RECORDING, SUBJECT, Y_TRUE, number, spread
from plr_assets.schemas.table import Column, Table

SUPPLEMENTARY_METRICS = Table(
    "supplementary_metrics",
    "Metrics of the averaged out-of-bag prediction beyond the core: a row a pipeline and metric.",
    (
        PIPELINE,
        Column("metric", "string", "name; one at a threshold ends in it: `sensitivity_10pct`"),
        number("threshold", "probability from which on one would refer; missing: the metric has none", None, 0, 1),
        number("value", "estimate"),
        number("lower", "lower end of its 95 % interval"),
        number("upper", "upper end of its 95 % interval"),
        REASON,
    ),
    ("pipeline", "metric"),
)

CLASSIFICATION_AT_THRESHOLDS = Table(
    "classification_at_thresholds",
    "Decisions by the averaged out-of-bag prediction: counts in the cohort, and of 1000 people at 3.54 % prevalence.",
    (
        PIPELINE,
        Column("threshold", "float64", "positive is a probability of this or more", minimum=0, maximum=1),
        Column("true_positive", "int64", "cases referred", minimum=0),
        Column("false_positive", "int64", "controls referred", minimum=0),
        Column("false_negative", "int64", "cases not referred", minimum=0),
        Column("true_negative", "int64", "controls not referred", minimum=0),
        Column("population_prevalence", "float64", "of the people screened", minimum=0, maximum=1),
        *spread("found_per_1000", "cases found among 1000 people", 0, 1000),
        *spread("missed_per_1000", "cases missed", 0, 1000),
        *spread("false_alarms_per_1000", "healthy people referred", 0, 1000),
    ),
    ("pipeline", "threshold"),
)

CALIBRATION_SMOOTH = Table(
    "calibration_smooth",
    "Flexible calibration curve of the averaged out-of-bag prediction, with a pointwise 95 % band.",
    (
        PIPELINE,
        Column("point", "int64", "0-based, from low to high probability", minimum=0),
        Column("predicted", "float64", "probability", minimum=0, maximum=1),
        *spread("observed", "share of the positive class there; missing: no curve can be fitted", 0, 1),
    ),
    ("pipeline", "point"),
)

PR_CURVES = Table(
    "pr_curves",
    "Precision-recall curve of the averaged out-of-bag prediction; steps hold from a point to the next.",
    (
        PIPELINE,
        Column("point", "int64", "0-based, from referring everyone on", minimum=0),
        number("threshold", "probability from which on one refers; missing: beyond all", None, 0, 1),
        Column("recall", "float64", "sensitivity", minimum=0, maximum=1),
        Column("precision", "float64", "positive predictive value", minimum=0, maximum=1),
    ),
    ("pipeline", "point"),
)

ROC_BANDS = Table(
    "roc_bands",
    "ROC curve of the averaged out-of-bag prediction at given false positive rates, with its pointwise 95 % band.",
    (
        PIPELINE,
        Column("false_positive_rate", "float64", "1 - specificity: 0, 0.01, ... 1", minimum=0, maximum=1),
        *spread("true_positive_rate", "sensitivity there", 0, 1, ends="_ci"),
    ),
    ("pipeline", "false_positive_rate"),
)

RETENTION_METRICS = Table(
    "retention_metrics",
    "Metrics of the averaged out-of-bag prediction where some recordings are left to a human.",
    (
        PIPELINE,
        Column(
            "kind",
            "string",
            "who is answered: the `surest` (farthest from 50 %), or the `unflagged` (no feature with a long gap)",
            allowed=("surest", "unflagged"),
        ),
        Column("rate", "float64", "share of recordings answered", minimum=0, maximum=1),
        Column("n", "float64", "recordings answered; ties at the border count in part", minimum=0),
        number("auroc", "of the answered", None, 0, 1),
        number("brier", "of the answered", None, 0, 1),
        number("scaled_brier", "1 - brier / Brier of predicting the prevalence of the answered", None, None, 1),
        number("net_benefit_15pct", "per recording answered, referring at 15 %"),
        number("risk", "share of the answered that 50 % puts in the wrong class", None, 0, 1),
        number("prevalence", "of the answered", None, 0, 1),
        REASON,
    ),
    ("pipeline", "kind", "rate"),
)

DISTRIBUTION_STATS = Table(
    "distribution_stats",
    "The averaged out-of-bag prediction by class: one row a pipeline and class.",
    (
        PIPELINE,
        Y_TRUE,
        Column("n", "int64", "recordings", minimum=0),
        Column("mean", "float64", "probability", minimum=0, maximum=1),
        number("sd", "standard deviation; missing: one recording", None, 0),
        Column("minimum", "float64", "probability", minimum=0, maximum=1),
        *(
            Column(f"q{percent:02d}", "float64", f"{percent} % quantile", minimum=0, maximum=1)
            for percent in (5, 25, 50, 75, 95)
        ),
        Column("maximum", "float64", "probability", minimum=0, maximum=1),
    ),
    ("pipeline", "y_true"),
)

PAIR_SCORES = Table(
    "pair_scores",
    "What pipelines are compared by: one row an evaluated recording, in the order of `bootstrap_cases`.",
    (
        RECORDING,
        SUBJECT,
        Y_TRUE,
        Column("y_prob", "float64", "mean out-of-bag probability", minimum=0, maximum=1),
        Column(
            "wins",
            "list[float32]",
            "of a case: for each control, in the order of rows, the share of models fitted on neither that rank the "
            "case above it, ties counting 1/2; NaN: no model. Of a control: empty",
        ),
    ),
    ("recording",),
)

# The tables of one pipeline, which a study puts under each other.
FURTHER_TABLES = (
    SUPPLEMENTARY_METRICS,
    CLASSIFICATION_AT_THRESHOLDS,
    CALIBRATION_SMOOTH,
    PR_CURVES,
    ROC_BANDS,
    RETENTION_METRICS,
    DISTRIBUTION_STATS,
)

_METRIC = Column("metric", "string", "what is compared: `auroc`, `brier` or `net_benefit_15pct`")

COMPARISONS = Table(
    "comparisons",
    "AUROC of each pipeline (`first`) less that of another (`second`), on the same recordings.",
    (
        Column("family", "string", "what `second` is; p-values are adjusted within it", allowed=("best", "reference")),
        Column("first", "string", "pipeline"),
        Column("second", "string", "pipeline"),
        Column("first_oracle", "boolean", "`first` uses ground truth of evaluated recordings"),
        *spread("difference", "of AUROC over pairs; DeLong's paired interval", -1, 1),
        number("p_value", "of no difference, two-sided", None, 0, 1),
        number("p_holm", "the same, adjusted for all of the family (any error)", None, 0, 1),
        number("p_bh", "the same, adjusted for all of the family (share of errors)", None, 0, 1),
        REASON,
    ),
    ("first", "family"),
)

WINNER = Table(
    "winner",
    "The best pipeline by each metric, and what is left of its score when one allows for the choice.",
    (
        _METRIC,
        Column("pipeline", "string", "the best that is no oracle; missing: there is none", nullable=True),
        number("apparent", "its score, too good because it was chosen by it"),
        *spread("corrected", "what choosing like this yields"),
        number("optimism", "by how much the apparent score is too good"),
        number("probability_best", "share of resamples of the subjects in which it is the best", None, 0, 1),
        Column("n_pipelines", "int64", "that it was chosen among", minimum=0),
        Column("n_oracles", "int64", "left out", minimum=0),
        REASON,
    ),
    ("metric",),
)

PIPELINE_RANKS = Table(
    "pipeline_ranks",
    "Rank of each pipeline by each metric, and how sure it is.",
    (
        PIPELINE,
        _METRIC,
        Column("oracle", "boolean", "uses ground truth of evaluated recordings: has a score and no rank"),
        Column("score", "float64", "value of the metric in the cohort"),
        number("rank", "1 is best; ties share the mean", None, 1),
        number("rank_lower", "2.5 % of its ranks over resamples of the subjects", None, 1),
        number("rank_upper", "97.5 % of them", None, 1),
        number("probability_best", "share of resamples in which it is the best", None, 0, 1),
        REASON,
    ),
    ("pipeline", "metric"),
)

METHOD_RANKS = Table(
    "method_ranks",
    "Mean rank of each method of a stage by AUROC over the combinations of the other stages' methods.",
    (
        Column("axis", "string", "stage"),
        Column("method", "string", "method"),
        number("mean_rank", "1 is best", None, 1),
        number("mean_rank_lower", "2.5 % of it over resamples of the subjects", None, 1),
        number("mean_rank_upper", "97.5 % of it", None, 1),
        number("critical_difference", "of mean ranks at 5 % (Nemenyi)", None, 0),
        Column("groups", "string", "letters; two methods that share one are no further apart", nullable=True),
        Column("blocks", "int64", "combinations in which all methods of the stage are", minimum=0),
        Column("replicates", "string", "what a block is"),
        number("p_friedman", "of no difference within this cohort's grid", None, 0, 1),
        number("p_iman_davenport", "the same by the F form", None, 0, 1),
        REASON,
    ),
    ("axis", "method"),
)

VARIANCE_DECOMPOSITION = Table(
    "variance_decomposition",
    "How much of the differences in AUROC between pipelines each stage explains (type III, sum contrasts).",
    (
        Column("model", "string", "`all` pipelines, `crossed`: those of whole cells, or a classifier: those with it"),
        Column("term", "string", "stage, two of them joined by `:`, or `residual`"),
        Column("df", "int64", "degrees of freedom", minimum=0),
        number("sum_of_squares", "of AUROC", None, 0),
        *spread("eta_squared", "share of all variance", 0, 1),
        *spread("partial_eta_squared", "share of what the other terms leave", 0, 1),
        *spread("partial_omega_squared", "the same less what chance gives", None, 1),
        Column("n_pipelines", "int64", "cells", minimum=2),
        REASON,
    ),
    ("model", "term"),
)

# The tables of a study.
COMPARISON_TABLES = (COMPARISONS, WINNER, PIPELINE_RANKS, METHOD_RANKS, VARIANCE_DECOMPOSITION)
