"""Work spread over processes that end with the one that started them.

Belongs here: how a worker starts and ends, and the pool that science code spreads recordings over. Does not belong
here: what is computed, or the keys of a range (`platform.mapper`). Nothing heavy is imported at the top: a worker
imports this module first, and sets its threads before a numerical library reads the setting.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

# What libraries read when they are first imported. One thread a worker: the pool is the parallelism, and results do not
# depend on a machine's core count.
ONE_THREAD = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "POLARS_MAX_THREADS",
    "NUMEXPR_NUM_THREADS",
)


def spread(function: Callable[[Item], Result], items: Sequence[Item], n_jobs: int) -> list[Result]:
    """`function` of each item, in their order, in up to `n_jobs` processes; with one, or one item, in this process.

    The first error is raised as it is and ends the rest. Raises ValueError if `n_jobs` is below 1, BrokenProcessPool
    if workers die (killed, out of memory) each time that it is tried.

    joblib is not used for this: its idle workers outlive a parent that was killed by minutes (300 s).
    """
    if n_jobs < 1:
        raise ValueError(f"n_jobs is {n_jobs}: at least one process is needed")
    processes = min(n_jobs, len(items))
    if processes < 2:
        return [function(item) for item in items]
    for last in (False, False, True):  # one that was killed by somebody else's doing passes
        try:
            with dropped_at_once(start_pool(processes)) as pool:
                return list(pool.map(function, items))
        except BrokenProcessPool:
            if last:
                raise
    raise AssertionError("the last try returns or raises")


@contextmanager
def dropped_at_once(pool: ProcessPoolExecutor) -> Iterator[ProcessPoolExecutor]:
    """The pool, ended afterwards. Where somebody stops in the middle (Ctrl-C), nobody waits for what it computes."""
    try:
        yield pool
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        kill_workers(pool)
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def kill_workers(pool: ProcessPoolExecutor) -> None:
    """End the workers of a pool whatever they do; it is of no use afterwards.

    Public as `kill_workers` from Python 3.14 on. Not SIGTERM: Dagster gives it what SIGINT does, which the shell
    ignores in background jobs, and a worker inherits that.
    """
    for worker in list((pool._processes or {}).values()):
        worker.kill()


def start_pool(processes: int) -> ProcessPoolExecutor:
    """A pool whose workers use one thread each, leave Ctrl-C to the parent, and end when the parent ends."""
    # Not fork: the parent may run threads (polars, the database driver), and a lock that another thread holds never
    # opens in the child.
    return ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), initializer=_start_worker)


def _start_worker() -> None:
    import signal
    import threading

    os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # Ctrl-C reaches the whole process group; the parent decides what stops.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # A worker inherits what its parent ignores: it would outlive `kill`.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _end_with_parent() -> None:
    """A worker whose parent was killed would wait for work for ever: its siblings hold the other end of the pipe."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
