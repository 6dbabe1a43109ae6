"""How the probabilities of cases and controls lie: histogram and summary by class.

Belongs here: descriptions of the predictions. Does not belong here: judging them (`discrimination`, `calibration`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from plr_assets.evaluation.estimate import (
    ONE_CLASS,
    Estimate,
    by_influence,
    labels_and_probabilities,
    subject_codes,
    undefined,
)

QUANTILES = (0.05, 0.25, 0.50, 0.75, 0.95)
# 5 % wide: narrow enough to show two modes, wide enough for the 56 cases of the published cohort.
HISTOGRAM_BINS = 20


class ClassDistribution(NamedTuple):
    """Probabilities of one class; sd with n - 1, NaN below two; quantiles (5,) at `QUANTILES`, interpolated."""

    n: int
    mean: float
    sd: float
    minimum: float
    maximum: float
    quantiles: NDArray[np.float64]


class Distributions(NamedTuple):
    """discrimination_slope: mean probability of cases less that of controls (Yates 1982; Tjur 2009's R^2)."""

    controls: ClassDistribution
    cases: ClassDistribution
    discrimination_slope: Estimate


class Histogram(NamedTuple):
    """borders (bins + 1,); controls, cases (bins,) counts. A bin holds its left border, the last one also 1."""

    borders: NDArray[np.float64]
    controls: NDArray[np.int64]
    cases: NDArray[np.int64]


def distributions(y: ArrayLike, p: ArrayLike, subjects: ArrayLike | None = None) -> Distributions:
    """Summary by class; NaN throughout for a class that is absent. The slope's interval is Wald's, by subject."""
    labels, values = labels_and_probabilities(y, p)
    controls, cases = describe(values[~labels]), describe(values[labels])
    if labels.all() or not labels.any():
        return Distributions(controls, cases, undefined(ONE_CLASS))
    share = labels.mean()
    influence = np.where(labels, (values - cases.mean) / share, -(values - controls.mean) / (1 - share))
    slope = by_influence(cases.mean - controls.mean, influence, subject_codes(subjects, labels.size))
    return Distributions(controls, cases, slope)


def describe(p: NDArray[np.float64]) -> ClassDistribution:
    """p (n,), which may be empty."""
    if p.size == 0:
        nan = float("nan")
        return ClassDistribution(0, nan, nan, nan, nan, np.full(len(QUANTILES), np.nan))
    sd = float(p.std(ddof=1)) if p.size > 1 else float("nan")
    return ClassDistribution(
        p.size, float(p.mean()), sd, float(p.min()), float(p.max()), np.quantile(p, QUANTILES).astype(np.float64)
    )


def histogram(y: ArrayLike, p: ArrayLike, bins: int = HISTOGRAM_BINS) -> Histogram:
    """Counts by class in bins of equal width over 0..1."""
    labels, values = labels_and_probabilities(y, p)
    borders = np.arange(bins + 1) / bins
    controls, cases = (np.histogram(values[group], borders)[0].astype(np.int64) for group in (~labels, labels))
    return Histogram(borders, controls, cases)
