"""What the base class guarantees however a method behaves."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from plr_assets.errors import ContractError, RecordingError
from plr_assets.outlier_detection.base import AmplitudeDetector, Detector, PerRecordingDetector
from plr_assets.outlier_detection.dilation_speed import DilationSpeed
from plr_assets.outlier_detection.lof import LOF
from plr_assets.outlier_detection.sub_pca import SubPCA
from plr_assets.recordings.table import Mask, Recordings
from plr_assets_tests.builders import make_recordings


@dataclass(eq=False, kw_only=True)
class Spy(Detector):
    """Keeps what it is shown; scores every sample, dropouts too."""

    threshold_: float = field(init=False)

    def _fit(self, development: Recordings) -> None:
        self.threshold_ = float(len(development) > 0)

    def _scores(self, blind: Recordings) -> NDArray[np.float64]:
        self.shown = blind
        return np.zeros(blind.pupil.shape)

    def _flag(self, scores: NDArray[np.float64]) -> Mask:
        return np.asarray(scores > self.threshold_)


@dataclass(eq=False, kw_only=True)
class FailsOnDeepPupils(AmplitudeDetector):
    def _fit(self, development: Recordings) -> None:
        pass

    def _score_amplitudes(self, amplitude: NDArray[np.float64]) -> NDArray[np.float64]:
        if amplitude.min() < -500:
            raise ValueError("no fit below -500 %")
        return np.abs(amplitude)

    def _flag(self, scores: NDArray[np.float64]) -> Mask:
        return np.asarray(scores > 40)


@dataclass(eq=False, kw_only=True)
class ForgetsASample(FailsOnDeepPupils):
    def _score_amplitudes(self, amplitude: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.where(np.arange(amplitude.size) == 3, np.nan, 0.0)


def test_a_method_is_never_handed_what_a_human_knows() -> None:
    spy = Spy().fit(make_recordings(2))
    recordings = make_recordings(3, seed=1)
    spy.predict(recordings)
    assert (spy.shown.truth, spy.shown.artefact, spy.shown.label) == (None, None, (None, None, None))
    assert recordings.truth is not None


def test_dropouts_have_no_score_even_if_the_method_gives_one() -> None:
    recordings = make_recordings(3)
    assert np.array_equal(np.isnan(Spy().fit(recordings).decision_function(recordings)), recordings.dropout)


def test_a_failure_names_the_recording_and_the_cause_and_keeps_the_traceback() -> None:
    recordings = make_recordings(3)
    recordings.pupil[1, 50] = -900
    with pytest.raises(RecordingError, match=r"R001.*no fit below -500") as caught:
        FailsOnDeepPupils().fit(recordings).decision_function(recordings)
    assert isinstance(caught.value.__cause__, ValueError)


def test_a_sample_without_a_score_is_an_error_not_an_inlier() -> None:
    with pytest.raises(RecordingError, match=r"R000.*no finite score"):
        ForgetsASample().fit(make_recordings(2)).decision_function(make_recordings(2))


def test_scores_of_other_recordings_are_refused() -> None:
    recordings = make_recordings(3)
    detector = Spy().fit(recordings)
    with pytest.raises(ValueError, match="shape"):
        detector.mask(recordings, detector.decision_function(recordings.take([0, 1])))
    with pytest.raises(RecordingError, match="lack a sample"):
        detector.mask(recordings, np.full(recordings.pupil.shape, np.nan, dtype=np.float32))


def test_a_saved_detector_is_not_loaded_as_another(tmp_path: Path) -> None:
    Spy().fit(make_recordings(2)).save(tmp_path)
    with pytest.raises(ContractError, match="fitted Spy, not a LOF"):
        LOF.load(tmp_path)


@pytest.mark.parametrize(
    "detector",
    # scikit-learn alone takes each process seconds to import
    [DilationSpeed(), pytest.param(SubPCA(threshold="declared"), marks=pytest.mark.slow)],
    ids=["dilation-speed", "SubPCA"],
)
def test_processes_change_no_score(detector: PerRecordingDetector) -> None:
    recordings = make_recordings(5)
    expected = detector.fit(recordings).decision_function(recordings)
    assert np.array_equal(detector.decision_function(recordings, 2), expected, equal_nan=True)


def test_a_failure_in_another_process_names_the_recording_too() -> None:
    recordings = make_recordings(3)
    recordings.pupil[1, 50] = -900
    detector = FailsOnDeepPupils().fit(recordings)
    with pytest.raises(RecordingError, match=r"R001.*no fit below -500"):
        detector.decision_function(recordings, 2)


def test_no_process_at_all_is_refused() -> None:
    detector = FailsOnDeepPupils().fit(make_recordings(2))
    with pytest.raises(ValueError, match="n_jobs"):
        detector.decision_function(make_recordings(2), 0)
