"""Linear interpolation between the nearest unmasked samples.

Belongs here: that. Does not belong here: splines or smoothing, which change what is not masked.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plr_assets.imputation.base import Imputer
from plr_assets.recordings.table import Recordings


@dataclass(eq=False, kw_only=True)
class LinearInterpolation(Imputer):
    """Straight lines across gaps. Before the first and after the last unmasked sample its value is held: extending a
    slope would leave the physiological range within seconds (redilation reaches 60 %/s)."""

    def _reconstruct(self, hidden: Recordings) -> NDArray[np.float64]:
        index = np.arange(hidden.n_samples)
        filled = hidden.pupil.astype(np.float64)
        for row, gap in enumerate(hidden.dropout):
            filled[row, gap] = np.interp(index[gap], index[~gap], filled[row, ~gap])
        return filled
