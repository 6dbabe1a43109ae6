"""Simulated recordings on the common grid, without the way through files.

Belongs here: the short cut from a simulated cohort to `Recordings`, for pretraining and for measuring difficulty. Does
not belong here: a study's own recordings, which are imported from files like any lab's.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from plr_assets.recordings.device_csv import END_TRANSIENT_FRAMES, DeviceTrace
from plr_assets.recordings.gridded import grid_trace
from plr_assets.recordings.resample import pick_nearest
from plr_assets.recordings.simulator.cohort import SimulatedRecording
from plr_assets.recordings.table import COLOURS, Recordings
from plr_assets.study import Study


def on_the_grid(cohort: Sequence[SimulatedRecording], study: Study) -> Recordings:
    """`cohort` as the import of `study` would give it; subjects go by their simulated codes."""
    rate_hz = study.sampling.rate_hz
    kept = slice(None, -END_TRANSIENT_FRAMES)
    grids, truths, artefacts = [], [], []
    for recording in cohort:
        time_s, pupil = recording.time_s[kept], recording.pupil[kept]
        codes = (codes[kept].astype(np.float64) for codes in (recording.red, recording.blue))
        trace = DeviceTrace(time_s, np.where(pupil > 0, pupil, np.nan), recording.slot[kept], *codes)
        gridded = grid_trace(trace, study, recording.subject.code)
        clean = np.interp(gridded.time_s, recording.time_s, recording.clean)
        rejected = pick_nearest(time_s, recording.rejected[kept].astype(np.float64), gridded.time_s, rate_hz) == 1.0
        grids.append(gridded)
        truths.append((clean / gridded.baseline - 1) * 100)
        artefacts.append(rejected & ~np.isnan(gridded.pupil))
    codes_ = tuple(recording.subject.code for recording in cohort)
    return Recordings(
        recording=codes_,
        subject=codes_,
        rate_hz=rate_hz,
        pupil=np.stack([grid.pupil for grid in grids]).astype(np.float32),
        light={colour: np.stack([grid.light[colour] for grid in grids]).astype(np.float32) for colour in COLOURS},
        stimuli=tuple(grid.stimuli for grid in grids),
        baseline=np.array([grid.baseline for grid in grids]),
        baseline_unit="px",
        synthetic=True,
        truth=np.stack(truths).astype(np.float32),
        artefact=np.stack(artefacts),
        label=tuple(recording.subject.label for recording in cohort),
    )
