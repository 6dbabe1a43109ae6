"""How far imputed values are from ground truth: one scorer for all imputers.

Belongs here: metrics of errors pooled over recordings, with their intervals. Does not belong here: summing errors
(`errors`), drawing resamples (`subject_bootstrap`), errors of features (`featurization.scoring`).
"""

from __future__ import annotations

import numpy as np
import polars as pl

from plr_assets.imputation.errors import Imputed, Numbers, measures, sum_errors
from plr_assets.recordings.table import Recordings
from plr_assets.subject_bootstrap import percentile_interval, subject_index, subject_weights

_SCHEMA = {
    "stratum": pl.String,
    "metric": pl.String,
    "value": pl.Float64,
    "lower": pl.Float64,
    "upper": pl.Float64,
    "n": pl.Int64,
}


def score_imputation(imputed: Imputed, recordings: Recordings, *, seed: int, n_resamples: int = 1000) -> pl.DataFrame:
    """A row a stratum and metric: stratum, metric, value, lower, upper, n.

    Strata are those of `errors.sum_errors`, metrics those of `errors.measures`: `mae`, `rmse` and `bias` (imputed -
    truth), in %, over the masked samples of all recordings, and with a band `coverage_90`, which is 0.9 of a band that
    is right, and `band_width`, in %. `masked_share` is of all samples. Without ground truth it stands alone.

    lower, upper   95 % percentile interval of a bootstrap by subject (`n_resamples` draws).
    n              masked samples of the stratum; of `masked_share`, all samples.
    Null where undefined: nothing masked, an interval of one subject. Raises ValueError if shapes differ.
    """
    if imputed.mask.shape != recordings.pupil.shape:
        raise ValueError(f"mask has shape {imputed.mask.shape}, recordings {recordings.pupil.shape}")
    subject, n_subjects = subject_index(recordings.subject)
    weights = subject_weights(n_subjects, n_resamples, seed)
    rows: list[tuple[str, str, float, float, float, int]] = []

    def add(stratum: str, metric: str, values: Numbers, n: int) -> None:
        rows.append((stratum, metric, float(values[0]), *percentile_interval(values, n_subjects), n))

    def pooled(per_recording: Numbers) -> Numbers:
        """(1 + n_resamples,)"""
        return np.asarray(weights @ np.bincount(subject, weights=per_recording, minlength=n_subjects))

    samples = pooled(np.full(len(recordings), float(recordings.n_samples)))
    add("all", "masked_share", pooled(imputed.mask.sum(axis=1).astype(np.float64)) / samples, imputed.mask.size)
    if recordings.truth is not None:
        for stratum, sums in sum_errors(imputed, recordings).items():
            for metric, values in measures({name: pooled(each) for name, each in sums.items()}).items():
                add(stratum, metric, values, int(sums["n"].sum()))
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row").with_columns(
        pl.col("value", "lower", "upper").fill_nan(None)
    )
