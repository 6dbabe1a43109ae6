"""Jobs of a study that the Dagster pages offer, beside its assets: bring up to date, refreeze, check integrity.

Belongs here: the ops, their configuration, what they say. Does not belong here: what they do (`runner`, `refreezing`,
`integrity`), or when they are started (`automation`).

`bring_up_to_date` is `plr run` in a process of the daemon: one Dagster run for each asset that has something to do, all
in one process, so that a change is through the graph in the time that its computation takes.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from typing import Any

import dagster as dg

from plr_assets.grid import grid_of
from plr_assets.platform.contract import Contract
from plr_assets.platform.execution import KeyResult
from plr_assets.platform.following import work_to_do
from plr_assets.platform.integrity import check_integrity
from plr_assets.platform.mapper import make_mapper
from plr_assets.platform.planning import Planner
from plr_assets.platform.previews import markdown_table
from plr_assets.platform.progress import KeyProgress
from plr_assets.platform.refreezing import plan_refreeze, refreeze
from plr_assets.platform.resources import live_resources
from plr_assets.platform.runner import AssetOutcome, Runner, materialized_versions, outcomes_file, summary
from plr_assets.platform.selection import needed_keys, parse_selection
from plr_assets.platform.stages import StageAsset
from plr_assets.platform.status import write_outcomes
from plr_assets.study import Study

# On every run of a study's jobs. `dagster.yaml` lets one of them at a time go on: two would compute the same.
STUDY_TAG = "plr/study"
BRING_UP_TO_DATE, REFREEZE, INTEGRITY = "bring_up_to_date", "refreeze", "check_integrity"
# Dagster wants another name for the op than for its job; the launchpad shows it above the configuration.
COMPUTE, GIVE_ROLES, COMPARE = "compute", "give_roles", "compare_with_declared"

# Definitions of a study, made with given resources.
Build = Callable[[Study, Mapping[str, Any]], dg.Definitions]
_SHOWN_FAILURES = 20


def study_jobs(study: Study, assets: Sequence[StageAsset], build: Build) -> list[dg.JobDefinition]:
    """The jobs of one study; `assets` are those that it has, upstream first."""
    jobs = [
        _job(BRING_UP_TO_DATE, study, _bring_up_to_date(study, assets, build)),
        _job(INTEGRITY, study, _check_integrity(study)),
    ]
    if study.simulation is None:
        jobs.append(_job(REFREEZE, study, _refreeze(study, assets)))
    return jobs


def _job(name: str, study: Study, op: dg.OpDefinition) -> dg.JobDefinition:
    return dg.GraphDefinition(name=name, node_defs=[op], description=op.description).to_job(
        tags={STUDY_TAG: study.name}, executor_def=dg.in_process_executor
    )


def _bring_up_to_date(study: Study, assets: Sequence[StageAsset], build: Build) -> dg.OpDefinition:
    @dg.op(
        name=COMPUTE,
        # nothing is handed on: Dagster would pickle it
        out=dg.Out(dg.Nothing),
        description="Computes what is missing or out of date, as `plr run` does: asset by asset, and nothing else.",
        config_schema={
            "select": dg.Field(str, default_value="", description="as `plr run --select`; empty: the whole study"),
            "retry_failed": dg.Field(
                bool,
                default_value=True,
                description="whether partitions are tried that failed and whose inputs, code and parameters are those "
                "that failed",
            ),
        },
    )
    def op(context: dg.OpExecutionContext) -> None:
        grid = grid_of(study)
        selection = parse_selection(context.op_config["select"], grid, assets)
        with (
            closing(Contract(study.name)) as contract,
            closing(make_mapper(study.workers.kind, study.workers.processes)) as workers,
        ):
            watcher = LogWatcher(context)
            definitions = build(study, live_resources(contract, workers, watcher.reports))
            runner = Runner(grid, assets, definitions, context.instance, contract, watcher)
            wanted = needed_keys(assets, grid, selection)
            if not context.op_config["retry_failed"]:
                work = work_to_do(
                    Planner(study, grid, contract),
                    assets,
                    lambda asset: materialized_versions(context.instance, study.name, asset),
                )
                for place, why in work.held.items():
                    context.log.info(f"left out, it failed and nothing changed since: {place}: {why}")
                wanted = {
                    asset: tuple(key for key in wanted[asset] if key in keys) for asset, keys in work.wanted.items()
                }
            outcomes = runner.run(wanted)
        write_outcomes(outcomes_file(study.data_dir), outcomes)
        total = summary(outcomes)
        counts = ", ".join(f"{total[word]} {word}" for word in ("computed", "reused", "failed", "blocked"))
        context.log.info(counts)
        if wrong := failures_in_words(outcomes):
            raise dg.Failure(f"{counts}.\n{wrong}", metadata=dict(total.items()), allow_retries=False)
        context.add_output_metadata({word: total[word] for word in ("computed", "reused", "failed", "blocked")})

    return op


def failures_in_words(outcomes: Mapping[str, AssetOutcome]) -> str:
    """Failed partitions with their reasons and failed checks, a line each; empty where there are none."""
    lines = [f"{name}: {outcome.unchecked}" for name, outcome in outcomes.items() if outcome.unchecked]
    lines += [
        f"{name if name == key else f'{name} {key}'}: {why}"
        for name, outcome in outcomes.items()
        for key, why in outcome.failed.items()
    ]
    more = [f"... and {len(lines) - _SHOWN_FAILURES} more: plr status"] if len(lines) > _SHOWN_FAILURES else []
    return "\n".join([*lines[:_SHOWN_FAILURES], *more])


class LogWatcher:
    """Tells the log of the job's run what `plr run` tells the terminal."""

    def __init__(self, context: dg.OpExecutionContext) -> None:
        self._log = context.log

    def starts(self, asset: StageAsset, to_do: int) -> None:
        if to_do:
            self._log.info(f"{asset.name}: {to_do} to do")

    def reports(self, event: KeyResult | KeyProgress) -> None:
        if isinstance(event, KeyResult) and event.error is not None:
            self._log.error(f"{event.plan.asset.place(event.plan.key)}: {event.error}")

    def ends(self, asset: StageAsset, outcome: AssetOutcome) -> None:
        if outcome.dagster_run:
            counts = f"{outcome.computed} computed, {outcome.reused} reused, {len(outcome.failed)} failed"
            self._log.info(f"{asset.name}: {counts}; run {outcome.dagster_run}")


def _refreeze(study: Study, assets: Sequence[StageAsset]) -> dg.OpDefinition:
    @dg.op(
        name=GIVE_ROLES,
        out=dg.Out(dg.Nothing),
        description="Gives every recording its role anew, as `plr refreeze`: pending ones join. Says in its log who "
        "joins what, and how many partitions that puts out of date.",
        config_schema={
            "freeze": dg.Field(bool, default_value=True, description="no: only say what a new freeze would change")
        },
    )
    def op(context: dg.OpExecutionContext) -> None:
        with closing(Contract(study.name)) as contract:
            planned = plan_refreeze(study, grid_of(study), assets, contract)
        if planned.changes_nothing:
            context.log.info("Nothing to do: all recordings have the role that they would get.")
            return
        context.log.info(planned.cost_text)
        context.add_output_metadata(
            {
                "roles": dg.MetadataValue.md(markdown_table(planned.moves)),
                "files that join": len(planned.joins),
                "out of date after that": planned.cost.total(),
                "frozen": context.op_config["freeze"],
            }
        )
        if context.op_config["freeze"]:
            refreeze(study, planned)
            follows = (
                "What follows is computed by itself." if study.automation == "automatic" else "Now bring it up to date."
            )
            context.log.info(f"Frozen. {follows}")

    return op


def _check_integrity(study: Study) -> dg.OpDefinition:
    @dg.op(
        name=COMPARE,
        out=dg.Out(dg.Nothing),
        description="Reads every published file and the results database, and compares them with what was declared. "
        "Changes nothing; fails if anything is wrong.",
    )
    def op(context: dg.OpExecutionContext) -> None:
        with closing(Contract(study.name)) as contract:
            report = check_integrity(study, contract)
        context.log.info(report.counts_text)
        if report.problems:
            raise dg.Failure("\n".join(report.lines), metadata={"problems": len(report.problems)}, allow_retries=False)
        context.add_output_metadata(dict(report.counts))

    return op
