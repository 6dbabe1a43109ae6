"""Tables of internal validation: uncertainty, stability, optimism, importance, confounding.

Belongs here: declarations. Does not belong here: estimating what they hold (`plr_assets.evaluation`). `results` has the
tables of performance.
"""

from __future__ import annotations

from plr_assets.schemas.columns import PIPELINE, REASON, RECORDING, SUBJECT, Y_TRUE, number, spread
from plr_assets.schemas.table import Column, Table

_OUT_OF_BAG = Column("n_out_of_bag", "int64", "iterations in which the recording was out of bag", minimum=1)


APPARENT_PREDICTIONS = Table(
    "apparent_predictions",
    "What the model for use says of the recordings that it was fitted on. Too good by the optimism of the fit.",
    (RECORDING, Y_TRUE, Column("y_prob", "float64", "probability of the positive class", minimum=0, maximum=1)),
    ("recording",),
)

CONFOUNDER_VALUES = Table(
    "confounder_values",
    "What no disease should change, measured in every evaluated, labelled recording.",
    (
        RECORDING,
        SUBJECT,
        Y_TRUE,
        number("age", "age at the recording; missing: not known", "a", 0),
        number("baseline", "diameter before the first light, in the device's unit", None, 0),
        number("blink_rate", "times a minute that the device lost the pupil", "1/min", 0),
        number("dropout_share", "share of samples in which the device found no pupil", None, 0, 1),
        number(
            "artefact_share", "share of the other samples that a human rejected; missing: no human looked", None, 0, 1
        ),
        number("noise", "median absolute second difference of neighbouring frames", "%", 0),
    ),
    ("recording",),
)

CONFOUNDERS = Table(
    "confounders",
    "How far each nuisance alone tells the classes apart, whatever the pipeline.",
    (
        Column("confounder", "string", "column of `confounder_values`"),
        *spread("auroc", "AUROC of the value itself, larger read as a case; DeLong interval", 0, 1),
        Column("n", "int64", "recordings with a value", minimum=0),
        Column("n_events", "int64", "of the positive class among them", minimum=0),
        REASON,
    ),
    ("confounder",),
)

ADJUSTED_AUROC = Table(
    "adjusted_auroc",
    "AUROC of one model (`single`) among pairs of like age, beside that of all pairs: what a pipeline adds to age.",
    (
        PIPELINE,
        Column("confounder", "string", "what pairs are alike in"),
        number("window", "largest difference within a pair, in the confounder's unit", None, 0),
        *spread("auroc", "of all pairs whose confounder is known; bootstrap by subject", 0, 1),
        *spread("auroc_matched", "of the pairs that are alike; bootstrap by subject", 0, 1),
        Column("n_pairs", "int64", "pairs that are alike", minimum=0),
        REASON,
    ),
    ("pipeline", "confounder"),
)

UNCERTAINTY = Table(
    "uncertainty",
    "One row a pipeline and evaluated recording: entropy decomposition over out-of-bag replicates, in nats.",
    (
        PIPELINE,
        RECORDING,
        Y_TRUE,
        _OUT_OF_BAG,
        Column("confidence", "float64", "mean probability of the likelier class", minimum=0.5, maximum=1),
        Column("entropy_of_expected", "float64", "entropy of the mean prediction: all uncertainty", "nat", minimum=0),
        Column("expected_entropy", "float64", "mean entropy of the predictions (aleatoric)", "nat", minimum=0),
        Column("mutual_information", "float64", "their difference: disagreement (epistemic)", "nat", minimum=0),
    ),
    ("pipeline", "recording"),
)

STABILITY = Table(
    "stability",
    "One row a pipeline and evaluated recording: how out-of-bag predictions move around the developed model's.",
    (
        PIPELINE,
        RECORDING,
        Y_TRUE,
        _OUT_OF_BAG,
        number("y_prob_model", "prediction of the model for use, fitted on this recording, too", None, 0, 1),
        number("mape", "mean absolute difference of out-of-bag predictions from it", None, 0, 1),
        number("y_prob_lower", "2.5 % of out-of-bag predictions", None, 0, 1),
        number("y_prob_upper", "97.5 % of out-of-bag predictions", None, 0, 1),
        *(
            number(
                f"class_changes_{percent}pct", f"share of replicates that decide otherwise at {percent} %", None, 0, 1
            )
            for percent in (5, 10, 15, 20, 50)
        ),
        REASON,
    ),
    ("pipeline", "recording"),
)


def _optimism(metric: str) -> tuple[Column, ...]:
    return (
        number(f"{metric}_apparent", f"{metric} of the model for use on what it was fitted on", None, 0, 1),
        number(f"{metric}_out_of_bag", "mean of replicates on what they left out (`single`)", None, 0, 1),
        number(f"{metric}_no_information", "if features said nothing of the class", None, 0, 1),
        number(f"{metric}_632", ".368 apparent + .632 out of bag", None, 0, 1),
        number(f"{metric}_632plus", "the same, closer to out of bag the more the fit was overfitted"),
        number(f"{metric}_overfitting", "relative overfitting rate, 0 to 1", None, 0, 1),
        number(f"{metric}_optimism", "Harrell: mean in-bag minus full-sample value of replicates"),
        number(f"{metric}_optimism_se", "its standard error, from the number of replicates", None, 0),
        number(f"{metric}_corrected", "Harrell: apparent minus optimism"),
    )


OPTIMISM = Table(
    "optimism",
    "One row a pipeline: what is left of the apparent performance of the model for use.",
    (
        PIPELINE,
        *_optimism("auroc"),
        *_optimism("brier"),
        Column("n_iterations", "int64", "bootstrap iterations behind the out-of-bag values", minimum=1),
        Column("n_replicates", "int64", "of them refitted for Harrell's optimism", minimum=0),
        REASON,
    ),
    ("pipeline",),
)

FEATURE_IMPORTANCE = Table(
    "feature_importance",
    "One row a pipeline and feature: how much out-of-bag AUROC one model loses when the feature is shuffled.",
    (
        PIPELINE,
        Column("feature", "string", "column of the features"),
        Column("position", "int64", "0-based column", minimum=0),
        number("importance", "mean decrease of AUROC over replicates"),
        number("importance_lower", "2.5 % over replicates and shuffles"),
        number("importance_upper", "97.5 % over replicates and shuffles"),
        Column("n_replicates", "int64", "refitted replicates", minimum=0),
        number("mean_abs_shap", "mean absolute Shapley value in the model for use; missing: none exact", "log odds", 0),
        number("vif", "variance inflation factor; missing: constant, or determined by the others", None, 0),
        REASON,
    ),
    ("pipeline", "feature"),
)

# The tables of one pipeline.
VALIDATION_TABLES = (UNCERTAINTY, STABILITY, OPTIMISM, FEATURE_IMPORTANCE, ADJUSTED_AUROC)
