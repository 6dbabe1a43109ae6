"""Calibration without the assumption of a straight line: the flexible curve, ICI, E50, E90, Emax, and ECE.

Belongs here: distances between the probabilities and what is observed at them. Does not belong here: slope, intercept
and observed / expected, which are one number each (`calibration`).

The curve is P(y = 1) as a restricted cubic spline in logit(p), by maximum likelihood: unlike a loess it stays in 0..1,
needs no span, and is refitted on hundreds of resamples at once. Intervals are percentiles over resamples of the
subjects. Distances cannot be negative, so of well calibrated predictions they are above 0 by chance alone, and those of
resamples above that: read them beside the curve's band.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from plr_assets.evaluation.calibration import EPSILON
from plr_assets.evaluation.estimate import (
    ONE_CLASS,
    Estimate,
    equal_groups,
    labels_and_probabilities,
    percentile,
    subject_codes,
    undefined,
)
from plr_assets.subject_bootstrap import LEVELS

Matrix = NDArray[np.float64]

# Three knots, two slopes: the 17 cases of the published test set bear no more (Harrell 2015, table 2.3, for n < 100).
KNOT_QUANTILES = (0.10, 0.50, 0.90)
GRID = 101
# Knots, and columns of the spline, closer than this (in logits) are one knot or one column, up to rounding.
CLOSEST = 1e-6
TOO_FEW_VALUES = "the probabilities have too few different values for a curve"
NO_MAXIMUM = "the likelihood of the curve has no maximum: its classes can be separated"
# Newton's steps double the digits; from a resample's start at the cohort's curve 6 are the rule. Separated data run on.
STEPS = 30


class SmoothCalibration(NamedTuple):
    """predicted, observed, lower, upper (101,): the curve over the range of the probabilities, with a pointwise 95 %
    band; ici, e50, e90, emax: mean, median, 90 % point and maximum of |observed - predicted| over recordings."""

    predicted: Matrix
    observed: Matrix
    lower: Matrix
    upper: Matrix
    ici: Estimate
    e50: Estimate
    e90: Estimate
    emax: Estimate


class CalibrationError(NamedTuple):
    """ece: weighted mean, mce: maximum of |observed share - mean probability| over the bins that hold recordings."""

    ece: Estimate
    mce: Estimate
    binning: str
    bins: int


def smooth_calibration(
    y: ArrayLike, p: ArrayLike, weights: Matrix, subjects: ArrayLike | None = None
) -> SmoothCalibration:
    """The flexible curve and the integrated calibration index (Austin & Steyerberg 2019, Stat Med 38:4051).

    weights (1 + R, n) of `operating_points.recording_weights`, row 0 all ones; 200 resamples do. Quantiles are of the
    empirical distribution (a value that occurs). NaN with the reason: one class, probabilities without three different
    knots, or classes that a curve separates; resamples in which that is so are left out.
    """
    labels, values = labels_and_probabilities(y, p)
    clusters = int(subject_codes(subjects, labels.size).max()) + 1
    grid = np.linspace(values.min(), values.max(), GRID)
    x = _logit(values)
    knots = np.quantile(x, KNOT_QUANTILES)
    if labels.all() or not labels.any():
        return _no_curve(grid, ONE_CLASS)
    if np.unique(values).size < len(knots) or np.diff(knots).min() < CLOSEST:
        return _no_curve(grid, TOO_FEW_VALUES)
    # orthonormal columns: the information matrix of raw splines is nearly singular
    design, turn = np.linalg.qr(_spline(x, knots))
    if np.abs(np.diag(turn)).min() < CLOSEST:
        return _no_curve(grid, TOO_FEW_VALUES)
    on_grid = np.linalg.solve(turn.T, _spline(_logit(grid), knots).T).T
    cohort = _fit(design, labels, np.ones((1, labels.size)), np.zeros((1, design.shape[1])))
    if np.isnan(cohort).any():
        return _no_curve(grid, NO_MAXIMUM)
    beta = np.concatenate([cohort, _fit(design, labels, weights[1:], np.repeat(cohort, len(weights) - 1, axis=0))])
    curves = _expit(beta @ on_grid.T)
    distance = np.abs(_expit(beta @ design.T) - values)
    ici = np.sum(distance * weights, axis=1) / weights.sum(axis=1)
    e50, e90, emax = _quantiles(distance, weights, (0.5, 0.9, 1.0))
    known = ~np.isnan(beta).any(axis=1)
    if clusters > 1 and known.sum() > 1:
        lower, upper = np.quantile(curves[1:][known[1:]], LEVELS, axis=0)
    else:
        lower, upper = np.full((2, grid.size), np.nan)
    measures = (percentile(np.where(known, v, np.nan), clusters) for v in (ici, e50, e90, emax))
    return SmoothCalibration(grid, curves[0], lower, upper, *measures)


def calibration_error(
    y: ArrayLike,
    p: ArrayLike,
    weights: Matrix,
    subjects: ArrayLike | None = None,
    *,
    bins: int = 10,
    binning: Literal["equal_size", "equal_width"] = "equal_size",
) -> CalibrationError:
    """Expected and maximum calibration error (Naeini et al. 2015), their bins stated.

    equal_size    groups of the grouped curve, fixed by the cohort, equal probabilities together.
    equal_width   [0, 1/bins), ... with 1 in the last.
    Both depend on the number of bins and grow with it by chance alone; none of them is a property of the model.
    """
    labels, values = labels_and_probabilities(y, p)
    clusters = int(subject_codes(subjects, labels.size).max()) + 1
    if binning == "equal_size":
        place = equal_groups(values, bins)
    else:
        place = np.minimum((values * bins).astype(np.intp), bins - 1)
    member = np.zeros((labels.size, int(place.max()) + 1))
    member[np.arange(labels.size), place] = 1.0
    total = weights @ member
    gap = np.abs(weights @ (member * (labels - values)[:, None]))
    ece = gap.sum(axis=1) / total.sum(axis=1)
    mce = np.max(np.divide(gap, total, out=np.zeros_like(gap), where=total > 0), axis=1)
    return CalibrationError(percentile(ece, clusters), percentile(mce, clusters), binning, int(np.unique(place).size))


def _spline(x: Matrix, knots: Matrix) -> Matrix:
    """(n, 3): 1, x, and the restricted cubic term of three knots, linear beyond the outer two (Harrell 2015, 2.4.5)."""
    a, b, c = knots
    cubes = [np.clip(x - knot, 0, None) ** 3 for knot in (a, b, c)]
    bend = (cubes[0] - cubes[1] * (c - a) / (c - b) + cubes[2] * (b - a) / (c - b)) / (c - a) ** 2
    return np.column_stack([np.ones_like(x), x, bend])


def _fit(design: Matrix, labels: NDArray[np.bool_], weights: Matrix, start: Matrix) -> Matrix:
    """(R, 3) maximum-likelihood coefficients under every weighting, by Newton's method; NaN where there are none."""
    n, k = design.shape
    products = (design[:, :, None] * design[:, None, :]).reshape(n, k * k)
    beta = start.copy()
    active = np.arange(len(beta))
    for _ in range(STEPS):
        w, mean = weights[active], _expit(beta[active] @ design.T)
        gradient = (w * (labels - mean)) @ design
        information = ((w * mean * (1 - mean)) @ products).reshape(-1, k, k)
        # where the classes separate, the information runs out: those resamples have no curve
        scale = np.trace(information, axis1=1, axis2=2)
        sound = (scale > 1e-9 * n) & (np.linalg.cond(information) < 1e12)
        beta[active[~sound]] = np.nan
        active = active[sound]
        if active.size == 0:
            break
        step = np.linalg.solve(information[sound], gradient[sound][:, :, None])[:, :, 0]
        # a step beyond 5 standard columns is Newton's overshooting from a flat place
        size = np.abs(step).max(axis=1)
        limit = 5 * np.sqrt(n)
        beta[active] += step * np.minimum(1, limit / np.maximum(size, limit))[:, None]
        active = active[size > 1e-9 * (1 + np.abs(beta[active]).max(axis=1))]
        if active.size == 0:
            break
    beta[active] = np.nan
    return beta


def _quantiles(values: Matrix, weights: Matrix, levels: tuple[float, ...]) -> list[Matrix]:
    """(R,) for each level: the smallest value that this share of the weight does not exceed, row by row."""
    order = np.argsort(values, axis=1)
    ordered = np.take_along_axis(values, order, axis=1)
    reached = np.cumsum(np.take_along_axis(weights, order, axis=1), axis=1)
    rows = np.arange(len(values))
    # weights are whole numbers; the margin is for level x total
    places = [np.sum(reached < level * reached[:, -1:] * (1 - 1e-12), axis=1) for level in levels]
    return [ordered[rows, np.minimum(place, values.shape[1] - 1)] for place in places]


def _no_curve(grid: Matrix, reason: str) -> SmoothCalibration:
    nothing = np.full(grid.size, np.nan)
    return SmoothCalibration(grid, nothing, nothing.copy(), nothing.copy(), *(undefined(reason) for _ in range(4)))


def _logit(p: Matrix) -> Matrix:
    clipped = np.clip(p, EPSILON, 1 - EPSILON)
    return np.asarray(np.log(clipped / (1 - clipped)), dtype=np.float64)


def _expit(x: Matrix) -> Matrix:
    from scipy.special import expit

    return np.asarray(expit(x), dtype=np.float64)
