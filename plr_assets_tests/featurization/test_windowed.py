"""Windowed features against a sample-by-sample computation, and at the edges of recordings."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from plr_assets.errors import ConfigError
from plr_assets.featurization.windowed import WindowedFeatures
from plr_assets.recordings.table import Recordings, Stimulus
from plr_assets.registry import load_registry
from plr_assets_tests.builders import RATE_HZ, RED, make_recordings

SIMPLE = load_registry().methods["featurization"]["simple"].parameters
REDUCE = {"min": min, "max": max, "mean": np.mean, "median": np.median, "range": np.ptp}


def _naive(recordings: Recordings, signal: NDArray[np.float32], row: int, colour: str, spec: dict[str, Any]) -> float:
    """The definition, one sample after the other, with times instead of indices."""
    light = next(s for s in recordings.stimuli[row] if s.colour == colour)
    reference = light.onset_s if spec["reference"] == "onset" else light.offset_s
    low, high = reference + spec["window_s"][0] - 1e-9, reference + spec["window_s"][1] + 1e-9
    inside = [float(v) for t, v in zip(recordings.time, signal[row], strict=True) if low <= t <= high]
    if spec["statistic"] == "auc":
        return sum((a + b) / 2 / recordings.rate_hz for a, b in pairwise(inside))
    return float(REDUCE[spec["statistic"]](inside))


def _jittered(n: int = 6) -> tuple[Recordings, NDArray[np.float32]]:
    """Recordings whose lights come at different times, some between two samples."""
    recordings = make_recordings(n)
    rng = np.random.default_rng(0)
    stimuli = tuple(
        tuple(
            Stimulus(light.colour, light.onset_s + on, light.offset_s + off)
            for light, (on, off) in zip(lights, moved, strict=True)
        )
        for lights, moved in zip(recordings.stimuli, rng.normal(0, 0.2, (n, 2, 2)), strict=True)
    )
    assert recordings.truth is not None
    return replace(recordings, stimuli=stimuli), recordings.truth


@pytest.mark.parametrize("jitter", [False, True])
def test_every_feature_equals_its_definition(jitter: bool) -> None:
    recordings, signal = _jittered() if jitter else (make_recordings(3), make_recordings(3).truth)
    assert signal is not None
    table = WindowedFeatures(**SIMPLE).transform(recordings, signal)
    assert len(table.columns) == 10
    for colour in SIMPLE["colours"]:
        for name, spec in SIMPLE["features"].items():
            expected = [_naive(recordings, signal, row, colour, spec) for row in range(len(recordings))]
            assert np.allclose(table[f"{colour.capitalize()}_{name}"], expected, rtol=1e-9)


@pytest.mark.parametrize("statistic", sorted(REDUCE))
def test_statistics_equal_numpys(statistic: str) -> None:
    recordings, signal = _jittered()
    spec = {"reference": "onset", "window_s": [-2, 1], "statistic": statistic, "unit": "%"}
    column = WindowedFeatures(colours=["blue"], features={"F": spec}).transform(recordings, signal)["Blue_F"]
    assert np.allclose(column, [_naive(recordings, signal, row, "blue", spec) for row in range(6)])


def test_windows_hold_both_ends() -> None:
    """Light and window on the grid: the samples at both ends are in, those beside them are not."""
    recordings = make_recordings(1)
    onset = round(RED.onset_s * RATE_HZ)
    spec = {"reference": "onset", "window_s": [0, 1], "statistic": "max", "unit": "%"}
    featurizer = WindowedFeatures(colours=["red"], features={"F": spec})
    for sample, inside in ((onset - 1, 0), (onset, 1), (onset + 30, 1), (onset + 31, 0)):
        signal = np.zeros((1, recordings.n_samples), dtype=np.float32)
        signal[0, sample] = 1
        assert featurizer.transform(recordings, signal)["Red_F"].item() == inside


def test_area_of_a_ramp_is_its_closed_form() -> None:
    recordings = make_recordings(1)
    signal = np.tile(recordings.time, (1, 1)).astype(np.float32)
    spec = {"reference": "offset", "window_s": [0, 12], "statistic": "auc", "unit": "% s"}
    table = WindowedFeatures(colours=["blue", "red"], features={"A": spec}).transform(recordings, signal)
    assert table["Blue_A"].item() == pytest.approx((36.5**2 - 24.5**2) / 2, rel=1e-5)
    # 12 s after red offset the recording is over: the area of what is there, 10.5 s.
    assert table["Red_A"].item() == pytest.approx((66.0**2 - 55.5**2) / 2, rel=1e-5)


@pytest.mark.parametrize(("window", "defined"), [([0, 20.9], True), ([0, 21.2], False), ([11, 12], False)])
def test_a_window_needs_half_of_its_samples_inside_the_recording(window: list[float], defined: bool) -> None:
    recordings = make_recordings(1)
    assert recordings.truth is not None
    spec = {"reference": "offset", "window_s": window, "statistic": "min", "unit": "%"}
    table = WindowedFeatures(colours=["red"], features={"F": spec}).transform(recordings, recordings.truth)
    assert np.isfinite(table["Red_F"].item()) == defined


def test_the_first_light_of_a_colour_counts_and_a_missing_one_leaves_no_value() -> None:
    recordings = make_recordings(2)
    assert recordings.truth is not None
    # at the very end: a light ends the windows of those before it
    twice = (*recordings.stimuli[0], Stimulus("blue", 66, 67))
    other = replace(recordings, stimuli=(twice, (RED,)))
    usual = WindowedFeatures(**SIMPLE).transform(recordings, recordings.truth)
    changed = WindowedFeatures(**SIMPLE).transform(other, recordings.truth)
    assert changed.row(0) == usual.row(0)
    assert np.isnan(changed[1, "Blue_PHASIC"])
    assert changed[1, "Red_PHASIC"] == usual[1, "Red_PHASIC"]


@pytest.mark.parametrize(("second_s", "last_s"), [(60.0, 60.0), (58.0, None)])
def test_a_window_ends_where_the_next_light_comes_on(second_s: float, last_s: float | None) -> None:
    """PIPR_AUC is 12 s from red offset at 55.5 s; 4.5 s of it are less than half, 2.5 s too."""
    recordings = make_recordings(1)
    signal = np.tile(recordings.time, (1, 1)).astype(np.float32)
    spec = {"reference": "offset", "window_s": [0, 8], "statistic": "max", "unit": "%"}
    lit = replace(recordings, stimuli=((*recordings.stimuli[0], Stimulus("white", second_s, second_s + 1)),))
    found = WindowedFeatures(colours=["red"], features={"F": spec}).transform(lit, signal)["Red_F"].item()
    assert np.isnan(found) if last_s is None else found == pytest.approx(last_s)
    # the light itself has its own window, which no light ends
    own = WindowedFeatures(colours=["white"], features={"F": {**spec, "window_s": [0, 5]}}).transform(lit, signal)
    assert own["White_F"].item() == pytest.approx(second_s + 1 + 5, abs=0.04)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"baseline": "pre-bleu"}, "baseline.*Did you mean 'pre-blue'"),
        ({"leakage": "agee"}, "leakage.*Did you mean 'age'"),
        ({"leakage": ["none", "age"]}, "leakage.*exclude"),
        ({"leakage": []}, "leakage.*no list"),
        ({"colours": ["bleu"]}, "colours.*Did you mean 'blue'"),
        ({"options": {"smooth_s": 1}}, "options.smooth_s.*has none"),
        ({"statistic": "speed_min", "options": {"smoth_s": 1}}, "options.smoth_s.*Did you mean 'smooth_s'"),
        ({"statistic": "speed_min", "options": {"smooth_s": 0}}, "options.smooth_s.*no number above 0"),
        ({"statistic": "speed_min", "options": [1]}, "options.*no options"),
        ({"window_s": ["0", "5"]}, "no window"),
        ({"unit": 5}, "unit.*5 is no text"),
        ({"statistic": "minn"}, "statistic.*Did you mean 'min'"),
        ({"reference": "onsett"}, "reference.*Did you mean 'onset'"),
        ({"window": [0, 1]}, "window.*Did you mean 'window_s'"),
        ({"window_s": [5, 0]}, "no window"),
        ({"window_s": 5}, "no window"),
    ],
)
def test_a_broken_definition_is_refused_at_construction(change: dict[str, Any], message: str) -> None:
    spec = {"reference": "onset", "window_s": [0, 5], "statistic": "min", "unit": "%", **change}
    with pytest.raises(ConfigError, match=message):
        WindowedFeatures(colours=["red"], features={"F": spec})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"feature": "G"}, "across.NET.feature.*'G' is unknown"),
        ({"less": "white"}, "across.NET.less.*'white' is unknown"),
        ({"fature": "F"}, "across.NET.fature.*Did you mean 'feature'"),
        ({"leakage": "agee"}, "across.NET.leakage.*Did you mean 'age'"),
    ],
)
def test_a_broken_definition_across_lights_is_refused_at_construction(change: dict[str, Any], message: str) -> None:
    spec = {"reference": "onset", "window_s": [0, 5], "statistic": "min", "unit": "%"}
    across = {"NET": {"feature": "F", "of": "blue", "less": "red", **change}}
    with pytest.raises(ConfigError, match=message):
        WindowedFeatures(colours=["red", "blue"], features={"F": spec}, across=across)


def test_a_definition_that_is_none_is_refused_at_construction() -> None:
    with pytest.raises(ConfigError, match=r"features\.F.*no definition"):
        WindowedFeatures(colours=["red"], features={"F": "min"})  # type: ignore[dict-item]


def test_an_unknown_colour_is_refused_at_construction() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'blue'"):
        WindowedFeatures(**{**SIMPLE, "colours": ["bleu"]})
