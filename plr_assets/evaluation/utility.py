"""Clinical utility: net benefit of referring by a probability threshold.

Belongs here: net benefit and decision curves. Does not belong here: choosing the threshold, which is the clinic's.
Vickers & Elkin 2006, Med Decis Making 26:565.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from plr_assets.evaluation.estimate import Z_95, Codes, labels_and_probabilities, labels_of, subject_codes

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


class DecisionCurve(NamedTuple):
    """Net benefit over thresholds; every field (thresholds,)."""

    threshold: NDArray[np.float64]
    model: NDArray[np.float64]
    refer_all: NDArray[np.float64]
    refer_none: NDArray[np.float64]


def decision_curve(y: ArrayLike, p: ArrayLike) -> DecisionCurve:
    """Net benefit of the model, of referring everyone and of referring no one (0), at 1-50 %."""
    model, everyone = net_benefit(y, p, THRESHOLDS), net_benefit_all(y, THRESHOLDS)
    return DecisionCurve(THRESHOLDS.copy(), model, everyone, np.zeros_like(model))


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

    Each is a mean over recordings, so its interval is Wald's, clustered by subject, the prevalence being estimated as
    well (Pfeiffer & Gail 2020, Biom J 62:764). standardised: net benefit / prevalence (Baker et al. 2009), 1 is
    perfect, negative is harm. interventions_avoided: referrals per 100 recordings that the model saves over referring
    everyone with no case more missed, 100 (NB - NB_all) (1-t)/t. The interval is NaN where the sample has no variance
    in it: no one referred, or everyone (for `beyond_all`).
    """
    labels = labels_of(y)
    codes, t = subject_codes(subjects, labels.size), np.asarray(thresholds, dtype=np.float64)
    of_model = benefits(y, p, t)
    of_all = benefits(y, np.ones(labels.size), t)
    model = mean_band(of_model, codes)
    prevalence = labels.mean()
    # the ratio of two means: its influence is (benefit - ratio x case) / prevalence
    if prevalence > 0:
        ratio = model.value / prevalence
        standardised = mean_band((of_model - ratio[:, None] * labels) / prevalence, codes, ratio)
    else:
        standardised = Band(*(np.full(t.size, np.nan) for _ in range(3)))
    beyond = mean_band(of_model - of_all, codes)
    avoided = 100 * beyond.value / _odds(t)
    return Utility(t, model, standardised, mean_band(of_all, codes), beyond, avoided)


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


def mean_band(parts: NDArray[np.float64], codes: Codes, value: NDArray[np.float64] | None = None) -> Band:
    """Means of (k, n) over recordings (or `value`, of which they are the influences), Wald's interval by subject."""
    mean = parts.mean(axis=1)
    clusters = int(codes.max()) + 1
    membership = np.zeros((codes.size, clusters))
    membership[np.arange(codes.size), codes] = 1.0
    sums = (parts - mean[:, None]) @ membership if clusters < codes.size else parts - mean[:, None]
    spread = np.sum((sums - sums.mean(axis=1, keepdims=True)) ** 2, axis=1)
    # rounding is no variance; with a single subject there is none to estimate
    known = (spread > np.finfo(np.float64).eps) & (clusters > 1)
    error = np.sqrt(np.where(known, spread * clusters / max(clusters - 1, 1), np.nan)) / codes.size
    centre = mean if value is None else value
    return Band(centre, centre - Z_95 * error, centre + Z_95 * error)


def _odds(thresholds: ArrayLike) -> NDArray[np.float64]:
    t = np.asarray(thresholds, dtype=np.float64)
    if not ((t > 0) & (t < 1)).all():
        raise ValueError("a threshold lies between 0 and 1, both excluded")
    odds: NDArray[np.float64] = t / (1 - t)
    return odds
