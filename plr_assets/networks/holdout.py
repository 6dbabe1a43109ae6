"""A hold-out of subjects.

Belongs here: which recordings stop a training instead of being learned from. Does not belong here: roles of a study
(`recordings.roles`): all of these are development recordings.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from plr_assets.errors import DataError


def split_by_subject(
    subjects: Sequence[str], share: float, rng: np.random.Generator, method: str
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows to train on, and rows of the hold-out's subjects, `share` of all; at least one subject in either.

    Raises DataError naming `method` with fewer than two subjects.
    """
    known = sorted(set(subjects))
    if len(known) < 2:
        raise DataError(
            "development recordings",
            f"{method} needs at least 2 subjects, one to train on and one to stop by; there is {len(known)}.",
            "Add recordings without a diagnosis.",
        )
    drawn = rng.permutation(len(known))
    count = min(max(round(share * len(known)), 1), len(known) - 1)
    held = {known[index] for index in drawn[:count]}
    is_held = np.array([subject in held for subject in subjects])
    return np.flatnonzero(~is_held), np.flatnonzero(is_held)
