"""What is reported of one pipeline beyond the STRATOS core: the tables of `schemas.FURTHER_TABLES`, and `PAIR_SCORES`.

Belongs here: which number goes into which row. Does not belong here: the metrics themselves, the core (`report`), or
comparing pipelines (`between`).

All of it is of the averaged out-of-bag prediction (`bagged`), but for the pair scores (`single`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plr_assets.evaluation.calibration_curves import calibration_error, smooth_calibration
from plr_assets.evaluation.decisions import POPULATION_PREVALENCE, Decisions, decisions, screening
from plr_assets.evaluation.discrimination import precision_recall_curve
from plr_assets.evaluation.distributions import QUANTILES, distributions
from plr_assets.evaluation.estimate import ONE_CLASS, Codes, Estimate, Labels, without_interval
from plr_assets.evaluation.operating_points import Matrix, recording_weights
from plr_assets.evaluation.out_of_bag import OutOfBag
from plr_assets.evaluation.overall import brier_estimate, brier_parts, scaled_brier_estimate
from plr_assets.evaluation.resampled import ranking, roc_band
from plr_assets.evaluation.selective import RETENTION, distance_from_threshold, retained, retention, risk_coverage
from plr_assets.evaluation.utility import Band, utility

Columns = Mapping[str, Any]
Values = NDArray[np.float64]

# Those of the net benefits that STRATOS asks for, and the usual one of a class label.
THRESHOLD_PERCENT = (5, 10, 15, 20, 50)
# Where one number is wanted: referral to a virtual glaucoma clinic (reference/evaluation.md 1.1).
SELECTIVE_PERCENT = 15
# Resamples of the subjects: ends of an interval need 1000, a curve is made anew in each of its 200.
RESAMPLES, CURVE_RESAMPLES = 1000, 200
NO_INTERVAL = "no interval is computed for it"
NONE_LEFT = "every recording is flagged"


def further_columns(
    out_of_bag: OutOfBag, p: Values, *, flagged: Collection[str] | None, seed: int
) -> dict[str, Columns]:
    """Columns of each of `schemas.FURTHER_TABLES`, by table name.

    p         (n,) mean out-of-bag probabilities of `out_of_bag`.
    flagged   recordings with a feature that rests on a long gap; None: not known, and there is no row `unflagged`.
    seed      of the resamples of the subjects, which all pipelines share.
    """
    y, subject = out_of_bag.y, out_of_bag.subject
    weights = recording_weights(subject, RESAMPLES, seed)
    curve = smooth_calibration(y, p, weights[: 1 + CURVE_RESAMPLES], subject)
    at = [decisions(y, p, percent / 100, subject) for percent in THRESHOLD_PERCENT]
    whole = _ranking(y, p, weights, subject)
    whole |= dict(zip(("ici", "e50", "e90", "emax"), curve[4:], strict=True))
    whole |= _sizes(y, p, weights, subject)
    metrics: dict[str, tuple[float | None, Estimate]] = {name: (None, estimate) for name, estimate in whole.items()}
    metrics |= _at_thresholds(y, p, subject, at)
    points = precision_recall_curve(y, p)
    roc = roc_band(y, p, weights[: 1 + CURVE_RESAMPLES], subject)
    return {
        "supplementary_metrics": _long(metrics),
        "classification_at_thresholds": _decided(at),
        "calibration_smooth": {
            "point": np.arange(curve.predicted.size),
            "predicted": curve.predicted,
            "observed": curve.observed,
            "observed_lower": curve.lower,
            "observed_upper": curve.upper,
        },
        "pr_curves": {
            "point": np.arange(points.recall.size),
            "threshold": points.threshold,
            "recall": points.recall,
            "precision": points.precision,
        },
        "roc_bands": {
            "false_positive_rate": roc.false_positive_rate,
            "true_positive_rate": roc.true_positive_rate,
            "true_positive_rate_ci_lower": roc.lower,
            "true_positive_rate_ci_upper": roc.upper,
        },
        "retention_metrics": _retention(out_of_bag, p, flagged),
        "distribution_stats": _distributions(y, p),
    }


def pair_score_columns(out_of_bag: OutOfBag, subjects: Collection[str], p: Values, kernel: Values) -> Columns:
    """Columns of `schemas.PAIR_SCORES`; kernel (cases, controls) of `pair_kernel.mean_pair_kernel`."""
    rows = iter(kernel.astype(np.float32).tolist())
    return {
        "recording": out_of_bag.recording,
        "subject": list(subjects),
        "y_true": out_of_bag.y,
        "y_prob": p,
        "wins": [next(rows) if case else [] for case in out_of_bag.y],
    }


def _ranking(y: Labels, p: Values, weights: Matrix, subject: Codes) -> dict[str, Estimate]:
    found = ranking(y, p, weights, subject)
    return {"aupr": found.average_precision, "partial_auroc": found.partial_auroc}


def _sizes(y: Labels, p: Values, weights: Matrix, subject: Codes) -> dict[str, Estimate]:
    """Metrics of the size of the probabilities, and of right and wrong at 50 %, that have no threshold of their own."""
    error, parts = calibration_error(y, p, weights, subject), brier_parts(y, p)
    selective = risk_coverage(y, p, distance_from_threshold(p))
    alone = {
        "brier_reliability": parts.reliability,
        "brier_resolution": parts.resolution,
        "brier_uncertainty": parts.uncertainty,
        "brier_within": parts.within,
        "aurc": selective.aurc,
        "e_aurc": selective.e_aurc,
    }
    return {
        "ece": error.ece,
        "mce": error.mce,
        "brier_bagged": brier_estimate(y, p, subject),
        "scaled_brier_bagged": scaled_brier_estimate(y, p, subject),
        "discrimination_slope": distributions(y, p, subject).discrimination_slope,
        **{name: without_interval(value, NO_INTERVAL) for name, value in alone.items()},
    }


def _at_thresholds(
    y: Labels, p: Values, subject: Codes, at: list[Decisions]
) -> dict[str, tuple[float | None, Estimate]]:
    """Metric -> its threshold and estimate."""
    useful = utility(y, p, subject, np.array(THRESHOLD_PERCENT) / 100)
    found: dict[str, tuple[float | None, Estimate]] = {}
    for i, (percent, of) in enumerate(zip(THRESHOLD_PERCENT, at, strict=True)):
        named = {
            "sensitivity": of.sensitivity,
            "specificity": of.specificity,
            "ppv": of.ppv,
            "npv": of.npv,
            "population_ppv": of.population_ppv,
            "population_npv": of.population_npv,
            "accuracy": of.accuracy,
            "balanced_accuracy": without_interval(of.balanced_accuracy, NO_INTERVAL),
            "f1": without_interval(of.f1, NO_INTERVAL),
            "net_benefit": _of_band(useful.net_benefit, i),
            "standardised_net_benefit": _of_band(useful.standardised, i),
            "net_benefit_beyond_all": _of_band(useful.beyond_all, i),
            "interventions_avoided": without_interval(float(useful.interventions_avoided[i]), NO_INTERVAL),
        }
        found |= {f"{name}_{percent}pct": (percent / 100, estimate) for name, estimate in named.items()}
    return found


def _of_band(band: Band, place: int) -> Estimate:
    value, lower, upper = (float(part[place]) for part in band)
    return Estimate(value, lower, upper, "" if np.isfinite(lower) else "there is no variance to estimate")


def _long(metrics: Mapping[str, tuple[float | None, Estimate]]) -> Columns:
    estimates = [estimate for _, estimate in metrics.values()]
    return {
        "metric": list(metrics),
        "threshold": np.array([np.nan if t is None else t for t, _ in metrics.values()]),
        "value": np.array([estimate.value for estimate in estimates]),
        "lower": np.array([estimate.lower for estimate in estimates]),
        "upper": np.array([estimate.upper for estimate in estimates]),
        "reason": [estimate.reason or None for estimate in estimates],
    }


def _decided(at: list[Decisions]) -> Columns:
    of_people = [screening(of) for of in at]
    columns: dict[str, Any] = {
        "threshold": np.array(THRESHOLD_PERCENT) / 100,
        **{name: [getattr(of.confusion, name) for of in at] for name in at[0].confusion._fields},
        "population_prevalence": [POPULATION_PREVALENCE] * len(at),
    }
    for name in ("found", "missed", "false_alarms"):
        for suffix, place in (("", 0), ("_lower", 1), ("_upper", 2)):
            columns[f"{name}_per_1000{suffix}"] = np.array([getattr(of, name)[place] for of in of_people])
    return columns


def _retention(out_of_bag: OutOfBag, p: Values, flagged: Collection[str] | None) -> Columns:
    """By confidence, 5 to 100 %; and of the recordings without a flag, where flags are known."""
    confidence = distance_from_threshold(p)
    parts = [_kept("surest", out_of_bag.y, p, confidence, RETENTION)]
    if flagged is not None:
        clear = np.array([name not in flagged for name in out_of_bag.recording], dtype=np.float64)
        parts.append(_kept("unflagged", out_of_bag.y, p, clear, np.array([clear.mean()])))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _kept(kind: str, y: Labels, p: Values, confidence: Values, rates: Values) -> dict[str, Any]:
    """One row a rate; a rate of 0, where nothing is answered, has no metric."""
    if not rates.all():
        nothing = {name: np.full(1, np.nan) for name in _MEASURED}
        return {"kind": [kind], "rate": rates, "n": np.zeros(1), **nothing, "reason": np.array([NONE_LEFT])}
    found = retention(y, p, confidence, rates, threshold=SELECTIVE_PERCENT / 100)
    wrong = (p >= 0.5) != y
    kept = retained(confidence, rates)
    # a share of n and back is whole but for rounding
    n = (rates * y.size).round(9)
    values = (found.auroc, found.brier, found.scaled_brier, found.net_benefit, kept @ wrong / n, found.prevalence)
    missing = np.isnan(found.auroc)
    return {
        "kind": [kind] * rates.size,
        "rate": rates,
        "n": n,
        **dict(zip(_MEASURED, values, strict=True)),
        "reason": np.array([ONE_CLASS if lacks else None for lacks in missing], dtype=object),
    }


_MEASURED = ("auroc", "brier", "scaled_brier", "net_benefit_15pct", "risk", "prevalence")


def _distributions(y: Labels, p: Values) -> Columns:
    found = distributions(y, p)
    both = (found.controls, found.cases)
    quantiles = np.stack([of.quantiles for of in both])
    return {
        "y_true": [0, 1],
        **{name: [getattr(of, name) for of in both] for name in ("n", "mean", "sd", "minimum", "maximum")},
        **{f"q{round(100 * level):02d}": quantiles[:, i] for i, level in enumerate(QUANTILES)},
    }
