"""The readers in the order in which they are asked, and the choice among them.

Belongs here: the choice, and the reason where no reader knows a file. Does not belong here: any format. A reader that
needs what science may not import (DuckDB) is added to these by whoever imports recordings.
"""

from __future__ import annotations

from collections.abc import Sequence

from plr_assets.errors import ConfigError, did_you_mean
from plr_assets.recordings.file_errors import FileError
from plr_assets.recordings.readers.base import Reader, RecordingFile
from plr_assets.recordings.readers.parquet import RecordingsParquetReader
from plr_assets.recordings.readers.seri_db import SeriSqliteReader
from plr_assets.recordings.readers.text import DeviceCsvReader, HeaderedCsvReader, ProcessedCsvReader
from plr_assets.study import Study

READERS: tuple[Reader, ...] = (
    RecordingsParquetReader(),
    SeriSqliteReader(),
    ProcessedCsvReader(),
    HeaderedCsvReader(),
    DeviceCsvReader(),
)
_EXPORT_AGAIN = "Export it again, or remove it."


def choose_reader(file: RecordingFile, study: Study, readers: Sequence[Reader] = READERS) -> Reader:
    """The reader that the study insists on, or the first that knows the content. Raises FileError if none does."""
    wanted = study.recordings.reader
    if wanted != "auto":
        named = [reader for reader in readers if reader.name == wanted]
        if not named:
            raise ConfigError(
                f"{study.name}: recordings.reader",
                f"there is no reader {wanted!r} here.",
                did_you_mean(wanted, [r.name for r in readers]),
            )
        # one format may have several containers (SQLite, DuckDB): the last one named explains what is wrong
        return next((reader for reader in named if reader.sniff(file, study)), named[-1])
    for reader in readers:
        if reader.sniff(file, study):
            return reader
    raise _unknown(file)


def _unknown(file: RecordingFile) -> FileError:
    if not file.head.strip():
        return FileError(file.name, "the file is empty.", _EXPORT_AGAIN)
    if b"\0" in file.head or file.head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        problem = "the file is no plain text (zero bytes or UTF-16), and none of the known databases."
        return FileError(file.name, problem, "Save it as csv, UTF-8, or remove it.", 1)
    first = file.head.lstrip().split(b"\n", 1)[0]
    if any(separator in first for separator in (b",", b";", b"\t")):
        return FileError(
            file.name,
            "the first row is a header, and the study does not say what its columns are; a device file has none.",
            "Declare recordings.columns, or remove the header.",
            1,
        )
    return FileError(file.name, "no reader knows this format.", _EXPORT_AGAIN)
