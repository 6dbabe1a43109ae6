"""Functions that say how far they are, for worker processes to import. Imports nothing heavy."""

from __future__ import annotations

import logging
import time
from pathlib import Path

from plr_assets.platform.progress import telling

_LONGEST_S = 60.0


def count_to_three(item: tuple[Path, str]) -> str:
    """Says three lines in `file`, and says the next one only when the parent answered the last."""
    file, name = item
    log = logging.getLogger("plr_assets.networks.training")
    with telling(file):
        for step in (1, 2, 3):
            log.info("%s: step %d of 3", name, step)
            _wait_for(answer(file, f"{name}: step {step} of 3"))
    return name


def fail_after_a_line(item: tuple[Path, str]) -> str:
    file, name = item
    with telling(file):
        logging.getLogger("plr_assets.pretrained").info("%s begins", name)
        raise KeyError(name)


def answer(file: Path, line: str) -> Path:
    """Where the parent puts a file once it read `line`."""
    return file.parent / f"{line.replace(' ', '_').replace(':', '')}.read"


def _wait_for(path: Path) -> None:
    until = time.monotonic() + _LONGEST_S
    while not path.exists():
        if time.monotonic() > until:
            raise TimeoutError(f"nobody read what {path.stem} says")
        time.sleep(0.01)
