"""Functions that tests hand to worker processes, which import them from here. Imports nothing heavy."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from plr_assets.errors import DataError


def square(number: int) -> int:
    return number * number


def square_of_even(number: int) -> int:
    """Odd numbers fail: those divisible by three as a user's error, the others as a bug."""
    if number % 2 == 0:
        return number * number
    if number % 3 == 0:
        raise DataError(f"row {number}", "the number is odd.", "Give an even one.")
    raise KeyError(number)


def die_of(item: tuple[int, str]) -> int:
    """The item's number, unless its worker is to die of the cause it names."""
    number, cause = item
    if cause == "exit":
        os._exit(3)
    if cause == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def die_when_told(item: tuple[int, Path | None]) -> int:
    """The item's number; an item with a named pipe dies as soon as someone writes to it, or once it is gone."""
    number, pipe = item
    if pipe is not None:
        if pipe.exists():
            pipe.read_bytes()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def die_at_first(item: tuple[int, Path]) -> int:
    """The item's number, after its workers were killed as often as its file says."""
    number, file = item
    if left := int(file.read_text()):
        file.write_text(str(left - 1))
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def interrupt_itself(number: int) -> int:
    os.kill(os.getpid(), signal.SIGINT)
    return number


def what_cannot_travel(number: int) -> Any:
    return (lambda: number) if number == 1 else number


def leave_the_interpreter(number: int) -> int:
    if number == 1:
        sys.exit("a library that thinks it is a program")
    return number


def thread_limits(_: int) -> tuple[int, dict[str, str | None]]:
    """What polars uses, and what other numeric libraries read when they are loaded."""
    import polars as pl

    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS")
    return pl.thread_pool_size(), {name: os.environ.get(name) for name in names}


def process_id(_: int) -> int:
    return os.getpid()
