"""The error of one file, and reading its bytes.

Belongs here: an error that knows the row at fault, so that the quarantine report can show it in a column of its own.
Does not belong here: the rules of any format.

`problem` and `remedy` never quote a file's name or content: both may carry a subject code, and both are copied into the
quarantine report. Only `where` names the file, for the person at the terminal.
"""

from __future__ import annotations

import os
from pathlib import Path

from plr_assets.errors import DataError

# One recording as text: 20 minutes at 1000 Hz are about 60 MB; a device file has half a MB.
MAX_TEXT_BYTES = 64 * 2**20


class FileError(DataError):
    """A file breaks its format. `where` is its name without folders, and the row if one row is at fault."""

    def __init__(self, where: str, problem: str, remedy: str, row: int | None = None) -> None:
        super().__init__(where if row is None else f"{where}: row {row}", problem, remedy)
        self.file = where
        self.row = row

    def __reduce__(self) -> tuple[type[FileError], tuple[str, str, str, int | None]]:  # type: ignore[override]
        return FileError, (self.file, self.problem, self.remedy, self.row)


def read_bytes(path: Path) -> bytes:
    """The content of `path`. Raises FileError if the file system refuses, or if the content is too much for memory."""
    try:
        with path.open("rb") as file:
            content = file.read(min(os.fstat(file.fileno()).st_size, MAX_TEXT_BYTES) + 1)
    except OSError as error:
        raise unreadable(path, error) from error
    if len(content) > MAX_TEXT_BYTES:
        raise too_large(path.name, path.stat().st_size)
    return content


def unreadable(path: Path, error: OSError) -> FileError:
    return FileError(path.name, f"the file cannot be read ({error.strerror}).", "Check that it exists and is readable.")


def too_large(name: str, size: int) -> FileError:
    problem = f"the file has {size / 2**20:,.0f} MB; one recording as text has at most {MAX_TEXT_BYTES // 2**20} MB."
    return FileError(name, problem, "Remove it if it is no recording; else split it.")
