"""The results database: typed, keyed, replaced whole, and readable at any moment."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from plr_assets.errors import DataError
from plr_assets.platform import results_db
from plr_assets.platform.artifacts import Product, product_digest, write_product
from plr_assets.platform.lineage import COLUMNS, FACTS
from plr_assets.schemas import DATABASE_TABLES, Column, Table, validate

NO_LINEAGE = pl.DataFrame(schema=dict.fromkeys(COLUMNS, pl.String))
ONE, TWO = "simple__LOF__linear__CatBoost", "simple__LOF__linear__XGBoost"
_TYPES = {"string": "VARCHAR", "boolean": "BOOLEAN", "int64": "BIGINT", "float64": "DOUBLE", "list[float32]": "FLOAT[]"}
_DTYPES = {
    "string": pl.String,
    "boolean": pl.Boolean,
    "int64": pl.Int64,
    "float64": pl.Float64,
    "list[float32]": pl.List(pl.Float32),
}


def _value(column: Column) -> Any:
    smallest_count = max(1, int(column.minimum or 0))
    return {
        "string": column.allowed[0] if column.allowed else "x",
        "boolean": True,
        "int64": smallest_count,
        "float64": max(0.5, column.minimum or 0),
        "list[float32]": [0.5, 1.5],
    }[column.dtype]


def rows(table: Table, *pipelines: str) -> pl.DataFrame:
    """One row a pipeline, or method, that fits the schema; what may be missing is, in the last row."""
    made = [{column.name: _value(column) for column in table.columns} | {table.key[0]: p} for p in pipelines]
    made[-1].update({column.name: None for column in table.columns if column.nullable})
    return validate(pl.DataFrame(made, schema={c.name: _DTYPES[c.dtype] for c in table.columns}), table)


def tables(*pipelines: str) -> dict[str, pl.DataFrame]:
    return {table.name: rows(table, *pipelines) for table in DATABASE_TABLES}


def build(path: Path, *pipelines: str, missing: tuple[str, ...] = ()) -> dict[str, Any]:
    published = {pipeline: f"run of {pipeline}" for pipeline in pipelines}
    told = {
        "pipeline": pipelines,
        "mlflow_run_id": published.values(),
        **{fact: [f"{fact} of {pipeline}" for pipeline in pipelines] for fact in FACTS},
    }
    lineage = pl.DataFrame({name: list(values) for name, values in told.items()})
    return results_db.build(
        path, tables(*pipelines), study="demo", published=published, lineage=lineage, missing=missing
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return results_db.database_path(tmp_path / "demo")


@pytest.mark.parametrize("table", DATABASE_TABLES, ids=lambda table: table.name)
def test_a_table_comes_back_as_it_went_in(path: Path, table: Table) -> None:
    build(path, ONE, TWO)
    assert_frame_equal(results_db.read_table(path, table.name), rows(table, ONE, TWO))


@pytest.mark.parametrize("table", DATABASE_TABLES, ids=lambda table: table.name)
def test_columns_have_the_types_of_the_schema(path: Path, table: Table) -> None:
    build(path, ONE)
    with results_db.opened(path) as connection:
        described = connection.execute(f"DESCRIBE {table.name}").fetchall()
    assert {name: dtype for name, dtype, *_ in described} == {c.name: _TYPES[c.dtype] for c in table.columns}


def test_every_table_enforces_its_key(path: Path) -> None:
    build(path, ONE)
    with results_db.opened(path) as connection:
        found = dict(
            connection.execute(
                "SELECT table_name, constraint_column_names FROM duckdb_constraints() "
                "WHERE constraint_type = 'PRIMARY KEY'"
            ).fetchall()
        )
    expected = {table.name: list(table.key) for table in DATABASE_TABLES}
    about = {"provenance": ["pipeline"], "lineage": ["pipeline", "mlflow_run_id"], "meta": ["name"]}
    assert found == expected | about


def test_rows_that_repeat_a_key_are_refused_and_the_old_database_stands(path: Path) -> None:
    build(path, ONE)
    repeated = {"essential_metrics": pl.concat([rows(DATABASE_TABLES[0], TWO)] * 2)}
    with pytest.raises(duckdb.ConstraintException):
        results_db.build(path, repeated, study="demo", published={}, lineage=NO_LINEAGE, missing=())
    assert results_db.read_table(path, "essential_metrics")["pipeline"].to_list() == [ONE]


def test_a_build_that_fails_leaves_no_file_behind(path: Path) -> None:
    repeated = {"essential_metrics": pl.concat([rows(DATABASE_TABLES[0], TWO)] * 2)}
    with pytest.raises(duckdb.ConstraintException):
        results_db.build(path, repeated, study="demo", published={}, lineage=NO_LINEAGE, missing=())
    assert list(path.parent.iterdir()) == []


def test_provenance_names_the_run_of_each_pipeline_and_those_without_one(path: Path) -> None:
    build(path, ONE, missing=(TWO,))
    facts = ("fingerprint", "digest", "config_version", "data_version", "code_version", "git_sha", "environment")
    assert results_db.read_table(path, "provenance").sort("pipeline").rows(named=True) == [
        {"pipeline": ONE, "mlflow_run_id": f"run of {ONE}", "published": True}
        | {fact: f"{fact} of {ONE}" for fact in facts},
        {"pipeline": TWO, "mlflow_run_id": None, "published": False} | dict.fromkeys(facts),
    ]


def test_the_description_counts_rows_and_names_what_is_missing(path: Path) -> None:
    content = build(path, ONE, missing=("z", "a"))
    assert content["missing"] == ["a", "z"]
    assert {name: facts["rows"] for name, facts in content["tables"].items()} == {t.name: 1 for t in DATABASE_TABLES}


def test_the_database_carries_the_digest_of_the_run_that_is_published_for_it(path: Path, tmp_path: Path) -> None:
    content = build(path, ONE, missing=(TWO,))
    infos = write_product(Product(documents={"database": content}), {}, tmp_path)
    assert results_db.content_digest(path) == product_digest(infos)


def test_the_same_content_has_the_same_digest_and_other_content_another(tmp_path: Path) -> None:
    contents = {"first": (ONE,), "again": (ONE,), "other": (TWO,)}
    digests = {}
    for name, pipelines in contents.items():
        build(tmp_path / name, *pipelines)
        digests[name] = results_db.content_digest(tmp_path / name)
    build(tmp_path / "lacks", ONE, missing=(TWO,))
    assert digests["first"] == digests["again"]
    assert len({digests["first"], digests["other"], results_db.content_digest(tmp_path / "lacks")}) == 3


def test_a_database_of_another_schema_version_is_to_be_rebuilt(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build(path, ONE)
    published = results_db.content_digest(path)
    monkeypatch.setattr(results_db, "SCHEMA_VERSION", results_db.SCHEMA_VERSION + 1)
    assert results_db.content_digest(path) != published


def test_no_file_has_no_digest(path: Path) -> None:
    assert results_db.content_digest(path) is None


@pytest.mark.parametrize("content", [b"", b"not a database, but long enough to be looked at" * 100])
def test_a_file_that_is_no_database_has_no_digest_and_nobody_waits_for_it_to_become_one(
    path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    path.parent.mkdir()
    path.write_bytes(content)
    assert results_db.content_digest(path) is None
    assert waits == []


def test_reading_a_file_that_is_no_database_says_what_to_do_with_it(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"not a database, but long enough to be looked at" * 100)
    with pytest.raises(DataError, match=rf"{path}.*remove the file and run the study"):
        results_db.read_table(path, "predictions")


@pytest.mark.parametrize(
    "meta",
    [
        pytest.param("CREATE TABLE other (x INTEGER)", id="no meta"),
        pytest.param(
            "CREATE TABLE meta (name VARCHAR, value VARCHAR)",
            id="another meta",
        ),
    ],
)
def test_a_database_that_we_did_not_build_has_no_digest(path: Path, meta: str) -> None:
    path.parent.mkdir()
    with duckdb.connect(str(path)) as connection:
        connection.execute(meta)
    assert results_db.content_digest(path) is None


def test_a_reader_goes_on_reading_while_the_database_is_replaced(path: Path) -> None:
    build(path, ONE)
    query = "SELECT pipeline FROM predictions ORDER BY pipeline"
    with results_db.opened(path) as reader:
        build(path, ONE, TWO)
        assert reader.execute(query).fetchall() == [(ONE,)]
    with results_db.opened(path) as later:
        assert later.execute(query).fetchall() == [(ONE,), (TWO,)]


def test_who_opens_the_new_database_sees_it_beside_a_reader_of_the_old(path: Path) -> None:
    build(path, ONE)
    with results_db.opened(path):
        build(path, ONE, TWO)
        assert results_db.read_table(path, "predictions").height == 2


@pytest.mark.parametrize("statement", ["DELETE FROM predictions", "CREATE TABLE mine (x INTEGER)"])
def test_readers_cannot_write(path: Path, statement: str) -> None:
    build(path, ONE)
    with results_db.opened(path) as connection, pytest.raises(duckdb.InvalidInputException, match="read-only"):
        connection.execute(statement)
    assert results_db.read_table(path, "predictions").height == 1


def test_reading_before_there_is_a_database_says_what_to_run(path: Path) -> None:
    with pytest.raises(DataError, match="plr run"):
        results_db.read_table(path, "predictions")
    assert not path.exists()


def test_a_table_that_does_not_exist_is_named(path: Path) -> None:
    build(path, ONE)
    with pytest.raises(DataError, match="'prediction'"):
        results_db.read_table(path, "prediction")


def test_a_question_is_answered_as_it_is_asked(path: Path) -> None:
    build(path, ONE, TWO)
    found = results_db.select(path, "SELECT pipeline, auroc + 1 AS more FROM essential_metrics ORDER BY pipeline")
    assert found.columns == ["pipeline", "more"]
    assert found["pipeline"].to_list() == sorted([ONE, TWO])


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        ("SELECT * FROM essential_metric", "essential_metric"),
        ("SELECT auruc FROM essential_metrics", "auruc"),
        ("SELEC 1", "SELEC"),
        ("DELETE FROM essential_metrics", "read-only"),
        ("SELECT CAST(pipeline AS INTEGER) FROM essential_metrics", "INT"),
        ("-- nothing", "asks for no rows"),
    ],
)
def test_a_question_that_cannot_be_answered_says_what_is_wrong_and_changes_nothing(
    path: Path, query: str, wrong: str
) -> None:
    build(path, ONE)
    before = path.read_bytes()
    with pytest.raises(DataError) as refused:
        results_db.select(path, query)
    assert wrong in refused.value.problem
    assert path.read_bytes() == before
