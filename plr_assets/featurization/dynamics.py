"""Statistics of how fast and when the pupil moves: speeds, moments, latencies, the time constant of redilation.

Belongs here: vectorised functions of windows, each with its definition and source. Does not belong here: statistics
without time (`statistics`). A function sees its own window and nothing beside it, so that coverage of the window is
coverage of the value.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

# Local parabolas (Savitzky & Golay 1964, doi 10.1021/ac60214a047): they keep the height of a peak of speed that a
# running mean lowers. 0.3 s is nine frames of the device, over which constriction speeds of 35-75 %/s were measured.
_ORDER = 2
# Huber 1964, doi 10.1214/aoms/1177703732: 95 % as precise as least squares where errors are normal.
_HUBER = 1.345
# A normal's standard deviation in median absolute deviations.
_MAD = 1.4826
# Time constants that are tried: 7.6 % apart over the default hundredfold range, then a parabola between them.
_CANDIDATES = 64
# s. What is beyond is the matrix product's, whose last bits change with the number of recordings.
_DIGITS = 6
# The fit's weights hardly move after that; seen on simulated responses with blinks left in.
_REWEIGHTED = 3
# Amplitudes below this, in %, are rounding of a flat signal.
_FLAT = 1e-6


@dataclass(frozen=True, slots=True)
class Cut:
    """n windows of equal length.

    values    (n, w) %, or diameters.
    step_s    time between samples.
    first_s   (n,) from the reference to the window's first sample.
    """

    values: NDArray[np.float64]
    step_s: float
    first_s: NDArray[np.float64]


def slope(cut: Cut) -> Values:
    """Per s, of the least-squares line."""
    time = np.arange(cut.values.shape[1]) * cut.step_s
    centred = time - time.mean()
    # no matrix product here or in `_derivative`: its last bits change with the number of recordings
    return np.asarray((cut.values * (centred / (centred @ centred))).sum(axis=1))


def time_of_min(cut: Cut) -> Values:
    """s from the reference; the first of equal minima."""
    return np.asarray(cut.first_s + cut.values.argmin(axis=1) * cut.step_s)


def speed_min(cut: Cut, *, smooth_s: float) -> Values:
    """The smallest time derivative, per s: the fastest constriction, negative."""
    return np.asarray(_derivative(cut, smooth_s, 1).min(axis=1))


def speed_max(cut: Cut, *, smooth_s: float) -> Values:
    """The largest time derivative, per s: the fastest redilation."""
    return np.asarray(_derivative(cut, smooth_s, 1).max(axis=1))


def mean_speed_to_min(cut: Cut, *, smooth_s: float) -> Values:
    """Per s: (smoothed minimum - smoothed first value) / time between them; 0 where the first is the minimum."""
    smooth, rows = _derivative(cut, smooth_s, 0), np.arange(len(cut.values))
    place = smooth.argmin(axis=1)
    change = smooth[rows, place] - smooth[:, 0]
    return np.asarray(np.divide(change, place * cut.step_s, out=np.zeros(len(rows)), where=place > 0))


def latency_threshold(cut: Cut, *, threshold: float, smooth_s: float) -> Values:
    """s from the reference to the last time before the minimum that the smoothed pupil is above -`threshold`.

    Between two samples by a straight line. The window's end where the minimum does not get there (the response had not
    begun by then), the window's start where the pupil is below it from the start. Looking back from the minimum, and
    not for the first crossing, keeps a blink before the response from being taken for it.
    """
    smooth, rows = _derivative(cut, smooth_s, 0), np.arange(len(cut.values))
    width = smooth.shape[1]
    lowest = smooth.argmin(axis=1)
    above = (smooth > -threshold) & (np.arange(width) < lowest[:, None])
    last = width - 1 - above[:, ::-1].argmax(axis=1)
    from_start = ~above.any(axis=1)
    here = np.where(from_start, 0, last)
    after = np.minimum(here + 1, width - 1)
    drop = smooth[rows, here] - smooth[rows, after]
    share = np.divide(smooth[rows, here] + threshold, drop, out=np.zeros(len(rows)), where=drop > 0)
    crossing = np.where(from_start, 0.0, here + np.clip(share, 0, 1))
    crossing = np.where(smooth[rows, lowest] > -threshold, width - 1, crossing)
    return np.asarray(cut.first_s + crossing * cut.step_s)


def latency_acceleration(cut: Cut, *, smooth_s: float) -> Values:
    """s from the reference to the smallest second derivative up to the fastest constriction (Bergamin & Kardon 2003).

    Among the samples that have half of `smooth_s` before them in the window: a parabola bends the same all along. The
    window's end where nothing constricts.
    """
    speed = _derivative(cut, smooth_s, 1)
    width, half = speed.shape[1], _smoothed(cut, smooth_s) // 2
    fastest = np.maximum(speed.argmin(axis=1), half)
    index = np.arange(width)
    bend = np.where((half <= index) & (index <= fastest[:, None]), _derivative(cut, smooth_s, 2), np.inf)
    moves = speed.min(axis=1) < -_FLAT
    place = np.where(moves, bend.argmin(axis=1), width - 1)
    return np.asarray(cut.first_s + place * cut.step_s)


def time_constant(cut: Cut, *, shortest_s: float, longest_s: float) -> Values:
    """s: tau of `plateau - size * exp(-t / tau)` with size > 0, between `shortest_s` and `longest_s`.

    For given tau the other two are a weighted least-squares line (variable projection, Golub & Pereyra 1973, doi
    10.1137/0710036), so tau is looked for among `_CANDIDATES` in equal steps of its logarithm, for all recordings in
    one matrix product, and refined by a parabola through the best and its neighbours. Residuals are weighted by Huber's
    function of their median absolute deviation, three times over, which takes from a blink most of its pull.
    `longest_s` where the pupil does not return (no tau has size > 0).
    """
    y = cut.values
    time = np.arange(y.shape[1]) * cut.step_s
    candidates = np.geomspace(shortest_s, longest_s, _CANDIDATES)
    decay = np.exp(-time[:, None] / candidates)
    both = np.concatenate([decay, decay**2], axis=1)
    rows, weights = np.arange(len(y)), np.ones_like(y)
    best = np.full(len(y), _CANDIDATES - 1)
    error = np.zeros((len(y), _CANDIDATES))
    returns = np.zeros(len(y), dtype=np.bool_)
    for again in range(_REWEIGHTED + 1):
        total = weights.sum(axis=1)
        centre = (weights * y).sum(axis=1) / total
        rest = y - centre[:, None]  # centred, so that differences of squares lose no digits
        sums = weights @ both
        mean = sums[:, :_CANDIDATES] / total[:, None]
        spread = sums[:, _CANDIDATES:] - total[:, None] * mean**2
        together = (weights * rest) @ decay  # the centred pupil's mean is 0: nothing to take off
        falls = np.divide(together, spread, out=np.zeros_like(spread), where=spread > 0)
        squares = (weights * rest**2).sum(axis=1)
        error = np.where(falls < -_FLAT, squares[:, None] - together * falls, np.inf)
        best = error.argmin(axis=1)
        returns = np.isfinite(error[rows, best])
        if again == _REWEIGHTED:
            break
        size = np.where(returns, falls[rows, best], 0.0)
        residual = np.abs(rest - size[:, None] * (decay[:, best].T - mean[rows, best][:, None]))
        limit = np.maximum(_HUBER * _MAD * np.median(residual, axis=1), _FLAT)
        weights = limit[:, None] / np.maximum(residual, limit[:, None])
    tau = np.exp(np.log(candidates)[best] + _refined(error, best) * np.log(candidates[1] / candidates[0]))
    return np.asarray(np.where(returns, np.round(np.clip(tau, shortest_s, longest_s), _DIGITS), longest_s))


def _refined(error: NDArray[np.float64], best: NDArray[np.intp]) -> Values:
    """Where between -1/2 and 1/2 steps from `best` the parabola through it and its neighbours is lowest."""
    rows, last = np.arange(len(error)), error.shape[1] - 1
    low, here, high = (error[rows, np.clip(best + step, 0, last)] for step in (-1, 0, 1))
    inside = (best > 0) & (best < last) & np.isfinite(low) & np.isfinite(high)
    bend = np.where(inside, low, 0.0) - 2 * np.where(inside, here, 0.0) + np.where(inside, high, 0.0)
    tilt = np.where(inside, low, 0.0) - np.where(inside, high, 0.0)
    return np.asarray(
        np.clip(np.divide(tilt, 2 * bend, out=np.zeros(len(error)), where=inside & (bend > 0)), -0.5, 0.5)
    )


def _derivative(cut: Cut, smooth_s: float, order: int) -> NDArray[np.float64]:
    """(n, w) the `order`-th time derivative of parabolas fitted to `smooth_s` around each sample.

    At the window's ends the parabola of its first and last samples.
    """
    width, taken = cut.values.shape[1], _smoothed(cut, smooth_s)
    half = taken // 2
    x = np.arange(taken, dtype=np.float64) - half
    parabolas = np.linalg.pinv(np.vander(x, _ORDER + 1, increasing=True))
    # what each of the parabola's coefficients adds to the derivative at every place of the window
    none = np.zeros_like(x)
    rises = ([none + 1, x, x**2], [none, none + 1, 2 * x], [none, none, none + 2])
    rise = np.stack(rises[order])
    filters = (rise.T @ parabolas) / cut.step_s**order
    found = np.empty_like(cut.values)
    for place, weights in enumerate(filters):
        if place != half:
            edge = cut.values[:, :taken] if place < half else cut.values[:, width - taken :]
            found[:, place if place < half else width - taken + place] = (edge * weights).sum(axis=1)
    inner = np.zeros((len(cut.values), width - taken + 1))
    for offset, weight in enumerate(filters[half]):
        inner += weight * cut.values[:, offset : offset + inner.shape[1]]
    found[:, half : width - half] = inner
    return found


def _smoothed(cut: Cut, smooth_s: float) -> int:
    """Samples of one parabola: an odd number, three at least, and no more than the window has."""
    width = cut.values.shape[1]
    wanted = max(2 * int(smooth_s / cut.step_s / 2 + 1e-9) + 1, _ORDER + 1)
    return int(min(wanted, width - 1 + width % 2))
