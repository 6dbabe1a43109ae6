"""When the simulated device takes frames, and what its lights do.

Belongs here: time stamps and drive codes. Does not belong here: the pupil.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plr_assets.recordings.simulator.parameters import DEVICE, Colour


@dataclass(frozen=True, slots=True)
class Protocol:
    """Start and end of each colour's stimulus slot, s from file start. The light is visible from 2 s into it."""

    slots: dict[Colour, tuple[float, float]]

    def in_slot(self, time_s: NDArray[np.float64], colour: Colour) -> NDArray[np.bool_]:
        start, end = self.slots[colour]
        return (time_s >= start) & (time_s < end)

    def code(self, time_s: NDArray[np.float64], colour: Colour) -> NDArray[np.int64]:
        """(m,) drive code 0-231."""
        x = np.clip(time_s - self.slots[colour][0], 0.0, DEVICE.ramp_s)
        ramp = np.floor(DEVICE.ramp_code * (x / DEVICE.ramp_s) ** DEVICE.ramp_power)
        return np.where(self.in_slot(time_s, colour), ramp, 0.0).astype(np.int64)


def draw_protocol(rng: np.random.Generator) -> Protocol:
    """Blue, then red 31 s later."""
    blue, red = DEVICE.blue_slot_s.sample(rng), DEVICE.red_slot_s.sample(rng)
    return Protocol(
        {
            "blue": (blue, blue + DEVICE.slot_duration_s.sample(rng)),
            "red": (red, red + DEVICE.slot_duration_s.sample(rng)),
        }
    )


def draw_frame_times(rng: np.random.Generator, protocol: Protocol) -> NDArray[np.float64]:
    """(m,) time stamps as the file prints them: 2 decimals, strictly increasing, with rare gaps, none too long."""
    start, fps = DEVICE.first_frame_s.sample(rng), DEVICE.fps.sample(rng)
    end = protocol.slots["red"][1] + DEVICE.after_red_s.sample(rng)
    frames = round((end - start) * fps) + 1
    times = np.round(start + np.arange(frames) / fps + rng.normal(0, DEVICE.frame_jitter_s, frames), 2)
    while True:
        kept = times[_kept(times, protocol, rng)]
        if np.diff(kept).max() < DEVICE.longest_gap_s + 0.005:  # half of the last decimal
            return np.asarray(kept)


def _kept(time_s: NDArray[np.float64], protocol: Protocol, rng: np.random.Generator) -> NDArray[np.bool_]:
    """(m,) frames that were not dropped. Measured slots hold all their 660-663 frames, so gaps fall between them."""
    dark = np.flatnonzero(~protocol.in_slot(time_s, "blue") & ~protocol.in_slot(time_s, "red"))
    dropped = list(rng.choice(dark[1:], rng.poisson(DEVICE.gaps)))
    if rng.random() < DEVICE.rough_start_probability:
        dropped += list(rng.integers(1, int(np.searchsorted(time_s, DEVICE.rough_start_s)), DEVICE.rough_start_gaps))
    kept = np.ones(len(time_s), dtype=bool)
    for first in dropped:
        kept[first : first + int(rng.choice(len(DEVICE.frames_in_gap), p=DEVICE.frames_in_gap)) + 1] = False
    return kept
