"""The results database: one DuckDB file a study, rebuilt whole from the study's tables and swapped in.

Belongs here: building `results.duckdb`, and opening it read-only. Does not belong here: computing what is in it
(`evaluation`). There is one writer and it never writes in place: retrying on a locked file was seen to lose rows
(docs/decisions/0002-results-database.md).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plr_assets.errors import DataError
from plr_assets.platform.artifacts import ArtifactInfo, product_digest
from plr_assets.platform.digests import canonical_json, digest_frame, digest_json
from plr_assets.schemas import DATABASE_TABLES

if TYPE_CHECKING:
    import duckdb
    import polars as pl

SCHEMA_VERSION = 6
# Tables that say where the others come from, and name pipelines whether they have rows or not.
_ABOUT = {"provenance": ("pipeline",), "lineage": ("pipeline", "mlflow_run_id"), "meta": ("name",)}
_KEYS = {table.name: table.key for table in DATABASE_TABLES} | _ABOUT
# What `provenance` says of the run of a pipeline's evaluation.
_TOLD = ("fingerprint", "digest", "config_version", "data_version", "code_version", "git_sha", "environment")


def database_path(data_dir: Path) -> Path:
    return data_dir / "results.duckdb"


def build(
    path: Path,
    tables: Mapping[str, pl.DataFrame],
    *,
    study: str,
    published: Mapping[str, str],
    lineage: pl.DataFrame,
    missing: Sequence[str],
) -> dict[str, Any]:
    """Build the database in a new file, put it in the place of the old one, and say what is in it.

    published   pipeline -> id of the tracked run that its rows come from.
    lineage     the runs behind those, as `lineage.lineage_of` finds them. Ids of runs are no content: a database of the
                same rows is the same.
    missing     pipelines of the study that have no rows.
    """
    import duckdb
    import polars as pl

    content: dict[str, Any] = {
        "study": study,
        "schema_version": SCHEMA_VERSION,
        "tables": {name: {"rows": frame.height, "digest": digest_frame(frame)} for name, frame in tables.items()},
        "missing": sorted(missing),
    }
    runs: dict[str, str | None] = {**published, **dict.fromkeys(missing)}
    provenance = pl.DataFrame(
        {"pipeline": list(runs), "mlflow_run_id": list(runs.values())},
        schema={"pipeline": pl.String, "mlflow_run_id": pl.String},
    ).with_columns(published=pl.col("mlflow_run_id").is_not_null())
    own = lineage.select("pipeline", "mlflow_run_id", *_TOLD)
    provenance = provenance.join(own, on=["pipeline", "mlflow_run_id"], how="left", maintain_order="left")
    facts = {"study": study, "schema_version": str(SCHEMA_VERSION), "content": canonical_json(content)}
    meta = pl.DataFrame({"name": list(facts), "value": list(facts.values())})
    path.parent.mkdir(parents=True, exist_ok=True)
    for left_by_a_killed_run in path.parent.glob(f".{path.name}.*.partial*"):
        left_by_a_killed_run.unlink()
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    connection = duckdb.connect(str(partial))
    try:
        with connection:
            for name, frame in {**tables, "provenance": provenance, "lineage": lineage, "meta": meta}.items():
                _write(connection, name, frame)
            connection.execute("CHECKPOINT")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return content


def _write(connection: duckdb.DuckDBPyConnection, name: str, frame: pl.DataFrame) -> None:
    """Create table `name` from `frame`, typed as the frame is, with its key enforced. Names are ours, not a user's."""
    connection.register("incoming", frame.to_arrow())
    connection.table("incoming").create(name)
    connection.execute(f"ALTER TABLE {name} ADD PRIMARY KEY ({', '.join(_KEYS[name])})")
    connection.unregister("incoming")


@contextmanager
def opened(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A read-only connection. Raises DataError if there is no database, or none that can be opened."""
    import duckdb
    from dagster_duckdb import DuckDBResource

    if not path.is_file():
        raise DataError(str(path), "there is no results database yet.", "Run the study: `plr run STUDY`.")
    # Attached to a database in memory: opened by itself, DuckDB would hand out the old file while any reader of the
    # process still has it open, and DuckDBResource would try a file that is no database again for minutes.
    with DuckDBResource(database=":memory:").get_connection() as connection:
        quoted = str(path).replace("'", "''")
        try:
            connection.execute(f"ATTACH '{quoted}' AS results (READ_ONLY)")
        except duckdb.Error as error:
            raise DataError(
                str(path),
                f"the results database cannot be opened ({str(error).splitlines()[0]}).",
                "Close the program that has it open for writing; or remove the file and run the study.",
            ) from error
        connection.execute("USE results")
        yield connection


def read_table(path: Path, name: str) -> pl.DataFrame:
    """One table of the database."""
    if name not in _KEYS:
        raise DataError(str(path), f"there is no table {name!r}.", "docs/database.md lists the tables.")
    with opened(path) as connection:
        frame: pl.DataFrame = connection.table(name).pl()
        return frame


def select(path: Path, query: str) -> pl.DataFrame:
    """What `query` finds. Raises DataError naming what is wrong with it: a table, a column, the grammar, an attempt to
    write, or that it is no question."""
    import duckdb

    with opened(path) as connection:
        try:
            relation = connection.sql(query)
        except duckdb.Error as error:
            raise DataError(
                "query", str(error).strip(), f"Tables: {', '.join(sorted(_KEYS))}; columns in docs/database.md."
            ) from error
        if relation is None:
            raise DataError("query", "it asks for no rows.", "Write a SELECT.")
        try:
            frame: pl.DataFrame = relation.pl()
        except duckdb.Error as error:  # a question may be well formed, and fail on the values
            raise DataError("query", str(error).strip(), "Mend the expression it names.") from error
        return frame


def pipelines_by_table(path: Path) -> dict[str, dict[str, int]]:
    """Table -> pipeline -> its rows there, of every table that names pipelines but those of where rows come from.

    Raises DataError as `opened`.
    """
    with opened(path) as connection:
        columns = connection.sql(
            "SELECT table_name FROM duckdb_columns() WHERE database_name = 'results' AND column_name = 'pipeline'"
        ).fetchall()
        return {
            name: dict(connection.table(name).aggregate("pipeline, count(*)").fetchall())
            for (name,) in sorted(columns)
            if name not in _ABOUT
        }


def content_digest(path: Path) -> str | None:
    """The data version of the run that the database was built by; None where there is none that can be read."""
    import duckdb

    if not path.is_file():
        return None
    try:
        facts = dict(read_table(path, "meta").iter_rows())
    except (DataError, duckdb.Error):
        return None  # no database, or another version's: it is rebuilt
    if facts.get("schema_version") != str(SCHEMA_VERSION) or "content" not in facts:
        return None
    digest = digest_json(json.loads(facts["content"]))
    return product_digest({"database": ArtifactInfo("document", digest, "", 0)})
