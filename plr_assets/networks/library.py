"""Importing pypots without its banner.

Belongs here: silence. Does not belong here: anything of the library's.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from io import BytesIO, TextIOWrapper


@contextmanager
def quiet_import() -> Iterator[None]:
    """pypots (by ai4ts) prints a banner of nine lines when it is first imported, and logs that it wrote its settings.

    In a worker both would land in the middle of a run's progress.
    """
    level = logging.root.manager.disable
    logging.disable(logging.INFO)
    try:
        # it asks for the encoding, so nothing less than a text file will do
        with redirect_stdout(TextIOWrapper(BytesIO(), encoding="utf-8")):
            yield
    finally:
        logging.disable(level)
