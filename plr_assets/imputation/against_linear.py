"""Whether an imputer is worth more than straight lines.

Belongs here: that comparison, from published metrics. Does not belong here: computing them (`scoring`).
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

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


def touched(metrics: pl.DataFrame) -> dict[str, int]:
    """`outlier__imputation` -> unmasked samples that differ from the recording, of signals that have any."""
    found = metrics.filter(pl.col("value") > 0, metric="changed_samples")
    return {
        f"{row['outlier_detection']}__{row['imputation']}": int(row["value"])
        for row in found.sort("outlier_detection", "imputation").iter_rows(named=True)
    }
