"""The featurizer: what every featurization is, and what the base class takes off its hands.

Belongs here: the contract and its guarantees. A featurizer sees no truth, human mask or diagnosis; a signal with gaps
is refused; the table has one row a recording, in their order. Does not belong here: any feature.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from plr_assets.errors import RecordingError
from plr_assets.estimator import Estimator
from plr_assets.featurization.pieces import Pieces
from plr_assets.recordings.table import Recordings, Signal

# What is told of every feature.
DESCRIBED = (
    "name", "description", "dtype", "unit", "colour", "window", "statistic", "baseline", "source", "leakage"
)  # fmt: skip


@dataclass(eq=False, kw_only=True)
class Featurizer(Estimator, ABC):
    """Turns imputed signals into features. A method implements `_features`, `describe`, `_windows` if its features do
    not take in the whole recording, and `_fit` if it learns."""

    def fit(self, development: Recordings, signal: Signal) -> Self:
        """Learn from development recordings and their imputed signal (n, T). Returns self."""
        self._check(development, signal)
        self._fit(development, signal)
        return self

    def transform(self, recordings: Recordings, signal: Signal) -> pl.DataFrame:
        """Table `schemas.FEATURES`: one row a recording, one float64 column a feature. Raises RecordingError.

        NaN where a feature is not defined (the recording ends too early, or has no such light).
        """
        self._check(recordings, signal)
        features = self._features(recordings.blinded(), signal)
        return pl.DataFrame(
            {
                "recording": pl.Series(recordings.recording, dtype=pl.String),
                "subject": pl.Series(recordings.subject, dtype=pl.String),
                **{name: pl.Series(values, dtype=pl.Float64) for name, values in features.items()},
            }
        )

    def windows(self, recordings: Recordings) -> dict[str, Pieces]:
        """Feature -> the runs of samples that it is made of, each as the first sample and the one after the last, (n,)
        int64; equal where there is none. Several where a feature has a baseline of its own or is of two lights; they
        neither overlap nor touch. Lights alone decide."""
        return dict(self._windows(recordings.blinded()))

    @abstractmethod
    def describe(self) -> list[dict[str, str]]:
        """One entry a column of `transform`, in order, all texts: `DESCRIBED`."""

    @abstractmethod
    def _features(self, blind: Recordings, signal: Signal) -> Mapping[str, NDArray[np.float64]]:
        """Column name -> (n,) values."""

    def _windows(self, blind: Recordings) -> Mapping[str, Pieces]:
        """The whole recording, unless a method knows better."""
        start, stop = np.zeros(len(blind), dtype=np.int64), np.full(len(blind), blind.n_samples, dtype=np.int64)
        return {entry["name"]: ((start, stop),) for entry in self.describe()}

    def _fit(self, development: Recordings, signal: Signal) -> None:
        """Set the learned state; the default learns nothing."""

    def _check(self, recordings: Recordings, signal: NDArray[Any]) -> None:
        if signal.shape != recordings.pupil.shape:
            raise ValueError(f"signal has shape {signal.shape}, recordings {recordings.pupil.shape}")
        for row in np.flatnonzero(~np.isfinite(signal).all(axis=1)):
            raise RecordingError(recordings.recording[row], "its signal has a gap.", "Impute it before featurization.")
