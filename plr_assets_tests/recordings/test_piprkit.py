"""Another device, another protocol: 200 Hz, mm, six white flashes, one real person (piprkit 0.1.0, MIT)."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from plr_assets import schemas
from plr_assets.recordings.importer import import_recordings
from plr_assets.study import Study

PIPRKIT = Path(__file__).parents[3] / "shared" / "data" / "piprkit"
pytestmark = pytest.mark.skipif(not PIPRKIT.is_dir(), reason="the piprkit recording is not beside this checkout")


def test_real_200_hz_recording_imports_through_a_column_map(
    make_study: Callable[..., Study], data_dir: Path, tmp_path: Path
) -> None:
    flashes = pl.read_csv(PIPRKIT / "stimuli.csv")
    study = make_study(
        origin="clinical",
        recordings={
            "path": "raw",
            "reader": "headered_csv",
            "columns": {"time": "time", "pupil": "left"},
            "unit": "mm",
            "eye": "left",
        },
        sampling={"rate_hz": 200, "duration_s": 360},
        stimuli=[
            {"colour": "blue" if index % 2 == 0 else "red", "onset_s": start, "offset_s": end}
            for index, (start, end) in enumerate(flashes.select("start_time", "end_time").rows())
        ],
        baseline={"before": "blue", "window_s": (-5, 0)},
        labels=None,
        simulation=None,
    )
    (study.data_dir / "raw").mkdir(parents=True)
    shutil.copy(PIPRKIT / "pupil_trace.csv", study.data_dir / "raw" / "P1_trace.csv")
    imported = import_recordings(study, tmp_path / "lookup.json")
    schemas.validate(imported.recordings.to_frame(), schemas.RECORDINGS)
    recordings = imported.recordings
    assert recordings.pupil.shape == (1, 72001)
    assert recordings.dropout.mean() < 0.05
    assert recordings.eye == ("left",)
    assert not recordings.synthetic
    assert len(recordings.stimuli[0]) == 6
    # an independent look at the file: median diameter of the 5 s before the first flash
    trace = pl.read_csv(PIPRKIT / "pupil_trace.csv")
    first = flashes["start_time"][0]
    expected = trace.filter(pl.col("time").is_between(first - 5, first))["left"].median()
    assert recordings.baseline[0] == pytest.approx(expected, abs=0.005)
    # published behaviour of this trace: 46-50 % after the first flash, 39-44 % left 6 s later
    onset = recordings.stimuli[0][0].onset_s
    after = recordings.pupil[0][(recordings.time > onset) & (recordings.time < onset + 6)]
    assert -60 < np.nanmin(after) < -40
