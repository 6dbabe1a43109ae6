"""Sub-PCA: windows of a recording that lie far out along the directions in which its windows hardly vary.

Belongs here: the detector of the benchmark TSB-AD (Liu & Paparrizos 2024) on scikit-learn's PCA, because the package
itself asks for numpy below 2. Does not belong here: other detectors of windows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plr_assets.outlier_detection.thresholds import ThresholdDetector
from plr_assets.recordings.table import Recordings

# TSB-AD looks for the period among 400 lags, leaves out the first three, and believes a peak only from the 6th lag to
# the 303rd: at 30 frames a second 0.2 to 10.1 s.
_LAGS = 400
_FIRST_LAG = 3
_SHORTEST, _LONGEST = 6, 303


@dataclass(eq=False, kw_only=True)
class SubPCA(ThresholdDetector):
    """Sum over all principal components of a window's distance to them, divided by the variance they explain.

    The window is as long as the lag of the highest peak of the recording's autocorrelation. Windows start at every
    sample, and each position in them is standardised. The score of a window goes to the sample in its middle, the first
    and the last are repeated to the ends, and the recording's scores are stretched to [0, 1].

    As in TSB-AD (and PyOD, where it comes from), the distance is the one between the window and the unit vector of the
    component, both as points. It differs little between components, so that the score mostly follows the length of
    the standardised window: how far the window as a whole is from the recording's mean one.

    A dropout is bridged by a straight line, or the nearest sample at the ends, so that there are windows at all; no
    ground truth enters. What is computed at dropouts is ignored. Nothing is learned from other recordings but the
    threshold. One recording of 1981 samples takes 20 to 100 ms. A recording shorter than two windows, or of one
    repeated amplitude, scores 0 everywhere.
    """

    fallback_window: int = 125
    cutoff: float = 0.5

    @property
    def declared_threshold(self) -> float:
        return float(self.cutoff)

    def _fit(self, development: Recordings) -> None:  # noqa: ARG002 - only the threshold is learned
        self._require("fallback_window", self.fallback_window >= 2, "a window needs two samples")
        self._require("cutoff", 0 <= self.cutoff < 1, "must be in [0, 1)")

    def _score(self, signal: NDArray[np.float64], rate_hz: float) -> NDArray[np.float64]:  # noqa: ARG002
        bridged = bridge(signal)
        if np.ptp(bridged) == 0:
            return np.zeros(signal.size)
        window = period(bridged) or self.fallback_window
        if bridged.size < 2 * window:
            return np.zeros(signal.size)
        scores = window_scores(np.lib.stride_tricks.sliding_window_view(bridged, window))
        scores -= scores.min()
        highest = scores.max()
        if highest > 0:
            scores /= highest
        return np.pad(scores, (window // 2, (window - 1) // 2), mode="edge")


def bridge(signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """The signal (T,) with a straight line through each run of NaN, and its nearest sample at the ends."""
    known = np.flatnonzero(~np.isnan(signal))
    return np.interp(np.arange(signal.size), known, signal[known])


def period(signal: NDArray[np.float64]) -> int | None:
    """The lag (samples) of the highest peak of the autocorrelation of a signal (T,); None without a credible one."""
    centred = signal - signal.mean()
    # padded with zeros: else the end of the signal is correlated with its beginning
    spectrum = np.fft.rfft(centred, 2 * signal.size)
    correlation = np.fft.irfft(spectrum * spectrum.conj())[_FIRST_LAG : min(_LAGS, signal.size - 1) + 1]
    inner = correlation[1:-1]
    peaks = np.flatnonzero((inner > correlation[:-2]) & (inner > correlation[2:])) + 1
    if peaks.size == 0:
        return None
    lag = int(peaks[np.argmax(correlation[peaks])]) + _FIRST_LAG
    return lag if _SHORTEST <= lag <= _LONGEST else None


def window_scores(windows: NDArray[np.float64]) -> NDArray[np.float64]:
    """(m,) the weighted sum of distances of each of the `windows` (m, w) to their principal components."""
    from sklearn.decomposition import PCA

    spread = windows.std(axis=0)
    standard = (windows - windows.mean(axis=0)) / np.where(spread > 0, spread, 1)
    # The eigenvalues of the covariance: 10 times as fast as a decomposition of the windows themselves, and exact to
    # 1e-15 of the largest, far below the noise of any camera.
    pca = PCA(svd_solver="covariance_eigh").fit(standard)
    # A direction without variance up to rounding has no weight of its own: it would drown all others with 1 / 0.
    real = pca.explained_variance_ > pca.explained_variance_[0] * max(standard.shape) * np.finfo(np.float64).eps
    weight = 1 / pca.explained_variance_ratio_[real]
    # |x - c|^2 = |x|^2 + 1 - 2 x.c, as the components are unit vectors
    squared = (standard**2).sum(axis=1)[:, None] + 1 - 2 * standard @ pca.components_[real].T
    return np.asarray(np.sqrt(np.maximum(squared, 0)) @ weight)
