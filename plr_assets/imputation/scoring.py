"""How far imputed values are from ground truth: one scorer for all imputers.

Belongs here: errors on masked samples. Errors on unmasked ones say how noisy the recording was, not how good the
imputer is. Does not belong here: errors of features.
"""

from __future__ import annotations

import numpy as np

from plr_assets.recordings.table import Mask, Recordings, Signal


def score_imputation(signal: Signal, mask: Mask, recordings: Recordings) -> dict[str, float]:
    """`masked_share` always; `mae`, `rmse` and `bias` (imputed - truth), in %, where there is ground truth.

    They pool the masked samples of all recordings; NaN where nothing is masked.
    """
    if not signal.shape == mask.shape == recordings.pupil.shape:
        raise ValueError(f"shapes differ: signal {signal.shape}, mask {mask.shape}, {recordings.pupil.shape}")
    found = {"masked_share": float(mask.mean())}
    if recordings.truth is None:
        return found
    error = signal[mask].astype(np.float64) - recordings.truth[mask]
    if error.size == 0:
        return {**found, "mae": float("nan"), "rmse": float("nan"), "bias": float("nan")}
    return {
        **found,
        "mae": float(np.abs(error).mean()),
        "rmse": float(np.sqrt(np.square(error).mean())),
        "bias": float(error.mean()),
    }
