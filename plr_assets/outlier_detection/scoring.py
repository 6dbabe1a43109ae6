"""How well a mask and a score agree with the human: one scorer for all detectors.

Belongs here: metrics of counts pooled over recordings, with their intervals. Does not belong here: counting
(`agreement`), ranking (`ranking`), drawing resamples (`subject_bootstrap`), thresholds.

There is no point adjustment, which counts a whole artefact as found for one hit: random scores then reach an F1 as
high as the best published methods (Kim et al. 2022, AAAI 36:7194, arXiv 2109.05257). Events are scored as events, and
false alarms are counted for what they cost.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import polars as pl

from plr_assets.outlier_detection.agreement import count_agreement
from plr_assets.outlier_detection.ranking import weighted_ranking
from plr_assets.pooled_scores import Numbers, PooledScores
from plr_assets.recordings.table import Mask, Recordings, Signal


def score_detection(
    mask: Mask, recordings: Recordings, *, score: Signal | None = None, seed: int, n_resamples: int = 1000
) -> pl.DataFrame:
    """A row a stratum and metric: stratum, metric, value, lower, upper, n.

    mask    (n, T) bool; what it says of dropouts is ignored, they are given, not found.
    score   (n, T) larger = more unusual, finite wherever there is a pupil; None: no `aupr`, no `auroc`.

    Strata: `all`; `kind:...` (shape of the artefact, `events.KINDS`; recall only: a false alarm has no kind);
    `phase:...` (light, pointwise only, because events cross borders). Samples of all recordings are pooled.
    `flagged_share` and `artefact_share` are of samples with a pupil, `dropout_share` of all. `f1_random` is the F1 to
    expect of as many flags by lot. `false_alarms_per_minute` counts predicted events without an artefact per
    minute with a pupil. Without human masks there are only `flagged_share` and `dropout_share`.

    lower, upper   95 % percentile interval of a bootstrap by subject (`n_resamples` draws).
    n              samples or events in the denominator; of F1, AUPR and AUROC, what there was to find.
    Null where undefined: nothing flagged, nothing to find, an interval of one subject. Raises ValueError if shapes
    differ or an observed sample has no finite score.
    """
    if score is not None and score.shape != mask.shape:
        raise ValueError(f"score has shape {score.shape}, mask {mask.shape}")
    counts = count_agreement(mask, recordings)
    scores = PooledScores("stratum", recordings.subject, seed=seed, n_resamples=n_resamples)
    for stratum, counted in counts.items():
        pooled = {name: scores.pooled(per_recording) for name, per_recording in counted.items()}
        for metric, values, n in _metrics(pooled, recordings.rate_hz):
            scores.add(stratum, metric, values, int(n[0]))
        if stratum == "all" and score is not None and recordings.artefact is not None:
            observed = ~recordings.dropout
            ranked = weighted_ranking(score, recordings.artefact & observed, observed, scores.subject, scores.weights)
            for metric, values in zip(("aupr", "auroc"), ranked, strict=True):
                scores.add(stratum, metric, values, int(pooled["artefact"][0]))
    return scores.frame()


def _metrics(pooled: Mapping[str, Numbers], rate_hz: float) -> Iterator[tuple[str, Numbers, Numbers]]:
    """Metric, its value in each weighting, its n in each: whatever can be made of what is counted in a stratum."""
    if "samples" in pooled:
        yield "flagged_share", _ratio(pooled["flagged"], pooled["observed"]), pooled["observed"]
        yield "dropout_share", _ratio(pooled["dropout"], pooled["samples"]), pooled["samples"]
    if "artefact" not in pooled:
        return
    artefact, hit = pooled["artefact"], pooled["hit"]
    if "flagged" in pooled:
        yield "precision", _ratio(hit, pooled["flagged"]), pooled["flagged"]
    yield "recall", _ratio(hit, artefact), artefact
    if "flagged" in pooled:
        yield "f1", _ratio(2 * hit, pooled["flagged"] + artefact), artefact
    if "observed" in pooled:
        observed = pooled["observed"]
        by_lot = _ratio(pooled["flagged"] * artefact, observed)  # hits that as many flags find on average
        yield "f1_random", _ratio(2 * by_lot, pooled["flagged"] + artefact), artefact
        yield "artefact_share", _ratio(artefact, observed), observed
    if "true_events" in pooled:
        true, found = pooled["true_events"], pooled["found_events"]
        if "predicted_events" in pooled:
            predicted, right = pooled["predicted_events"], pooled["right_events"]
            yield "event_precision", _ratio(right, predicted), predicted
            yield "event_recall", _ratio(found, true), true
            yield "event_f1", _event_f1(right, predicted, found, true), true
            minutes = pooled["observed"] / rate_hz / 60
            yield "false_alarms_per_minute", _ratio(predicted - right, minutes), pooled["observed"]
        else:
            yield "event_recall", _ratio(found, true), true


def _event_f1(right: Numbers, predicted: Numbers, found: Numbers, true: Numbers) -> Numbers:
    """Harmonic mean of event precision and recall, as one ratio of counts; 0 where only one of them has events."""
    one_sided = (right == 0) & (predicted + true > 0)
    whole = np.where(one_sided, 1.0, right * true + found * predicted)
    return _ratio(2 * right * found, whole)


def _ratio(part: Numbers, whole: Numbers) -> Numbers:
    return np.asarray(np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole > 0))
