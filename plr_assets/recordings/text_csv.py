"""Csv files with a header, as text columns, with errors that name row and column.

Belongs here: what headered recordings, ground truth and the subjects table share. Does not belong here: their meaning.
"""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from zipfile import ZipFile

import numpy as np
import polars as pl
from numpy.typing import NDArray

from plr_assets.errors import did_you_mean
from plr_assets.recordings.file_errors import FileError

# How R, pandas and spreadsheets write "no value".
BLANKS = ("", "NA", "NaN", "nan")
# 30 minutes at 1000 Hz; processed recordings have 94 columns.
MAX_ROWS = 2_000_000
MAX_COLUMNS = 2_000
_AT_ONCE_BYTES = 2**20
_OF_NUMBERS = b"0123456789.,+-eE\r\n"
MAX_WORKBOOK_BYTES = 256 * 2**20


def parse_text_csv(content: bytes, name: str, columns: Sequence[str], optional: Sequence[str] = ()) -> pl.DataFrame:
    """`columns` of a comma-separated UTF-8 file, and those of `optional` that it has, all text, blanks as null.

    Raises DataError.
    """
    if not content.strip():
        raise FileError(name, "the file is empty.", "Export it again.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = content[: error.start].count(b"\n") + 1
        raise FileError(name, "the file is not UTF-8 text.", "Save it as csv, UTF-8.", row) from error
    if "\0" in text:
        row = text[: text.index("\0")].count("\n") + 1
        raise FileError(name, "the file is no plain text (zero bytes).", "Export it again.", row)
    _check_size(text, name)
    _check_row_lengths(text, name)
    try:
        frame = pl.read_csv(text.encode(), infer_schema=False)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise FileError(
            name, "the rows are no table: they differ in length, or a quote is not closed.", "Export it again."
        ) from error
    return _pick_columns(frame, name, columns, optional)


def numeric_columns(content: bytes, name: str, columns: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    """(m,) each of `columns` of a csv as numbers, blanks as NaN. Raises DataError.

    Parsed at once where nothing is wrong; otherwise again as text, which knows row and column of what is.
    """
    wanted = list(dict.fromkeys(columns))
    if len(content) < _AT_ONCE_BYTES and (values := _at_once(content, wanted)) is not None:
        return values
    table = parse_text_csv(content, name, wanted)
    return {column: numbers(table[column], name) for column in wanted}


def _at_once(content: bytes, columns: list[str]) -> dict[str, NDArray[np.float64]] | None:
    """A clean table of finite numbers in one pass; None wherever there is anything to explain."""
    if not content.isascii() or b"\0" in content or b'"' in content or b"\n\n" in content or b"\n\r" in content:
        return None
    header = [column.strip() for column in content.split(b"\n", 1)[0].decode("ascii").split(",")]
    if len(set(header)) != len(header):
        return None
    if set(header) == set(columns) and (values := _all_numbers(content, header)) is not None:
        return values
    import pyarrow as pa
    import pyarrow.csv

    try:
        table = pa.csv.read_csv(
            pa.py_buffer(content),
            read_options=pa.csv.ReadOptions(use_threads=False),
            convert_options=pa.csv.ConvertOptions(
                column_types=dict.fromkeys(columns, pa.float64()), include_columns=columns, null_values=list(BLANKS)
            ),
        )
    except (pa.ArrowException, KeyError):
        return None
    values = {column: table.column(column).to_numpy() for column in columns}
    clean = len(table) > 0 and not any(np.isinf(array).any() for array in values.values())
    return values if clean else None


def _all_numbers(content: bytes, header: list[str]) -> dict[str, NDArray[np.float64]] | None:
    """A table of finite numbers and no blank, by numpy: Arrow hands each file to a thread, and waits for it."""
    body = content[content.index(b"\n") + 1 :] if b"\n" in content else b""
    if not body or body.translate(None, _OF_NUMBERS) or body.count(b"\r") != body.count(b"\r\n"):
        return None
    try:
        values = np.loadtxt(BytesIO(body), delimiter=",", comments=None, ndmin=2)
    except ValueError:
        return None
    if values.shape[1] != len(header) or not np.isfinite(values).all():
        return None
    return {column: values[:, index].copy() for index, column in enumerate(header)}


def parse_xlsx(content: bytes, name: str, columns: Sequence[str], optional: Sequence[str] = ()) -> pl.DataFrame:
    """As `parse_text_csv`, of the first sheet of a workbook."""
    try:
        with ZipFile(BytesIO(content)) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
        if unpacked > MAX_WORKBOOK_BYTES:
            raise FileError(name, f"the workbook unpacks to {unpacked / 2**20:,.0f} MB.", "Save it as csv, UTF-8.")
        frame = pl.read_excel(
            content, engine="calamine", infer_schema_length=0, read_options={"dtypes": "string"}, raise_if_empty=False
        )
    except FileError:
        raise
    # fastexcel has an error class of its own for every layer of the format
    except Exception as error:
        raise FileError(name, "the workbook cannot be read.", "Save it as .xlsx again, or as csv, UTF-8.") from error
    if not frame.columns:
        raise FileError(name, "the first sheet is empty.", "Put the table into the first sheet.")
    return _pick_columns(frame, name, columns, optional)


def _pick_columns(frame: pl.DataFrame, name: str, columns: Sequence[str], optional: Sequence[str]) -> pl.DataFrame:
    found = [column.strip() for column in frame.columns]
    for column in columns:
        if column not in found:
            semicolons = " The header holds semicolons: save it with commas." if ";" in frame.columns[0] else ""
            raise FileError(name, f"there is no column {column!r}.", did_you_mean(column, found) + semicolons, 1)
    if not len(frame):
        raise FileError(name, "there is a header and no row.", "Export it again.")
    there = [*columns, *(column for column in optional if column in found)]
    wanted = {column: frame.to_series(found.index(column)).alias(column) for column in there}
    stripped = pl.DataFrame(list(wanted.values())).select(pl.all().cast(pl.String).str.strip_chars())
    return stripped.select(pl.when(~pl.all().is_in(BLANKS)).then(pl.all()))


def _check_size(text: str, name: str) -> None:
    """Many columns or rows of nothing are small as bytes and large as a table."""
    header = text.lstrip().split("\n", 1)[0]
    separators = max(header.count(separator) for separator in ",;\t")
    if separators >= MAX_COLUMNS:
        raise FileError(name, f"the header has more than {MAX_COLUMNS} columns.", "Export only those needed.", 1)
    if text.count("\n") > MAX_ROWS:
        raise FileError(name, f"there are more than {MAX_ROWS:,} rows.", "Split the file.")


def _check_row_lengths(text: str, name: str) -> None:
    """A row that was cut off must not pass for one whose last cells are blank."""
    if '"' in text:
        return  # commas inside quotes; unclosed quotes are found when the table is read
    commas = [row.count(",") for row in text.rstrip().split("\n")]
    wrong = next((index for index, count in enumerate(commas) if count != commas[0]), None)
    if wrong is not None:
        problem = f"the rows differ in length: this one has {commas[wrong] + 1} cells, the header {commas[0] + 1}."
        raise FileError(name, problem, "Export it again.", wrong + 1)


def numbers(column: pl.Series, name: str) -> NDArray[np.float64]:
    """(m,) a text column as numbers, blanks as NaN. Raises DataError at the first cell that is none."""
    values = column.cast(pl.Float64, strict=False)
    wrong = (values.is_null() & column.is_not_null()) | values.is_infinite().fill_null(value=False)
    if wrong.any():
        raise FileError(name, f"the cell in column {column.name!r} is no number.", "Mend the cell.", first_row(wrong))
    return values.fill_null(float("nan")).to_numpy()


def increasing_time(time_s: NDArray[np.float64], name: str) -> NDArray[np.float64]:
    """(m,) s. Raises DataError where time is blank or not later than in the row before."""
    blank = np.isnan(time_s)
    if blank.any():
        raise FileError(name, "the time is blank.", "Fill it.", first_row(blank))
    backwards = time_s[1:] <= time_s[:-1]
    if backwards.any():
        row = first_row(backwards) + 1
        raise FileError(name, "time is not later than in the row before.", "Sort by time, one row a sample.", row)
    return time_s


def first_row(wrong: pl.Series | NDArray[np.bool_]) -> int:
    """The 1-based row of the file, its header counted, of the first true value."""
    return int(np.flatnonzero(np.asarray(wrong))[0]) + 2
