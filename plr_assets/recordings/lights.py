"""Lights: when each colour was visible, and its drive on the common grid.

Belongs here: stimuli read from a drive, or declared by the study. Does not belong here: the pupil.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from plr_assets.recordings.gaps import runs
from plr_assets.recordings.table import COLOURS, Stimulus
from plr_assets.study.recordings import DeclaredStimulus

Drive = NDArray[np.float64]


def measured_stimuli(time_s: NDArray[np.float64], drive: Mapping[str, Drive]) -> tuple[Stimulus, ...]:
    """Contiguous runs of non-zero drive, in order of onset; from first to last lit sample, on the clock of `time_s`.

    drive   "red" and "blue" -> (m,). Samples where both are on are "white".
    """
    red, blue = drive["red"] > 0, drive["blue"] > 0
    lit = {"white": red & blue, "red": red & ~blue, "blue": blue & ~red}
    stimuli = [
        Stimulus(colour, float(time_s[first]), float(time_s[last]))
        for colour, on in lit.items()
        for first, last in runs(on)
    ]
    return tuple(sorted(stimuli, key=lambda stimulus: stimulus.onset_s))


def declared_stimuli(declared: Sequence[DeclaredStimulus]) -> tuple[Stimulus, ...]:
    """The study's stimuli, in order of onset."""
    stimuli = [Stimulus(light.colour, light.onset_s, light.offset_s) for light in declared]
    return tuple(sorted(stimuli, key=lambda stimulus: stimulus.onset_s))


def boxcar_drive(time_s: NDArray[np.float64], stimuli: Sequence[Stimulus]) -> dict[str, Drive]:
    """ "red" and "blue" -> (T,): 1 from onset to offset, both included, else 0. White lights both."""
    drive = {colour: np.zeros(len(time_s)) for colour in COLOURS}
    for stimulus in stimuli:
        on = (time_s >= stimulus.onset_s) & (time_s <= stimulus.offset_s)
        for colour in COLOURS if stimulus.colour == "white" else (stimulus.colour,):
            drive[colour][on] = 1.0
    return drive


def first_light(stimuli: Sequence[Stimulus], colour: str) -> Stimulus | None:
    """The earliest light of `colour`."""
    return next((stimulus for stimulus in stimuli if stimulus.colour == colour), None)
