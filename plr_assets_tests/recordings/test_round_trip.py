"""Simulate, write device csv, import: the same signals, masks and lights come back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from plr_assets.recordings.device_csv import END_TRANSIENT_FRAMES
from plr_assets.recordings.importer import import_recordings
from plr_assets.recordings.simulator.cohort import SimulatedRecording, simulate_cohort
from plr_assets.recordings.simulator.files import write_study_files
from plr_assets.recordings.table import Recordings
from plr_assets.study import Study
from plr_assets_tests.recordings.conftest import MakeStudy

ONE_FRAME_S = 1 / 30
# diameters and times are printed with two decimals
# Stamps are rounded to 10 ms; at 29.7-30 Hz some recordings drift past the midway for a good part of their length.
HALF_STAMP_S = 0.005
LEAST_CLEAR = 0.5
HALF_CENT = 0.005


@pytest.mark.parametrize("count", [8, pytest.param(500, marks=pytest.mark.slow)])
def test_what_was_simulated_is_what_is_imported(
    count: int, make_study: MakeStudy, data_dir: Path, tmp_path: Path
) -> None:
    study = make_study(
        simulation={
            "control": count // 2,
            "glaucoma": count // 4,
            "unlabelled": count - 3 * (count // 4),
            "june_2018_share": 0.5,
        }
    )
    write_study_files(study)
    assert _dark_lengths(study) == {75, 76}, "both formats of the device"
    imported = import_recordings(study, tmp_path / "lookup.json")
    assert imported.quarantine.is_empty()
    recordings = imported.recordings
    assert len(recordings) == count
    assert study.simulation is not None
    simulated = simulate_cohort(study.simulation, study.seed)
    # pseudonyms do not say who is who: recordings are matched by age, label and eye, then by the signal
    for recording in simulated:
        row = _row_of(recording, recordings)
        _assert_same(recording, recordings, row, study)


def _dark_lengths(study: Study) -> set[int]:
    """Values in the first row of every file; each ends in a comma."""
    files = study.resolve(study.recordings.path).iterdir()
    return {path.read_bytes().split(b"\n", 1)[0].count(b",") for path in files}


def _baseline(recording: SimulatedRecording) -> tuple[float, float]:
    """Onset of blue, and the median of what was seen in the 5 s before it."""
    onset_s = float(recording.time_s[np.argmax(recording.blue > 0)])
    seen = (recording.time_s >= onset_s - 5) & (recording.time_s <= onset_s) & (recording.pupil > 0)
    return onset_s, float(np.median(recording.pupil[seen]))


def _row_of(recording: SimulatedRecording, recordings: Recordings) -> int:
    _, baseline = _baseline(recording)
    same = (recordings.age == recording.subject.age) & np.isclose(recordings.baseline, baseline, rtol=0.01)
    same &= np.array([label == recording.subject.label for label in recordings.label])
    assert recordings.truth is not None
    onset_s, _ = _baseline(recording)
    clean = np.interp(recordings.time + onset_s - 15.5, recording.time_s, recording.clean)
    distance = [
        np.abs(recordings.truth[row] - (clean / recordings.baseline[row] - 1) * 100).max()
        for row in np.flatnonzero(same)
    ]
    return int(np.flatnonzero(same)[np.argmin(distance)])


def _assert_same(recording: SimulatedRecording, recordings: Recordings, row: int, study: Study) -> None:
    assert recordings.truth is not None
    assert recordings.artefact is not None
    onset_s, _ = _baseline(recording)
    blue, red = recordings.stimuli[row]
    assert (blue.colour, red.colour) == ("blue", "red")
    assert abs(blue.onset_s - 15.5) <= ONE_FRAME_S
    red_on = float(recording.time_s[np.argmax(recording.red > 0)])
    assert abs(red.onset_s - (15.5 + red_on - onset_s)) <= ONE_FRAME_S
    assert recordings.eye[row] == recording.subject.eye

    kept = slice(None, -END_TRANSIENT_FRAMES)
    time_s, pupil = recording.time_s[kept], recording.pupil[kept]
    grid_s = recordings.time + onset_s - 15.5
    distance = np.abs(grid_s[:, None] - time_s[None, :])
    nearest = distance.argmin(axis=1)
    away = distance[np.arange(len(grid_s)), nearest]
    seen = (away <= ONE_FRAME_S / 2 + 1e-9) & (pupil[nearest] > 0)
    # midway between two points a stamp rounded to 10 ms may belong to either; `test_common_grid` has that rule
    clear = np.abs(away - ONE_FRAME_S / 2) > HALF_STAMP_S + 1e-9
    assert clear.mean() > LEAST_CLEAR
    finite = np.isfinite(recordings.pupil[row])
    np.testing.assert_array_equal(finite[clear], seen[clear])
    back = (recordings.pupil[row] / 100 + 1) * recordings.baseline[row]
    same = seen & clear
    np.testing.assert_allclose(back[same], pupil[nearest][same], atol=HALF_CENT)
    rejected = recording.rejected[kept][nearest]
    np.testing.assert_array_equal(recordings.artefact[row][clear], (seen & rejected)[clear])
    clean = np.interp(grid_s, recording.time_s, recording.clean)
    np.testing.assert_allclose((recordings.truth[row] / 100 + 1) * recordings.baseline[row], clean, atol=HALF_CENT)
