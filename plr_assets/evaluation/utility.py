"""Clinical utility: net benefit of referring by a probability threshold.

Belongs here: net benefit and decision curves. Does not belong here: choosing the threshold, which is the clinic's.
Vickers & Elkin 2006, Med Decis Making 26:565.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from plr_assets.evaluation.estimate import (
    Codes,
    Labels,
    labels_and_probabilities,
    labels_of,
    student,
    subject_codes,
    wilson_ends,
)

# 1 % to 50 %: beyond, a missed glaucoma would weigh less than a needless referral.
THRESHOLDS = np.arange(1, 51) / 100


def net_benefit(y: ArrayLike, p: ArrayLike, thresholds: ArrayLike) -> NDArray[np.float64]:
    """TP/n - FP/n * t/(1-t), referring where p >= t. thresholds (k,) in 0 < t < 1; returns (k,)."""
    labels, values = labels_and_probabilities(y, p)
    odds = _odds(thresholds)
    order = np.sort(values[labels]), np.sort(values[~labels])
    true_positive, false_positive = (
        group.size - np.searchsorted(group, np.asarray(thresholds), side="left") for group in order
    )
    benefit: NDArray[np.float64] = (true_positive - false_positive * odds) / labels.size
    return benefit


def net_benefit_all(y: ArrayLike, thresholds: ArrayLike) -> NDArray[np.float64]:
    """Net benefit of referring everyone: prevalence - (1 - prevalence) * t/(1-t), not clipped at 0."""
    prevalence = labels_of(y).mean()
    benefit: NDArray[np.float64] = prevalence - (1 - prevalence) * _odds(thresholds)
    return benefit


class Band(NamedTuple):
    """A curve over thresholds with its pointwise 95 % interval; every field (thresholds,)."""

    value: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]


class Utility(NamedTuple):
    """Net benefit over thresholds, with intervals; `standardised` is per case there is, and is not clipped."""

    threshold: NDArray[np.float64]
    net_benefit: Band
    standardised: Band
    refer_all: Band
    beyond_all: Band
    interventions_avoided: NDArray[np.float64]


def benefits(y: ArrayLike, p: ArrayLike, thresholds: ArrayLike = THRESHOLDS) -> NDArray[np.float64]:
    """(k, n) each recording's part in the net benefit, whose mean over recordings is the net benefit.

    1 for a case that is referred, -t/(1-t) for a control that is, 0 for whom is not.
    """
    labels, values = labels_and_probabilities(y, p)
    referred = values >= np.asarray(thresholds, dtype=np.float64)[:, None]
    return np.where(referred, np.where(labels, 1.0, -_odds(thresholds)[:, None]), 0.0)


def utility(
    y: ArrayLike, p: ArrayLike, subjects: ArrayLike | None = None, thresholds: ArrayLike = THRESHOLDS
) -> Utility:
    """Net benefit of a model, of referring everyone, and of the model beyond everyone; that beyond no one is itself.

    standardised: net benefit / prevalence (Baker et al. 2009), 1 is perfect, negative is harm. interventions_avoided:
    referrals per 100 recordings that the model saves over referring everyone with no case more missed,
    100 (NB - NB_all) (1-t)/t.

    Intervals are pointwise and see that the prevalence is estimated too. Net benefit is TP/n - odds FP/n, and that
    beyond everyone odds TN/n - FN/n: Wilson's intervals of the two shares are joined with their correlation (MOVER, Zou
    & Donner 2008, Stat Med 27:1693), because Wald's misses 10 % where few cases are below the threshold. `refer_all`
    follows Wilson's of the prevalence; `standardised` is Student's of log(1 - standardised), NaN without variance.
    Recordings count as often as their subjects make them independent (`effective_size`).
    """
    labels = labels_of(y)
    codes, t = subject_codes(subjects, labels.size), np.asarray(thresholds, dtype=np.float64)
    odds, prevalence = _odds(t), labels.mean()
    of_model = benefits(labels, p, t)
    beyond_parts = of_model - benefits(labels, np.ones(labels.size), t)
    tp, fp = np.mean(of_model > 0, axis=1), np.mean(of_model < 0, axis=1)
    fn, tn = np.mean(beyond_parts < 0, axis=1), np.mean(beyond_parts > 0, axis=1)
    ones = np.ones(t.size)
    model = _joined((tp, ones), (fp, odds), effective_size(of_model, codes))
    beyond = _joined((tn, odds), (fn, ones), effective_size(beyond_parts, codes))
    cases = wilson_ends(prevalence, effective_size(labels[None, :].astype(np.float64), codes))
    everyone = Band(*(share - (1 - share) * odds for share in (prevalence, *cases)))
    return Utility(t, model, _standardised(of_model, labels, codes), everyone, beyond, 100 * beyond.value / odds)


def _standardised(parts: NDArray[np.float64], labels: Labels, codes: Codes) -> Band:
    prevalence = labels.mean()
    if prevalence == 0:
        return Band(*np.full((3, len(parts)), np.nan))
    ratio = parts.mean(axis=1) / prevalence
    # the ratio of two means: its influence is (benefit - ratio x case) / prevalence
    error = _standard_errors((parts - ratio[:, None] * labels) / prevalence, codes)
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = np.exp(student(codes) * error / (1 - ratio))
    return Band(ratio, 1 - (1 - ratio) * factor, 1 - (1 - ratio) / factor)


def _joined(
    gain: tuple[NDArray[np.float64], NDArray[np.float64]],
    loss: tuple[NDArray[np.float64], NDArray[np.float64]],
    n: NDArray[np.float64],
) -> Band:
    """(share, worth) of gains less (share, worth) of losses, both shares of one multinomial of size n, by MOVER."""
    (a, worth), (b, cost) = gain, loss
    (a_low, a_high), (b_low, b_high) = wilson_ends(a, n), wilson_ends(b, n)
    both = (1 - a) * (1 - b)
    correlation = -np.sqrt(np.divide(a * b, both, out=np.zeros_like(both), where=both > 0))
    value = worth * a - cost * b

    def distance(of_gain: NDArray[np.float64], of_loss: NDArray[np.float64]) -> NDArray[np.float64]:
        square = of_gain**2 + of_loss**2 - 2 * correlation * of_gain * of_loss
        root: NDArray[np.float64] = np.sqrt(np.maximum(square, 0))
        return root

    lower = value - distance(worth * (a - a_low), cost * (b_high - b))
    return Band(value, lower, value + distance(worth * (a_high - a), cost * (b - b_low)))


def effective_size(parts: NDArray[np.float64], codes: Codes) -> NDArray[np.float64]:
    """(k,) of (k, n) parts: n over the design effect, clustered over plain variance of their mean, at least 1.

    Where there is no variance to compare, recordings of a subject count as one (Rao & Scott 1992).
    """
    n, clusters = codes.size, int(codes.max()) + 1
    if clusters == n:
        return np.full(len(parts), float(n))
    apart = parts - parts.mean(axis=1, keepdims=True)
    plain = np.sum(apart**2, axis=1)
    clustered = np.sum((apart @ _membership(codes)) ** 2, axis=1) * clusters / max(clusters - 1, 1)
    effect = np.divide(clustered, plain, out=np.full(len(parts), n / clusters), where=plain > np.finfo(np.float64).eps)
    size: NDArray[np.float64] = n / np.maximum(effect, 1.0) if clusters > 1 else np.ones(len(parts))
    return size


def utility_difference(
    y: ArrayLike,
    p: ArrayLike,
    other: ArrayLike,
    subjects: ArrayLike | None = None,
    thresholds: ArrayLike = THRESHOLDS,
) -> Band:
    """Net benefit of `p` less that of `other` on the same recordings, with the paired interval."""
    apart = benefits(y, p, thresholds) - benefits(y, other, thresholds)
    return mean_band(apart, subject_codes(subjects, apart.shape[1]))


def mean_band(parts: NDArray[np.float64], codes: Codes) -> Band:
    """Means of (k, n) parts over recordings, with Student's interval, clustered by subject; NaN without variance."""
    mean, half = parts.mean(axis=1), student(codes) * _standard_errors(parts, codes)
    return Band(mean, mean - half, mean + half)


def _standard_errors(parts: NDArray[np.float64], codes: Codes) -> NDArray[np.float64]:
    """(k,) of the means of (k, n), subjects being clusters; NaN where there is no variance."""
    clusters = int(codes.max()) + 1
    apart = parts - parts.mean(axis=1, keepdims=True)
    sums = apart @ _membership(codes) if clusters < codes.size else apart
    spread = np.sum(sums**2, axis=1)
    # rounding is no variance; with a single subject there is none to estimate
    known = (spread > np.finfo(np.float64).eps) & (clusters > 1)
    error: NDArray[np.float64] = np.sqrt(np.where(known, spread * clusters / max(clusters - 1, 1), np.nan)) / codes.size
    return error


def _membership(codes: Codes) -> NDArray[np.float64]:
    member = np.zeros((codes.size, int(codes.max()) + 1))
    member[np.arange(codes.size), codes] = 1.0
    return member


def _odds(thresholds: ArrayLike) -> NDArray[np.float64]:
    t = np.asarray(thresholds, dtype=np.float64)
    if not ((t > 0) & (t < 1)).all():
        raise ValueError("a threshold lies between 0 and 1, both excluded")
    odds: NDArray[np.float64] = t / (1 - t)
    return odds
