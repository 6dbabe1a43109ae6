"""The oracle `pupil-gt`: ground truth at the masked samples, and only there.

Belongs here: that. Does not belong here: ground truth at unmasked samples, which no pipeline may have.
"""

from __future__ import annotations

from plr_assets.errors import DataError
from plr_assets.imputation.base import splice
from plr_assets.recordings.table import Mask, Recordings, Signal


def fill_with_truth(recordings: Recordings, mask: Mask) -> Signal:
    """(n, T) float32, %: the recording, with ground truth at masked samples. Raises DataError where there is none."""
    if recordings.truth is None:
        raise DataError(
            "recordings",
            "pupil-gt needs ground truth, and there is none.",
            "Leave pupil-gt out of the study, or import recordings with ground truth.",
        )
    return splice(recordings, mask, recordings.truth)
