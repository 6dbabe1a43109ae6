"""The diameter that 0 % stands for.

Belongs here: measuring it, refusing where it was lost, and % change. Does not belong here: the choice of the window,
which is the study's.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from plr_assets.recordings.file_errors import FileError


def measure_baseline(
    pupil: NDArray[np.float64],
    time_s: NDArray[np.float64],
    *,
    onset_s: float,
    window_s: tuple[float, float],
    rate_hz: float,
    max_missing: float | None,
    light: str,
    name: str,
) -> float:
    """Median diameter from `onset_s + window_s[0]` to `onset_s + window_s[1]`, both included; unit of `pupil`.

    pupil, time_s   (T,) on the common grid, NaN where missing.
    max_missing     share of the window that may be missing: a median of little may be a median of what is left of a
                    blink. None: all but one sample. Samples before the grid's start count as missing.
    light           colour of the light at `onset_s`, for the error.
    Raises DataError where more is missing.
    """
    present, expected = window_samples(pupil, time_s, (onset_s + window_s[0], onset_s + window_s[1]), rate_hz)
    missing = expected - present.size
    if not present.size or (max_missing is not None and missing > max_missing * expected):
        raise FileError(
            name,
            f"baseline lost: {missing} of {expected} samples missing {_where(window_s, light)}.",
            "Record again, or choose another baseline.window_s.",
        )
    return float(np.median(present))


def window_samples(
    pupil: NDArray[np.float64], time_s: NDArray[np.float64], window_s: tuple[float, float], rate_hz: float
) -> tuple[NDArray[np.float64], int]:
    """The samples present between two moments of `time_s`, both included, and how many there should be."""
    start, end = window_s
    tolerance = 1e-6 / rate_hz
    inside = pupil[(time_s >= start - tolerance) & (time_s <= end + tolerance)]
    return inside[~np.isnan(inside)], max(int(np.floor((end - start) * rate_hz + 1e-6)) + 1, inside.size)


def _where(window_s: tuple[float, float], light: str) -> str:
    if window_s[1] == 0:
        return f"in the {-window_s[0]:g} s before {light} onset"
    return f"between {window_s[0]:g} and {window_s[1]:g} s from {light} onset"


def percent_change(diameter: NDArray[np.float64], baseline: float) -> NDArray[np.float64]:
    """(p - b) / b * 100: 0 = baseline, constriction negative; NaN stays NaN."""
    return (diameter - baseline) / baseline * 100.0
