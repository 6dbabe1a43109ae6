"""The bootstrap of one pipeline: fit on each resample, predict the subjects that it left out.

Belongs here: running a classifier over given resamples, the row that each iteration leaves, and building the model of
an iteration again. Does not belong here: drawing resamples (`resampling`), which is the study's, not the pipeline's;
further metrics (`evaluation`).
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from plr_assets.classification.base import Classifier
from plr_assets.classification.matrix import case_matrix
from plr_assets.classification.metrics import auroc_each, brier_each
from plr_assets.classification.resampling import Resamples
from plr_assets.schemas import BOOTSTRAP_RESULTS
from plr_assets.seeds import integer_seed

AnyClassifier = TypeVar("AnyClassifier", bound=Classifier)


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

    No fitted replicate is kept: `refit` builds any of them again. Raises RecordingError naming recording and feature
    if a case has no value.
    """
    X, y = case_matrix(features, cases), cases["y_true"].to_numpy()
    iteration, tested = np.nonzero(resamples.counts == 0)
    predicted = classifier.out_of_bag(X, y, resamples, replicate_seeds(resamples))
    # Metrics are of what is stored, so that whoever reads the table finds the same numbers.
    y_prob = np.concatenate([np.asarray(one, dtype=np.float32) for one in predicted])
    y_true = y[tested].astype(np.uint8)
    lengths = np.bincount(iteration, minlength=len(resamples))
    trained = np.tile(np.arange(y.size, dtype=np.uint16), len(resamples))
    columns = {
        "iteration": np.arange(len(resamples), dtype=np.int64),
        "train_indices": _lists(np.repeat(trained, resamples.counts.ravel()), resamples.counts.sum(axis=1)),
        "test_indices": _lists(tested.astype(np.uint16), lengths),
        "y_true": _lists(y_true, lengths),
        "y_prob": _lists(y_prob, lengths),
        "auroc": auroc_each(y_true, y_prob, lengths),
        "brier": brier_each(y_true, y_prob, lengths),
    }
    return pl.DataFrame({column.name: columns[column.name] for column in BOOTSTRAP_RESULTS.columns})


def refit(
    features: pl.DataFrame, cases: pl.DataFrame, classifier: AnyClassifier, resamples: Resamples, iteration: int
) -> AnyClassifier:
    """The fitted model of an iteration of `bootstrap`, whose predictions are those that it stored, to the last bit.

    Arguments as those of `bootstrap`, iteration from 0. Raises RecordingError as `bootstrap` does, IndexError.
    """
    if not 0 <= iteration < len(resamples):
        raise IndexError(f"iteration {iteration} of {len(resamples)}")
    X, y = case_matrix(features, cases), cases["y_true"].to_numpy()
    return classifier.fit_resample(X, y, resamples.counts[iteration], _replicate_seed(resamples, iteration))


def replicate_seeds(resamples: Resamples) -> list[int]:
    """The seed of each iteration's classifier: of the study's seed and the iteration, whatever the pipeline."""
    return [_replicate_seed(resamples, iteration) for iteration in range(len(resamples))]


def as_seed_dict(results: pl.DataFrame) -> dict[str, list[Any]]:
    """`bootstrap_results` as the plain dict of lists that analysts of the original pickles know."""
    names = ("auroc", "brier", "y_true", "y_prob", "train_indices", "test_indices")
    return {name: results.sort("iteration")[name].to_list() for name in names}


def _replicate_seed(resamples: Resamples, iteration: int) -> int:
    return integer_seed(resamples.seed, "classifier", str(iteration))


def _lists(values: NDArray[Any], lengths: NDArray[np.int64]) -> pl.Series:
    """A list column: `values`, cut into `lengths`. Through Python lists it took 16 ms for 1000 x 208, here 6."""
    rows = pl.DataFrame({"row": np.repeat(np.arange(lengths.size), lengths), "values": values})
    return rows.group_by("row", maintain_order=True).agg("values")["values"]
