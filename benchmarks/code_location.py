"""Loading a code location in a fresh process, as the webserver, the daemon and every launched run do.

Belongs here: import time. Does not belong here: what a run costs after it (`range_run`).
"""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Iterator

from benchmarks.measure import Result, Side, interleave

REPEATS = 5

# A launched run waits for it, and for a process and Dagster, which take about as long: under a second, and a person who
# reloads the location from the UI does not notice ours.
GOAL_S = 1.0


def run() -> Iterator[Result]:
    times = interleave(
        REPEATS,
        clock=_time_of_children,
        ours=_python("import plr_assets.definitions as d; d.demo.get_repository_def()"),
        dagster=_python("import dagster"),
    )
    yield Result(
        "load code location demo: beyond Dagster",
        times.beyond("ours", "dagster"),
        GOAL_S,
        "s",
        f"import dagster: {times.fastest('dagster'):.2f} s",
    )


def _time_of_children() -> float:
    """CPU seconds of the processes that have ended: an import waits for nothing else."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _python(code: str) -> Side:
    """A fresh interpreter that runs `code`."""

    def start(_: int) -> None:
        subprocess.run([sys.executable, "-c", code], check=True)

    return start
