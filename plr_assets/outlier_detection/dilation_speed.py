"""Samples at which the pupil changes faster than a pupil can: the blink detector of pupillometry packages.

Belongs here: normalised dilation speed against its median absolute deviation, and the edges of gaps (Kret & Sjak-Shie
2019, doi 10.3758/s13428-018-1075-y). Does not belong here: their other filters (isolated samples, deviation from a
smooth trend line), which not all packages have.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plr_assets.outlier_detection.thresholds import Rule, ThresholdDetector
from plr_assets.recordings.table import Recordings

# A time that is a whole number of frames must not fall on either side of a limit by rounding.
_ROUNDING_S = 1e-9


@dataclass(eq=False, kw_only=True)
class DilationSpeed(ThresholdDetector):
    """How many median absolute deviations (MAD) a sample's dilation speed lies above the recording's median.

    The speed of a sample is the larger of the absolute slopes to the observed sample before and after it, whatever the
    time between. The MAD has no factor to make it a standard deviation.

    padding_s   samples this near to a gap are artefacts (the lid covers part of the pupil before the eye is lost): they
                score as the recording's most unusual sample, and at least twice `mad_multiplier`.
    gap_s       a gap is where two observed samples in sequence are further apart than this. The recording's own start
                and end are no gaps.

    Where more than half of the speeds are equal (a signal of few levels) the MAD is 0 and every faster sample is above
    the threshold, as in the paper. A recording of one repeated amplitude scores 0 everywhere but at gaps.
    """

    threshold: Rule = "declared"
    mad_multiplier: float = 16.0
    gap_s: float = 0.075
    padding_s: float = 0.05

    @property
    def declared_threshold(self) -> float:
        return float(self.mad_multiplier)

    def _fit(self, development: Recordings) -> None:  # noqa: ARG002 - at most the threshold is learned
        self._require("mad_multiplier", self.mad_multiplier > 0, "must be above 0")
        self._require("gap_s", self.gap_s >= 0, "must not be negative")
        self._require("padding_s", self.padding_s >= 0, "must not be negative")

    def _score(self, signal: NDArray[np.float64], rate_hz: float) -> NDArray[np.float64]:
        at = np.flatnonzero(~np.isnan(signal))
        time_s = at / rate_hz
        speed = dilation_speed(time_s, signal[at])
        excess = speed - np.median(speed)
        mad = np.median(np.abs(excess))
        # with a MAD of 0 any excess is beyond every threshold; float32 signals carry seven digits
        smallest = np.finfo(np.float32).eps * speed.max()
        score = excess / max(mad, smallest) if speed.max() > 0 else excess
        edge = near_gap(time_s, self.gap_s, self.padding_s)
        score[edge] = max(score.max(), 2 * self.mad_multiplier)
        scores = np.zeros(signal.size)
        scores[at] = score
        return scores


def dilation_speed(time_s: NDArray[np.float64], size: NDArray[np.float64]) -> NDArray[np.float64]:
    """(m,) the larger of the absolute slopes on either side of each observed sample; 0 for a sample by itself."""
    slope = np.abs(np.diff(size) / np.diff(time_s))
    return np.asarray(np.maximum(np.append(0.0, slope), np.append(slope, 0.0)))


def near_gap(time_s: NDArray[np.float64], gap_s: float, padding_s: float) -> NDArray[np.bool_]:
    """(m,) which observed samples lie within `padding_s` of a time longer than `gap_s` without any."""
    start = np.flatnonzero(np.diff(time_s) > gap_s + _ROUNDING_S)
    near = np.zeros(time_s.size, dtype=np.bool_)
    for last, first in zip(time_s[start], time_s[start + 1], strict=True):
        near |= (time_s <= last) & (time_s >= last - padding_s - _ROUNDING_S)
        near |= (time_s >= first) & (time_s <= first + padding_s + _ROUNDING_S)
    return near
