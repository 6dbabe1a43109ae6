"""The detector: what every outlier detection method is, and what the base class takes off its hands.

Belongs here: the contract and its guarantees. A method sees recordings without truth, human masks and diagnosis;
dropouts have no score and are always masked; a recording's scores do not depend on its neighbours in the batch; a
failure names its recording. Does not belong here: any method.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from plr_assets.errors import RecordingError
from plr_assets.estimator import Estimator
from plr_assets.processes import spread
from plr_assets.recordings.table import Mask, Recordings, Signal

# Chunks of recordings for each process.
_CHUNKS_EACH = 8


@dataclass(eq=False, kw_only=True)
class Detector(Estimator, ABC):
    """Scores each sample (`decision_function`) and decides which to replace (`mask`).

    A method implements `_fit`, `_scores` and `_flag`; one that treats recordings one by one inherits
    `PerRecordingDetector` instead. `n_jobs` is the number of processes that those may use, and never changes a result;
    it says nothing to other detectors.
    """

    def fit(self, development: Recordings, n_jobs: int = 1) -> Self:  # noqa: ARG002 - for those that score to learn
        """Learn from development recordings, whose truth and human masks may be used. Returns self."""
        self._fit(development)
        return self

    def decision_function(self, recordings: Recordings, n_jobs: int = 1) -> Signal:
        """(n, T) float32, larger = more unusual; NaN at dropouts. Raises RecordingError."""
        blind = recordings.blinded()
        dropout = blind.dropout
        found = np.asarray(self._spread_scores(blind, n_jobs))
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

    def predict(self, recordings: Recordings, n_jobs: int = 1) -> Mask:
        """(n, T) bool: the samples to replace."""
        return self.mask(recordings, self.decision_function(recordings, n_jobs))

    @abstractmethod
    def _fit(self, development: Recordings) -> None:
        """Set the learned state."""

    @abstractmethod
    def _scores(self, blind: Recordings) -> NDArray[np.floating[Any]]:
        """(n, T) scores, finite wherever there is a pupil; what stands at dropouts is ignored."""

    @abstractmethod
    def _flag(self, scores: NDArray[np.float64]) -> Mask:
        """Which of one recording's observed samples are outliers; `scores` has one entry for each, at least one."""

    def _spread_scores(self, blind: Recordings, n_jobs: int) -> NDArray[np.floating[Any]]:  # noqa: ARG002
        return self._scores(blind)

    def _failure(self, recording: str, cause: object) -> RecordingError:
        return RecordingError(
            recording,
            f"{type(self).__name__} cannot score it: {cause}.",
            "Look at the recording; leave it out if it is not usable.",
        )


@dataclass(eq=False, kw_only=True)
class PerRecordingDetector(Detector):
    """A detector that fits each recording as it scores it: it sees one recording's signal and its frame rate.

    `worth_processes`: whether a recording takes long enough that other processes, which start within 1 to 2 s, help.
    """

    worth_processes: ClassVar[bool] = True

    def _spread_scores(self, blind: Recordings, n_jobs: int) -> NDArray[np.floating[Any]]:
        if n_jobs < 1:
            raise ValueError(f"n_jobs is {n_jobs}: at least one process is needed")
        # Several chunks a process: recordings do not take equally long, and none should wait for another's last.
        chunks = min(len(blind), _CHUNKS_EACH * n_jobs if n_jobs > 1 and self.worth_processes else 1)
        if chunks < 2:
            return self._scores(blind)
        parts = [
            _Part(self, tuple(blind.recording[row] for row in rows), blind.pupil[rows], blind.rate_hz)
            for rows in np.array_split(np.arange(len(blind)), chunks)
        ]
        return np.concatenate(spread(_score_part, parts, n_jobs))

    def _scores(self, blind: Recordings) -> NDArray[np.floating[Any]]:
        return self._score_all(blind.recording, blind.pupil, blind.rate_hz)

    def _score_all(self, names: Sequence[str], pupil: Signal, rate_hz: float) -> NDArray[np.float64]:
        from threadpoolctl import threadpool_limits

        scores = np.full(pupil.shape, np.nan)
        # One thread, as in the workers: a matrix product is summed in another order by two.
        with threadpool_limits(limits=1):
            for row, (name, observed) in enumerate(zip(names, ~np.isnan(pupil), strict=True)):
                if not observed.any():
                    continue
                try:
                    scores[row] = self._score(pupil[row].astype(np.float64), rate_hz)
                except (ValueError, ArithmeticError) as error:
                    raise self._failure(name, error) from error
        return scores

    @abstractmethod
    def _score(self, signal: NDArray[np.float64], rate_hz: float) -> NDArray[np.float64]:
        """The score of each sample of one recording (T,), in which at least one sample has a pupil.

        signal  (T,) %, NaN at dropouts; what is scored there is ignored.
        """


@dataclass(eq=False, kw_only=True)
class AmplitudeDetector(PerRecordingDetector):
    """A per-recording detector that knows nothing of time: it only sees the observed amplitudes."""

    def _score(self, signal: NDArray[np.float64], rate_hz: float) -> NDArray[np.float64]:  # noqa: ARG002
        observed = ~np.isnan(signal)
        scores = np.full(signal.size, np.nan)
        scores[observed] = self._score_amplitudes(signal[observed])
        return scores

    @abstractmethod
    def _score_amplitudes(self, amplitude: NDArray[np.float64]) -> NDArray[np.float64]:
        """The score of each observed sample of one recording, from their amplitudes (%) in order of time."""


@dataclass(frozen=True, slots=True)
class _Part:
    """What travels to another process: a detector and some recordings' signals, and nothing a human knows."""

    detector: PerRecordingDetector
    names: tuple[str, ...]
    pupil: Signal
    rate_hz: float


def _score_part(part: _Part) -> NDArray[np.float64]:
    return part.detector._score_all(part.names, part.pupil, part.rate_hz)
