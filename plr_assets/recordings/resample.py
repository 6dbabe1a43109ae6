"""From the device's own time stamps to the common grid.

Belongs here: picking samples. Nothing is interpolated: a grid point without a sample within half a period stays NaN, so
that imputation, not import, decides what fills it. Does not belong here: which moment lands where (`gridded`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Time stamps have two decimals or more; a tie at exactly half a period must not hang on the last bit of a float.
_ROUNDING_S = 1e-9


def nearest_index(time_s: NDArray[np.float64], grid_s: NDArray[np.float64]) -> NDArray[np.intp]:
    """(T,) index into `time_s` (m,), strictly increasing, of the sample nearest each grid point; ties: the earlier."""
    right = np.clip(np.searchsorted(time_s, grid_s), 1, max(len(time_s) - 1, 1))
    left = right - 1
    right = np.minimum(right, len(time_s) - 1)
    nearer_left = grid_s - time_s[left] <= time_s[right] - grid_s + _ROUNDING_S
    return np.where(nearer_left, left, right).astype(np.intp)


def nearest_within(
    time_s: NDArray[np.float64], grid_s: NDArray[np.float64], rate_hz: float
) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """(T,) `nearest_index`, and (T,) whether that sample is within half a period of the grid."""
    index = nearest_index(time_s, grid_s)
    return index, np.asarray(np.abs(time_s[index] - grid_s) <= 0.5 / rate_hz + _ROUNDING_S)


def pick_nearest(
    time_s: NDArray[np.float64], values: NDArray[np.float64], grid_s: NDArray[np.float64], rate_hz: float
) -> NDArray[np.float64]:
    """(T,) the sample nearest to each grid point if it is within half a period of the grid, else NaN."""
    index, near = nearest_within(time_s, grid_s, rate_hz)
    return np.where(near, values[index], np.nan)
