"""How much of the differences between pipelines each stage explains: factorial analysis of variance over the grid.

Belongs here: type III sums of squares with sum contrasts, partial eta^2 and omega^2, over cells of one score each. Does
not belong here: differences between named methods (`comparisons`), or ranks (`critical_difference`).

A cell is a pipeline, and its score is computed on the same subjects as all others: the cells are not independent, so F
tests would be wrong and are not given. What there is instead is the interval over resamples of the subjects.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from plr_assets.evaluation.estimate import Estimate, percentile, undefined

Matrix = NDArray[np.float64]


class Effect(NamedTuple):
    """One term: its degrees of freedom, sum of squares, and shares.

    eta_squared           SS / total SS: of all variance; terms need not add to 1 where cells are unbalanced.
    partial_eta_squared   SS / (SS + residual SS): of what the other terms leave.
    partial_omega_squared the same less what chance gives, (SS - df MSE) / (SS + (N - df) MSE); may be below 0.
    """

    term: tuple[str, ...]
    df: int
    sum_of_squares: float
    eta_squared: Estimate
    partial_eta_squared: Estimate
    partial_omega_squared: Estimate


class Decomposition(NamedTuple):
    """residual_eta_squared: the share of all variance that no term explains; NaN where there is no variance."""

    effects: tuple[Effect, ...]
    residual_df: int
    residual_sum_of_squares: float
    residual_eta_squared: float
    total_sum_of_squares: float
    cells: int


NOT_ESTIMABLE = "cells of the grid are empty: this term cannot be told from the others"
NOTHING_LEFT = "the model leaves no degree of freedom"
NO_DIFFERENCES = "all scores are equal"


def variance_decomposition(
    factors: Mapping[str, Sequence[str]], scores: Matrix, *, interactions: bool = False, n_subjects: int
) -> Decomposition:
    """Decompose the scores of pipelines by their methods.

    factors        name -> the level of each of N cells. A factor with one level is left out.
    scores         (N, 1 + R): column 0 of the cohort, the others of resamples of its subjects, as
                   `comparisons.auroc_scores` gives. R may be 0: no intervals. Resamples with a NaN are left out.
    interactions   with all two-way interactions; higher ones are the residual, as each cell has one score.
    n_subjects     of the cohort; with one there is no interval.

    Type III: the sum of squares of a term is what the residual grows by when its columns, in sum contrasts, are taken
    out of the full model. Percentile intervals; each resample adds the noise of resampling to the residual and to every
    term, so they are of the decomposition in a cohort like this one, and centre below a strong term's own share.
    """
    values = np.asarray(scores, dtype=np.float64)
    varied = {name: np.asarray(levels) for name, levels in factors.items() if len(set(levels)) > 1}
    if not varied or any(levels.shape != (len(values),) for levels in varied.values()):
        raise ValueError("at least one factor varies, and each gives one level to every cell")
    if np.isnan(values[:, 0]).any():
        raise ValueError("a cell has no score: leave it out")
    values = values[:, np.isfinite(values).all(axis=0)]
    contrasts = {name: sum_contrasts(levels) for name, levels in varied.items()}
    terms = [(name,) for name in varied] + (list(combinations(varied, 2)) if interactions else [])
    columns = {term: _columns([contrasts[name] for name in term]) for term in terms}

    intercept = np.ones((len(values), 1))
    full = _residual(np.hstack([intercept, *columns.values()]), values)
    total = _residual(intercept, values)
    return Decomposition(
        tuple(
            _effect(
                term,
                _residual(np.hstack([intercept, *(c for t, c in columns.items() if t != term)]), values),
                full,
                total,
                (columns[term].shape[1], n_subjects),
            )
            for term in terms
        ),
        full.df,
        float(full.squares[0]),
        float(full.squares[0] / total.squares[0]) if _is_some(total)[0] else float("nan"),
        float(total.squares[0]),
        len(values),
    )


def crossed(factors: Mapping[str, Sequence[str]]) -> NDArray[np.intp]:
    """Places of the cells of a part of the grid in which every level of a factor meets every level of the others.

    factors   name -> the level of each of N cells, each combination once.

    Found by leaving out, one after another, the level that is in the smallest share of the combinations it could be in,
    until no cell is empty (the first in order where several are). It need not be the largest such part.
    """
    columns = [np.asarray(levels) for levels in factors.values()]
    kept = np.arange(len(columns[0])) if columns else np.arange(0)
    while kept.size:
        codes = [np.unique(column[kept], return_inverse=True)[1] for column in columns]
        sizes = [int(code.max()) + 1 for code in codes]
        cells = int(np.prod(sizes))
        if kept.size == cells:
            break
        filled = [np.bincount(code) / (cells / size) for code, size in zip(codes, sizes, strict=True)]
        # a factor's only level cannot be left out
        least = min((share.min(), axis) for axis, share in enumerate(filled) if share.size > 1)[1]
        kept = kept[codes[least] != int(filled[least].argmin())]
    return kept


def sum_contrasts(levels: NDArray[np.str_]) -> Matrix:
    """(N, levels - 1): 1 for its level, -1 throughout for the last, levels in sorted order."""
    names, code = np.unique(levels, return_inverse=True)
    rows = np.vstack([np.eye(names.size - 1), -np.ones(names.size - 1)])
    contrasts: Matrix = rows[code]
    return contrasts


class _Residual(NamedTuple):
    squares: Matrix
    df: int


def _residual(design: Matrix, values: Matrix) -> _Residual:
    """Residual sums of squares of every column of values, by an orthonormal basis of the design's columns."""
    left, size, _ = np.linalg.svd(design, full_matrices=False)
    basis = left[:, size > size[0] * max(design.shape) * np.finfo(np.float64).eps]
    # centred first: scores near 0.9 that differ by 0.001 would lose digits in the projection
    centred = values - values.mean(axis=0)
    rest = centred - basis @ (basis.T @ centred)
    return _Residual(np.sum(rest**2, axis=0), len(values) - basis.shape[1])


def _columns(parts: Sequence[Matrix]) -> Matrix:
    product = parts[0]
    for part in parts[1:]:
        product = (product[:, :, None] * part[:, None, :]).reshape(len(part), -1)
    return product


def _effect(
    term: tuple[str, ...], without: _Residual, full: _Residual, total: _Residual, sizes: tuple[int, int]
) -> Effect:
    expected, n_subjects = sizes
    df = without.df - full.df
    if df < expected:
        missing = undefined(NOT_ESTIMABLE)
        return Effect(term, df, float("nan"), missing, missing, missing)
    squares = np.maximum(without.squares - full.squares, 0.0)
    cells = total.df + 1
    with np.errstate(invalid="ignore", divide="ignore"):
        some = _is_some(total)
        eta = np.where(some, squares / total.squares, np.nan)
        partial = np.where(some, squares / (squares + full.squares), np.nan)
        error = full.squares / full.df if full.df else np.full(squares.shape, np.nan)
        omega = np.where(some, (squares - df * error) / (squares + (cells - df) * error), np.nan)
    return Effect(
        term,
        df,
        float(squares[0]),
        _share(eta, n_subjects, NO_DIFFERENCES),
        _share(partial if full.df else np.full(partial.shape, np.nan), n_subjects, _why(full, some)),
        _share(omega, n_subjects, _why(full, some)),
    )


def _is_some(total: _Residual) -> NDArray[np.bool_]:
    """Whether there is any variance: rounding of equal scores is none."""
    some: NDArray[np.bool_] = total.squares > (total.df + 1) * np.finfo(np.float64).eps ** 2
    return some


def _why(full: _Residual, some: NDArray[np.bool_]) -> str:
    return NOTHING_LEFT if full.df == 0 and some[0] else NO_DIFFERENCES


def _share(values: Matrix, n_subjects: int, reason: str) -> Estimate:
    if values.size == 1:
        value = float(values[0])
        return undefined(reason) if np.isnan(value) else Estimate(value, np.nan, np.nan, "no resamples were given")
    return percentile(values, n_subjects, reason)
