"""Ranks of methods over the cells they share: Friedman's test, Nemenyi's critical difference, and groups.

Belongs here: what a critical-difference diagram shows. Does not belong here: drawing it.

What the replicates are decides what the test says, so they must be named. Blocks of a grid (each a combination of the
other stages) share all subjects: a small p says that a method is better throughout *this cohort's* grid, not that it
would be in another cohort. For that there is the interval of the mean ranks over resamples of the subjects. Bootstrap
iterations are no replicates: with enough of them every difference would be "significant" (published: 5 blocks).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from plr_assets.subject_bootstrap import LEVELS

Matrix = NDArray[np.float64]


class CriticalDifference(NamedTuple):
    """replicates            what a block is, in words.
    mean_rank             (k,) rank 1 is best.
    lower, upper          (k,) 95 % interval over resamples of the subjects; NaN without them.
    friedman, p_value     chi-squared statistic, corrected for ties, k - 1 degrees of freedom.
    iman_davenport, p_iman_davenport   the F form, less conservative (Iman & Davenport 1980).
    critical_difference   of mean ranks, at 5 % (Nemenyi; Demsar 2006, J Mach Learn Res 7:1).
    groups                runs of methods, best first, of which no two differ by more; each as long as can be.
    reason                why a number is NaN.
    """

    replicates: str
    blocks: int
    mean_rank: Matrix
    lower: Matrix
    upper: Matrix
    friedman: float
    p_value: float
    iman_davenport: float
    p_iman_davenport: float
    critical_difference: float
    groups: tuple[tuple[int, ...], ...]
    reason: str


def critical_difference(scores: Matrix, *, replicates: str, resampled: Matrix | None = None) -> CriticalDifference:
    """Compare k methods over N blocks.

    scores       (N, k), higher is better, no NaN: leave out blocks that lack a method.
    replicates   what the blocks are ("imputation x classifier, on the same 208 subjects").
    resampled    (R, N, k) the same scores on resamples of the subjects.
    With one block or all scores equal, ranks are given and the tests are NaN.
    """
    from scipy.stats import rankdata

    table = np.asarray(scores, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] < 2 or np.isnan(table).any():
        raise ValueError("scores are (blocks, methods) with at least two methods and no NaN")
    if not replicates.strip():
        raise ValueError("say what the replicates are")
    blocks, k = table.shape
    mean_rank = rankdata(-table, axis=1).mean(axis=0)
    lower, upper = np.full((2, k), np.nan)
    if resampled is not None:
        usable = resampled[np.isfinite(resampled).all(axis=(1, 2))]
        if len(usable):
            lower, upper = np.quantile(rankdata(-usable, axis=2).mean(axis=1), LEVELS, axis=0)
    difference = nemenyi(k, blocks)
    reason = _why_not(table)
    tests = (float("nan"),) * 4 if reason else friedman(table)
    groups = cliques(mean_rank, difference)
    return CriticalDifference(replicates, blocks, mean_rank, lower, upper, *tests, difference, groups, reason)


def friedman(scores: Matrix) -> tuple[float, float, float, float]:
    """Chi-squared, its p, Iman and Davenport's F, its p. scores (N, k)."""
    from scipy.stats import chi2, f, rankdata

    blocks, k = scores.shape
    rank = rankdata(-scores, axis=1)
    # between methods over within blocks: ties lower the latter, which is the usual correction
    between = blocks * np.sum((rank.mean(axis=0) - (k + 1) / 2) ** 2)
    within = np.sum((rank - (k + 1) / 2) ** 2) / (blocks * (k - 1))
    statistic = float(between / within)
    most = blocks * (k - 1)
    if statistic >= most * (1 - 1e-12):
        return statistic, float(chi2.sf(statistic, k - 1)), float("inf"), 0.0
    ratio = (blocks - 1) * statistic / (most - statistic)
    degrees = k - 1, (k - 1) * (blocks - 1)
    return statistic, float(chi2.sf(statistic, k - 1)), float(ratio), float(f.sf(ratio, *degrees))


def nemenyi(methods: int, blocks: int) -> float:
    """Difference of mean ranks beyond which two of `methods` differ at 5 %: q sqrt(k (k + 1) / (6 N)), q being the
    studentized range at infinite degrees of freedom over sqrt 2."""
    from scipy.stats import studentized_range

    q = studentized_range.ppf(0.95, methods, np.inf) / np.sqrt(2)
    return float(q * np.sqrt(methods * (methods + 1) / (6 * blocks)))


def cliques(mean_rank: Matrix, difference: float) -> tuple[tuple[int, ...], ...]:
    """Longest runs of at least two methods, in order of rank, whose ends differ by no more than `difference`."""
    order = np.argsort(mean_rank, kind="stable")
    ordered = mean_rank[order]
    last = np.searchsorted(ordered, ordered + difference, side="right")
    runs, reached = [], 0
    for start, end in enumerate(last):
        if end > reached and end - start > 1:
            runs.append(tuple(int(i) for i in order[start:end]))
        reached = max(reached, int(end))
    return tuple(runs)


def _why_not(table: Matrix) -> str:
    if len(table) < 2:
        return "there is one block"
    return "every block holds one score only" if (np.ptp(table, axis=1) == 0).all() else ""
