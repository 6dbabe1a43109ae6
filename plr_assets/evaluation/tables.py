"""Arrays of estimates as a table of the schema.

Belongs here: column order, types, and NaN becoming missing. Does not belong here: any estimate.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from plr_assets import schemas
from plr_assets.schemas.table import polars_dtype


def frame_of(table: schemas.Table, constant: Mapping[str, str], columns: Mapping[str, Any]) -> pl.DataFrame:
    """A frame with the table's columns, in its order and types; NaN becomes missing.

    constant   what is the same in every row.
    columns    name -> one value a row.
    """
    height = len(next(iter(columns.values())))
    values = {**{name: [value] * height for name, value in constant.items()}, **columns}
    return pl.DataFrame([_series(column, values[column.name]) for column in table.columns])


def _series(column: schemas.Column, values: Any) -> pl.Series:
    """Made of its type at once: casting a frame and filling its NaN took a third of a pipeline's evaluation."""
    if column.dtype == "float64":
        return pl.Series(column.name, np.asarray(values, dtype=np.float64), nan_to_null=True)
    if column.dtype == "int64":
        return pl.Series(column.name, np.asarray(values, dtype=np.int64))
    plain = values.tolist() if isinstance(values, np.ndarray) else values
    return pl.Series(column.name, plain, dtype=polars_dtype(column.dtype))
