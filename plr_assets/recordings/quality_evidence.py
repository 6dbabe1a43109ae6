"""What the rules of the quality gate look at, and the form of what they find.

Belongs here: a recording as several rules see it, a finding, the comparison with a pair of limits. Does not belong
here: rules (`quality_device`, `quality_scale`, `quality_pupil`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from plr_assets.recordings.baseline import window_samples
from plr_assets.recordings.gridded import GriddedTrace
from plr_assets.recordings.lights import measured_stimuli
from plr_assets.recordings.table import Stimulus
from plr_assets.study.quality import QualityLimits

Severity = Literal["flag", "refuse"]
Array = NDArray[np.float64]

_RECORD_AGAIN = "Record again, or leave the recording out."
_LOOK = "Look at the recording."
# How far from 0 % a diameter may be: constriction measured up to 64 %, dilation over the baseline up to 7 %.
PLAUSIBLE_PERCENT = (-80.0, 60.0)
MAD_TO_SD = 1.4826
_BASELINE_OF_LATER_LIGHTS_S = 5.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule that a recording breaks. `reason` and `remedy` hold no name of a file or a person."""

    rule: str
    severity: Severity
    reason: str
    remedy: str


class Trace(Protocol):
    """What a reader gives. Readers of device files also give `red`, `blue` (drive codes) and `slot`."""

    @property
    def time_s(self) -> Array: ...

    @property
    def pupil(self) -> Array: ...


@dataclass(frozen=True, eq=False)
class Evidence:
    """What several rules look at. Lights and `since` are on the grid's clock, the grid's first sample being 0 s."""

    trace: Trace
    gridded: GriddedTrace
    limits: QualityLimits

    @cached_property
    def rate_hz(self) -> float:
        times = self.gridded.time_s
        return (len(times) - 1) / (float(times[-1]) - float(times[0]))

    @cached_property
    def since(self) -> Array:
        return np.asarray(self.gridded.time_s - self.gridded.time_s[0])

    @cached_property
    def empty(self) -> NDArray[np.bool_]:
        """(T,) grid points near which the device took no sample."""
        unsampled = self.gridded.unsampled
        return np.zeros(len(self.gridded.time_s), dtype=np.bool_) if unsampled is None else unsampled

    @cached_property
    def missing(self) -> NDArray[np.bool_]:
        """(T,) grid points without a diameter, for whatever reason."""
        return np.isnan(self.gridded.pupil)

    @cached_property
    def driven(self) -> tuple[Stimulus, ...] | None:
        """The lights as the file's drive codes have them, on the file's clock; None where it has none."""
        red, blue = getattr(self.trace, "red", None), getattr(self.trace, "blue", None)
        if red is None or blue is None:
            return None
        return measured_stimuli(self.trace.time_s, {"red": red, "blue": blue})

    @cached_property
    def came_in_percent(self) -> bool:
        """Whether the file's own numbers were % change, of whatever baseline: nothing scaled them since."""
        return self.in_percent or isinstance(self.trace, GriddedTrace)

    @property
    def in_percent(self) -> bool:
        """Whether the file was already % change, so that nothing is known of the diameter."""
        return self.gridded.unit == "%"

    def inside(self, start_s: float, end_s: float) -> NDArray[np.bool_]:
        return (self.since >= start_s - 1e-9) & (self.since <= end_s + 1e-9)

    def at(self, index: int) -> str:
        """When a grid point was recorded, on the file's clock: what a technician finds in the file."""
        return f"{self.gridded.time_s[index]:.1f} s"

    def level_before(self, light: Stimulus) -> float | None:
        """Median of the 5 s before a light, if half of it was seen."""
        window_s = (light.onset_s - _BASELINE_OF_LATER_LIGHTS_S, light.onset_s)
        present, expected = window_samples(self.gridded.pupil, self.since, window_s, self.rate_hz)
        return float(np.median(present)) if present.size * 2 >= expected else None


Rule = Callable[[Evidence], Iterator[Finding]]


def above(
    rule: str, value: float, limit: tuple[float | None, float | None], reason: str, remedy: str = _LOOK
) -> Iterator[Finding]:
    """The finding, if `value` is above the limit to flag or the limit to refuse."""
    flag, refuse = limit
    if refuse is not None and value > refuse:
        yield Finding(rule, "refuse", reason, _RECORD_AGAIN if remedy is _LOOK else remedy)
    elif flag is not None and value > flag:
        yield Finding(rule, "flag", reason, remedy)
