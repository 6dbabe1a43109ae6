"""From the device's own time stamps to the common grid.

Belongs here: picking samples. Nothing is interpolated: a grid point without a sample within half a period stays empty,
so that imputation, not import, decides what fills it. Does not belong here: which moment lands where (`gridded`).
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


def pick_index(
    time_s: NDArray[np.float64],
    grid_s: NDArray[np.float64],
    rate_hz: float,
    stamp_s: float = 0.0,
    nearest: NDArray[np.intp] | None = None,
) -> NDArray[np.intp]:
    """(T,) index into `time_s` (m,) of the sample that each grid point takes; -1 where none is near.

    `nearest`: `nearest_index` of the two, where it is there already.

    A point takes the nearest sample within half a period of the grid. Stamps that were rounded to multiples of
    `stamp_s` lie up to half of that from the moment of the sample: a device at a steady 29.99 Hz, its stamps rounded to
    10 ms, has moments where one point of the grid finds two samples and its neighbour none. So a point that is left
    empty takes, from within half a period and half a stamp, a sample that no other point took; or that of a neighbour
    which can take the sample beyond. No sample is given away twice for this, and a frame that the device lost stays
    empty.
    """
    index = nearest_index(time_s, grid_s) if nearest is None else nearest
    near = np.abs(time_s[index] - grid_s) <= 0.5 / rate_hz + _ROUNDING_S
    index = np.where(near, index, -1)
    if stamp_s > 0:
        # midway between two points a rounded stamp is as near to both; the later one looks for another
        index[1:][(index[1:] == index[:-1])] = -1
    if stamp_s > 0 and (index < 0).any():
        _fill_beside(index, time_s, grid_s, 0.5 / rate_hz + 0.5 * stamp_s + _ROUNDING_S)
    return index


def _fill_beside(
    index: NDArray[np.intp], time_s: NDArray[np.float64], grid_s: NDArray[np.float64], reach_s: float
) -> None:
    """Fill -1 in `index`, in place, from samples within `reach_s`. Lists, as there are few points to look at."""
    taken = set(index[index >= 0].tolist())
    times, points, found = time_s.tolist(), grid_s.tolist(), index.tolist()
    empty = np.flatnonzero(index < 0)

    def reaches(point: int, sample: int) -> bool:
        return 0 <= sample < len(times) and abs(times[sample] - points[point]) <= reach_s

    for point, after in zip(empty.tolist(), np.searchsorted(time_s, grid_s[empty]).tolist(), strict=True):
        beside = sorted(((after - 1, -1), (after, 1)), key=lambda way: not reaches(point, way[0]) or way[0] in taken)
        for sample, step in beside:
            if not reaches(point, sample):
                continue
            if sample not in taken:
                found[point] = sample
                taken.add(sample)
                break
            owner, beyond = point + step, sample + step
            swaps = 0 <= owner < len(found) and found[owner] == sample
            if swaps and beyond not in taken and reaches(owner, beyond):
                found[point], found[owner] = sample, beyond
                taken.add(beyond)
                break
    index[:] = found


def stamp_unit(time_s: NDArray[np.float64]) -> float:
    """The unit, s, that all stamps are multiples of: 0.01 or 0.001; 0 where they have more decimals."""
    for decimals in (2, 3):
        scaled = time_s * 10**decimals
        if (np.abs(scaled - np.rint(scaled)) < 1e-4).all():
            return float(10.0**-decimals)
    return 0.0


def pick_nearest(
    time_s: NDArray[np.float64], values: NDArray[np.float64], grid_s: NDArray[np.float64], rate_hz: float
) -> NDArray[np.float64]:
    """(T,) the value of the sample that each grid point takes (`pick_index`), NaN where none is near."""
    index = pick_index(time_s, grid_s, rate_hz, stamp_unit(time_s))
    return np.where(index < 0, np.nan, values[index])
