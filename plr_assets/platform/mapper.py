"""Mappers: how the keys of a range are spread over processes.

Belongs here: `Mapper` and its implementations; they know nothing of assets. Does not belong here: what a key computes,
how a worker starts and ends (`processes`), or logging to MLflow (the parent logs, workers compute).
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Generic, Protocol, TypeVar

from plr_assets.errors import ConfigError, PlrError
from plr_assets.processes import dropped_at_once, kill_workers, start_pool

Item = TypeVar("Item")
Result = TypeVar("Result")
# A key that kills its worker does so each time; one that was hit by what somebody else did (another program that took
# the memory, an operator) passes.
_TRIES_ALONE = 3


@dataclass(frozen=True, slots=True)
class Failed:
    """Why one item failed, in words and as a traceback."""

    reason: str
    traceback: str


@dataclass(frozen=True, slots=True)
class Outcome(Generic[Item, Result]):
    item: Item
    result: Result | Failed


class Mapper(Protocol):
    """Applies a function to items, one outcome an item, in order of completion."""

    @property
    def processes(self) -> int: ...

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Outcome[Item, Result]]: ...

    def close(self) -> None: ...


class SerialMapper:
    """In this process, one after another."""

    processes = 1

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Outcome[Item, Result]]:
        for item in items:
            yield Outcome(item, _call(function, item))

    def close(self) -> None:
        """Nothing is held."""


class ProcessMapper:
    """Over a pool of processes that is started at first use and kept until `close`.

    A worker that dies (out of memory, killed) breaks a whole pool. The items that were in flight are then run alone,
    each in a pool of its own, so that only one that kills its worker each time is failed.
    """

    def __init__(self, processes: int | None = None) -> None:
        self.processes = processes or os.cpu_count() or 1
        self._pool: ProcessPoolExecutor | None = None
        self._unfinished: Collection[Future[Any]] = ()

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Outcome[Item, Result]]:
        waiting = list(items)
        suspects: list[Item] = []
        running: dict[Future[Result | Failed], Item] = {}
        self._unfinished = running.keys()
        try:
            while waiting or running:
                # Twice as many submitted as there are workers: none idles, and a broken pool takes few with it.
                while waiting and len(running) < 2 * self.processes:
                    try:
                        future = self._started().submit(_call, function, waiting[0])
                    except BrokenProcessPool:  # it broke while the caller was busy with an outcome
                        if running:
                            break
                        self.close()  # or while nothing ran: no future tells of it
                        continue
                    running[future] = waiting.pop(0)
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                broken = [future for future in done if isinstance(future.exception(), BrokenProcessPool)]
                for future in done - set(broken):
                    yield Outcome(running.pop(future), _result(future))
                if broken:
                    suspects.extend(running.values())
                    running.clear()
                    self.close()
        finally:
            for future in running:
                future.cancel()
        for item in suspects:
            yield Outcome(item, _alone(function, item))

    def _started(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._pool = start_pool(self.processes)
        return self._pool

    def close(self) -> None:
        """End the workers. Where somebody stopped in the middle (Ctrl-C), what they compute is dropped at once."""
        if self._pool is None:
            return
        if any(not future.done() for future in self._unfinished):
            kill_workers(self._pool)  # without it a network would be trained to its end first
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._pool = None

    def __enter__(self) -> ProcessMapper:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def make_mapper(kind: str, processes: int | None) -> Mapper:
    """`PLR_WORKERS=serial` or `PLR_WORKERS=4` in the environment overrides the study."""
    override = os.environ.get("PLR_WORKERS")
    if override == "serial" or (override is None and kind == "serial"):
        return SerialMapper()
    if override is not None and not (override.isdecimal() and int(override) > 0):
        raise ConfigError("PLR_WORKERS", f"{override!r} is no number of workers.", "Write `serial` or a number from 1.")
    return ProcessMapper(int(override) if override is not None else processes)


def _result(future: Future[Result | Failed]) -> Result | Failed:
    """What came back; a result that cannot travel between processes is a failure of its item."""
    error = future.exception()
    if error is None:
        return future.result()
    return Failed(f"{type(error).__name__}: {error}", "".join(traceback.format_exception(error)))


def _alone(function: Callable[[Item], Result], item: Item) -> Result | Failed:
    for _ in range(_TRIES_ALONE):
        with dropped_at_once(start_pool(1)) as pool:
            future = pool.submit(_call, function, item)
            if not isinstance(future.exception(), BrokenProcessPool):
                return _result(future)
    return Failed(
        f"the worker process died while computing this key, {_TRIES_ALONE} times alone as well (killed, or out of "
        "memory). Look at the machine's memory, or run it with PLR_WORKERS=serial.",
        "",
    )


def _call(function: Callable[[Item], Result], item: Item) -> Result | Failed:
    """`function(item)`; an exception becomes a value, so that one item cannot sink the others."""
    try:
        return function(item)
    except PlrError as error:
        return Failed(str(error), traceback.format_exc())
    except SystemExit as error:
        return Failed(f"the method ended the interpreter (exit code {error.code})", traceback.format_exc())
    except Exception as error:  # noqa: BLE001 - the boundary of a partition: whatever it raises fails it alone
        return Failed(f"{type(error).__name__}: {error}", traceback.format_exc())
