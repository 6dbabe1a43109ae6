"""The oracle `pupil-gt`: the samples a human rejected.

Belongs here: that mask. Does not belong here: anything a screening programme could run without a human.
"""

from __future__ import annotations

import numpy as np

from plr_assets.errors import DataError
from plr_assets.recordings.table import Mask, Recordings


def human_mask(recordings: Recordings) -> Mask:
    """(n, T) bool: what a human rejected, and dropouts. Raises DataError where no human looked, at any recording."""
    if recordings.artefact is None:
        raise DataError(
            "recordings",
            "pupil-gt needs human-rejected samples, and there are none.",
            "Leave pupil-gt out of the study, or import recordings with ground truth.",
        )
    if not recordings.reviewed.all():
        name = recordings.recording[int(np.argmin(recordings.reviewed))]
        raise DataError(
            name,
            f"pupil-gt needs human-rejected samples; {(~recordings.reviewed).sum()} recording(s), this the first, have "
            "none.",
            "Leave pupil-gt out of the study, or let a human review those recordings.",
        )
    return recordings.artefact | recordings.dropout
