"""What a reader is: it tells its own content from the first bytes, and parses it into recordings.

Belongs here: the interface, and a file as readers see it, with the limits that bound memory. Does not belong here: any
format, or the choice among them (`registry`).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from plr_assets.recordings.device_csv import DeviceTrace
from plr_assets.recordings.file_errors import MAX_TEXT_BYTES, FileError, too_large, unreadable
from plr_assets.recordings.gridded import GriddedTrace
from plr_assets.recordings.headered_csv import HeaderedTrace
from plr_assets.recordings.subjects import Subject
from plr_assets.study import Study

# Many recordings in one database or Parquet file: they are read one after another, this bounds time, not memory.
MAX_CONTAINER_BYTES = 4 * 2**30
_HEAD_BYTES = 2**16


class RecordingFile:
    """One file: its size, its first bytes, and all of them where they are few enough for one recording as text.

    Raises FileError if the file system refuses.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.name
        self._content: bytes | None = None
        try:
            with path.open("rb") as file:
                content = file.read(min(os.fstat(file.fileno()).st_size, MAX_TEXT_BYTES) + 1)
                if len(content) <= MAX_TEXT_BYTES:
                    self._content, self.size = content, len(content)
                    self.digest = hashlib.sha256(content).hexdigest()
                else:
                    self.size = file.seek(0, 2)
                    self.digest = _large_digest(path, self.size)
        except OSError as error:
            raise unreadable(path, error) from error
        self.head = content[:_HEAD_BYTES]

    def text(self) -> bytes:
        """All bytes. Raises FileError if they are more than any recording as text has."""
        if self._content is None:
            raise too_large(self.name, self.size)
        return self._content

    def check_container(self) -> None:
        """Raises FileError if the file is larger than any database of recordings."""
        if self.size > MAX_CONTAINER_BYTES:
            raise FileError(
                self.name,
                f"the file has {self.size / 2**30:,.1f} GB; at most {MAX_CONTAINER_BYTES // 2**30} GB are read.",
                "Split it.",
            )


def file_digest(path: Path) -> str:
    """SHA-256 of the content, as `RecordingFile.digest`, without keeping the content. Raises FileError."""
    try:
        size = path.stat().st_size
        if size > MAX_TEXT_BYTES:
            return _large_digest(path, size)
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise unreadable(path, error) from error


def _large_digest(path: Path, size: int) -> str:
    """Of all bytes up to the size that is read at all. Beyond it, size and first bytes tell two refused files apart."""
    with path.open("rb") as file:
        if size <= MAX_CONTAINER_BYTES:
            return hashlib.file_digest(file, "sha256").hexdigest()
        return hashlib.sha256(b"%d:" % size + file.read(_HEAD_BYTES)).hexdigest()


Trace = DeviceTrace | HeaderedTrace | GriddedTrace


@dataclass(frozen=True, eq=False)
class Parsed:
    """One recording of a file, or why it cannot be used.

    trace    not yet on the study's grid, unless the file holds recordings that already are.
    code     its subject's original code; None: the file's name begins with it.
    name     what tells the recording from others of the study; None: the file's name does.
    subject  what the file itself says of the subject; None: nothing.
    content  SHA-256 of this recording alone; None: the file holds no other.
    """

    trace: Trace | FileError
    code: str | None = None
    name: str | None = None
    subject: Subject | None = None
    content: str | None = None


class Reader(Protocol):
    """One way in which recordings are written."""

    @property
    def name(self) -> str:
        """As a study's `recordings.reader` spells it."""

    def sniff(self, file: RecordingFile, study: Study) -> bool:
        """Whether the content is this reader's own, damaged perhaps. Looks at bytes, never at the file's name."""

    def read(self, file: RecordingFile, study: Study) -> Iterator[Parsed]:
        """The recordings of `file`. Raises FileError where the whole file cannot be used."""
