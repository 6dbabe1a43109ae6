"""The classic detectors as a short script would call the library, recording by recording, in two processes.

Belongs here: those scripts; nothing of the product, so that their processes import only the library. Does not belong
here: timing (`outlier_detection`).
"""

from __future__ import annotations

import logging
import multiprocessing
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor

import numpy as np
from numpy.typing import NDArray

Signal = NDArray[np.float64]

RATE_HZ = 30.0


def in_processes(name: str, signals: list[Signal], share: float, processes: int) -> list[Signal]:
    """The scores of the observed samples of each of the `signals` (T,), NaN at dropouts."""
    # a chunk for each process and 8 rounds, as the product does
    size = max(1, len(signals) // (8 * processes))
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        return list(pool.map(PLAIN[name], signals, [share] * len(signals), chunksize=size))


def one_class_svm(signal: Signal, share: float) -> Signal:
    from sklearn.svm import OneClassSVM

    column = signal[~np.isnan(signal)][:, None]
    return -np.asarray(OneClassSVM(nu=share).fit(column).decision_function(column))


def prophet(signal: Signal, _: float) -> Signal:
    import pandas as pd
    from prophet import Prophet

    logging.disable(logging.INFO)
    dates = pd.Timestamp("2000-01-01") + pd.to_timedelta(np.arange(signal.size) / RATE_HZ, unit="s")
    found = Prophet(changepoint_prior_scale=0.1).fit(pd.DataFrame({"ds": dates, "y": signal})).predict()
    width = found["yhat_upper"] - found["yhat_lower"]
    return np.asarray(np.abs(signal[~np.isnan(signal)] - found["yhat"]) / width)


def sub_pca(signal: Signal, _: float) -> Signal:
    from scipy.signal import argrelextrema
    from scipy.spatial.distance import cdist
    from sklearn.decomposition import PCA
    from sklearn.preprocessing import StandardScaler
    from statsmodels.tsa.stattools import acf

    known = np.flatnonzero(~np.isnan(signal))
    bridged = np.interp(np.arange(signal.size), known, signal[known])
    correlation = acf(bridged, nlags=400, fft=True)
    peaks = argrelextrema(correlation[3:], np.greater)[0] + 3
    highest = peaks[np.argmax(correlation[peaks])] if peaks.size else 0
    window = int(highest) if 6 <= highest <= 303 else 125
    windows = StandardScaler().fit_transform(np.lib.stride_tricks.sliding_window_view(bridged, window))
    pca = PCA().fit(windows)
    scores = (cdist(windows, pca.components_) / pca.explained_variance_ratio_).sum(axis=1)
    scores = np.pad(scores, (window // 2, (window - 1) // 2), mode="edge")
    scores = (scores - scores.min()) / np.ptp(scores)
    return np.asarray(scores[known])


PLAIN: Mapping[str, Callable[[Signal, float], Signal]] = {
    "OneClassSVM": one_class_svm,
    "PROPHET": prophet,
    "SubPCA": sub_pca,
}
