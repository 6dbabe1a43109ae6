"""Scores pooled over recordings, with intervals of the bootstrap by subject, as tables.

Belongs here: the form that the scores of detectors, imputers and features have in common. Does not belong here: a
metric, or drawing resamples (`subject_bootstrap`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from plr_assets.subject_bootstrap import percentile_interval, subject_index, subject_weights

Numbers = NDArray[np.float64]

_NUMBERS = {"value": pl.Float64, "lower": pl.Float64, "upper": pl.Float64, "n": pl.Int64}


class PooledScores:
    """A table in the making: a row for each `of` (a stratum, a feature) and metric.

    subject   (recordings,) whose recordings are scored.
    """

    def __init__(self, of: str, subject: Sequence[str], *, seed: int, n_resamples: int) -> None:
        self._of = of
        self.subject, self._n_subjects = subject_index(subject)
        self.weights = subject_weights(self._n_subjects, n_resamples, seed)
        self._rows: list[tuple[str, str, float, float, float, int]] = []

    def pooled(self, per_recording: NDArray[np.number]) -> Numbers:
        """(1 + n_resamples,) sum over all recordings, then over those of each resample."""
        return np.asarray(self.weights @ np.bincount(self.subject, per_recording, minlength=self._n_subjects))

    def add(self, of: str, metric: str, values: Numbers, n: int) -> None:
        """`values` (1 + n_resamples,): the metric of all recordings, then of each resample; NaN where undefined."""
        self._rows.append((of, metric, float(values[0]), *percentile_interval(values, self._n_subjects), n))

    def frame(self) -> pl.DataFrame:
        """Columns `of`, metric, value, lower, upper (95 % percentile interval), n; null where undefined."""
        schema = {self._of: pl.String, "metric": pl.String, **_NUMBERS}
        frame = pl.DataFrame(self._rows, schema=schema, orient="row")
        return frame.with_columns(pl.col("value", "lower", "upper").fill_nan(None))


def described(
    scores: pl.DataFrame, methods: Mapping[str, str], *, oracle: bool, synthetic: bool, prefix: str
) -> pl.DataFrame:
    """`scores` as the study's tables hold them: behind the methods, and whether to believe them.

    methods   column -> method.
    prefix    as `recordings.roles.scored_rows` gives it.
    """
    return scores.select(
        *(pl.lit(method).alias(column) for column, method in methods.items()),
        pl.lit(oracle).alias("oracle"),
        pl.lit(synthetic).alias("synthetic"),
        pl.lit("development" if prefix else "evaluated").alias("role"),
        pl.all(),
    )


def headline(scores: pl.DataFrame, prefix: str) -> dict[str, float]:
    """Metric -> value over all samples, for people."""
    chosen = scores.filter(stratum="all").drop_nulls("value")
    return {f"{prefix}{name}": value for name, value in chosen.select("metric", "value").iter_rows()}
