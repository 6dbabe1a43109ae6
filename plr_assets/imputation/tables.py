"""Reconstructions as the stored table, and back.

Belongs here: that conversion. Does not belong here: the table's schema (`schemas`).
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from plr_assets.imputation.base import Reconstruction
from plr_assets.recordings.table import Signal, signal_array, signal_column


def reconstruction_frame(recording: Sequence[str], found: Reconstruction) -> pl.DataFrame:
    """`schemas.RECONSTRUCTIONS` (or SIGNALS): one row a recording; limits are null where the method has none."""
    limits = {"lower": found.lower, "upper": found.upper}
    return pl.DataFrame(
        {
            "recording": pl.Series(recording, dtype=pl.String),
            "signal": signal_column(found.signal),
            **{name: _column(values, found.signal) for name, values in limits.items()},
        }
    )


def reconstruction_of(frame: pl.DataFrame) -> Reconstruction:
    """The inverse of `reconstruction_frame`."""
    if frame["lower"].has_nulls() or frame["upper"].has_nulls():
        return Reconstruction(signal_array(frame["signal"]))
    return Reconstruction(*(signal_array(frame[name]) for name in ("signal", "lower", "upper")))


def _column(values: Signal | None, like: Signal) -> pl.Series:
    if values is not None:
        return signal_column(values)
    return pl.Series([None] * like.shape[0], dtype=pl.Array(pl.Float32, like.shape[1]))
