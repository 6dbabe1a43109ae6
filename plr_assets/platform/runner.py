"""`plr run`: bring a study, or a selection of it, up to date through a real Dagster instance.

Belongs here: planning asset by asset and launching one Dagster run for each that has something to do. Does not belong
here: the loop over keys (`execution`), or printing (`cli`). An unchanged study launches no run at all.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import dagster as dg
from dagster._core import errors as dg_errors  # the class has no public name

from plr_assets.grid import Grid, PipelineKey
from plr_assets.platform.assets import KEYS_TAG, asset_key
from plr_assets.platform.checks import failures, show_verdicts, verdicts
from plr_assets.platform.contract import Contract
from plr_assets.platform.execution import KeyResult
from plr_assets.platform.leftovers import PROCESS_TAG, close_runs_of_dead_processes
from plr_assets.platform.planning import KeyPlan, Planner
from plr_assets.platform.processes import this_process
from plr_assets.platform.progress import KeyProgress
from plr_assets.platform.stages import StageAsset

_RANGE_START, _RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
_VERSION_TAG = "dagster/data_version"
_INTERRUPTED = dg_errors.DagsterExecutionInterruptedError.__name__


class Watcher(Protocol):
    """Whoever shows the progress of a run."""

    def starts(self, asset: StageAsset, to_do: int) -> None: ...

    def reports(self, event: KeyResult | KeyProgress) -> None: ...

    def ends(self, asset: StageAsset, outcome: AssetOutcome) -> None: ...


@dataclass
class AssetOutcome:
    """What one run did with one asset.

    failed, blocked     partition -> why.
    unchecked, warned   failed checks, those that block and those that do not.
    """

    computed: int = 0
    reused: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    blocked: dict[str, str] = field(default_factory=dict)
    dagster_run: str | None = None
    unchecked: str = ""
    warned: str = ""


@dataclass(frozen=True)
class Runner:
    """Runs one study in one process.

    definitions   made with `resources.live_resources` of the same contract, workers and watcher, which all runs share.
    """

    grid: Grid
    assets: Sequence[StageAsset]
    definitions: dg.Definitions
    instance: dg.DagsterInstance
    contract: Contract
    watcher: Watcher

    def run(
        self, wanted: Mapping[StageAsset, Sequence[PipelineKey]], planner: Planner | None = None
    ) -> dict[str, AssetOutcome]:
        """Asset name -> outcome, upstream first. Failed keys block what needs them and nothing else.

        planner   one that has planned `wanted` already, so that nothing is looked up twice.

        A failed check stands for all keys of its asset: what descends from them is blocked, published or not. Raises
        KeyboardInterrupt where a Dagster run was interrupted; what it published stays.
        """
        close_runs_of_dead_processes(self.instance)
        self.contract.close_broken_off()
        planner = planner or Planner(self.grid.study, self.grid, self.contract)
        outcomes: dict[str, AssetOutcome] = {}
        unusable: dict[str, str] = {}  # asset -> the asset whose check failed
        for asset in self.assets:
            keys = wanted.get(asset, ())
            above = next(
                (unusable[r.asset.name] for r in asset.reads_in(self.grid.study) if r.asset.name in unusable), ""
            )
            if above:
                unusable[asset.name] = above
            if not keys:
                continue
            if above:
                why = f"needs {above}, which did not pass its check"
                outcomes[asset.name] = AssetOutcome(blocked={asset.key_text(key): why for key in keys})
                self.watcher.starts(asset, 0)
                self.watcher.ends(asset, outcomes[asset.name])
                continue
            outcomes[asset.name] = self._bring_up_to_date(asset, keys, planner)
            if outcomes[asset.name].unchecked:
                unusable[asset.name] = asset.name
        return outcomes

    def _bring_up_to_date(self, asset: StageAsset, keys: Sequence[PipelineKey], planner: Planner) -> AssetOutcome:
        plans = planner.plan(asset, keys)
        shown = materialized_versions(self.instance, self.grid.study.name, asset)
        outcome = AssetOutcome()
        to_do: list[KeyPlan] = []
        for plan in plans:
            if plan.blocked or plan.outdated:
                outcome.blocked[plan.text] = f"needs {', '.join((*plan.blocked, *plan.outdated))}"
            elif plan.published and plan.exported and shown.get(plan.text) == plan.published.digest:
                outcome.reused += 1
            else:
                to_do.append(plan)
        self.watcher.starts(asset, len(to_do))
        if to_do:
            found_before = {plan.text for plan in to_do if plan.published}
            outcome.dagster_run, broke_off = self._launch(asset, [plan.text for plan in to_do])
            planner.forget()
            for plan in planner.plan(asset, [plan.key for plan in to_do]):
                if plan.published is None:
                    failure = self.contract.failure(asset.name, plan.text)
                    outcome.failed[plan.text] = failure.error if failure else broke_off
                elif plan.text in found_before:
                    outcome.reused += 1
                else:
                    outcome.computed += 1
        outcome.unchecked, outcome.warned = self._failed_checks(asset, planner)
        self.watcher.ends(asset, outcome)
        return outcome

    def _failed_checks(self, asset: StageAsset, planner: Planner) -> tuple[str, str]:
        """Those that block and those that warn, of what is published now: a limit may have changed in between."""
        if not asset.checks:
            return "", ""
        (plan,) = planner.plan(asset)
        if plan.published is None:
            return "", ""
        found = verdicts(asset, self.grid.study, plan.published, self.contract)
        show_verdicts(self.instance, asset, asset_key(self.grid.study.name, asset.name), found)
        return failures(asset, found, blocking=True), failures(asset, found, blocking=False)

    def _launch(self, asset: StageAsset, keys: Sequence[str]) -> tuple[str, str]:
        """One Dagster run over the hull of `keys`, which are named in a tag. Its id, and why it broke off if it did."""
        tags = {PROCESS_TAG: this_process()}
        if asset.partitioned:
            tags |= {_RANGE_START: keys[0], _RANGE_END: keys[-1], KEYS_TAG: json.dumps(list(keys))}
        job = self.definitions.resolve_implicit_global_asset_job_def()
        with _quiet():
            result = job.execute_in_process(
                instance=self.instance,
                asset_selection=[asset_key(self.grid.study.name, asset.name)],
                tags=tags,
                raise_on_error=False,
                run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            )
        errors = [event.step_failure_data.error for event in result.get_step_failure_events()]
        if any(error is not None and error.cls_name == _INTERRUPTED for error in errors):
            raise KeyboardInterrupt  # Dagster turns Ctrl-C into a failure, and would let us go on with the next asset
        causes = [error.to_string().strip() for error in errors if error is not None]
        return result.run_id, f"the Dagster run broke off before it: {' / '.join(causes) or 'see its log'}"


def materialized_versions(instance: dg.DagsterInstance, study: str, asset: StageAsset) -> dict[str, str]:
    """Partition -> data version of its newest materialization, as the Dagster UI knows it."""
    key = asset_key(study, asset.name)
    if not asset.partitioned:
        event = instance.get_latest_materialization_event(key)
        materialization = event.asset_materialization if event else None
        version = (materialization.tags or {}).get(_VERSION_TAG) if materialization else None
        return {asset.name: version} if version else {}
    newest = instance.event_log_storage.get_latest_tags_by_partition(
        key, dg.DagsterEventType.ASSET_MATERIALIZATION, tag_keys=[_VERSION_TAG]
    )
    return {partition: tags[_VERSION_TAG] for partition, tags in newest.items() if _VERSION_TAG in tags}


@contextmanager
def _quiet() -> Iterator[None]:
    """The terminal shows the watcher; the Dagster log has the rest."""
    loggers = [logging.getLogger(name) for name in ("dagster", "alembic", "mlflow")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def outcomes_file(data_dir: Path) -> Path:
    """What the last `plr run` of the study did, for `plr status`."""
    return data_dir / "last_run.json"


def summary(outcomes: Mapping[str, AssetOutcome]) -> Counter[str]:
    """Partitions by what became of them."""
    total: Counter[str] = Counter()
    for outcome in outcomes.values():
        total.update(
            computed=outcome.computed, reused=outcome.reused, failed=len(outcome.failed), blocked=len(outcome.blocked)
        )
    return total
