"""The blink detector of pupillometry packages."""

from __future__ import annotations

import numpy as np
import pytest

from plr_assets.errors import ConfigError
from plr_assets.outlier_detection.dilation_speed import DilationSpeed, dilation_speed, near_gap
from plr_assets_tests.builders import make_recordings, with_pupil

RECORDINGS = make_recordings(1, seed=3)


def flagged(signal: np.ndarray, **parameters: float) -> list[int]:
    detector = DilationSpeed(**parameters).fit(RECORDINGS)  # type: ignore[arg-type]
    mask = detector.predict(with_pupil(RECORDINGS, 0, signal))[0]
    return np.flatnonzero(mask & ~np.isnan(signal)).tolist()


def calm() -> np.ndarray:
    """Slow enough that no speed lies far above the median."""
    return 10 * np.sin(np.arange(RECORDINGS.n_samples) / 40)


def test_speed_is_the_faster_of_both_sides_per_second() -> None:
    assert dilation_speed(np.array([0.0, 1.0, 3.0]), np.array([5.0, 6.0, 0.0])).tolist() == [1, 3, 3]
    assert dilation_speed(np.array([0.0]), np.array([5.0])).tolist() == [0]


def test_the_threshold_is_the_median_and_sixteen_mad_of_the_speed() -> None:
    signal = RECORDINGS.pupil[0].astype(np.float64)
    at = np.flatnonzero(~np.isnan(signal))
    speed = dilation_speed(at / RECORDINGS.rate_hz, signal[at])
    limit = np.median(speed) + 16 * np.median(np.abs(speed - np.median(speed)))
    edge = near_gap(at / RECORDINGS.rate_hz, 0.075, 0.05)
    expected = at[(speed > limit) | edge].tolist()
    assert expected
    assert flagged(signal) == expected


def test_a_jump_is_flagged_on_both_its_sides_and_a_calm_signal_nowhere() -> None:
    assert flagged(calm()) == []
    jump = calm()
    jump[700] -= 30
    assert flagged(jump) == [699, 700, 701]


def test_samples_within_50_ms_of_a_gap_longer_than_75_ms_are_flagged() -> None:
    """At 30 frames a second one lost frame is a gap of 67 ms, two are one of 100 ms; 50 ms hold two samples."""
    signal = calm()
    signal[300] = np.nan
    signal[500:502] = np.nan
    assert flagged(signal) == [498, 499, 502, 503]
    assert flagged(signal, gap_s=0.06) == [298, 299, 301, 302, 498, 499, 502, 503]
    assert flagged(signal, padding_s=0.0) == [499, 502]


def test_start_and_end_of_a_recording_are_no_gaps() -> None:
    signal = calm()
    signal[:90] = signal[-90:] = np.nan
    assert flagged(signal) == []


def test_a_signal_of_few_levels_gets_finite_scores_and_its_jumps_flagged() -> None:
    steps = np.zeros(RECORDINGS.n_samples)
    steps[1000:] = 1
    assert flagged(steps) == [999, 1000]


def test_the_multiplier_can_be_learned() -> None:
    development = make_recordings(3)
    learned = DilationSpeed(threshold="f1-optimal").fit(development)
    assert learned.threshold_source_ == "development"
    assert DilationSpeed().fit(development).threshold_ == 16


def test_parameters_out_of_range_are_refused() -> None:
    for wrong in ({"mad_multiplier": 0.0}, {"gap_s": -1.0}, {"padding_s": -1.0}):
        with pytest.raises(ConfigError, match=next(iter(wrong))):
            DilationSpeed(**wrong).fit(RECORDINGS)
