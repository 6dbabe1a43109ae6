"""The layout of SERI_PLR_GLAUCOMA.db in a DuckDB file, as a reader for the import.

Belongs here: opening DuckDB read-only, within bounds. It is here because science imports no database; the layout itself
is `recordings.readers.seri_db`. Does not belong here: the results database.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from plr_assets.recordings.readers.base import Parsed, Reader, RecordingFile
    from plr_assets.study import Study

# A DuckDB file begins with a checksum of 8 bytes, then these.
_MAGIC = slice(8, 12)
_SETTINGS = {"memory_limit": "512MB", "threads": "1", "autoload_known_extensions": "false"}


class SeriDuckDbReader:
    """The layout in a DuckDB file."""

    name = "seri_db"

    def sniff(self, file: RecordingFile, study: Study) -> bool:  # noqa: ARG002
        return file.head[_MAGIC] == b"DUCK"

    def read(self, file: RecordingFile, study: Study) -> Iterator[Parsed]:
        import duckdb

        from plr_assets.recordings.file_errors import FileError
        from plr_assets.recordings.readers.seri_db import read_seri

        file.check_container()
        try:
            with duckdb.connect(str(file.path), read_only=True, config=dict(_SETTINGS)) as database:
                columns = (
                    "(SELECT table_name AS tbl, column_name AS name FROM information_schema.columns "
                    "JOIN information_schema.tables USING (table_schema, table_name) "
                    "WHERE table_schema = 'main' AND table_type = 'BASE TABLE')"
                )

                def query(sql: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
                    return database.execute(sql.replace("plr_columns", columns), list(values)).fetchall()

                yield from read_seri(query, file, study)
        except (duckdb.Error, RuntimeError, UnicodeDecodeError) as error:
            raise FileError(
                file.name, "the database is damaged, in use, or of a newer version.", "Export the database again."
            ) from error


def all_readers() -> tuple[Reader, ...]:
    """The readers of the science layer, and this one."""
    from plr_assets.recordings.readers.registry import READERS

    return (SeriDuckDbReader(), *READERS)
