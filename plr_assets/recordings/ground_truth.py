"""Human-supervised ground truth: one headered csv a recording, on the common grid.

Belongs here: reading it. Does not belong here: scoring against it (`evaluation` and the signal stages).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from plr_assets.recordings.file_errors import FileError
from plr_assets.recordings.headered_csv import parse_flags
from plr_assets.recordings.text_csv import first_row, increasing_time, numeric_columns
from plr_assets.study.recordings import Sampling

TRUTH_COLUMNS = ("time", "outlier_labels", "denoised")


def parse_ground_truth(content: bytes, name: str, sampling: Sampling) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """(T,) ground truth in % change, and (T,) artefacts that a human rejected.

    Raises DataError if the file is not on the common grid (its length, or a time stamp half a period off), has a gap,
    or a flag other than 0 and 1.
    """
    columns = numeric_columns(content, name, TRUTH_COLUMNS)
    time_s = increasing_time(columns["time"], name)
    if len(time_s) != sampling.n_samples:
        raise FileError(
            name,
            f"there are {len(time_s)} samples, on the common grid {sampling.n_samples}.",
            "Export it on the study's grid, or mend `sampling`.",
        )
    off = np.abs(time_s - time_s[0] - np.arange(sampling.n_samples) / sampling.rate_hz) > 0.5 / sampling.rate_hz
    if off.any():
        raise FileError(name, "time is not that of the common grid.", "Export it on the study's grid.", first_row(off))
    truth = columns["denoised"]
    if (gap := np.isnan(truth)).any():
        raise FileError(name, "`denoised` has a gap.", "Fill it.", first_row(gap))
    return truth, parse_flags(columns["outlier_labels"], name)
