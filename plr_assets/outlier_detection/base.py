"""The detector: what every outlier detection method is, and what the base class takes off its hands.

Belongs here: the contract and its guarantees. A method sees recordings without truth, human masks and diagnosis;
dropouts have no score and are always masked; a recording's scores do not depend on its neighbours in the batch; a
failure names its recording. Does not belong here: any method.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from plr_assets.errors import RecordingError
from plr_assets.estimator import Estimator
from plr_assets.recordings.table import Mask, Recordings, Signal


@dataclass(eq=False, kw_only=True)
class Detector(Estimator, ABC):
    """Scores each sample (`decision_function`) and decides which to replace (`mask`).

    A method implements `_fit`, `_scores` and `_flag`; one that treats recordings one by one inherits
    `PerRecordingDetector` instead.
    """

    def fit(self, development: Recordings) -> Self:
        """Learn from development recordings, whose truth and human masks may be used. Returns self."""
        self._fit(development)
        return self

    def decision_function(self, recordings: Recordings) -> Signal:
        """(n, T) float32, larger = more unusual; NaN at dropouts. Raises RecordingError."""
        blind = recordings.blinded()
        dropout = blind.dropout
        found = np.asarray(self._scores(blind))
        if found.shape != dropout.shape:
            raise ValueError(f"{type(self).__name__} scored shape {found.shape}, recordings have {dropout.shape}")
        scores = np.where(dropout, np.float32(np.nan), found.astype(np.float32))
        for row in np.flatnonzero((~dropout & ~np.isfinite(scores)).any(axis=1)):
            raise self._failure(blind.recording[row], "a sample got no finite score")
        return scores

    def mask(self, recordings: Recordings, scores: Signal) -> Mask:
        """(n, T) bool: the samples to replace, given their `scores`. Dropouts always are. Raises RecordingError."""
        dropout = recordings.dropout
        if scores.shape != dropout.shape:
            raise ValueError(f"scores have shape {scores.shape}, recordings {dropout.shape}")
        mask = dropout.copy()
        for row, (name, observed) in enumerate(zip(recordings.recording, ~dropout, strict=True)):
            values = scores[row, observed]
            if not np.isfinite(values).all():
                raise RecordingError(name, "its scores lack a sample.", "Score it again with the same detector.")
            if values.size:
                mask[row, observed] = self._flag(values.astype(np.float64))
        return mask

    def predict(self, recordings: Recordings) -> Mask:
        """(n, T) bool: the samples to replace."""
        return self.mask(recordings, self.decision_function(recordings))

    @abstractmethod
    def _fit(self, development: Recordings) -> None:
        """Set the learned state."""

    @abstractmethod
    def _scores(self, blind: Recordings) -> NDArray[np.floating[Any]]:
        """(n, T) scores, finite wherever there is a pupil; what stands at dropouts is ignored."""

    @abstractmethod
    def _flag(self, scores: NDArray[np.float64]) -> Mask:
        """Which of one recording's observed samples are outliers; `scores` has one entry for each, at least one."""

    def _failure(self, recording: str, cause: object) -> RecordingError:
        return RecordingError(
            recording,
            f"{type(self).__name__} cannot score it: {cause}.",
            "Look at the recording; leave it out if it is not usable.",
        )


@dataclass(eq=False, kw_only=True)
class PerRecordingDetector(Detector):
    """A detector that fits each recording as it scores it: it only sees one recording's observed amplitudes."""

    def _scores(self, blind: Recordings) -> NDArray[np.floating[Any]]:
        scores = np.full(blind.pupil.shape, np.nan)
        for row, (name, observed) in enumerate(zip(blind.recording, ~blind.dropout, strict=True)):
            if not observed.any():
                continue
            try:
                scores[row, observed] = self._score(blind.pupil[row, observed].astype(np.float64))
            except (ValueError, ArithmeticError) as error:
                raise self._failure(name, error) from error
        return scores

    @abstractmethod
    def _score(self, amplitude: NDArray[np.float64]) -> NDArray[np.float64]:
        """The score of each observed sample of one recording, from their amplitudes (%) in order of time."""
