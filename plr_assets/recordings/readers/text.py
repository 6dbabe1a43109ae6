"""The readers of text files, one recording a file.

Belongs here: telling them apart, and what the study's declarations mean to each. Does not belong here: the formats
(`device_csv`, `headered_csv`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from plr_assets.errors import ConfigError
from plr_assets.recordings.device_csv import parse_device_csv
from plr_assets.recordings.file_errors import FileError
from plr_assets.recordings.headered_csv import PROCESSED_COLUMNS, parse_headered_csv, parse_processed_csv
from plr_assets.recordings.readers.base import Parsed, RecordingFile
from plr_assets.study import Study

_NUMBERS = re.compile(rb"[\s\d.,;\t+-]*")
_LETTERS = re.compile(rb"[A-Za-z]")
# Of the seven columns; fewer and it is some other table that happens to have a `time`.
_ENOUGH_COLUMNS = 4


class DeviceCsvReader:
    """The pupillometer's own csv: no header, numbers only."""

    name = "device_csv"

    def sniff(self, file: RecordingFile, study: Study) -> bool:  # noqa: ARG002
        """The first row, or after a header that somebody put there the second, begins as a device row does."""
        rows = file.head.lstrip().split(b"\n", 2)[:2]
        return any(
            re.match(rb"[\s\d.+-]+[,;\t][\s\d.,;\t+-]{20,}$", row[:400].rstrip()) is not None for row in rows
        ) or (bool(rows[0].strip()) and _NUMBERS.fullmatch(rows[0]) is not None)

    def read(self, file: RecordingFile, study: Study) -> Iterator[Parsed]:
        unit = study.recordings.unit
        if unit != "px":
            raise FileError(
                file.name, f"device files are in px, the study's recordings in {unit}.", "Write `unit: px`."
            )
        yield Parsed(parse_device_csv(file.text(), file.name))


class HeaderedCsvReader:
    """Any csv with a header, by the study's column map."""

    name = "headered_csv"

    def sniff(self, file: RecordingFile, study: Study) -> bool:
        return study.recordings.columns is not None and _LETTERS.search(_first_row(file)) is not None

    def read(self, file: RecordingFile, study: Study) -> Iterator[Parsed]:
        columns = study.recordings.columns
        if columns is None:
            raise ConfigError(f"{study.name}: recordings.columns", "headered_csv needs them.", "Add `columns`.")
        yield Parsed(parse_headered_csv(file.text(), file.name, columns, study.recordings.unit))


class ProcessedCsvReader:
    """Recordings that a human processed: device signal, rejected samples, reconstruction and lights in one csv."""

    name = "processed_csv"

    def sniff(self, file: RecordingFile, study: Study) -> bool:
        if study.recordings.columns is not None:
            return False
        names = {name.strip().strip(b'"').decode("utf-8", "replace") for name in re.split(rb"[,;\t]", _first_row(file))}
        return len(names & set(PROCESSED_COLUMNS)) >= _ENOUGH_COLUMNS

    def read(self, file: RecordingFile, study: Study) -> Iterator[Parsed]:
        yield Parsed(parse_processed_csv(file.text(), file.name, study.recordings.unit))


def _first_row(file: RecordingFile) -> bytes:
    return file.head.removeprefix(b"\xef\xbb\xbf").lstrip().split(b"\n", 1)[0]
