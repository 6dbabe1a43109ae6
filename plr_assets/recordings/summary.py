"""What a cohort looks like: sample by sample, over recordings.

Belongs here: summaries of recordings as they were imported. Does not belong here: drawing them.
"""

from __future__ import annotations

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
