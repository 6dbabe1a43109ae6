"""What a table's declaration is, and checking a table against it.

Belongs here: `Column`, `Table`, their types in polars, `validate`. Does not belong here: any table (`recordings`,
`signals`, `results`), or columns that tables share (`columns`).
Imports nothing heavy, because the code location loads it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pandera.polars as pa
    import polars as pl

# `signal` and `mask` are fixed-length arrays (one value a sample of the common grid) of float32 and boolean.
Dtype = Literal[
    "string", "boolean", "int64", "float64", "signal", "mask", "list[uint16]", "list[uint8]", "list[float32]", "stimuli"
]


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its type, meaning, unit and rules. NaN passes only where `nullable`."""

    name: str
    dtype: Dtype
    description: str
    unit: str | None = None
    nullable: bool = False
    minimum: float | None = None
    maximum: float | None = None
    allowed: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """One table. `open_columns`: further float64 columns of any name may follow (features are data)."""

    name: str
    description: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    open_columns: bool = False

    @property
    def column_names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)


def validate(frame: pl.DataFrame, table: Table) -> pl.DataFrame:
    """`frame`, if it is a `table`. Raises ValueError that names the column and the rule it breaks."""
    import pandera.errors
    import polars as pl

    expected, found = table.column_names, tuple(frame.columns)
    if (missing := [name for name in expected if name not in found]) or (
        extra := [name for name in found if name not in expected] if not table.open_columns else []
    ):
        wrong = f"lacks column(s) {missing}" if missing else f"has unknown column(s) {extra}"
        raise ValueError(f"{table.name} {wrong}; the schema is {list(expected)}")
    try:
        _pandera_schema(table, found).validate(frame)
    except (pandera.errors.SchemaError, pandera.errors.SchemaErrors) as error:
        raise ValueError(f"{table.name} breaks its schema: {_first_line(error)}") from error
    repeated = frame.select(pl.struct(table.key).is_duplicated()).to_series()
    if repeated.any():
        row = frame.filter(repeated).select(table.key).row(0)
        raise ValueError(f"{table.name} repeats its key {dict(zip(table.key, row, strict=True))}")
    return frame


def _first_line(error: Any) -> str:
    return str(error).strip().splitlines()[0]


@cache
def _pandera_schema(table: Table, found: Sequence[str]) -> pa.DataFrameSchema:
    import pandera.polars as pa

    declared = {column.name: column for column in table.columns}
    columns = {}
    for name in found:
        column = declared.get(name, Column(name, "float64", "a feature", nullable=True))
        columns[name] = pa.Column(
            dtype=polars_dtype(column.dtype),
            nullable=column.nullable,
            checks=list(_checks(column)),
            required=True,
        )
    return pa.DataFrameSchema(columns, strict=True)


def polars_schema(table: Table) -> dict[str, Any]:
    """Column -> polars type, for tables without signals, whose types carry a length."""
    return {column.name: polars_dtype(column.dtype) for column in table.columns}


def polars_dtype(dtype: Dtype) -> Any:
    """The polars type; None where it carries a length (checked in `_checks`)."""
    import polars as pl

    return {
        "string": pl.String,
        "boolean": pl.Boolean,
        "int64": pl.Int64,
        "float64": pl.Float64,
        "list[uint16]": pl.List(pl.UInt16),
        "list[uint8]": pl.List(pl.UInt8),
        "list[float32]": pl.List(pl.Float32),
        "stimuli": pl.List(pl.Struct({"colour": pl.String, "onset_s": pl.Float64, "offset_s": pl.Float64})),
    }.get(dtype)


def _checks(column: Column) -> Any:
    import pandera.polars as pa
    import polars as pl

    if column.dtype in ("signal", "mask"):
        inner = pl.Float32 if column.dtype == "signal" else pl.Boolean

        def is_array(data: pa.PolarsData) -> bool:
            dtype = data.lazyframe.collect_schema()[data.key]
            return isinstance(dtype, pl.Array) and dtype.inner == inner

        yield pa.Check(is_array, error=f"column {column.name!r} is an array of {inner}")
    if column.dtype == "float64" and not column.nullable:
        yield pa.Check(
            lambda data: data.lazyframe.select(pl.col(data.key).is_not_nan()), error=f"{column.name!r} is not NaN"
        )
    if column.minimum is not None:
        yield pa.Check.ge(column.minimum)
    if column.maximum is not None:
        yield pa.Check.le(column.maximum)
    if column.allowed is not None:
        yield pa.Check.isin(column.allowed)
