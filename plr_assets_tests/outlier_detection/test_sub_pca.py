"""SubPCA as a detector."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from plr_assets.errors import ConfigError
from plr_assets.outlier_detection.sub_pca import SubPCA, bridge, period, window_scores
from plr_assets_tests.builders import make_recordings, with_pupil

RECORDINGS = make_recordings(2, seed=3)


def test_scores_are_those_of_the_benchmarks_definition() -> None:
    """Written out with scikit-learn's full decomposition and plain distances."""
    from sklearn.decomposition import PCA
    from sklearn.preprocessing import StandardScaler

    signal = bridge(RECORDINGS.pupil[0].astype(np.float64))
    window = period(signal) or 125
    windows = StandardScaler().fit_transform(np.lib.stride_tricks.sliding_window_view(signal, window))
    pca = PCA(svd_solver="full").fit(windows)
    expected = (cdist(windows, pca.components_) / pca.explained_variance_ratio_).sum(axis=1)
    expected = np.r_[[expected[0]] * math.ceil((window - 1) / 2), expected, [expected[-1]] * ((window - 1) // 2)]
    expected = (expected - expected.min()) / np.ptp(expected)
    found = SubPCA().fit(RECORDINGS).decision_function(RECORDINGS)[0]
    observed = ~np.isnan(found)
    np.testing.assert_allclose(found[observed], expected[observed], atol=1e-6)


@pytest.mark.parametrize("lag", [7, 45, 150])
def test_the_window_is_the_period_of_a_periodic_signal(lag: int) -> None:
    noise = np.random.default_rng(0).normal(0, 0.01, 1981)
    assert period(np.sin(2 * np.pi * np.arange(1981) / lag) + noise) == pytest.approx(lag, abs=1)


def test_the_period_is_that_of_the_field_s_autocorrelation() -> None:
    from scipy.signal import argrelextrema
    from statsmodels.tsa.stattools import acf

    for row in RECORDINGS.pupil:
        signal = bridge(row.astype(np.float64))
        correlation = acf(signal, nlags=400, fft=True)
        peaks = argrelextrema(correlation[3:], np.greater)[0] + 3
        highest = max(peaks, key=lambda lag: correlation[lag])
        assert period(signal) == (highest if 6 <= highest <= 303 else None)


def test_a_signal_without_a_peak_takes_the_fallback() -> None:
    rising = np.linspace(0, 1, 1981)
    assert period(rising) is None
    recordings = with_pupil(RECORDINGS, 0, rising + np.where(np.arange(1981) == 900, 5, 0))
    scores = SubPCA(fallback_window=99).fit(RECORDINGS).decision_function(recordings)[0]
    assert scores.max() == 1
    assert abs(int(np.argmax(scores)) - 900) <= 50


def test_dropouts_are_bridged_by_straight_lines_and_held_at_the_ends() -> None:
    nan = np.nan
    assert bridge(np.array([nan, 2.0, nan, nan, 5.0, nan])).tolist() == [2, 2, 3, 4, 5, 5]


def test_directions_without_variance_do_not_drown_the_others() -> None:
    """A sine has two directions; the other 28 hold rounding, and 1 / rounding is noise."""
    windows = np.lib.stride_tricks.sliding_window_view(np.sin(np.arange(400) / 5), 30)
    once, again = (
        window_scores(windows),
        window_scores(windows + 1e-13 * np.random.default_rng(0).normal(size=windows.shape)),
    )
    np.testing.assert_allclose(once, again, rtol=1e-6)


def test_a_recording_shorter_than_two_windows_has_no_outlier() -> None:
    short = make_recordings(1, n_samples=100)
    scores = SubPCA(fallback_window=60).fit(RECORDINGS)
    rising = with_pupil(short, 0, np.arange(100.0))
    assert not scores.decision_function(rising).any()
    assert not scores.predict(rising).any()


def test_parameters_out_of_range_are_refused() -> None:
    for wrong in ({"fallback_window": 1}, {"cutoff": 1.0}):
        with pytest.raises(ConfigError, match=next(iter(wrong))):
            SubPCA(**wrong).fit(RECORDINGS)  # type: ignore[arg-type]
