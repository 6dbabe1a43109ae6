"""One recording on the study's common grid, in % change from its baseline.

Belongs here: alignment on the light, and putting time, lights, pupil and baseline together. Does not belong here: file
formats, subjects, or more than one recording.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from plr_assets.recordings.baseline import measure_baseline, percent_change
from plr_assets.recordings.device_csv import DeviceTrace
from plr_assets.recordings.file_errors import FileError
from plr_assets.recordings.headered_csv import HeaderedTrace
from plr_assets.recordings.lights import (
    Drive,
    boxcar_drive,
    declared_stimuli,
    first_light,
    measured_stimuli,
)
from plr_assets.recordings.resample import nearest_index, pick_index, stamp_unit
from plr_assets.recordings.table import Stimulus
from plr_assets.study import Study

# In a file in % the baseline is 100 % of itself.
PERCENT_BASELINE = 100.0


@dataclass(frozen=True, eq=False)
class GriddedTrace:
    """One recording on the common grid of `T` samples.

    time_s   (T,) the grid on the file's own clock, s.
    pupil    (T,) % change; NaN where the device found no pupil or took no sample.
    light    "red" and "blue" -> (T,) drive.
    stimuli  on the grid's clock (its first sample is 0 s).
    baseline diameter that 0 % stands for, in `unit`.   baseline_s   its window on the grid's clock; None in unit "%".
    truth    (T,) % change, or None.   artefact (T,) bool, dropouts not included, or None.
    unsampled   (T,) bool, grid points at which the device took no sample, or None: the file was on the grid.
    """

    time_s: NDArray[np.float64]
    pupil: NDArray[np.float64]
    light: Mapping[str, Drive]
    stimuli: tuple[Stimulus, ...]
    baseline: float
    unit: str = "px"
    baseline_s: tuple[float, float] | None = None
    truth: NDArray[np.float64] | None = None
    artefact: NDArray[np.bool_] | None = None
    unsampled: NDArray[np.bool_] | None = None


def grid_trace(trace: DeviceTrace | HeaderedTrace, study: Study, name: str) -> GriddedTrace:
    """`trace` on the grid of `study`. Lights are those the study declares, else those the device drove.

    Declared stimuli are on the clock of the file's time column. Without `align_onset` the grid begins at the file's
    first time stamp. Raises DataError if the lights are missing, the file does not cover the grid, or its baseline
    was lost; `name` is the file's, for the error.
    """
    drive = None if trace.red is None or trace.blue is None else {"red": trace.red, "blue": trace.blue}
    stimuli = _stimuli(trace.time_s, drive, study, name)
    rate_hz = study.sampling.rate_hz
    start_s = _start(trace.time_s, stimuli, study, name)
    since_start = np.arange(study.sampling.n_samples) / rate_hz
    grid_s = start_s + since_start
    _check_coverage(trace.time_s, grid_s, study.quality.uncovered_s, name)

    on_grid = tuple(replace(s, onset_s=s.onset_s - start_s, offset_s=s.offset_s - start_s) for s in stimuli)
    visible = tuple(s for s in on_grid if s.onset_s <= since_start[-1] and s.offset_s >= 0)
    nearest = nearest_index(trace.time_s, grid_s)
    if drive is None or study.stimuli is not None:
        light = boxcar_drive(since_start, on_grid)
    else:
        light = {colour: codes[nearest] for colour, codes in drive.items()}

    picked = pick_index(trace.time_s, grid_s, rate_hz, stamp_unit(trace.time_s), nearest)
    diameter = np.where(picked < 0, np.nan, trace.pupil[picked])
    in_percent = study.recordings.unit == "%"
    window_s = None if in_percent else _baseline_window(visible, study, name)
    baseline = PERCENT_BASELINE if window_s is None else _baseline(diameter, since_start, window_s, study, name)
    gridded = GriddedTrace(
        time_s=grid_s,
        pupil=diameter if in_percent else percent_change(diameter, baseline),
        light=light,
        stimuli=visible,
        baseline=baseline,
        unit=study.recordings.unit,
        baseline_s=window_s,
        unsampled=picked < 0,
    )
    return _with_annotations(gridded, trace, picked, in_percent) if isinstance(trace, HeaderedTrace) else gridded


def _stimuli(
    time_s: NDArray[np.float64], drive: Mapping[str, Drive] | None, study: Study, name: str
) -> tuple[Stimulus, ...]:
    if study.stimuli is not None:
        return declared_stimuli(study.stimuli)
    if drive is None:
        raise FileError(name, "the file holds no light drive.", "Declare the study's `stimuli`.")
    return measured_stimuli(time_s, drive)


def _start(time_s: NDArray[np.float64], stimuli: tuple[Stimulus, ...], study: Study, name: str) -> float:
    """The grid's first moment, on the file's clock."""
    align = study.sampling.align_onset
    if align is None:
        return float(time_s[0])
    return _require_light(stimuli, align.colour, name).onset_s - align.at_s


def _require_light(stimuli: tuple[Stimulus, ...], colour: str, name: str) -> Stimulus:
    light = first_light(stimuli, colour)
    if light is None:
        shown = ", ".join(sorted({s.colour for s in stimuli})) or "none"
        raise FileError(
            name,
            f"stimulus slot missing: no {colour} light on the recording (found: {shown}).",
            "Leave it out, or mend sampling.align_onset, baseline.before or stimuli.",
        )
    return light


def _check_coverage(time_s: NDArray[np.float64], grid_s: NDArray[np.float64], uncovered_s: float, name: str) -> None:
    late, early = time_s[0] - grid_s[0], grid_s[-1] - time_s[-1]
    if max(late, early) > uncovered_s:
        which = f"starts {late:.1f} s after" if late > early else f"ends {early:.1f} s before"
        raise FileError(
            name,
            f"the recording {which} the common grid does.",
            "Leave the recording out, or change sampling.duration_s or sampling.align_onset.",
        )


def _baseline_window(stimuli: tuple[Stimulus, ...], study: Study, name: str) -> tuple[float, float]:
    """On the grid's clock."""
    onset_s = _require_light(stimuli, study.baseline.before, name).onset_s
    start, end = study.baseline.window_s
    return onset_s + start, onset_s + end


def _baseline(
    diameter: NDArray[np.float64],
    since_start: NDArray[np.float64],
    window_s: tuple[float, float],
    study: Study,
    name: str,
) -> float:
    return measure_baseline(
        diameter,
        since_start,
        onset_s=window_s[0] - study.baseline.window_s[0],
        window_s=study.baseline.window_s,
        rate_hz=study.sampling.rate_hz,
        max_missing=study.quality.baseline_missing[1],
        light=study.baseline.before,
        name=name,
    )


def _with_annotations(
    gridded: GriddedTrace, trace: HeaderedTrace, picked: NDArray[np.intp], in_percent: bool
) -> GriddedTrace:
    """Truth is gap-free and smooth, so it is interpolated; flags are picked like the samples they judge."""
    truth = artefact = None
    if trace.truth is not None:
        values = np.interp(gridded.time_s, trace.time_s, trace.truth)
        truth = values if in_percent else percent_change(values, gridded.baseline)
    if trace.artefact is not None:
        artefact = trace.artefact[picked] & (picked >= 0) & ~np.isnan(gridded.pupil)
    return replace(gridded, truth=truth, artefact=artefact)
