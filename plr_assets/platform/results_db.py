"""The results database: one DuckDB file a study, rebuilt whole from the pipelines' shards and swapped in.

Belongs here: building `results.duckdb`, and opening it read-only. Does not belong here: computing what is in it
(`evaluation`). There is one writer and it never writes in place: retrying on a locked file was seen to lose rows
(docs/decisions/0002-results-database.md).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from plr_assets.errors import DataError
from plr_assets.platform.digests import digest_frame, digest_of
from plr_assets.schemas import EVALUATION_TABLES, Table

if TYPE_CHECKING:
    import duckdb
    import polars as pl

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class Shard:
    """One pipeline's evaluation: its tables' files, and the run they come from."""

    pipeline: str
    run_id: str
    digest: str
    files: Mapping[str, Path]


@dataclass(frozen=True, slots=True)
class Built:
    """What was written: rows and content digest a table, and the pipelines that are not in it."""

    rows: Mapping[str, int]
    digests: Mapping[str, str]
    missing: tuple[str, ...]


def database_path(data_dir: Path) -> Path:
    return data_dir / "results.duckdb"


def inputs_digest(shards: Sequence[Shard], missing: Sequence[str]) -> str:
    """What the database was, or would be, built from."""
    return digest_of({shard.pipeline: shard.digest for shard in shards} | dict.fromkeys(missing, "missing"))


def build(path: Path, shards: Sequence[Shard], missing: Sequence[str], study: str) -> Built:
    """Build the database in a new file and put it in the place of the old one."""
    import duckdb
    import polars as pl

    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    partial.unlink(missing_ok=True)
    frames = {table.name: _concatenated(table, shards) for table in EVALUATION_TABLES}
    provenance = pl.DataFrame(
        {
            "pipeline": [shard.pipeline for shard in shards] + list(missing),
            "published": [True] * len(shards) + [False] * len(missing),
            "mlflow_run_id": [shard.run_id for shard in shards] + [None] * len(missing),
            "digest": [shard.digest for shard in shards] + [None] * len(missing),
        },
        schema={"pipeline": pl.String, "published": pl.Boolean, "mlflow_run_id": pl.String, "digest": pl.String},
    )
    digests = {name: digest_frame(frame) for name, frame in frames.items()}
    meta = pl.DataFrame(
        [
            ("study", study),
            ("schema_version", str(SCHEMA_VERSION)),
            ("inputs_digest", inputs_digest(shards, missing)),
            *((f"digest.{name}", digest) for name, digest in digests.items()),
        ],
        schema=["name", "value"],
        orient="row",
    )
    connection = duckdb.connect(str(partial))
    try:
        for table in EVALUATION_TABLES:
            _write(connection, table.name, frames[table.name], table.key)
        _write(connection, "provenance", provenance, ("pipeline",))
        _write(connection, "meta", meta, ("name",))
        connection.execute("CHECKPOINT")
    finally:
        connection.close()
    os.replace(partial, path)
    return Built({name: frame.height for name, frame in frames.items()}, digests, tuple(missing))


def _concatenated(table: Table, shards: Sequence[Shard]) -> pl.DataFrame:
    import polars as pl

    if not shards:
        raise DataError(
            table.name, "no pipeline is published, so there is nothing to tabulate.", "Run the study first."
        )
    return pl.concat([pl.read_parquet(shard.files[table.name]) for shard in shards])


def _write(connection: duckdb.DuckDBPyConnection, name: str, frame: pl.DataFrame, key: Sequence[str]) -> None:
    """Create table `name` from `frame`, typed as the frame is, with its key enforced. Names are ours, not a user's."""
    connection.register("incoming", frame.to_arrow())
    connection.execute(f"CREATE TABLE {name} AS SELECT * FROM incoming")
    connection.execute(f"ALTER TABLE {name} ADD PRIMARY KEY ({', '.join(key)})")
    connection.unregister("incoming")


@contextmanager
def opened(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A read-only connection. Raises DataError if there is no database."""
    from dagster_duckdb import DuckDBResource

    if not path.is_file():
        raise DataError(str(path), "there is no results database yet.", "Run the study: `plr run STUDY`.")
    resource = DuckDBResource(database=str(path), connection_config={"access_mode": "READ_ONLY"})
    with resource.get_connection() as connection:
        yield connection


def read_table(path: Path, name: str) -> pl.DataFrame:
    """One table of the database."""
    if name not in {table.name for table in EVALUATION_TABLES} | {"provenance", "meta"}:
        raise DataError(str(path), f"there is no table {name!r}.", "docs/database.md lists the tables.")
    with opened(path) as connection:
        frame: pl.DataFrame = connection.sql(f"SELECT * FROM {name}").pl()  # noqa: S608 - checked above
        return frame


def meta(path: Path) -> dict[str, str]:
    """The database's own facts; empty where there is none yet."""
    if not path.is_file():
        return {}
    return dict(read_table(path, "meta").iter_rows())
