"""From the device's clock to the common grid: picking, alignment, baseline, lights."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from plr_assets.errors import DataError
from plr_assets.recordings.device_csv import DeviceTrace
from plr_assets.recordings.gridded import grid_trace
from plr_assets.recordings.headered_csv import HeaderedTrace
from plr_assets.recordings.lights import measured_stimuli
from plr_assets.recordings.resample import nearest_index, pick_index, pick_nearest, stamp_unit
from plr_assets.recordings.table import Stimulus
from plr_assets.study import Study
from plr_assets.study.recordings import ColumnMap

steps = hnp.arrays(np.int64, st.integers(1, 40), elements=st.integers(1, 12))


@settings(max_examples=200, deadline=None)
@given(steps=steps, offset=st.integers(-20, 20), points=st.integers(1, 40), every=st.integers(1, 9))
def test_picking_equals_brute_force(steps: np.ndarray, offset: int, points: int, every: int) -> None:
    # hundredths of a second, as the device prints them
    samples, grid = np.cumsum(steps), offset + every * np.arange(points)
    expected = []
    for point in grid:
        distance = np.abs(samples - point)
        expected.append(distance.argmin() if 2 * distance.min() <= every else -1)
    picked = pick_index(samples / 100, grid / 100, 100 / every)
    np.testing.assert_array_equal(picked, expected)
    np.testing.assert_array_equal(
        nearest_index(samples / 100, grid / 100), [np.abs(samples - point).argmin() for point in grid]
    )


GRID = np.arange(1981) / 30


def frames(rate: float, phase: float) -> np.ndarray:
    """When a device with a steady clock took its frames, s, from before the grid to after it."""
    return np.arange(2100) / rate - 1 + phase


@settings(max_examples=60, deadline=None)
@given(rate=st.floats(29.7, 30.05), phase=st.floats(0, 0.034))
def test_a_steady_clock_leaves_empty_only_the_frames_that_it_is_short_of(rate: float, phase: float) -> None:
    """Stamps rounded to 10 ms used to cost up to 200 points more, at moments half a frame off the grid."""
    moments = frames(rate, phase)
    picked = pick_index(np.round(moments, 2), GRID, 30.0, 0.01)
    short = max(0.0, (30 - rate) * 66)
    assert (picked < 0).sum() <= short + 2
    used = picked[picked >= 0]
    assert (np.diff(used) > 0).all(), "each sample once, in order"
    # the rounding moves a stamp by 5 ms and a point takes one within half a frame and 5 ms: 10 ms of the true moment
    assert np.abs(moments[used] - GRID[picked >= 0]).max() <= 1 / 60 + 0.01 + 1e-9


@settings(max_examples=60, deadline=None)
@given(rate=st.floats(29.7, 30.05), phase=st.floats(0, 0.034), seed=st.integers(0, 1000))
def test_frames_that_the_device_lost_stay_empty(rate: float, phase: float, seed: int) -> None:
    lost = 60 + 90 * np.arange(20) + np.random.default_rng(seed).integers(0, 60, 20)
    stamps = np.round(frames(rate, phase), 2)
    whole = (pick_index(stamps, GRID, 30.0, 0.01) < 0).sum()
    holed = (pick_index(np.delete(stamps, lost), GRID, 30.0, 0.01) < 0).sum()
    surplus = max(0.0, (rate - 30) * 66) + 1
    assert holed >= whole + len(lost) - surplus - 0.2 * len(lost)


def test_samples_within_half_a_frame_are_picked_as_without_rounding() -> None:
    stamps = np.round(frames(29.9, 0.004), 2)
    plain, allowed = pick_index(stamps, GRID, 30.0), pick_index(stamps, GRID, 30.0, 0.01)
    moved = (plain >= 0) & (plain != allowed)
    assert (plain < 0).sum() > 50
    assert moved.sum() <= (plain < 0).sum()
    assert not ((plain >= 0) & (allowed < 0)).any()


@pytest.mark.parametrize(("unit", "factor"), [(0.01, 100), (0.001, 1000)])
def test_the_unit_of_stamps_is_read_off_them(unit: float, factor: int) -> None:
    assert stamp_unit(np.round(frames(29.97, 0.0013), int(np.log10(factor)))) == unit
    assert stamp_unit(frames(29.97, 0.0013)) == 0.0


def test_values_follow_their_index_and_nothing_near_is_nan() -> None:
    picked = pick_nearest(np.array([0.0, 0.1, 0.2]), np.array([5.0, 6.0, 7.0]), np.array([0.0, 0.1, 0.3]), 10.0)
    np.testing.assert_array_equal(picked, [5.0, 6.0, np.nan])


def ramp_trace(rate_hz: float = 50.0, start_s: float = 3.0) -> DeviceTrace:
    """60 s; pupil = 40 px, 30 px while blue is on (20-25 s after start), 35 px after; red 40-45 s."""
    time_s = start_s + np.arange(int(60 * rate_hz)) / rate_hz
    since = time_s - start_s
    blue = np.where((since >= 20) & (since < 25), 100.0, 0.0)
    red = np.where((since >= 40) & (since < 45), 50.0, 0.0)
    pupil = np.where(since < 20, 40.0, np.where(since < 25, 30.0, 35.0))
    return DeviceTrace(time_s, pupil, (blue + red) > 0, red, blue)


def small_grid(make_study: Callable[..., Study], **sampling: object) -> Study:
    values = {"rate_hz": 50, "duration_s": 40, "align_onset": {"colour": "blue", "at_s": 10}}
    return make_study(sampling={**values, **sampling})


def test_measured_onset_lands_where_the_study_says(make_study: Callable[..., Study]) -> None:
    gridded = grid_trace(ramp_trace(), small_grid(make_study), "x.csv")
    assert gridded.pupil.shape == (2001,)
    assert np.flatnonzero(gridded.light["blue"])[0] == 500
    assert np.flatnonzero(gridded.light["red"])[0] == 1500
    assert gridded.baseline == 40.0
    np.testing.assert_allclose(gridded.pupil[[0, 499, 500, 749, 750]], [0, 0, -25, -25, -12.5])
    blue, red = gridded.stimuli
    assert (blue.colour, red.colour) == ("blue", "red")
    np.testing.assert_allclose((blue.onset_s, blue.offset_s, red.onset_s), (10, 14.98, 30), atol=1e-9)


def test_without_alignment_the_grid_begins_with_the_file(make_study: Callable[..., Study]) -> None:
    gridded = grid_trace(ramp_trace(), small_grid(make_study, align_onset=None, duration_s=50), "x.csv")
    assert np.flatnonzero(gridded.light["blue"])[0] == 1000
    assert gridded.time_s[0] == 3.0


def test_grid_points_without_a_sample_stay_empty(make_study: Callable[..., Study]) -> None:
    gridded = grid_trace(ramp_trace(rate_hz=25.0), small_grid(make_study), "x.csv")
    # every second point lies exactly half a period from both neighbours' reach: 20 ms > 10 ms
    assert np.isnan(gridded.pupil[1::2]).all()
    assert not np.isnan(gridded.pupil[::2]).any()


def test_lost_baseline_is_refused_in_plain_words(make_study: Callable[..., Study]) -> None:
    trace = ramp_trace()
    since = trace.time_s - 3.0
    kept, lost = trace.pupil.copy(), trace.pupil.copy()
    kept[(since >= 17.6) & (since < 20)] = np.nan
    lost[(since >= 17.0) & (since < 20)] = np.nan
    study = small_grid(make_study)
    assert grid_trace(_with_pupil(trace, kept), study, "x.csv").baseline == 40.0
    with pytest.raises(DataError, match=r"baseline lost: 150 of 251 samples missing"):
        grid_trace(_with_pupil(trace, lost), study, "x.csv")


def _with_pupil(trace: DeviceTrace, pupil: np.ndarray) -> DeviceTrace:
    return DeviceTrace(trace.time_s, pupil, trace.slot, trace.red, trace.blue)


@pytest.mark.parametrize(
    ("sampling", "rule"),
    [
        ({"duration_s": 55}, "ends 5.0 s before"),
        ({"align_onset": {"colour": "blue", "at_s": 25}}, "starts 5.0 s after"),
        ({"align_onset": {"colour": "white", "at_s": 5}}, "no white light on the recording (found: blue, red)"),
    ],
)
def test_file_that_does_not_fit_the_grid_is_refused(
    make_study: Callable[..., Study], sampling: dict[str, object], rule: str
) -> None:
    with pytest.raises(DataError) as raised:
        grid_trace(ramp_trace(), small_grid(make_study, **sampling), "x.csv")
    assert rule in raised.value.problem


def test_overlapping_colours_are_white() -> None:
    red, blue = np.array([0, 5, 5, 0, 3, 0.0]), np.array([0, 5, 5, 0, 0, 2.0])
    assert measured_stimuli(np.arange(6) * 0.5, {"red": red, "blue": blue}) == (
        Stimulus("white", 0.5, 1.0),
        Stimulus("red", 2.0, 2.0),
        Stimulus("blue", 2.5, 2.5),
    )


def headered_study(make_study: Callable[..., Study], unit: str = "mm", **changes: object) -> Study:
    columns = ColumnMap(time="t", pupil="d", truth="g", artefact="a")
    values: dict[str, object] = {
        "recordings": {"path": "raw", "reader": "headered_csv", "columns": columns, "unit": unit},
        "sampling": {"rate_hz": 10, "duration_s": 20},
        "stimuli": [{"colour": "white", "onset_s": 8, "offset_s": 9}],
        "baseline": {"before": "white", "window_s": (-5, 0)},
        "labels": None,
        "simulation": None,
    }
    return make_study(**{**values, **changes})


def headered_trace() -> HeaderedTrace:
    time_s = np.arange(300) / 10
    pupil = np.where(time_s < 8, 5.0, 4.0)
    pupil[50] = np.nan
    return HeaderedTrace(
        time_s, pupil, truth=np.where(time_s < 8, 5.0, 4.0), artefact=np.isin(np.arange(300), (50, 51))
    )


def test_declared_white_light_drives_both_colours(make_study: Callable[..., Study]) -> None:
    gridded = grid_trace(headered_trace(), headered_study(make_study), "x.csv")
    for colour in ("red", "blue"):
        np.testing.assert_array_equal(np.flatnonzero(gridded.light[colour]), np.arange(80, 91))
    assert gridded.stimuli == (Stimulus("white", 8.0, 9.0),)
    assert gridded.truth is not None
    assert gridded.artefact is not None
    np.testing.assert_allclose(gridded.truth[[0, 79, 81]], [0, 0, -20])
    np.testing.assert_array_equal(np.flatnonzero(gridded.artefact), [51])  # 50 is a dropout


def test_headered_file_without_declared_light_is_refused(make_study: Callable[..., Study]) -> None:
    with pytest.raises(DataError, match="stimuli"):
        grid_trace(headered_trace(), headered_study(make_study, stimuli=None), "x.csv")


def test_files_in_percent_are_taken_as_they_are(make_study: Callable[..., Study]) -> None:
    gridded = grid_trace(headered_trace(), headered_study(make_study, unit="%"), "x.csv")
    assert gridded.baseline == 100.0
    assert gridded.pupil[100] == 4.0
