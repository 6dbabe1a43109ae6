"""Arrays of estimates as a table of the schema.

Belongs here: column order, types, and NaN becoming missing. Does not belong here: any estimate.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from plr_assets import schemas

_DTYPES = {
    "string": pl.String,
    "boolean": pl.Boolean,
    "int64": pl.Int64,
    "float64": pl.Float64,
    "list[float32]": pl.List(pl.Float32),
}


def frame_of(table: schemas.Table, constant: Mapping[str, str], columns: Mapping[str, Any]) -> pl.DataFrame:
    """A frame with the table's columns, in its order and types; NaN becomes missing.

    constant   what is the same in every row.
    columns    name -> one value a row.
    """
    height = len(next(iter(columns.values())))
    series = {**{name: [value] * height for name, value in constant.items()}, **columns}
    frame = pl.DataFrame({column.name: pl.Series(series[column.name]) for column in table.columns})
    frame = frame.cast({column.name: _DTYPES[column.dtype] for column in table.columns})
    return frame.with_columns(pl.col(pl.Float64).fill_nan(None))
