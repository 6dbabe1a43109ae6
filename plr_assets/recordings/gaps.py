"""Gaps: runs of masked samples, or of whatever else is true for a while.

Belongs here: finding them and how long they are. Does not belong here: what is put into them (`imputation`), or events
of artefacts, which dropouts join together (`outlier_detection`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plr_assets.recordings.table import Mask

Counts = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Gaps:
    """`G` maximal runs of masked samples; every field is (G,) int64, in order of recording and time.

    row           the recording.
    start, stop   first sample, and the one after the last.
    """

    row: Counts
    start: Counts
    stop: Counts

    @property
    def length(self) -> Counts:
        """(G,) samples."""
        return self.stop - self.start


def find_gaps(mask: Mask) -> Gaps:
    """The gaps of an (n, T) mask."""
    padded = np.zeros((mask.shape[0], mask.shape[1] + 2), dtype=np.int8)
    padded[:, 1:-1] = mask
    step = np.diff(padded, axis=1)
    row, start = np.nonzero(step == 1)
    return Gaps(row.astype(np.int64), start.astype(np.int64), np.nonzero(step == -1)[1].astype(np.int64))


def runs(on: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and last index of each run of true values of (T,)."""
    found = find_gaps(on[None])
    return list(zip(found.start.tolist(), (found.stop - 1).tolist(), strict=True))


def gap_lengths(mask: Mask) -> Counts:
    """(M,) length in samples of the gap that each masked sample lies in, in the order of `mask.ravel()`."""
    length = find_gaps(mask).length
    return np.repeat(length, length)
