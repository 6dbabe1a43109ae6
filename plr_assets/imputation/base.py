"""The imputer: what every imputation method is, and what the base class takes off its hands.

Belongs here: the contract and its guarantees. A method sees recordings whose masked samples are NaN and that carry no
truth, human mask or diagnosis; unmasked samples come out as they went in, bit for bit; the result has no gaps, or an
error names the recording. Does not belong here: any method.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from plr_assets.errors import RecordingError
from plr_assets.estimator import Estimator
from plr_assets.recordings.table import Mask, Recordings, Signal

# 5 % and 95 % of a normal distribution lie this many standard deviations from its mean.
NORMAL_90 = 1.6449


@dataclass(frozen=True, slots=True, eq=False)
class Reconstruction:
    """What a method puts at masked samples: (n, T) float32, %, NaN at the others.

    lower, upper   ends of its 90 % interval of the value (5 % and 95 %); none where the method has no such thing.
    """

    signal: Signal
    lower: Signal | None = None
    upper: Signal | None = None


@dataclass(eq=False, kw_only=True)
class Imputer(Estimator, ABC):
    """Reconstructs masked samples. A method implements `_reconstruct`, and `_fit` if it learns."""

    def fit(self, development: Recordings) -> Self:
        """Learn from development recordings, whose truth and human masks may be used. Returns self."""
        self._fit(development)
        return self

    def transform(self, recordings: Recordings, mask: Mask) -> Signal:
        """(n, T) float32, %: the recording at unmasked samples, the method's values at masked ones."""
        return splice(recordings, mask, self.reconstruct(recordings, mask))

    def reconstruct(self, recordings: Recordings, mask: Mask) -> Signal:
        """(n, T) float32, %: the method's values at masked samples, NaN elsewhere. Raises RecordingError."""
        return self._at_masked(recordings, mask, self._reconstruct(self._hide(recordings, mask)))

    def reconstruct_with_limits(self, recordings: Recordings, mask: Mask) -> Reconstruction:
        """As `reconstruct`, with the same values, and with limits where the method has some. Raises RecordingError."""
        hidden = self._hide(recordings, mask)
        found = self._reconstruct_with_limits(hidden)
        signal = self._at_masked(recordings, mask, found.signal)
        if found.lower is None or found.upper is None:
            return Reconstruction(signal)
        return Reconstruction(
            signal,
            np.minimum(self._at_masked(recordings, mask, found.lower), signal),
            np.maximum(self._at_masked(recordings, mask, found.upper), signal),
        )

    def _hide(self, recordings: Recordings, mask: Mask) -> Recordings:
        """What a method is shown."""
        _check_mask(recordings, mask)
        for row in np.flatnonzero(mask.all(axis=1)):
            raise RecordingError(
                recordings.recording[row],
                "every sample is masked, so there is no sample left to impute from.",
                "Leave the recording out, or use a detector that masks less.",
            )
        return replace(recordings.blinded(), pupil=np.where(mask, np.float32(np.nan), recordings.pupil))

    def _at_masked(self, recordings: Recordings, mask: Mask, values: NDArray[np.floating[Any]]) -> Signal:
        found = np.asarray(values)
        if found.shape != mask.shape:
            raise ValueError(f"{type(self).__name__} returned shape {found.shape}, recordings have {mask.shape}")
        filled = np.where(mask, found.astype(np.float32), np.float32(np.nan))
        for row in np.flatnonzero((mask & ~np.isfinite(filled)).any(axis=1)):
            raise RecordingError(
                recordings.recording[row],
                f"{type(self).__name__} left a masked sample without a value.",
                "Look at the recording; leave it out if it is not usable.",
            )
        return filled

    def _fit(self, development: Recordings) -> None:
        """Set the learned state; the default learns nothing."""

    @abstractmethod
    def _reconstruct(self, hidden: Recordings) -> NDArray[np.floating[Any]]:
        """(n, T) values, finite wherever `hidden.pupil` is NaN; what stands at other samples is ignored.

        Every recording has at least one sample left.
        """

    def _reconstruct_with_limits(self, hidden: Recordings) -> Reconstruction:
        """As `_reconstruct`, with limits; the default has none."""
        return Reconstruction(np.asarray(self._reconstruct(hidden)))


def splice(recordings: Recordings, mask: Mask, reconstruction: Signal) -> Signal:
    """(n, T) float32, %: `reconstruction` at masked samples, the recording elsewhere. Raises RecordingError."""
    _check_mask(recordings, mask)
    if reconstruction.shape != mask.shape:
        raise ValueError(f"reconstruction has shape {reconstruction.shape}, mask {mask.shape}")
    signal = np.where(mask, reconstruction.astype(np.float32, copy=False), recordings.pupil)
    for row in np.flatnonzero(np.isnan(signal).any(axis=1)):
        raise RecordingError(
            recordings.recording[row],
            "a masked sample has no reconstructed value.",
            "Reconstruct it with the mask that it is spliced with.",
        )
    return signal


def _check_mask(recordings: Recordings, mask: Mask) -> None:
    if mask.shape != recordings.pupil.shape or mask.dtype != np.bool_:
        raise ValueError(f"mask is {mask.dtype} {mask.shape}, recordings are {recordings.pupil.shape}")
    for row in np.flatnonzero((recordings.dropout & ~mask).any(axis=1)):
        raise RecordingError(
            recordings.recording[row], "its mask leaves out a dropout.", "A mask contains every sample without a pupil."
        )
