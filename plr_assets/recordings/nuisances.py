"""Nuisances of a recording: what no disease should change, measured so that confounding can be seen.

Belongs here: blinks, lost and rejected samples, frame noise. Does not belong here: how far they tell the classes apart
(`evaluation.confounders`), or whether a recording can be used (`quality`).
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from plr_assets.recordings.gaps import runs
from plr_assets.recordings.table import Recordings

NUISANCES = ("age", "baseline", "blink_rate", "dropout_share", "artefact_share", "noise")


def losses(found: NDArray[np.bool_]) -> int:
    """Times the pupil was lost: runs of (T,) samples in which none was found. A blink is one, and so is a squint."""
    return len(runs(~found))


def frame_noise(pupil: NDArray[np.floating], found: NDArray[np.bool_]) -> float:
    """Median absolute second difference of (T,) samples, where three in a row were found; NaN where none were.

    The pupil is slow (below 4 Hz), so that at 30 frames a second second differences are of the camera.
    """
    three = found[:-2] & found[1:-1] & found[2:]
    values = np.abs(np.diff(pupil, 2))[three]
    return float(np.median(values)) if values.size else float("nan")


def nuisances_of(recordings: Recordings) -> pl.DataFrame:
    """`recording` and the columns `NUISANCES`, a row a recording; NaN where not known.

    age in years; baseline in its unit; blink_rate: losses a minute; dropout_share of all samples; artefact_share: of
    the samples with a pupil, those that a human rejected, not known where no human looked; noise in % change.
    """
    found = ~recordings.dropout
    minutes = recordings.n_samples / recordings.rate_hz / 60
    rejected = np.full(len(recordings), np.nan)
    if recordings.artefact is not None:
        kept = found.sum(axis=1)
        seen = recordings.reviewed & (kept > 0)
        rejected[seen] = (recordings.artefact & found).sum(axis=1)[seen] / kept[seen]
    values = {
        "age": recordings.age,
        "baseline": recordings.baseline,
        "blink_rate": np.array([losses(row) / minutes for row in found]),
        "dropout_share": recordings.dropout.mean(axis=1),
        "artefact_share": rejected,
        "noise": np.array([frame_noise(row, ok) for row, ok in zip(recordings.pupil, found, strict=True)]),
    }
    return pl.DataFrame(
        {
            "recording": pl.Series(recordings.recording, dtype=pl.String),
            **{name: pl.Series(values[name], dtype=pl.Float64) for name in NUISANCES},
        }
    )
