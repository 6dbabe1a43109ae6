"""The error of one file, and reading its bytes.

Belongs here: an error that knows the row at fault, so that the quarantine report can show it in a column of its own.
Does not belong here: the rules of any format.

`problem` and `remedy` never quote a file's name or content: both may carry a subject code, and both are copied into the
quarantine report. Only `where` names the file, for the person at the terminal.
"""

from __future__ import annotations

from pathlib import Path

from plr_assets.errors import DataError


class FileError(DataError):
    """A file breaks its format. `where` is its name without folders, and the row if one row is at fault."""

    def __init__(self, where: str, problem: str, remedy: str, row: int | None = None) -> None:
        super().__init__(where if row is None else f"{where}: row {row}", problem, remedy)
        self._file = where
        self.row = row

    def __reduce__(self) -> tuple[type[FileError], tuple[str, str, str, int | None]]:  # type: ignore[override]
        return FileError, (self._file, self.problem, self.remedy, self.row)


def read_bytes(path: Path) -> bytes:
    """The content of `path`. Raises FileError if the file system refuses."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise FileError(
            path.name, f"the file cannot be read ({error.strerror}).", "Check that it exists and is readable."
        ) from error
