"""Dagster runs whose process is gone: closed, so that no page shows a run that goes on for ever.

Belongs here: telling such runs and marking them failed. Does not belong here: their partitions (a killed run leaves
nothing that a reader can take for a result, see `contract`).
"""

from __future__ import annotations

import dagster as dg

from plr_assets.platform.processes import lives

# Tag of runs that `plr run` executes itself. Dagster's pages hide what begins with `.dagster/`: it is for no reader.
PROCESS_TAG = ".dagster/plr_process"
_UNFINISHED = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]


def close_runs_of_dead_processes(instance: dg.DagsterInstance) -> list[str]:
    """Fail the unfinished runs of `plr run` whose process is gone. Returns their ids."""
    closed = []
    for run in instance.get_runs(dg.RunsFilter(statuses=_UNFINISHED)):
        process = run.tags.get(PROCESS_TAG)
        if process is not None and not lives(process):
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


def unfinished(instance: dg.DagsterInstance, study: str) -> list[str]:
    """Ids of the runs that go on and may touch the study, those of dead processes left out."""
    found = []
    for run in instance.get_runs(dg.RunsFilter(statuses=_UNFINISHED)):
        selected = {key.path[0] for key in run.asset_selection or ()}
        if (not selected or study in selected) and lives(run.tags.get(PROCESS_TAG, "elsewhere:0:0")):
            found.append(run.run_id)
    return found


def _close(instance: dg.DagsterInstance, run: dg.DagsterRun, why: str) -> None:
    instance.report_run_failed(run, why)
    # its place in a pool would otherwise be kept until a daemon clears it
    instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
