"""Stability: how far a recording's prediction moves when the model is developed on another sample of the same size.

Belongs here: the instability of individual predictions (Riley & Collins 2023, Biom J 65:2200302). Does not belong here:
whether predictions are right, or how performance as a whole spreads over resamples (`report`).

Two things differ from the paper, and the numbers are larger for it. Replicates predict out of bag, where the paper
applies every bootstrap model to the whole development sample, in-bag recordings included. And the developed model's own
prediction is of a recording that it was fitted on, so that what a flexible model learned by heart counts as movement.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from plr_assets.evaluation.estimate import Floats
from plr_assets.subject_bootstrap import LEVELS

# The thresholds of the reported net benefits, and the even one of the original's classification instability.
THRESHOLD_PERCENT = (5, 10, 15, 20, 50)


class Instability(NamedTuple):
    """Of each recording; NaN where it was never out of bag.

    mape            (n,) mean absolute prediction error, mean_b |p_b - p|, p being the developed model's.
    lower, upper    (n,) 2.5 and 97.5 % of p_b.
    class_changes   (thresholds, n) classification instability index: share of replicates that put the recording on the
                    other side of the threshold than the developed model does; p >= threshold is the positive side.
    """

    mape: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    class_changes: NDArray[np.float64]


def instability(developed: ArrayLike, p: Floats, thresholds: ArrayLike) -> Instability:
    """developed (n,) the developed model's probabilities, NaN where there is none; p (B, n) out of bag, NaN in bag;
    thresholds (t,) probabilities."""
    own, values, limits = (np.asarray(a, dtype=np.float64) for a in (developed, p, thresholds))
    if values.ndim != 2 or own.shape != values.shape[1:]:
        raise ValueError(f"{own.shape} predictions of the developed model for replicates {values.shape}")
    known = ~np.isnan(values)
    counts = np.where(np.isnan(own), 0, known.sum(axis=0))

    def mean(rows: NDArray[np.floating] | NDArray[np.bool_]) -> NDArray[np.float64]:
        sums = np.where(known, rows, 0).sum(axis=0)
        means: NDArray[np.float64] = np.divide(sums, counts, out=np.full(counts.size, np.nan), where=counts > 0)
        return means

    changes = [mean((values >= limit) != (own >= limit)) for limit in limits]
    lower, upper = _quantiles(values, known)
    return Instability(mean(np.abs(values - own)), lower, upper, np.array(changes).reshape(limits.size, own.size))


def _quantiles(values: NDArray[np.float64], known: NDArray[np.bool_]) -> tuple[NDArray[np.float64], ...]:
    """2.5 and 97.5 % of the known values of each column, linear between order statistics (numpy's default).

    `np.nanquantile` goes column by column, which took 20 times as long.
    """
    counts = known.sum(axis=0)
    ordered = np.sort(np.where(known, values, np.inf), axis=0)
    found = []
    for level in LEVELS:
        place = level * np.maximum(counts - 1, 0)
        below = np.floor(place).astype(np.intp)
        above = np.minimum(below + 1, np.maximum(counts - 1, 0))
        columns = np.arange(counts.size)
        low, high = ordered[below, columns], ordered[above, columns]
        with np.errstate(invalid="ignore"):  # inf - inf in columns without a value
            found.append(np.where(counts > 0, low + (place - below) * (high - low), np.nan))
    return tuple(found)
