"""Classification at a declared threshold: confusion matrix, its rates with intervals, and what they mean in screening.

Belongs here: counts and shares of right and wrong decisions. Does not belong here: choosing the threshold, or weighing
a miss against a false alarm (`utility`).

Positive is p >= threshold. Intervals are Wilson's, with as many recordings as there are independent ones: the design
effect of recordings that share a subject is estimated (Rao & Scott 1992, Biometrics 48:577) and divided out.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from plr_assets.evaluation.estimate import (
    ALL_REFERRED,
    NONE_REFERRED,
    ONE_CLASS,
    Codes,
    Estimate,
    Labels,
    labels_and_probabilities,
    subject_codes,
    undefined,
    wilson_ends,
    without_interval,
)

# Glaucoma in those aged 40-80 (Tham et al. 2014, Ophthalmology 121:2081): the published cohort holds 27 % by design.
POPULATION_PREVALENCE = 0.0354


class Confusion(NamedTuple):
    """Recordings by truth and decision."""

    true_positive: int
    false_positive: int
    false_negative: int
    true_negative: int


class Decisions(NamedTuple):
    """Rates at one threshold; `population_*` at the prevalence that was asked for."""

    threshold: float
    confusion: Confusion
    sensitivity: Estimate
    specificity: Estimate
    ppv: Estimate
    npv: Estimate
    accuracy: Estimate
    balanced_accuracy: float
    f1: float
    population_ppv: Estimate
    population_npv: Estimate


class Screening(NamedTuple):
    """Expected numbers per 1000 people screened, at one prevalence; 95 % intervals from those of the rates alone."""

    prevalence: float
    cases: float
    found: Estimate
    missed: Estimate
    false_alarms: Estimate
    referred: float


def decisions(
    y: ArrayLike,
    p: ArrayLike,
    threshold: float,
    subjects: ArrayLike | None = None,
    *,
    prevalence: float = POPULATION_PREVALENCE,
) -> Decisions:
    """Everything at one threshold. y (n,) 0/1, p (n,). Raises ValueError for a prevalence outside 0 < v < 1.

    NaN with the reason: a rate whose denominator is empty; its interval is then not there either. F1 and accuracy
    follow the cohort's prevalence, which is not the population's.
    """
    labels, values = labels_and_probabilities(y, p)
    codes, positive = subject_codes(subjects, labels.size), values >= threshold
    tp, fp = int((positive & labels).sum()), int((positive & ~labels).sum())
    fn, tn = int(labels.sum()) - tp, int((~labels).sum()) - fp
    sensitivity = _rate(positive[labels], codes[labels], ONE_CLASS)
    specificity = _rate(~positive[~labels], codes[~labels], ONE_CLASS)
    population_ppv, population_npv = predictive_values(sensitivity, specificity, prevalence)
    return Decisions(
        float(threshold),
        Confusion(tp, fp, fn, tn),
        sensitivity,
        specificity,
        _rate(labels[positive], codes[positive], NONE_REFERRED),
        _rate(~labels[~positive], codes[~positive], ALL_REFERRED),
        _rate(positive == labels, codes, ""),
        (sensitivity.value + specificity.value) / 2,
        2 * tp / (2 * tp + fp + fn) if tp + fp + fn else float("nan"),
        population_ppv,
        population_npv,
    )


def predictive_values(sensitivity: Estimate, specificity: Estimate, prevalence: float) -> tuple[Estimate, Estimate]:
    """PPV and NPV at another prevalence: se pi / (se pi + (1-sp)(1-pi)), and sp (1-pi) / (sp (1-pi) + (1-se) pi).

    Intervals: both are monotone in a likelihood ratio, se / (1-sp) and (1-se) / sp. The ratio's interval joins those of
    the two independent rates by MOVER (Donner & Zou 2012, Stat Methods Med Res 21:347, for ratios), which needs no
    variance and so holds at rates of 0 and 1. NaN where a rate is, and for a PPV where no one is referred.
    """
    if not 0 < prevalence < 1:
        raise ValueError("a prevalence lies between 0 and 1, both excluded")
    if np.isnan(sensitivity.value) or np.isnan(specificity.value):
        return undefined(ONE_CLASS), undefined(ONE_CLASS)
    odds = prevalence / (1 - prevalence)
    ppv = _share_of_odds(*_ratio(sensitivity, _complement(specificity)), odds, NONE_REFERRED)
    missed = _share_of_odds(*_ratio(_complement(sensitivity), specificity), odds, ALL_REFERRED)
    return ppv, _complement(missed)


def screening(of: Decisions, prevalence: float = POPULATION_PREVALENCE, people: int = 1000) -> Screening:
    """Found, missed and false alarms among `people` screened; they follow the rates, and so do their intervals."""
    cases, healthy = people * prevalence, people * (1 - prevalence)
    found = _scaled(of.sensitivity, cases)
    false_alarms = _scaled(_complement(of.specificity), healthy)
    missed = _scaled(_complement(of.sensitivity), cases)
    return Screening(prevalence, cases, found, missed, false_alarms, found.value + false_alarms.value)


class ClassReport(NamedTuple):
    """One line of a classification report: a class, or an average over both."""

    name: str
    precision: float
    recall: float
    f1: float
    support: int


def classification_report(confusion: Confusion, names: tuple[str, str] = ("control", "case")) -> list[ClassReport]:
    """Per class, then unweighted (macro) and by support (weighted), as scikit-learn's with `zero_division=nan`."""
    tp, fp, fn, tn = confusion
    lines = [
        ClassReport(names[0], _share(tn, tn + fn), _share(tn, tn + fp), _share(2 * tn, 2 * tn + fn + fp), tn + fp),
        ClassReport(names[1], _share(tp, tp + fp), _share(tp, tp + fn), _share(2 * tp, 2 * tp + fn + fp), tp + fn),
    ]
    support = np.array([line.support for line in lines])
    table = np.array([line[1:4] for line in lines], dtype=np.float64)
    macro = table.mean(axis=0)
    weighted = np.where(support[:, None] > 0, table * support[:, None], 0.0).sum(axis=0) / support.sum()
    return [
        *lines,
        ClassReport("macro", float(macro[0]), float(macro[1]), float(macro[2]), int(support.sum())),
        ClassReport("weighted", float(weighted[0]), float(weighted[1]), float(weighted[2]), int(support.sum())),
    ]


def _rate(right: NDArray[np.bool_], codes: Codes, reason: str) -> Estimate:
    """Share of `right`, with Wilson's interval at the effective number of recordings."""
    n = right.size
    if n == 0:
        return undefined(reason)
    share = float(right.mean())
    return wilson(share, n / _design_effect(right, codes))


def _design_effect(right: Labels, codes: Codes) -> float:
    """Clustered over binomial variance of a share, from 1 (independent) to the mean size of a cluster's company.

    Where no variance is to be seen (a share of 0 or 1), the cautious end: recordings of a subject count as one.
    """
    clusters = np.unique(codes, return_inverse=True)[1]
    size = int(clusters.max()) + 1
    if size == right.size:
        return 1.0
    share, cautious = right.mean(), right.size / size
    if size == 1 or share in (0.0, 1.0):
        return float(cautious)
    sums = np.bincount(clusters, weights=right - share)
    return float(max(1.0, size / (size - 1) * np.sum(sums**2) / (right.size * share * (1 - share))))


def wilson(share: float, n: float) -> Estimate:
    """A share of `n` recordings with Wilson's interval."""
    lower, upper = wilson_ends(np.array([share]), n)
    return Estimate(share, float(lower[0]), float(upper[0]))


def _complement(of: Estimate) -> Estimate:
    return Estimate(1 - of.value, 1 - of.upper, 1 - of.lower, of.reason)


def _scaled(of: Estimate, by: float) -> Estimate:
    return Estimate(of.value * by, of.lower * by, of.upper * by, of.reason)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


def _ratio(top: Estimate, bottom: Estimate) -> tuple[float, float, float]:
    """top / bottom and its MOVER-R interval; (nan, nan, nan) for 0 / 0, and inf above where `bottom` may be 0."""
    (a, la, ua), (b, lb, ub) = top, bottom
    if a == b == 0:
        return float("nan"), float("nan"), float("nan")
    down = (a * b) ** 2 - la * ub * (2 * a - la) * (2 * b - ub)
    up = (a * b) ** 2 - ua * lb * (2 * a - ua) * (2 * b - lb)
    bottom_low, bottom_high = lb * (2 * b - lb), ub * (2 * b - ub)
    lower = (a * b - np.sqrt(max(down, 0.0))) / bottom_high if bottom_high != 0 else la / ub
    upper = (a * b + np.sqrt(max(up, 0.0))) / bottom_low if bottom_low > 0 else np.inf
    ratio = a / b if b > 0 else np.inf
    return ratio, float(min(max(lower, 0.0), ratio)), float(max(upper, ratio))


def _share_of_odds(ratio: float, lower: float, upper: float, odds: float, reason: str) -> Estimate:
    """Posterior probabilities of prior odds times likelihood ratios, an infinite one being certainty."""
    if np.isnan(ratio):
        return undefined(reason)
    value, low, high = (1.0 if np.isinf(r) else r * odds / (1 + r * odds) for r in (ratio, lower, upper))
    if low == high:
        return without_interval(value, reason)
    return Estimate(value, low, high)
