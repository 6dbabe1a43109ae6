"""Which cases train and which test, iteration by iteration: drawn once a study, shared by all its pipelines.

Belongs here: the cases of a study and their stratified bootstrap by subject. Does not belong here: features or
classifiers: pipelines are compared pair by pair, so nothing of theirs may enter the draw.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from plr_assets.errors import DataError
from plr_assets.seeds import generator

# Indices are stored as uint16.
MOST_CASES = 2**16


@dataclass(frozen=True, eq=False)
class Resamples:
    """`counts` (B, n): how often case j trains in iteration i; 0 = out of bag. `seed` is the study's."""

    counts: NDArray[np.int64]
    seed: int

    def __len__(self) -> int:
        return int(self.counts.shape[0])

    def train(self, iteration: int) -> NDArray[np.uint16]:
        """The cases that train, in order, with repeats."""
        counts = self.counts[iteration]
        return np.repeat(np.arange(counts.size, dtype=np.uint16), counts)

    def test(self, iteration: int) -> NDArray[np.uint16]:
        """The out-of-bag cases, in order."""
        return np.flatnonzero(self.counts[iteration] == 0).astype(np.uint16)


def cases_from(roles: pl.DataFrame, labels: tuple[str, str]) -> pl.DataFrame:
    """Table `schemas.BOOTSTRAP_CASES`: the evaluated recordings of `roles` labelled (negative, positive), in order."""
    negative, positive = labels
    return (
        roles.filter((pl.col("role") == "evaluated") & pl.col("label").is_in([negative, positive]))
        .with_columns((pl.col("label") == positive).cast(pl.Int64).alias("y_true"))
        .with_row_index("case")
        .select(pl.col("case").cast(pl.Int64), "recording", "subject", "y_true")
    )


def resample(subjects: Sequence[str], y: Sequence[int] | NDArray[np.int64], iterations: int, seed: int) -> Resamples:
    """Stratified bootstrap by subject.

    Each iteration draws, within each class, as many subjects as it has, with replacement; all recordings of a subject
    train as often as it was drawn. A draw that leaves a class without an out-of-bag subject cannot be tested and is
    drawn again (with 10 subjects in the class this happens once in 2 750 draws; with 2, every second time). The first
    iterations are the same however many there are. Raises DataError.
    """
    y = np.asarray(y, dtype=np.int64)
    if y.size > MOST_CASES:
        raise DataError("cases", f"{y.size} cases are more than {MOST_CASES}.", "Split the study.")
    names, subject = np.unique(np.asarray(subjects, dtype=np.str_), return_inverse=True)
    strata = _subjects_by_class(names, subject, y)
    draw = generator(seed, "bootstrap")
    counts = np.zeros((iterations, names.size), dtype=np.int64)
    for drawn in counts:
        for stratum in strata:
            drawn[stratum] = _draw_stratum(stratum.size, draw)
    return Resamples(counts=counts[:, subject], seed=seed)


def _draw_stratum(size: int, draw: np.random.Generator) -> NDArray[np.int64]:
    """(size,) how often each subject is drawn; at least one is not."""
    while True:
        counts = np.bincount(draw.integers(size, size=size), minlength=size)
        if (counts == 0).any():
            return counts


def _subjects_by_class(
    names: NDArray[np.str_], subject: NDArray[np.intp], y: NDArray[np.int64]
) -> list[NDArray[np.intp]]:
    strata = [np.unique(subject[y == label]) for label in (0, 1)]
    if (both := np.intersect1d(strata[0], strata[1])).size:
        raise DataError(
            f"subject {names[both[0]]}",
            "its recordings have both labels.",
            "Give all recordings of a person one label.",
        )
    for label, stratum in zip(("negative", "positive"), strata, strict=True):
        if stratum.size < 2:
            raise DataError(
                "cases",
                f"the {label} class has {stratum.size} evaluated subject(s); the bootstrap needs 2 to train and test.",
                "Add labelled subjects.",
            )
    return strata
