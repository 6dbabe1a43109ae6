"""Pipelines against each other on the same subjects: differences with paired intervals, corrected for their number.

Belongs here: scores of many pipelines under the same resamples, paired DeLong, the paired bootstrap, Holm and
Benjamini-Hochberg. Does not belong here: choosing a winner (`winner`), or explaining differences by method
(`variance_decomposition`).

Every pipeline is given by what it did with the same n recordings: a pair kernel of `pair_kernel.mean_pair_kernel`
(either estimand of AUROC), or a mean over recordings (Brier, net benefit). Predictions are taken as fixed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from plr_assets.evaluation.estimate import Z_95, labels_of, subject_codes
from plr_assets.evaluation.pair_kernel import structural_components
from plr_assets.subject_bootstrap import LEVELS

Matrix = NDArray[np.float64]

# Pair weights of a block of resamples: 64 x 8512 pairs of the published cohort take 4 MB, which stays in the cache.
_BLOCK = 64


class Differences(NamedTuple):
    """Pipeline `first[i]` less pipeline `second[i]`; every field (comparisons,), NaN where not defined."""

    first: NDArray[np.intp]
    second: NDArray[np.intp]
    value: Matrix
    lower: Matrix
    upper: Matrix
    p_value: Matrix
    p_holm: Matrix
    p_bh: Matrix


def against(reference: int, pipelines: int) -> list[tuple[int, int]]:
    """Every pipeline against one."""
    return [(j, reference) for j in range(pipelines) if j != reference]


def each_pair(pipelines: int) -> list[tuple[int, int]]:
    return [(i, j) for i in range(pipelines) for j in range(i + 1, pipelines)]


def auroc_scores(kernels: Sequence[Matrix] | Matrix, y: ArrayLike, weights: Matrix) -> Matrix:
    """(J, R) AUROC of every pipeline under every weighting of the recordings.

    kernels (J, cases, controls); y (n,); weights (R, n). NaN where a class has no weight. Pairs that a pipeline never
    tested (NaN in its kernel) are left out of its score.
    """
    labels, stack = labels_of(y), np.asarray(kernels, dtype=np.float64)
    flat = stack.reshape(len(stack), -1)
    unknown = np.isnan(flat)
    wins = np.where(unknown, 0.0, flat).T
    absent = unknown.T.astype(np.float64) if unknown.any() else None
    scores = np.empty((len(stack), len(weights)))
    for start in range(0, len(weights), _BLOCK):
        block = weights[start : start + _BLOCK]
        pairs = (block[:, labels, None] * block[:, None, ~labels]).reshape(len(block), -1)
        total = pairs.sum(axis=1)[:, None]
        if absent is not None:
            total = total - pairs @ absent
        area = np.divide(pairs @ wins, total, out=np.full((len(block), len(stack)), np.nan), where=total > 0)
        scores[:, start : start + _BLOCK] = area.T
    return scores


def mean_scores(parts: Matrix, weights: Matrix) -> Matrix:
    """(J, R) weighted means of (J, n) parts, such as squares (Brier) or `utility.benefits` at one threshold."""
    total = weights.sum(axis=1)
    scores: Matrix = np.divide(
        parts @ weights.T, total, out=np.full((len(parts), len(weights)), np.nan), where=total > 0
    )
    return scores


def auroc_covariance(kernels: Sequence[Matrix] | Matrix, y: ArrayLike, subjects: ArrayLike | None = None) -> Matrix:
    """(J, J) covariances of the AUROCs of J pipelines (DeLong et al. 1988; by subject: Obuchowski 1997).

    NaN throughout if a class has fewer than two subjects.
    """
    labels = labels_of(y)
    codes = subject_codes(subjects, labels.size)
    of_cases, of_controls = codes[labels], codes[~labels]
    i10, i01, size = np.unique(of_cases).size, np.unique(of_controls).size, int(codes.max()) + 1
    if i10 < 2 or i01 < 2:
        return np.full((len(kernels), len(kernels)), np.nan)
    moved = [structural_components(np.asarray(kernel), of_cases, of_controls, size) for kernel in kernels]
    by_case, by_control = (np.stack(parts) for parts in zip(*moved, strict=True))
    crossed = size / (size - 1) * by_case @ by_control.T
    covariance: Matrix = i10 / (i10 - 1) * by_case @ by_case.T + i01 / (i01 - 1) * by_control @ by_control.T
    covariance += crossed + crossed.T
    return covariance


def paired_delong(
    kernels: Sequence[Matrix] | Matrix,
    y: ArrayLike,
    pairs: Sequence[tuple[int, int]],
    subjects: ArrayLike | None = None,
) -> Differences:
    """Differences of AUROC with Wald's interval and test of DeLong's paired variance.

    Interval and p are NaN where two pipelines rank every pair alike: nothing tells how much they could differ.
    """
    from scipy.stats import norm

    columns = _columns(pairs)
    first, second = columns
    covariance = auroc_covariance(kernels, y, subjects)
    areas = auroc_scores(kernels, y, np.ones((1, labels_of(y).size)))[:, 0]
    value = areas[first] - areas[second]
    variance = covariance[first, first] + covariance[second, second] - 2 * covariance[first, second]
    # below the rounding of the covariances there is no variance
    scale = np.finfo(np.float64).eps * 8 * (covariance[first, first] + covariance[second, second])
    error = np.sqrt(np.where(variance > scale, variance, np.nan))
    p = 2 * norm.sf(abs(value) / error)
    return _differences(columns, value, value - Z_95 * error, value + Z_95 * error, p)


def paired_bootstrap(scores: Matrix, pairs: Sequence[tuple[int, int]]) -> Differences:
    """Differences of any score with the percentile interval over shared resamples of the subjects.

    scores (J, 1 + R): column 0 of the cohort itself, the others of resamples, the same for every pipeline
    (`operating_points.recording_weights`). p: twice the share of resamples on the other side of 0, counting those at 0
    on both sides and the cohort itself among them, so that it is never 0 (Davison & Hinkley 1997, ch. 4). Resamples in
    which either score is not defined are left out.
    """
    columns = _columns(pairs)
    first, second = columns
    value = scores[first, 0] - scores[second, 0]
    lower, upper, p = (np.full(first.size, np.nan) for _ in range(3))
    for i, (a, b) in enumerate(zip(first, second, strict=True)):
        resampled = scores[a, 1:] - scores[b, 1:]
        resampled = resampled[np.isfinite(resampled)]
        if np.isnan(value[i]) or resampled.size == 0 or np.ptp(resampled) == 0:
            continue
        lower[i], upper[i] = np.quantile(resampled, LEVELS)
        tail = min(np.count_nonzero(resampled <= 0), np.count_nonzero(resampled >= 0))
        p[i] = min(1.0, 2 * (1 + tail) / (1 + resampled.size))
    return _differences(columns, value, lower, upper, p)


def adjusted(p_values: ArrayLike, method: Literal["holm", "fdr_bh"]) -> Matrix:
    """p-values corrected for how many there are; NaN stays NaN and does not count."""
    from statsmodels.stats.multitest import multipletests

    p = np.asarray(p_values, dtype=np.float64)
    known, corrected = ~np.isnan(p), np.full(p.shape, np.nan)
    if known.any():
        corrected[known] = multipletests(p[known], method=method)[1]
    return corrected


def _columns(pairs: Sequence[tuple[int, int]]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    table = np.asarray(pairs, dtype=np.intp).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def _differences(
    columns: tuple[NDArray[np.intp], NDArray[np.intp]], value: Matrix, lower: Matrix, upper: Matrix, p: Matrix
) -> Differences:
    return Differences(*columns, value, lower, upper, p, adjusted(p, "holm"), adjusted(p, "fdr_bh"))
