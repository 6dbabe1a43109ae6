"""Whether an imputer is worth more than straight lines.

Belongs here: that comparison, from published metrics and sums of errors. Does not belong here: computing those
(`scoring`, `errors`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from plr_assets.subject_bootstrap import percentile_interval, subject_weights

LINEAR = "linear"


@dataclass(frozen=True, slots=True)
class AgainstLinear:
    """MAE of a method and of `linear` under the same mask, in %."""

    mae: float
    linear: float

    @property
    def worse(self) -> bool:
        return self.mae > self.linear


def against_linear(metrics: pl.DataFrame) -> dict[str, AgainstLinear]:
    """`outlier__imputation` -> its MAE beside that of `linear`, of `schemas.IMPUTATION_METRICS`.

    Left out are oracles, `linear` itself, masks that `linear` was not scored under, and methods without a MAE: without
    ground truth, or with nothing masked.
    """
    mae = metrics.filter(stratum="all", metric="mae").drop_nulls("value")
    linear = mae.filter(imputation=LINEAR).select("outlier_detection", linear="value")
    own = mae.filter(~pl.col("oracle"), pl.col("imputation") != LINEAR).join(linear, on="outlier_detection")
    return {
        f"{row['outlier_detection']}__{row['imputation']}": AgainstLinear(row["value"], row["linear"])
        for row in own.sort("outlier_detection", "imputation").iter_rows(named=True)
    }


def compare_with_linear(sums: Mapping[str, pl.DataFrame], *, seed: int, n_resamples: int = 1000) -> pl.DataFrame:
    """Difference of MAE to `linear` at the same samples, with a paired interval.

    sums   imputation method -> `schemas.IMPUTATION_ERROR_SUMS` of its signals under one mask.

    A row a method but `linear` and a stratum: imputation, stratum, mae, mae_linear, difference, lower, upper, n. The
    interval is the 95 % percentile interval of a bootstrap by subject (`n_resamples` draws), in which both methods are
    scored on the same draw; null with one subject. Empty without `linear` or ground truth. Raises ValueError if a
    method was scored on other samples than `linear`.
    """
    comparable = LINEAR in sums and not sums[LINEAR].is_empty()
    rows = list(_differences(sums, seed, n_resamples)) if comparable else []
    schema = {
        "imputation": pl.String,
        "stratum": pl.String,
        **dict.fromkeys(("mae", "mae_linear", "difference", "lower", "upper"), pl.Float64),
        "n": pl.Int64,
    }
    return pl.DataFrame(rows, schema=schema, orient="row").with_columns(pl.col("lower", "upper").fill_nan(None))


def _differences(sums: Mapping[str, pl.DataFrame], seed: int, n_resamples: int) -> Iterator[tuple[Any, ...]]:
    order = ["stratum", "recording"]
    linear = sums[LINEAR].sort(order)
    names = sorted(set(linear["subject"]))
    subjects, n_subjects = {name: number for number, name in enumerate(names)}, len(names)
    weights = subject_weights(n_subjects, n_resamples, seed)
    for method, frame in sums.items():
        if method == LINEAR:
            continue
        own = frame.sort(order)
        if not own.drop("absolute").equals(linear.drop("absolute")):
            raise ValueError(f"{method} and {LINEAR} were not scored on the same samples")
        both = own.with_columns(linear=linear["absolute"])
        for stratum in both.filter(pl.col("n") > 0)["stratum"].unique(maintain_order=True):
            part = both.filter(stratum=stratum)
            index = part["subject"].replace_strict(subjects, return_dtype=pl.Int64).to_numpy()
            n, absolute, lines = (
                weights @ np.bincount(index, weights=part[name].cast(pl.Float64).to_numpy(), minlength=n_subjects)
                for name in ("n", "absolute", "linear")
            )
            drawn = np.where(n > 0, n, np.nan)
            difference = (absolute - lines) / drawn
            interval = percentile_interval(difference, part.filter(pl.col("n") > 0)["subject"].n_unique())
            yield (
                *(method, stratum, float(absolute[0] / n[0]), float(lines[0] / n[0]), float(difference[0])),
                *interval,
                int(n[0]),
            )


def touched(metrics: pl.DataFrame) -> dict[str, int]:
    """`outlier__imputation` -> unmasked samples that differ from the recording, of signals that have any."""
    found = metrics.filter(pl.col("value") > 0, metric="changed_samples")
    return {
        f"{row['outlier_detection']}__{row['imputation']}": int(row["value"])
        for row in found.sort("outlier_detection", "imputation").iter_rows(named=True)
    }
