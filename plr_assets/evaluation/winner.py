"""The best of many pipelines: what it is worth once one allows for having chosen it, and how sure its place is.

Belongs here: the bias-corrected winner, the probability of being best, rank intervals. Does not belong here: pairwise
differences (`comparisons`).

Oracles (pipelines that use ground truth of evaluated recordings) are never ranked and never win.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from plr_assets.evaluation.comparisons import auroc_scores, mean_scores
from plr_assets.evaluation.estimate import Estimate, subject_codes, undefined
from plr_assets.evaluation.operating_points import recording_weights
from plr_assets.subject_bootstrap import LEVELS

Matrix = NDArray[np.float64]

# Scores that are equal differ by rounding only: they are compared to this many digits.
DIGITS = 12


class Shared(NamedTuple):
    """Scores of J pipelines on shared resamples of the subjects; higher is better.

    drawn     (J, 1 + R) on the subjects drawn, as often as they were; column 0 is the cohort itself.
    left_out  (J, R) on the subjects that were not drawn.
    """

    drawn: Matrix
    left_out: Matrix


class Winner(NamedTuple):
    """pipeline: the row with the best score. apparent: that score, too high. corrected: what choosing like this yields,
    with its 95 % interval. optimism: apparent - corrected."""

    pipeline: int
    apparent: float
    corrected: Estimate
    optimism: float


class Ranks(NamedTuple):
    """Every field (J,); rank 1 is best, NaN for oracles."""

    rank: Matrix
    lower: Matrix
    upper: Matrix
    probability_best: Matrix


def shared_auroc(
    kernels: Sequence[Matrix] | Matrix,
    y: ArrayLike,
    subjects: ArrayLike | None = None,
    *,
    resamples: int = 1000,
    seed: int,
) -> Shared:
    """AUROC on shared resamples; kernels (J, cases, controls) of `pair_kernel.mean_pair_kernel`."""
    weights = recording_weights(subject_codes(subjects, np.size(y)), resamples, seed)
    left_out = (weights[1:] == 0).astype(np.float64)
    return Shared(auroc_scores(kernels, y, weights), auroc_scores(kernels, y, left_out))


def shared_mean(parts: Matrix, subjects: ArrayLike | None = None, *, resamples: int = 1000, seed: int) -> Shared:
    """Means of (J, n) parts on shared resamples: net benefit, or *minus* squared errors for the Brier score."""
    weights = recording_weights(subject_codes(subjects, parts.shape[1]), resamples, seed)
    return Shared(mean_scores(parts, weights), mean_scores(parts, (weights[1:] == 0).astype(np.float64)))


def corrected_winner(scores: Shared, oracle: ArrayLike | None = None) -> Winner:
    """The winner's score less the gain that comes of choosing by the score itself.

    Bootstrap bias corrected cross-validation (Tsamardinos, Greasidou & Borboudakis 2018, Mach Learn 107:1895): in every
    resample of the subjects the pipeline that is best on those drawn is scored on those left out. The mean over
    resamples is the corrected score, their 2.5 and 97.5 % points its interval, which is on the wide side: it is that of
    a third of the subjects. No model is fitted again. Pipelines that tie for best share their resample. Raises
    ValueError where no pipeline can be ranked.
    """
    ranked = _ranked(scores, oracle)
    index = int(np.argmax(np.where(ranked, scores.drawn[:, 0], -np.inf)))
    apparent = float(scores.drawn[index, 0])
    share = _share_of_best(scores.drawn[:, 1:], ranked)
    chosen = np.sum(np.where(share > 0, share * scores.left_out, 0.0), axis=0)
    chosen = chosen[share.any(axis=0) & np.isfinite(chosen)]
    if chosen.size == 0:
        return Winner(index, apparent, undefined("no resample leaves both classes out"), float("nan"))
    lower, upper = np.quantile(chosen, LEVELS)
    corrected = Estimate(float(chosen.mean()), float(lower), float(upper))
    return Winner(index, apparent, corrected, apparent - corrected.value)


def ranks(scores: Shared, oracle: ArrayLike | None = None) -> Ranks:
    """Rank of every pipeline, its 95 % interval over resamples, and the share of resamples in which it is best.

    Ties take the mean rank and split a win. Resamples in which a score is not defined are left out. The resamples
    repeat the cohort's own chances, so the leader keeps its lead in more of them than it would in new cohorts: read the
    probability as support, not as a posterior.
    """
    from scipy.stats import rankdata

    ranked = _ranked(scores, oracle)
    columns = np.asarray(np.isfinite(scores.drawn[ranked]).all(axis=0))
    rank, lower, upper, best = np.full((4, len(scores.drawn)), np.nan)
    if columns[0]:
        rank[ranked] = rankdata(-scores.drawn[ranked, 0].round(DIGITS))
    if columns[0] and columns[1:].any():
        usable = scores.drawn[:, 1:][:, columns[1:]]
        lower[ranked], upper[ranked] = np.quantile(rankdata(-usable[ranked].round(DIGITS), axis=0), LEVELS, axis=1)
        best[ranked] = _share_of_best(usable, ranked).mean(axis=1)[ranked]
    return Ranks(rank, lower, upper, best)


def _ranked(scores: Shared, oracle: ArrayLike | None) -> NDArray[np.bool_]:
    """(J,) who takes part: no oracle, and no pipeline whose score is not defined."""
    marks = np.zeros(len(scores.drawn), dtype=bool) if oracle is None else np.asarray(oracle, dtype=bool)
    if marks.shape != (len(scores.drawn),):
        raise ValueError(f"{marks.shape} oracle marks for {len(scores.drawn)} pipelines")
    ranked: NDArray[np.bool_] = ~marks & np.isfinite(scores.drawn[:, 0])
    if not ranked.any():
        raise ValueError("no pipeline can be ranked: each is an oracle or has no score")
    return ranked


def _share_of_best(drawn: Matrix, ranked: NDArray[np.bool_]) -> Matrix:
    """(J, R) each pipeline's share of the win, 0 in resamples without a score."""
    candidates = np.where(ranked[:, None] & np.isfinite(drawn), drawn.round(DIGITS), -np.inf)
    top = candidates.max(axis=0)
    best = (candidates == top) & np.isfinite(top)
    count = best.sum(axis=0)
    share: Matrix = np.divide(best, count, out=np.zeros(best.shape), where=count > 0)
    return share
