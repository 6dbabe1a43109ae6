"""How much of each feature was seen, and how much was put there by imputation.

Belongs here: the share of a feature's window that was recorded, and its longest gap. Does not belong here: imputing, or
what a feature's value loses by it (`scoring`).
"""

from __future__ import annotations

import numpy as np
import polars as pl

from plr_assets.featurization.base import Featurizer
from plr_assets.recordings.gaps import find_gaps
from plr_assets.recordings.table import Mask, Recordings


def feature_coverage(featurizer: Featurizer, recordings: Recordings, mask: Mask, longest_s: float) -> pl.DataFrame:
    """Table `schemas.FEATURE_COVERAGE`, a row a recording and feature, in their order.

    mask        (n, T) samples that were imputed.
    longest_s   a feature is `flagged` where the part of a gap within its window lasts longer than that, in s.
    Where a feature has no value, it has no coverage and no gap, and is not flagged. Raises ValueError if shapes differ.
    """
    if mask.shape != recordings.pupil.shape:
        raise ValueError(f"mask has shape {mask.shape}, recordings {recordings.pupil.shape}")
    n, gaps = len(recordings), find_gaps(mask)
    before = np.zeros((n, mask.shape[1] + 1), dtype=np.int64)
    np.cumsum(mask, axis=1, out=before[:, 1:])
    rows, columns = np.arange(n), []
    for name, pieces in featurizer.windows(recordings).items():
        width, imputed, longest = (np.zeros(n, dtype=np.int64) for _ in range(3))
        for start, stop in pieces:
            width += stop - start
            imputed += before[rows, stop] - before[rows, start]
            # pieces neither overlap nor touch, so no gap is cut in two that is one within the feature's samples
            inside = np.minimum(gaps.stop, stop[gaps.row]) - np.maximum(gaps.start, start[gaps.row])
            np.maximum.at(longest, gaps.row, inside)
        has_value = width > 0
        seconds = longest / recordings.rate_hz
        columns.append(
            pl.DataFrame(
                {
                    "row": rows,
                    "recording": pl.Series(recordings.recording, dtype=pl.String),
                    "feature": pl.Series([name] * n, dtype=pl.String),
                    "coverage": np.where(has_value, 1 - imputed / np.maximum(width, 1), np.nan),
                    "longest_gap_s": np.where(has_value, seconds, np.nan),
                    # durations are whole samples: far below one of them, far above what division loses
                    "flagged": has_value & (seconds > longest_s + 1e-9),
                }
            )
        )
    table = pl.concat(columns).sort("row", maintain_order=True).drop("row")
    return table.with_columns(pl.col("coverage", "longest_gap_s").fill_nan(None))
