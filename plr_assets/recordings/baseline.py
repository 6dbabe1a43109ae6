"""The diameter that 0 % stands for.

Belongs here: measuring it, refusing where it was lost, and % change. Does not belong here: the choice of the window,
which is the study's.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from plr_assets.recordings.file_errors import FileError

# A median of fewer than half of the window's samples may be a median of what is left of a blink. One of seven
# measured files has a 58-frame dropout right before the blue ramp; that one still passes.
MIN_PRESENT = 0.5


def measure_baseline(
    pupil: NDArray[np.float64],
    time_s: NDArray[np.float64],
    *,
    onset_s: float,
    window_s: tuple[float, float],
    rate_hz: float,
    name: str,
) -> float:
    """Median diameter from `onset_s + window_s[0]` to `onset_s + window_s[1]`, both included; unit of `pupil`.

    pupil, time_s   (T,) on the common grid, NaN where missing.
    Raises DataError where fewer than half of the window's samples are present (those before the grid's start count).
    """
    start, end = onset_s + window_s[0], onset_s + window_s[1]
    tolerance = 1e-6 / rate_hz
    inside = pupil[(time_s >= start - tolerance) & (time_s <= end + tolerance)]
    present = inside[~np.isnan(inside)]
    expected = max(int(np.floor((end - start) * rate_hz + 1e-6)) + 1, inside.size)
    if present.size < MIN_PRESENT * expected:
        raise FileError(
            name,
            f"baseline lost: {expected - present.size} of {expected} samples missing between "
            f"{window_s[0]:g} and {window_s[1]:g} s from light onset.",
            "Leave the recording out, or choose another baseline.window_s.",
        )
    return float(np.median(present))


def percent_change(diameter: NDArray[np.float64], baseline: float) -> NDArray[np.float64]:
    """(p - b) / b * 100: 0 = baseline, constriction negative; NaN stays NaN."""
    return (diameter - baseline) / baseline * 100.0
