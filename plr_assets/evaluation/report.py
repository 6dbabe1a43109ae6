"""Everything that is reported of one pipeline: the tables of `schemas.EVALUATION_TABLES` and `PAIR_SCORES`.

Belongs here: which estimand goes into which column of the core and the curves. Does not belong here: the metrics
themselves, further ones (`further`), or comparing pipelines (`between`).

`single` (mean over iterations of what one model does out of bag): auroc, its resample range, brier, scaled_brier.
`bagged` (each recording's probability averaged over the iterations it was out of bag): everything else.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from plr_assets import schemas
from plr_assets.evaluation.calibration import (
    calibration_curve,
    calibration_in_the_large,
    calibration_slope,
    observed_expected,
)
from plr_assets.evaluation.discrimination import MeanAuroc, auroc_estimate, mean_auroc, roc_curve
from plr_assets.evaluation.distributions import histogram
from plr_assets.evaluation.estimate import Estimate
from plr_assets.evaluation.further import further_columns, pair_score_columns
from plr_assets.evaluation.out_of_bag import OutOfBag, read_out_of_bag
from plr_assets.evaluation.overall import brier_rows, scaled_brier
from plr_assets.evaluation.tables import frame_of
from plr_assets.evaluation.utility import Band, net_benefit, utility
from plr_assets.subject_bootstrap import LEVELS

NET_BENEFIT_PERCENT = (5, 10, 15, 20)


def evaluate_pipeline(
    bootstrap: pl.DataFrame,
    cases: pl.DataFrame,
    *,
    pipeline: str,
    methods: Mapping[str, str],
    oracle: bool,
    synthetic: bool,
    seed: int,
    flagged: Collection[str] | None = None,
) -> dict[str, pl.DataFrame]:
    """All tables of one pipeline, by table name.

    bootstrap, cases   `schemas.BOOTSTRAP_RESULTS` and `schemas.BOOTSTRAP_CASES`; their rows may come in any order.
    methods            axis -> method, for the four axes.
    seed               of the resamples of the subjects: pipelines with one seed share them.
    flagged            recordings with a feature that rests on a long gap, scored as all others; None: not known.
    Raises DataError, naming iteration or recording, where the tables contradict each other, test what was trained, or
    leave a recording that was never out of bag. Missing values mean: not defined by these data.
    """
    out_of_bag = read_out_of_bag(bootstrap, cases, pipeline=pipeline)
    y, (p, sd) = out_of_bag.y, out_of_bag.mean_and_sd()
    false_positive, true_positive = roc_curve(y, p)
    curve, decisions = calibration_curve(y, p, out_of_bag.subject), utility(y, p, out_of_bag.subject)
    identity = {"oracle": oracle, "synthetic": synthetic}
    single = mean_auroc(y, out_of_bag.p, out_of_bag.subject, out_of_bag.drawn)
    metrics = {**methods, **identity, **_metrics(out_of_bag, p, single)}
    columns: dict[str, Mapping[str, Any]] = {
        "essential_metrics": {name: [value] for name, value in metrics.items()},
        "predictions": {
            "recording": out_of_bag.recording,
            "y_true": y,
            "y_prob": p,
            "y_prob_sd": sd,
            "n_out_of_bag": out_of_bag.counts,
            "flagged": [None if flagged is None else name in flagged for name in out_of_bag.recording],
        },
        "roc_curves": {
            "point": np.arange(false_positive.size),
            "false_positive_rate": false_positive,
            "true_positive_rate": true_positive,
        },
        "calibration_curves": {
            "bin": np.arange(curve.n.size),
            "predicted_mean": curve.predicted_mean,
            "observed_share": curve.observed_share,
            "observed_share_ci_lower": curve.lower,
            "observed_share_ci_upper": curve.upper,
            "n": curve.n,
        },
        "dca_curves": {
            "threshold": decisions.threshold,
            **_band("net_benefit_model", decisions.net_benefit),
            "net_benefit_all": decisions.refer_all.value,
            "net_benefit_none": np.zeros(decisions.threshold.size),
            **_band("standardised_net_benefit", decisions.standardised),
            **_band("net_benefit_beyond_all", decisions.beyond_all),
        },
        "probability_distributions": _histogram(y, p),
        **further_columns(out_of_bag, p, flagged=flagged, seed=seed),
    }
    tables = {
        table.name: frame_of(table, {"pipeline": pipeline}, columns[table.name]) for table in schemas.EVALUATION_TABLES
    }
    subjects = cases.sort("case")["subject"]
    pairs = pair_score_columns(out_of_bag, subjects.to_list(), p, single.kernel)
    return tables | {schemas.PAIR_SCORES.name: frame_of(schemas.PAIR_SCORES, {}, pairs)}


def _metrics(
    out_of_bag: OutOfBag, p: np.ndarray[Any, np.dtype[np.float64]], single: MeanAuroc
) -> dict[str, float | int]:
    y, subject, known = out_of_bag.y, out_of_bag.subject, ~np.isnan(out_of_bag.p)
    lower, upper = np.quantile(single.areas, LEVELS)
    mean_brier = float(brier_rows(y, out_of_bag.p, known).mean())
    benefits = net_benefit(y, p, np.array(NET_BENEFIT_PERCENT) / 100)
    return {
        **_spread("auroc", single.estimate),
        "auroc_resample_lower": float(lower),
        "auroc_resample_upper": float(upper),
        **_spread("auroc_bagged", auroc_estimate(y, p, subject)),
        "brier": mean_brier,
        "scaled_brier": scaled_brier(mean_brier, float(y.mean())),
        **_spread("calibration_slope", calibration_slope(y, p, subject)),
        **_spread("calibration_intercept", calibration_in_the_large(y, p, subject)),
        **_spread("o_e_ratio", observed_expected(y, p, subject)),
        **{f"net_benefit_{t}pct": float(nb) for t, nb in zip(NET_BENEFIT_PERCENT, benefits, strict=True)},
        "n_subjects": int(subject.max()) + 1,
        "n_events": int(y.sum()),
        "prevalence": float(y.mean()),
        "n_iterations": len(out_of_bag.p),
    }


def _spread(name: str, estimate: Estimate) -> dict[str, float]:
    return {name: estimate.value, f"{name}_ci_lower": estimate.lower, f"{name}_ci_upper": estimate.upper}


def _band(name: str, band: Band) -> dict[str, NDArray[np.float64]]:
    return {name: band.value, f"{name}_ci_lower": band.lower, f"{name}_ci_upper": band.upper}


def _histogram(y: np.ndarray[Any, np.dtype[np.bool_]], p: np.ndarray[Any, np.dtype[np.float64]]) -> dict[str, Any]:
    counts = histogram(y, p)
    bins = counts.cases.size
    return {
        "y_true": np.repeat([0, 1], bins),
        "bin": np.tile(np.arange(bins), 2),
        "bin_start": np.tile(counts.borders[:-1], 2),
        "bin_end": np.tile(counts.borders[1:], 2),
        "n": np.concatenate([counts.controls, counts.cases]),
    }
