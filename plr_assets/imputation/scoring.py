"""How far imputed values are from ground truth: one scorer for all imputers.

Belongs here: metrics of errors pooled over recordings, with their intervals. Does not belong here: summing errors
(`errors`), drawing resamples (`subject_bootstrap`), errors of features (`featurization.scoring`).
"""

from __future__ import annotations

import numpy as np
import polars as pl

from plr_assets.imputation.errors import Imputed, measures, sum_errors
from plr_assets.pooled_scores import PooledScores
from plr_assets.recordings.table import Recordings


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
    scores = PooledScores("stratum", recordings.subject, seed=seed, n_resamples=n_resamples)
    samples = scores.pooled(np.full(len(recordings), float(recordings.n_samples)))
    masked = scores.pooled(imputed.mask.sum(axis=1).astype(np.float64))
    scores.add("all", "masked_share", masked / samples, imputed.mask.size)
    if recordings.truth is not None:
        for stratum, sums in sum_errors(imputed, recordings).items():
            for metric, values in measures({name: scores.pooled(each) for name, each in sums.items()}).items():
                scores.add(stratum, metric, values, int(sums["n"].sum()))
    return scores.frame()


def with_changed(scores: pl.DataFrame, changed: int, unmasked: int) -> pl.DataFrame:
    """`score_imputation` and a row `changed_samples`: how many of the `unmasked` samples differ from the recording."""
    row = {"stratum": "all", "metric": "changed_samples", "value": float(changed), "lower": None, "upper": None}
    return pl.concat([scores, pl.DataFrame(row | {"n": unmasked}, schema=scores.schema)])
