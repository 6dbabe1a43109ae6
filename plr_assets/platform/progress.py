"""Progress of keys that take long: what a method says while it computes, on its way to whoever watches.

Belongs here: catching log lines of the science packages in a worker, and passing the newest on to the parent process.
Does not belong here: showing them (`assets` to the Dagster log, `cli` to the terminal). Science says how far it is
through `logging`; a worker cannot reach the Dagster log, so the line travels in a file beside its scratch folder.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

# A line every half minute and key says that work goes on, and how fast, without filling a log.
_EVERY_S = 30.0
_PACKAGE = "plr_assets"


@dataclass(frozen=True, slots=True)
class KeyProgress:
    """How far one key is, in the method's own words."""

    text: str
    line: str


@contextmanager
def telling(file: Path) -> Iterator[None]:
    """In a worker: the newest INFO line that the package logs stands in `file`."""
    handler = _LastLine(file)
    logger = logging.getLogger(_PACKAGE)
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        file.unlink(missing_ok=True)


class _LastLine(logging.Handler):
    def __init__(self, file: Path) -> None:
        super().__init__(logging.INFO)
        self._file = file

    def emit(self, record: logging.LogRecord) -> None:
        # written aside and moved: the parent never reads half a line
        aside = self._file.with_suffix(".new")
        aside.write_text(record.getMessage(), encoding="utf-8")
        aside.replace(self._file)


@contextmanager
def listening(
    files: Mapping[Path, str], report: Callable[[KeyProgress], None], every_s: float = _EVERY_S
) -> Iterator[None]:
    """In the parent: while the block runs, what is new in `files` (file -> key) is reported every `every_s`."""
    done = threading.Event()

    def watch() -> None:
        said: dict[Path, str] = {}
        while not done.wait(every_s):
            for file, text in files.items():
                try:
                    line = file.read_text(encoding="utf-8")
                except FileNotFoundError:
                    continue  # not begun, silent so far, or done
                if said.get(file) != line:
                    said[file] = line
                    report(KeyProgress(text, line))

    thread = threading.Thread(target=watch, name="plr-progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
