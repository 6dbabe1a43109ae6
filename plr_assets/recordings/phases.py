"""Phases of a recording by its lights.

Belongs here: which samples lie before, in and after a light. Does not belong here: finding lights in the device's drive
(`lights`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from plr_assets.recordings.table import Mask, Recordings


def light_phases(recordings: Recordings) -> tuple[tuple[str, ...], NDArray[np.intp]]:
    """Names, and (n, T) index into them: `before` the first light, each light (`blue`), `after_blue` until the next.

    A second light of one colour is `blue_2`. Where lights overlap, the later one counts. A recording without lights has
    no phase: -1.
    """
    names: dict[str, int] = {}
    phase = np.full(recordings.pupil.shape, -1, dtype=np.intp)
    time = recordings.time
    for row, lights in enumerate(recordings.stimuli):
        if not lights:
            continue
        phase[row] = names.setdefault("before", len(names))
        seen: dict[str, int] = {}
        for light in lights:
            seen[light.colour] = seen.get(light.colour, 0) + 1
            name = light.colour if seen[light.colour] == 1 else f"{light.colour}_{seen[light.colour]}"
            phase[row, time >= light.onset_s] = names.setdefault(name, len(names))
            phase[row, time > light.offset_s] = names.setdefault(f"after_{name}", len(names))
    return tuple(names), phase


def lit(recordings: Recordings) -> Mask:
    """(n, T) samples from the first to the last moment of any light."""
    on = np.zeros(recordings.pupil.shape, dtype=np.bool_)
    time = recordings.time
    for row, lights in enumerate(recordings.stimuli):
        for light in lights:
            on[row] |= (time >= light.onset_s) & (time <= light.offset_s)
    return on
