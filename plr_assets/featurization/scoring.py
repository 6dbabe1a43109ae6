"""What imputation does to features: their error against ground truth, and how much of them was imputed.

Belongs here: metrics of features pooled over recordings, with their intervals. Does not belong here: errors of the
signal itself (`imputation.scoring`), or what a classifier makes of features.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from plr_assets.featurization.base import Featurizer
from plr_assets.pooled_scores import Numbers, PooledScores
from plr_assets.recordings.table import Mask, Recordings, Signal


def score_features(
    featurizer: Featurizer,
    recordings: Recordings,
    signal: Signal,
    mask: Mask,
    coverage: pl.DataFrame,
    *,
    seed: int,
    n_resamples: int = 1000,
) -> pl.DataFrame:
    """A row a feature and metric: feature, metric, value, lower, upper, n.

    featurizer    fitted.
    signal, mask  (n, T): %, without gaps, and what was imputed in it.
    coverage      `schemas.FEATURE_COVERAGE` of these recordings.

    Metrics, in the feature's unit. With ground truth: `mae` and `bias` against the feature of ground truth, which is
    all that recording and cleaning do to it; `imputation_mae` and `imputation_bias` against the feature of the same
    signal with ground truth at masked samples, which is what imputation does to it; `truth_sd`, the standard deviation
    of the true feature, which tells whether that is much. Always: `coverage` (share of the window that was recorded)
    and `flagged_share` (of recordings).

    lower, upper   95 % percentile interval of a bootstrap by subject (`n_resamples` draws).
    n              recordings in which the feature has a value.
    Null where undefined. Raises ValueError if shapes or recordings differ.
    """
    if not signal.shape == mask.shape == recordings.pupil.shape:
        raise ValueError(f"shapes differ: signal {signal.shape}, mask {mask.shape}, {recordings.pupil.shape}")
    scores = PooledScores("feature", recordings.subject, seed=seed, n_resamples=n_resamples)

    def mean(per_recording: Numbers) -> tuple[Numbers, int]:
        """(1 + n_resamples,) means over the recordings that have a number, and how many have."""
        known = np.isfinite(per_recording)
        total, n = scores.pooled(np.where(known, per_recording, 0.0)), scores.pooled(known.astype(np.float64))
        return np.asarray(np.divide(total, n, out=np.full(n.shape, np.nan), where=n > 0)), int(known.sum())

    found = featurizer.transform(recordings, signal)
    names = found.columns[2:]
    references: dict[str, pl.DataFrame] = {}
    if recordings.truth is not None:
        spliced = np.where(mask, recordings.truth, signal)
        references = {
            "": featurizer.transform(recordings, recordings.truth),
            "imputation_": featurizer.transform(recordings, spliced),
        }
    seen = coverage.with_columns(pl.col("flagged").cast(pl.Float64)).partition_by("feature", as_dict=True)
    for name in names:
        for prefix, reference in references.items():
            error = found[name].to_numpy() - reference[name].to_numpy()
            scores.add(name, f"{prefix}mae", *mean(np.abs(error)))
            scores.add(name, f"{prefix}bias", *mean(error))
        if references:
            true = references[""][name].to_numpy()
            # about a common centre, so that the difference of squares loses no digits
            centred = true - np.nanmean(true) if np.isfinite(true).any() else true
            (first, n), (second, _) = mean(centred), mean(np.square(centred))
            scores.add(name, "truth_sd", np.sqrt(np.maximum(second - np.square(first), 0.0)), n)
        own = seen[(name,)]
        if tuple(own["recording"]) != recordings.recording:
            raise ValueError("the table of coverage is of other recordings")
        share = own["coverage"].fill_null(float("nan")).to_numpy()
        scores.add(name, "coverage", *mean(share))
        scores.add(name, "flagged_share", *mean(np.where(np.isnan(share), np.nan, own["flagged"].to_numpy())))
    return scores.frame()


def feature_error(scores: pl.DataFrame) -> float | None:
    """One number of `score_features`: the mean over features of `imputation_mae` / `truth_sd`; None without truth."""
    wide = scores.filter(pl.col("metric").is_in(["imputation_mae", "truth_sd"])).pivot(
        on="metric", index="feature", values="value"
    )
    if "truth_sd" not in wide.columns:
        return None
    shares = wide.filter(pl.col("truth_sd") > 0).select(pl.col("imputation_mae") / pl.col("truth_sd")).to_series()
    mean = shares.drop_nulls().mean()
    return None if mean is None else float(mean)  # type: ignore[arg-type]
