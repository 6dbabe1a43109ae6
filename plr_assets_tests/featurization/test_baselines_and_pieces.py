"""What the pupil is relative to, differences between lights, and the samples that a value rests on."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plr_assets.featurization.coverage import feature_coverage
from plr_assets.featurization.pieces import united
from plr_assets.featurization.windowed import WindowedFeatures
from plr_assets.recordings.table import Recordings, Stimulus
from plr_assets.registry import load_registry
from plr_assets_tests.builders import BLUE, RED, make_recordings

EXTENDED = WindowedFeatures(**load_registry().methods["featurization"]["extended"].parameters)
PUBLISHED = WindowedFeatures(**load_registry().methods["featurization"]["baseline"].parameters)
RECORDINGS = replace(make_recordings(5), baseline=np.array([40.0, 33.0, 51.5, 28.0, 60.0]))
assert RECORDINGS.truth is not None
SIGNAL = RECORDINGS.truth


def one(spec: dict[str, Any], colour: str = "red", recordings: Recordings = RECORDINGS) -> np.ndarray[Any, Any]:
    usual = {"reference": "onset", "window_s": [0, 5], "statistic": "mean", "unit": "%"}
    featurizer = WindowedFeatures(colours=[colour], features={"F": {**usual, **spec}})
    return featurizer.transform(recordings, SIGNAL)[f"{colour.capitalize()}_F"].to_numpy()


def diameter(row: int, start_s: float, end_s: float) -> np.ndarray[Any, Any]:
    """In the recordings' unit, from `start_s` to `end_s` of the grid."""
    time = RECORDINGS.time
    inside = (time >= start_s - 1e-9) & (time <= end_s + 1e-9)
    return np.asarray(RECORDINGS.baseline[row] * (1 + SIGNAL[row, inside].astype(np.float64) / 100))


@pytest.mark.parametrize(("baseline", "light"), [("own", RED), ("pre-red", RED), ("pre-blue", BLUE)])
def test_a_light_of_its_own_is_percent_of_the_median_diameter_before_it(baseline: str, light: Stimulus) -> None:
    expected = []
    for row in range(5):
        before = np.median(diameter(row, light.onset_s - 5, light.onset_s))
        expected.append(np.mean((diameter(row, RED.onset_s, RED.onset_s + 5) - before) / before * 100))
    assert np.allclose(one({"baseline": baseline}), expected, rtol=1e-9)


def test_without_baseline_it_is_a_diameter() -> None:
    expected = [np.median(diameter(row, 10.5, 15.5)) for row in range(5)]
    spec = {"window_s": [-5, 0], "statistic": "median", "baseline": "none"}
    assert np.allclose(one(spec, "blue"), expected, rtol=1e-9)
    assert np.allclose(EXTENDED.transform(RECORDINGS, SIGNAL)["Blue_BASELINE_DIAMETER"], expected)


def test_without_the_light_of_its_baseline_a_feature_has_no_value() -> None:
    only_red = replace(RECORDINGS, stimuli=((RED,), *RECORDINGS.stimuli[1:]))
    found = one({"baseline": "pre-blue"}, recordings=only_red)
    assert np.isnan(found).tolist() == [True, False, False, False, False]
    assert np.isfinite(one({"baseline": "own"}, recordings=only_red)).all()


def test_a_pupil_that_was_imputed_away_before_the_light_leaves_no_value() -> None:
    signal = SIGNAL.copy()
    signal[2, 1200:1396] = -100
    table = EXTENDED.transform(RECORDINGS, signal)
    assert np.isnan(table[2, "Red_PIPR_6S"])
    assert np.isnan(table[2, "NET_PIPR_6S"])
    assert np.isfinite(table[2, "Blue_PIPR_6S"])


def test_differences_between_lights_are_those_of_their_columns() -> None:
    table = EXTENDED.transform(RECORDINGS, SIGNAL)
    pairs = {"NET_PIPR_6S": "PIPR_6S", "NET_PIPR_AUC": "PIPR_AUC_EARLY", "NET_SUSTAINED": "SUSTAINED"}
    for net, name in pairs.items():
        assert np.array_equal(table[net], table[f"Blue_{name}"] - table[f"Red_{name}"])


def test_the_published_twelve_have_their_names_and_are_those_of_their_windows() -> None:
    table = PUBLISHED.transform(RECORDINGS, SIGNAL)
    names = ("MAX_CONSTRICTION", "PHASIC", "SUSTAINED", "PIPR", "BASELINE", "PIPR_AUC")
    assert table.columns[2:] == [f"{colour}_{name}" for colour in ("Red", "Blue") for name in names]
    for row in range(5):
        at = RECORDINGS.time
        for colour, light in (("Red", RED), ("Blue", BLUE)):
            after, before = at >= light.offset_s - 1e-9, at >= light.onset_s - 5 - 1e-9
            pipr = SIGNAL[row, after & (at <= light.offset_s + 15 + 1e-9)]  # 10.5 s of it after red
            rest = SIGNAL[row, before & (at <= light.onset_s + 1e-9)]
            assert table[row, f"{colour}_PIPR"] == pytest.approx(pipr.min())
            assert table[row, f"{colour}_BASELINE"] == pytest.approx(np.median(rest))


# -- samples -----------------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    edges=st.lists(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), min_size=3, max_size=3), min_size=1),
    defined=st.data(),
)
def test_united_windows_hold_the_same_samples_in_runs_that_do_not_touch(
    edges: list[list[tuple[int, int]]], defined: st.DataObject
) -> None:
    """`edges`: a row of three windows each, empty where they end before they start."""
    rows = len(edges)
    known = np.array(defined.draw(st.lists(st.booleans(), min_size=rows, max_size=rows)))
    windows = [(np.array([row[k][0] for row in edges]), np.array([max(row[k]) for row in edges])) for k in range(3)]
    pieces = united(windows, known)
    for row in range(rows):
        wanted = {i for start, stop in windows for i in range(start[row], stop[row])} if known[row] else set()
        runs = [range(start[row], stop[row]) for start, stop in pieces if stop[row] > start[row]]
        assert sorted(i for run in runs for i in run) == sorted(wanted)
        assert all(not ({run[0] - 1, run[-1] + 1} & wanted) for run in runs)


@pytest.mark.parametrize("seed", range(4))
def test_coverage_is_that_of_all_samples_of_a_feature_and_a_gap_that_spans_windows_is_one(seed: int) -> None:
    rng = np.random.default_rng(seed)
    mask = RECORDINGS.dropout
    for row in range(5):
        for start in rng.integers(0, RECORDINGS.n_samples - 400, size=6):
            mask[row, start : start + rng.integers(3, 400)] = True
    windows = EXTENDED.windows(RECORDINGS)
    for told in feature_coverage(EXTENDED, RECORDINGS, mask, 1.0).iter_rows(named=True):
        row = RECORDINGS.recording.index(told["recording"])
        inside = np.zeros(RECORDINGS.n_samples, dtype=np.bool_)
        for start, stop in windows[told["feature"]]:
            inside[start[row] : stop[row]] = True
        imputed = [is_masked and is_inside for is_masked, is_inside in zip(mask[row], inside, strict=True)]
        longest = max((len(list(run)) for gap, run in groupby(imputed) if gap), default=0)
        assert told["coverage"] == pytest.approx(1 - sum(imputed) / inside.sum(), abs=1e-12)
        assert told["longest_gap_s"] == pytest.approx(longest / 30, abs=1e-12)


def test_the_baseline_of_a_feature_belongs_to_its_samples() -> None:
    """Red's own baseline from 41.5 to 46.5 s, and the second around 6 s after its end at 55.5 s."""
    pieces = EXTENDED.windows(RECORDINGS)["Red_PIPR_6S"]
    runs = [(int(start[0]), int(stop[0])) for start, stop in pieces]
    assert runs == [(1245, 1396), (1830, 1861)]
    net = EXTENDED.windows(RECORDINGS)["NET_PIPR_6S"]
    assert [(int(a[0]), int(b[0])) for a, b in net] == [(315, 466), (900, 931), *runs]
