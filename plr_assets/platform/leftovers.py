"""Dagster runs whose process is gone: closed, so that no page shows a run that goes on for ever.

Belongs here: telling such runs and marking them failed. Does not belong here: their partitions (a killed run leaves
nothing that a reader can take for a result, see `contract`).
"""

from __future__ import annotations

import os
import socket

import dagster as dg

# Tag of runs that `plr run` executes itself: host, process id, and the process's start (ids are used again).
PROCESS_TAG = "plr/process"
_UNFINISHED = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]


def this_process() -> str:
    """The tag's value for the calling process."""
    return f"{socket.gethostname()}:{os.getpid()}:{_started(os.getpid())}"


def close_runs_of_dead_processes(instance: dg.DagsterInstance) -> list[str]:
    """Fail the unfinished runs of `plr run` whose process is gone. Returns their ids."""
    closed = []
    for run in instance.get_runs(dg.RunsFilter(statuses=_UNFINISHED)):
        process = run.tags.get(PROCESS_TAG)
        if process is not None and not _lives(process):
            _close(instance, run, f"Its process ({process}) was killed. Run the study again: it goes on.")
            closed.append(run.run_id)
    return closed


def close_launched_runs(instance: dg.DagsterInstance) -> list[str]:
    """Fail the unfinished runs that a webserver or daemon launched. Only when neither is running. Returns their ids."""
    closed = []
    for run in instance.get_runs(dg.RunsFilter(statuses=_UNFINISHED)):
        if PROCESS_TAG not in run.tags:
            _close(instance, run, "The pages were stopped while it ran. Materialize again: it goes on.")
            closed.append(run.run_id)
    return closed


def _close(instance: dg.DagsterInstance, run: dg.DagsterRun, why: str) -> None:
    instance.report_run_failed(run, why)
    # its place in a pool would otherwise be kept until a daemon clears it
    instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)


def _lives(process: str) -> bool:
    host, pid, started = process.rsplit(":", 2)
    # what runs on another machine cannot be seen from here
    return host != socket.gethostname() or _started(int(pid)) == started


def _started(pid: int) -> str:
    """When the process started, in clock ticks since boot; empty if there is no such process."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:  # noqa: PTH123 - no path of the project
            # the name, in brackets, may hold blanks; the 20th field after it is the start
            return file.read().rpartition(")")[2].split()[19]
    except (FileNotFoundError, ProcessLookupError):
        return "" if not _exists_without_proc(pid) else "unknown"


def _exists_without_proc(pid: int) -> bool:
    """On systems without /proc: whether a process of this id exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
