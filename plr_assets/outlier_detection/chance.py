"""Whether a mask is worth more than flagging samples by lot.

Belongs here: that comparison, from published metrics. Does not belong here: computing them (`scoring`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl


@dataclass(frozen=True, slots=True)
class AgainstChance:
    """F1 of a method, the upper end of its 95 % interval, and the expected F1 of as many flags by lot."""

    f1: float
    upper: float
    by_lot: float

    @property
    def worse(self) -> bool:
        """Whether the whole interval lies below chance: a bad draw of subjects does not explain it."""
        return self.upper < self.by_lot

    @property
    def numbers(self) -> dict[str, float]:
        return {"F1": self.f1, "F1 upper": self.upper, "F1 at random": self.by_lot}


def against_chance(metrics: pl.DataFrame) -> dict[str, AgainstChance]:
    """Method -> its F1 beside chance, of `schemas.OUTLIER_METRICS`.

    Left out are oracles, and methods whose F1 has no interval: without human masks, artefacts, or a second subject.
    """
    own = metrics.filter(~pl.col("oracle"), stratum="all", metric="f1").drop_nulls(["value", "upper"])
    by_lot: dict[str, Any] = dict(
        metrics.filter(stratum="all", metric="f1_random").select("method", "value").iter_rows()
    )
    return {
        row["method"]: AgainstChance(row["value"], row["upper"], by_lot[row["method"]])
        for row in own.iter_rows(named=True)
    }
