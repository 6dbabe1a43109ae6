"""Sensors and schedules of a study.

Belongs here: looking, and asking for runs. Does not belong here: how often and whether unasked (`automation`), what
would have to be computed (`following`), what a job does (`jobs`).

A sensor lives in the process that serves the code location, for days: it reads configuration and source again when they
changed, and imports nothing heavy before there is something to plan.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg
from dagster._core.storage.tags import MAX_RETRIES_TAG  # documented as dagster/max_retries, without a public name

import plr_assets
from plr_assets.errors import PlrError
from plr_assets.grid import grid_of
from plr_assets.paths import configs_dir
from plr_assets.platform import automation
from plr_assets.platform.adopting import adoptable
from plr_assets.platform.alerts import failure_of, send
from plr_assets.platform.assets import asset_key
from plr_assets.platform.attempts import WORK_TAG, attempts_at
from plr_assets.platform.contract import Contract
from plr_assets.platform.digests import digest_json
from plr_assets.platform.fingerprints import read_again
from plr_assets.platform.following import Work, work_to_do
from plr_assets.platform.jobs import BRING_UP_TO_DATE, COMPUTE, INTEGRITY, STUDY_TAG
from plr_assets.platform.leftovers import close_runs_of_dead_processes
from plr_assets.platform.planning import Planner
from plr_assets.platform.runner import materialized_versions
from plr_assets.platform.stages import StageAsset
from plr_assets.recordings.incoming import arrival_digest, incoming_folder, look, takes_new_files
from plr_assets.registry import load_registry
from plr_assets.study import Study, load_study

ASKED_TAG = "plr/asked_for"
_UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
# What is read of a study besides its configuration; what it writes lies elsewhere.
_INPUTS = ("recordings.path", "recordings.subjects", "recordings.ground_truth")


def study_sensors(
    study: Study, assets: Sequence[StageAsset], jobs: Sequence[dg.JobDefinition], reread: Callable[[], Study]
) -> list[dg.SensorDefinition]:
    """reread   the study as its file says it now."""
    by_name = {job.name: job for job in jobs}
    sensors = [
        _follow(study, assets, by_name[BRING_UP_TO_DATE], reread),
        _failures(study),
        dg.AutomationConditionSensorDefinition(
            "dagster_conditions",
            target=dg.AssetSelection.all(),
            default_status=dg.DefaultSensorStatus.STOPPED,
            minimum_interval_seconds=automation.FOLLOW_EVERY_S,
            description="Dagster's own conditions, for whoever materializes by hand and wants only what is below to "
            "follow. Not together with `follow_changes`, which sees more.",
            run_tags={STUDY_TAG: study.name},
        ),
    ]
    if takes_new_files(study):
        sensors.append(_incoming(study))
    return sensors


def study_schedules(study: Study, jobs: Sequence[dg.JobDefinition]) -> list[dg.ScheduleDefinition]:
    by_name = {job.name: job for job in jobs}
    status = automation.schedule_status(study)
    return [
        dg.ScheduleDefinition(
            name="weekly_run",
            job=by_name[BRING_UP_TO_DATE],
            cron_schedule=automation.WEEKLY,
            default_status=status,
            description="Brings the study up to date, and tries again what failed.",
        ),
        dg.ScheduleDefinition(
            name="nightly_integrity",
            job=by_name[INTEGRITY],
            cron_schedule=automation.NIGHTLY,
            default_status=status,
            description="Reads every published file and the results database; fails if one is not as declared.",
        ),
    ]


# -- what follows ------------------------------------------------------------------------------------------------------


@dataclass
class Lookout:
    """What one study's sensor remembers from look to look, in memory: after a restart it looks at everything."""

    study: Study
    reread: Callable[[], Study]
    assets: Sequence[StageAsset]
    signature: str = ""
    seen: tuple[str, str, int] = ("", "", 0)
    looked_at: float = field(default=float("-inf"))
    planner: Planner | None = None

    def look(self, instance: dg.DagsterInstance, now: float) -> Work | str:
        """What would have to be computed; or, in words, why nothing is looked at now."""
        signature = inputs_signature(self.study)
        if signature != self.signature:
            self.signature = signature
            if self.planner is not None:
                return "files are being written: it is looked at them again in the next tick"
        seen = (signature, _newest_change_of_a_run(instance), self._newest_event(instance))
        if seen == self.seen and now - self.looked_at < automation.FULL_LOOK_EVERY_S:
            return "no file changed, and no run did anything, since the last look"
        try:
            work = self._plan(instance)
        except PlrError as error:
            return f"it cannot be planned: {error}"
        self.looked_at, self.seen = now, seen
        return work

    def _newest_event(self, instance: dg.DagsterInstance) -> int:
        """Number of the newest event of the study's assets: that somebody's run was adopted is told without a run."""
        name = self.study.name
        records = instance.get_asset_records([asset_key(name, asset.name) for asset in self.assets])
        numbers = [record.asset_entry.last_materialization_storage_id or 0 for record in records]
        for asset in adoptable():
            numbers += [one.storage_id for one in instance.fetch_observations(asset_key(name, asset), limit=1).records]
        return max(numbers, default=0)

    def forget(self) -> None:
        """Look again in the next tick, though nothing changed."""
        self.seen = ("", "", 0)

    def _plan(self, instance: dg.DagsterInstance) -> Work:
        read_again()
        self.study = self.reread()
        grid = grid_of(self.study)
        with closing(Contract(self.study.name)) as contract:
            if self.planner is None:
                planner = Planner(self.study, grid, contract, look_at_copies=False)
            else:
                planner = self.planner.changed(self.study, grid, contract)
            self.planner = planner
            offered = [asset for asset in self.assets if asset.offered(self.study)]
            name = self.study.name
            return work_to_do(planner, offered, lambda asset: materialized_versions(instance, name, asset))


def _newest_change_of_a_run(instance: dg.DagsterInstance) -> str:
    records = instance.get_run_records(limit=1, order_by="update_timestamp", ascending=False)
    return str(records[0].update_timestamp) if records else ""


def inputs_signature(study: Study) -> str:
    """Names, sizes and times of change of everything that a plan reads.

    Only to tell that there is nothing to look at: what changed is decided by content. The time of change (ctime) is
    the file system's own and cannot be set back, as that of modification can.
    """
    places = [configs_dir(), Path(plr_assets.__file__).parent, study.data_dir / "cohort.json"]
    files = study.recordings
    places += [study.resolve(path) for path in (files.path, files.subjects, files.ground_truth) if path is not None]
    found = []
    for place in places:
        for path in [place, *(_below(place) if place.is_dir() else ())]:
            try:
                state = path.stat()
            except OSError:
                continue  # gone while we looked: the next look differs
            if not path.is_dir():
                found.append([str(path), state.st_size, state.st_ctime_ns, state.st_ino])
    return digest_json(sorted(found))


def _below(folder: Path) -> Iterator[Path]:
    for directory, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != "__pycache__"]
        for name in names:
            yield Path(directory) / name


def read_from_file(study: Study) -> Study:
    """The study as `configs/studies` says it now, and so the registry."""
    load_study.cache_clear()
    load_registry.cache_clear()
    return load_study(study.name)


def _follow(
    study: Study, assets: Sequence[StageAsset], job: dg.JobDefinition, reread: Callable[[], Study]
) -> dg.SensorDefinition:
    lookout = Lookout(study, reread, assets)

    @dg.sensor(
        name="follow_changes",
        job=job,
        minimum_interval_seconds=automation.FOLLOW_EVERY_S,
        default_status=automation.sensor_status(study),
        description="Asks for what is out of date, and only that: after a changed recording, parameter, method or "
        "result. A partition that failed is not tried again before something it is computed from changed.",
    )
    def follow(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        # a run of a process that was killed is nobody's, and would be waited for for ever
        close_runs_of_dead_processes(context.instance)
        if busy := unfinished_runs(context.instance, study.name):
            return dg.SkipReason(f"{len(busy)} run(s) of the study are not finished")
        work = lookout.look(context.instance, time.monotonic())
        if isinstance(work, str):
            return dg.SkipReason(work)
        held = f"; {len(work.held)} failed before and wait for a change" if work.held else ""
        if not work.wanted:
            return dg.SkipReason(f"everything is up to date{held}")
        context.log.info(f"{work.partitions} partition(s) are out of date, at most{held}")
        before = attempts_at(context.instance, {STUDY_TAG: study.name}, work.name)
        wait = before.wait_s(time.time())
        if wait is None:
            killed = f", and {before.killed} time(s) its process was killed" if before.killed else ""
            return dg.SkipReason(
                f"this very work was asked for before{killed}; it waits for a change, or for `plr run`"
            )
        if wait > 0:
            lookout.forget()
            return dg.SkipReason(f"its process was killed {before.killed} times; asked for again in {wait:.0f} s")
        return dg.RunRequest(
            # the same work is asked for once, unless its process was killed: there is no endless loop
            run_key=f"{study.name}-{work.name}-{before.key}",
            run_config={"ops": {COMPUTE: {"config": {"retry_failed": False}}}},
            # repeated here only: Dagster would launch the run again while we ask for what it left
            tags={STUDY_TAG: study.name, WORK_TAG: work.name, ASKED_TAG: str(work.partitions), MAX_RETRIES_TAG: "0"},
        )

    return follow


def unfinished_runs(instance: dg.DagsterInstance, study: str) -> list[dg.DagsterRun]:
    """Runs of the study's jobs or of its assets that wait or go on."""
    return [
        run
        for run in instance.get_runs(dg.RunsFilter(statuses=_UNFINISHED))
        if run.tags.get(STUDY_TAG) == study or any(key.path[0] == study for key in run.asset_selection or ())
    ]


# -- new files ---------------------------------------------------------------------------------------------------------


def _incoming(study: Study) -> dg.SensorDefinition:
    @dg.sensor(
        name="incoming_files",
        target=dg.AssetSelection.assets(asset_key(study.name, "incoming_recordings")),
        minimum_interval_seconds=automation.INCOMING_EVERY_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Imports files that are dropped into the study's folder `incoming/`, once they are whole. They are "
        "pending until `refreeze`; nothing else is computed.",
    )
    def incoming(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        if context.cursor is None and not incoming_folder(study).is_dir():
            return dg.SkipReason(f"there is no folder {incoming_folder(study).name}/ yet")
        seen = look(study)
        waiting = len(seen.last) - len(seen.settled)
        try:
            digest = arrival_digest(study)
        except PlrError as error:
            return dg.SkipReason(f"new files cannot be linked to their subjects: {type(error).__name__}")
        first = context.cursor is None
        if digest == context.cursor or (first and waiting):
            return dg.SkipReason(f"{waiting} file(s) are being written" if waiting else "nothing new")
        context.update_cursor(digest)  # a digest, because names may hold subject codes
        if first and not seen.last:
            return dg.SkipReason("the folder is empty")
        return dg.RunRequest(asset_selection=[asset_key(study.name, "incoming_recordings")])

    return incoming


# -- failures ----------------------------------------------------------------------------------------------------------


def _failures(study: Study) -> dg.SensorDefinition:
    @dg.run_failure_sensor(
        name="failed_runs",
        minimum_interval_seconds=automation.FAILURES_EVERY_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Says of every failed run what failed, why, and how to go on: to the log, and to PLR_ALERT_WEBHOOK "
        "and PLR_ALERT_EMAIL if they are set.",
    )
    def failed(context: dg.RunFailureSensorContext) -> None:
        errors = [_innermost(event) for event in context.get_step_failure_events()]
        failure = failure_of(study.name, context.dagster_run, errors, context.failure_event.message)
        context.log.error(failure.text)
        for problem in send(failure):
            context.log.error(f"the summary was not sent: {problem}")

    return failed


def _innermost(event: dg.DagsterEvent) -> str:
    """What a step says of its failure: its own words where it raised `Failure`, else the error that began it."""
    data = event.step_failure_data
    if data.user_failure_data is not None and data.user_failure_data.description:
        return data.user_failure_data.description
    error = data.error
    while error is not None and error.cause is not None:
        error = error.cause
    return error.message.strip() if error is not None else str(event.message)
