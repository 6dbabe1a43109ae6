"""Tables: what a schema says is what a frame must be; a breach names table, column and rule."""

from __future__ import annotations

import polars as pl
import pytest

from plr_assets import schemas
from plr_assets.schemas import Column, Table, validate

ALL = [value for value in vars(schemas).values() if isinstance(value, Table)]

SMALL = Table(
    "small",
    "A table.",
    (
        Column("name", "string", "who", allowed=("a", "b", "c")),
        Column("share", "float64", "how much", minimum=0, maximum=1),
        Column("spread", "float64", "how sure", nullable=True),
        Column("trace", "signal", "over time"),
    ),
    ("name",),
)


def frame(**columns: pl.Series) -> pl.DataFrame:
    good = {
        "name": pl.Series(["a", "b"]),
        "share": pl.Series([0.0, 1.0]),
        "spread": pl.Series([None, float("nan")], dtype=pl.Float64),
        "trace": pl.Series([[1.0, float("nan")], [2.0, 3.0]], dtype=pl.Array(pl.Float32, 2)),
    }
    return pl.DataFrame({**good, **columns})


def test_a_table_that_fits_comes_back_unchanged() -> None:
    assert validate(frame(), SMALL).equals(frame(), null_equal=True)


@pytest.mark.parametrize(
    ("broken", "named"),
    [
        (frame().drop("share"), ["share", "lacks"]),
        (frame(more=pl.Series([1, 2])), ["more", "unknown"]),
        (frame(share=pl.Series([0.0, 1.5])), ["share"]),
        (frame(share=pl.Series([-0.1, 1.0])), ["share"]),
        (frame(share=pl.Series([0.5, float("nan")])), ["share"]),
        (frame(share=pl.Series([0.5, None])), ["share"]),
        (frame(share=pl.Series([0, 1])), ["share", "Int64"]),
        (frame(name=pl.Series(["a", "z"])), ["name"]),
        (frame(name=pl.Series(["a", "a"])), ["repeats its key", "'a'"]),
        (frame(trace=pl.Series([[1.0], [2.0]], dtype=pl.List(pl.Float32))), ["trace"]),
        (frame(trace=pl.Series([[1.0], [2.0]], dtype=pl.Array(pl.Float64, 1))), ["trace"]),
    ],
    ids=["missing", "extra", "above", "below", "nan", "null", "type", "value", "key", "list", "double"],
)
def test_each_rule_refuses_its_breach_by_table_and_column(broken: pl.DataFrame, named: list[str]) -> None:
    with pytest.raises(ValueError, match="small") as caught:
        validate(broken, SMALL)
    for word in named:
        assert word in str(caught.value)


def test_features_may_have_any_columns_but_only_of_numbers() -> None:
    ids = pl.DataFrame({"recording": ["a"], "subject": ["s"]})
    validate(ids.with_columns(ANYTHING=pl.lit(1.0)), schemas.FEATURES)
    with pytest.raises(ValueError, match="ANYTHING"):
        validate(ids.with_columns(ANYTHING=pl.lit("text")), schemas.FEATURES)


@pytest.mark.parametrize("table", ALL, ids=lambda table: table.name)
def test_every_table_has_a_key_and_says_what_each_column_is(table: Table) -> None:
    assert table.description
    assert table.key
    assert set(table.key) <= set(table.column_names)
    assert len(set(table.column_names)) == len(table.columns)
    assert all(column.description for column in table.columns)


def test_an_empty_quarantine_report_is_a_table_too() -> None:
    empty = pl.DataFrame(schema={"content": pl.String, "row": pl.Int64, "reason": pl.String, "remedy": pl.String})
    assert validate(empty, schemas.QUARANTINE).is_empty()
