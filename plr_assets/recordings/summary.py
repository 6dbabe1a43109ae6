"""What a cohort looks like: sample by sample over recordings, and by single ones that stand for the others.

Belongs here: summaries of recordings. Does not belong here: what recordings are ordered by, or drawing them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from plr_assets.recordings.table import Recordings

BAND = (0.1, 0.9)


def typical_course(
    recordings: Recordings,
) -> tuple[NDArray[np.float64], tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Median (T,) and the 10 and 90 % quantiles, in % change, over the recordings that have the sample; NaN where none.

    Quantiles, because artefacts would move a mean.
    """
    centre = np.full(recordings.n_samples, np.nan)
    low, high = centre.copy(), centre.copy()
    seen = ~recordings.dropout.all(axis=0)
    low[seen], centre[seen], high[seen] = np.nanquantile(recordings.pupil[:, seen], (BAND[0], 0.5, BAND[1]), axis=0)
    return centre, (low, high)


def at_places(ordered: Sequence[str], places: Mapping[str, float]) -> dict[str, str]:
    """Name of a place -> the recording there; fewer where there are fewer recordings.

    places   from 0 (the first of `ordered`) to 1. No recording stands for two; the last place is always taken.
    """
    found: dict[str, str] = {}
    for name, place in reversed(list(places.items())) if ordered else ():
        recording = ordered[round(place * (len(ordered) - 1))]
        if recording not in found.values():
            found[name] = recording
    return {name: found[name] for name in places if name in found}
