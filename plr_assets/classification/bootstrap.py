"""The bootstrap of one pipeline: fit on each resample, predict the subjects that it left out.

Belongs here: running a classifier over given resamples, and the row that each iteration leaves. Does not belong here:
drawing resamples (`resampling`), which is the study's, not the pipeline's; further metrics (`evaluation`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from plr_assets.classification.base import Classifier
from plr_assets.classification.matrix import case_matrix
from plr_assets.classification.resampling import Resamples
from plr_assets.schemas import BOOTSTRAP_RESULTS
from plr_assets.seeds import integer_seed


def bootstrap(
    features: pl.DataFrame,
    cases: pl.DataFrame,
    classifier: Classifier,
    resamples: Resamples,
) -> pl.DataFrame:
    """Table `schemas.BOOTSTRAP_RESULTS`, a row an iteration.

    features    `schemas.FEATURES`; may hold further recordings.
    cases       `schemas.BOOTSTRAP_CASES`, which the indices of `resamples` point to.
    classifier  the parameters; each replicate is a new one, its seed follows from the study's seed and the iteration.

    Raises RecordingError naming recording and feature if a case has no value.
    """
    X, y = case_matrix(features, cases), cases["y_true"].to_numpy()
    rows: list[dict[str, Any]] = []
    for iteration, predicted in enumerate(classifier.out_of_bag(X, y, resamples, replicate_seeds(resamples))):
        test = resamples.test(iteration)
        # Metrics are of what is stored, so that whoever reads the table finds the same numbers.
        y_prob = predicted.astype(np.float32)
        rows.append(
            {
                "iteration": iteration,
                "train_indices": resamples.train(iteration).tolist(),
                "test_indices": test.tolist(),
                "y_true": y[test].tolist(),
                "y_prob": y_prob.tolist(),
                "auroc": auroc(y[test], y_prob),
                "brier": brier(y[test], y_prob),
            }
        )
    return pl.DataFrame(rows, schema=_SCHEMA)


def replicate_seeds(resamples: Resamples) -> list[int]:
    """The seed of each iteration's classifier: of the study's seed and the iteration, whatever the pipeline."""
    return [integer_seed(resamples.seed, "classifier", str(iteration)) for iteration in range(len(resamples))]


def as_seed_dict(results: pl.DataFrame) -> dict[str, list[Any]]:
    """`bootstrap_results` as the plain dict of lists that analysts of the original pickles know."""
    names = ("auroc", "brier", "y_true", "y_prob", "train_indices", "test_indices")
    return {name: results.sort("iteration")[name].to_list() for name in names}


def auroc(y_true: NDArray[np.integer], y_prob: NDArray[np.floating]) -> float:
    """Share of (positive, negative) pairs in the right order, ties half: exact, counted in integers."""
    positive, negative = y_prob[y_true == 1], np.sort(y_prob[y_true == 0])
    below = int(np.searchsorted(negative, positive, side="left").sum())
    not_above = int(np.searchsorted(negative, positive, side="right").sum())
    return float((below + not_above) / (2 * positive.size * negative.size))


def brier(y_true: NDArray[np.integer], y_prob: NDArray[np.floating]) -> float:
    """Mean squared difference of outcome and probability."""
    return float(np.mean(np.square(y_prob.astype(np.float64) - y_true)))


_DTYPES: dict[str, Any] = {
    "int64": pl.Int64,
    "float64": pl.Float64,
    "list[uint16]": pl.List(pl.UInt16),
    "list[uint8]": pl.List(pl.UInt8),
    "list[float32]": pl.List(pl.Float32),
}
_SCHEMA = {column.name: _DTYPES[column.dtype] for column in BOOTSTRAP_RESULTS.columns}
