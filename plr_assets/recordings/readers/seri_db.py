"""The layout of SERI_PLR_GLAUCOMA.db: tables `train` and `test`, one row a sample, pupil in % change.

Belongs here: the layout, whatever database holds it, and SQLite. Does not belong here: DuckDB, which science does not
import (`platform.duckdb_recordings`). Databases are opened read-only.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plr_assets.errors import did_you_mean
from plr_assets.recordings.file_errors import FileError
from plr_assets.recordings.headered_csv import HeaderedTrace, filled_drive
from plr_assets.recordings.readers.base import Parsed, RecordingFile
from plr_assets.recordings.subjects import Subject, checked_subject
from plr_assets.study import Study

TABLES = ("train", "test")
# What is read; the layout's other columns follow from these.
SAMPLES = ("time", "pupil_orig", "pupil_gt", "outlier_mask", "Red", "Blue")
PERSON = ("subject_code", "class_label", "Age")
# 20 minutes at 1000 Hz; more rows under one code are no recording, and would not fit into memory.
MAX_SAMPLES = 1_200_000
_EXPORT_AGAIN = "Export the database again."

Query = Callable[[str, Sequence[Any]], list[tuple[Any, ...]]]


def read_seri(query: Query, file: RecordingFile, study: Study) -> Iterator[Parsed]:
    """Every recording of both tables, one subject code after another. `query` runs SQL and fetches all rows.

    A recording that breaks the layout is given as its error; the others are read. Raises FileError if a table or
    column is missing, or if one code is in both tables.
    """
    if study.recordings.unit != "%":
        raise FileError(
            file.name,
            f"the database holds % change, the study's recordings are in {study.recordings.unit}.",
            "Write `unit: '%'`.",
        )
    codes = {table: _codes(query, table, file.name) for table in TABLES}
    if both := {code for code, _ in codes["train"]} & {code for code, _ in codes["test"]}:
        raise FileError(file.name, f"{len(both)} subject(s) are in `train` and in `test`.", "Keep each in one table.")
    for table in TABLES:
        for number, (code, rows) in enumerate(codes[table], 1):
            where = f"{file.name}: {table}, recording {number}"
            try:
                yield _recording(query, table, code, rows=rows, where=where, study=study)
            except FileError as error:
                named = FileError(where, f"table {table}, recording {number}: {error.problem}", error.remedy, error.row)
                content = hashlib.sha256(f"{file.digest}:{table}:{number}".encode()).hexdigest()
                text = None if code is None else str(code)
                yield Parsed(named, code=text or "", name=text or "", content=content)


def _codes(query: Query, table: str, name: str) -> list[tuple[Any, int]]:
    found = [str(row[0]) for row in query("SELECT name FROM plr_columns WHERE tbl = ?", [table])]
    if not found:
        raise FileError(name, f"there is no table {table!r}.", _EXPORT_AGAIN)
    for column in (*SAMPLES, *PERSON):
        if column not in found:
            raise FileError(name, f"table {table!r} has no column {column!r}.", did_you_mean(column, found))
    # by code, not in order of rows: the same recordings in another order are the same recordings
    rows = query(f'SELECT subject_code, count(*) FROM "{table}" GROUP BY subject_code ORDER BY subject_code', [])  # noqa: S608
    return [(row[0], int(row[1])) for row in rows]


def _recording(query: Query, table: str, code: Any, *, rows: int, where: str, study: Study) -> Parsed:
    if code is None or not str(code).strip():
        raise FileError(where, f"subject_code is blank in {rows} row(s).", "Fill it.")
    if rows > MAX_SAMPLES:
        raise FileError(where, f"{rows} rows under one subject_code are no recording.", _EXPORT_AGAIN)
    columns = ", ".join(f'"{column}"' for column in (*SAMPLES, "class_label", "Age"))
    sql = f'SELECT {columns} FROM "{table}" WHERE subject_code = ? ORDER BY "time"'  # noqa: S608
    found = query(sql, [code])
    if len(found) != rows:
        raise FileError(where, f"the file is damaged: of {rows} rows counted {len(found)} can be read.", _EXPORT_AGAIN)
    values = list(zip(*found, strict=True))
    samples = {column: _numbers(cells, column, where) for column, cells in zip(SAMPLES, values, strict=False)}
    trace = _trace(samples, where)
    content = hashlib.sha256()
    for column in SAMPLES:
        content.update(samples[column].tobytes())
    return Parsed(
        trace,
        code=str(code),
        name=str(code),
        subject=_person(values[-2], values[-1], where, study),
        content=content.hexdigest(),
    )


def _numbers(cells: Iterable[Any], column: str, where: str) -> NDArray[np.float64]:
    try:
        values = np.array([np.nan if cell is None else cell for cell in cells], dtype=np.float64)
    except (TypeError, ValueError):
        raise FileError(where, f"a cell in column {column!r} is no number.", "Mend the cell.") from None
    if np.isinf(values).any():
        raise FileError(where, f"a cell in column {column!r} is no finite number.", "Mend the cell.")
    return values


def _trace(samples: dict[str, NDArray[np.float64]], where: str) -> HeaderedTrace:
    time_s, flags = samples["time"], samples["outlier_mask"]
    if np.isnan(time_s).any() or (np.diff(time_s) <= 0).any():
        raise FileError(where, "two samples have the same time, or one has none.", _EXPORT_AGAIN)
    if np.isnan(samples["pupil_gt"]).any():
        raise FileError(where, "ground truth `pupil_gt` has a gap.", "Fill it.")
    if not np.isin(flags[~np.isnan(flags)], (0.0, 1.0)).all():
        raise FileError(where, "`outlier_mask` is neither 0 nor 1.", "Write 1 where rejected, else 0.")
    return HeaderedTrace(
        time_s=time_s,
        pupil=samples["pupil_orig"],
        truth=samples["pupil_gt"],
        artefact=flags == 1.0,
        red=filled_drive(samples["Red"]),
        blue=filled_drive(samples["Blue"]),
    )


def _person(labels: Sequence[Any], ages: Sequence[Any], where: str, study: Study) -> Subject:
    """Both are repeated on every row and must not differ."""
    if len({*labels}) > 1 or len({age for age in ages if age == age}) > 1:  # noqa: PLR0124 - NaN is not a second age
        raise FileError(where, "class_label or Age differs between rows.", "Keep one value a subject.")
    return checked_subject(labels[0], ages[0], None, where, study.labels)


class SeriSqliteReader:
    """The layout in a SQLite file."""

    name = "seri_db"

    def sniff(self, file: RecordingFile, study: Study) -> bool:  # noqa: ARG002
        return file.head.startswith(b"SQLite format 3\0")

    def read(self, file: RecordingFile, study: Study) -> Iterator[Parsed]:
        file.check_container()
        if not self.sniff(file, study):
            raise FileError(file.name, "the file is neither a DuckDB nor a SQLite database.", _EXPORT_AGAIN)
        try:
            # immutable: not even a journal is made beside a file that is not ours
            uri = f"{file.path.resolve().as_uri()}?mode=ro&immutable=1"
            with closing(sqlite3.connect(uri, uri=True)) as database:

                def query(sql: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
                    return database.execute(sql, values).fetchall()

                database.text_factory = lambda raw: raw.decode("utf-8", "replace")
                database.execute("PRAGMA temp_store = MEMORY")
                database.execute(
                    "CREATE TEMP VIEW plr_columns AS SELECT m.name AS tbl, c.name AS name "
                    "FROM main.sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table'"
                )
                yield from read_seri(query, file, study)
        except sqlite3.Error as error:
            raise FileError(file.name, "the database is damaged.", _EXPORT_AGAIN) from error
