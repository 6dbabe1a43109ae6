"""Out-of-bag predictions as one matrix, read from the bootstrap tables and checked.

Belongs here: `bootstrap_results` + `bootstrap_cases` -> arrays, and the proof that nothing tested was trained on. Does
not belong here: any metric. The tables may come from a run that others logged, so nothing about them is taken on trust.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from plr_assets.errors import DataError
from plr_assets.evaluation.estimate import Codes, Labels

_REMEDY = "Run the classification of this pipeline again, or mend the run that was adopted."


@dataclass(frozen=True, eq=False)
class OutOfBag:
    """`n` recordings, `B` iterations.

    recording    (n,) ids, in the order of `case`.
    subject      (n,) codes.
    y            (n,) true for the positive class.
    p            (B, n) float32 as stored, NaN where the recording was in bag.
    drawn        (B, S) how often each subject was in the bag.
    """

    recording: tuple[str, ...]
    subject: Codes
    y: Labels
    p: NDArray[np.float32]
    drawn: NDArray[np.float64]

    @property
    def counts(self) -> NDArray[np.int64]:
        """(n,) iterations in which the recording was out of bag."""
        counts: NDArray[np.int64] = np.count_nonzero(~np.isnan(self.p), axis=0).astype(np.int64)
        return counts

    def mean_and_sd(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(n,) mean out-of-bag probability (`bagged`) and standard deviation over iterations (NaN with one)."""
        known, counts = ~np.isnan(self.p), self.counts
        # float64 sums of equal float32 values are exact (24 of 53 bits, < 2^29 iterations): recordings that always get
        # the same probability keep it to the last bit, and ranks and logits are not made of rounding.
        values = np.where(known, self.p, 0).astype(np.float64)
        mean = values.sum(axis=0) / counts
        squares = np.where(known, (values - mean) ** 2, 0.0).sum(axis=0)
        variance = np.divide(squares, counts - 1, out=np.full(counts.size, np.nan), where=counts > 1)
        return mean, np.sqrt(variance)


def read_out_of_bag(bootstrap: pl.DataFrame, cases: pl.DataFrame, *, pipeline: str) -> OutOfBag:
    """The matrix of a pipeline. Raises DataError, naming iteration or recording, where they contradict each other."""

    def refuse(where: str, problem: str) -> DataError:
        return DataError(f"{pipeline}: {where}", problem, _REMEDY)

    bootstrap, cases = bootstrap.sort("iteration"), cases.sort("case")
    n, iterations = len(cases), bootstrap["iteration"].to_numpy()
    y = cases["y_true"].to_numpy().astype(bool)
    if not np.array_equal(cases["case"].to_numpy(), np.arange(n)):
        raise refuse("bootstrap_cases", "`case` does not count 0, 1, 2 ... through the recordings.")
    if iterations.size == 0:
        raise refuse("bootstrap_results", "it holds no iteration.")
    if y.all() or not y.any():
        raise refuse("bootstrap_cases", "it holds one class only; nothing can be evaluated.")
    subject = np.unique(cases["subject"].to_numpy(), return_inverse=True)[1].astype(np.intp)

    tested_row, tested = _entries(bootstrap, "test_indices")
    trained_row, trained = _entries(bootstrap, "train_indices")
    _, truth = _entries(bootstrap, "y_true")
    _, prob = _entries(bootstrap, "y_prob")
    lengths = bootstrap.select(pl.col("test_indices", "y_true", "y_prob").list.len())
    uneven = lengths.select((pl.col("test_indices") != pl.col("y_true")) | (pl.col("test_indices") != pl.col("y_prob")))
    rules: tuple[tuple[NDArray[np.intp], str], ...] = (
        (np.flatnonzero(uneven.to_series()), "test_indices, y_true and y_prob differ in length."),
        (tested_row[tested >= n], f"test_indices point beyond the {n} cases."),
        (trained_row[trained >= n], f"train_indices point beyond the {n} cases."),
    )
    for rows, problem in rules:
        if rows.size:
            raise refuse(f"iteration {iterations[rows[0]]}", problem)

    shape = iterations.size, int(subject.max()) + 1
    times = np.bincount(trained_row * shape[1] + subject[trained], minlength=shape[0] * shape[1]).reshape(shape)
    in_bag = times > 0
    cell = tested_row * n + tested
    repeated = np.bincount(cell, minlength=iterations.size * n)[cell] > 1
    rules = (
        (tested_row[repeated], "a case is tested twice."),
        (tested_row[truth != y[tested]], "y_true contradicts the class of bootstrap_cases."),
        (tested_row[~((prob >= 0) & (prob <= 1))], "y_prob is NaN or outside 0..1."),
        (tested_row[in_bag[tested_row, subject[tested]]], "a subject is both trained on and tested."),
    )
    for rows, problem in rules:
        if rows.size:
            raise refuse(f"iteration {iterations[rows[0]]}", problem)

    p = np.full((iterations.size, n), np.nan, dtype=np.float32)
    p[tested_row, tested] = prob
    known = ~np.isnan(p)
    recording = tuple(cases["recording"])
    never = np.flatnonzero(~known.any(axis=0))
    if never.size:
        raise DataError(
            f"{pipeline}: recording {recording[never[0]]}",
            f"it was never out of bag in {iterations.size} iterations, nor were {never.size - 1} others.",
            "Raise bootstrap.iterations in the study.",
        )
    lacking = np.flatnonzero(~(known[:, y].any(axis=1) & known[:, ~y].any(axis=1)))
    if lacking.size:
        raise refuse(f"iteration {iterations[lacking[0]]}", "the out-of-bag recordings are of one class.")
    # a subject that is drawn once brings all its recordings
    return OutOfBag(recording, subject, y, p, times / np.bincount(subject))


def _entries(frame: pl.DataFrame, column: str) -> tuple[NDArray[np.intp], NDArray[Any]]:
    """A list column, flattened: the row of each entry, and the entry."""
    lengths = frame[column].list.len().to_numpy()
    values = frame[column].filter(frame[column].list.len() > 0).explode().to_numpy()
    if values.dtype.kind in "ui":
        values = values.astype(np.intp)
    return np.repeat(np.arange(lengths.size), lengths), values
