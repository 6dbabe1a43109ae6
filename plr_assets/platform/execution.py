"""Running the keys of one asset: reuse what is published, spread the rest over workers, publish as results arrive.

Belongs here: the one loop that every stage asset runs, with per-key failure. Does not belong here: Dagster events
(`assets`) or the choice of keys (`planning`, `runner`).
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from plr_assets.platform.adopting import complete
from plr_assets.platform.artifacts import ArtifactInfo, write_product
from plr_assets.platform.contract import Contract, Draft, PublishedRun
from plr_assets.platform.exports import export
from plr_assets.platform.mapper import Failed, Mapper
from plr_assets.platform.planning import KeyPlan, Planner
from plr_assets.platform.progress import KeyProgress, listening, telling
from plr_assets.platform.recipe import write_recipe
from plr_assets.platform.scratch import scratch_folder
from plr_assets.platform.stages import Task


@dataclass(frozen=True)
class KeyResult:
    """What became of one key: the run that holds it, or why there is none."""

    plan: KeyPlan
    run: PublishedRun | None
    reused: bool = False
    error: str | None = None
    metrics: Mapping[str, float] | None = None
    notes: Mapping[str, str] | None = None

    @property
    def text(self) -> str:
        return self.plan.text


@dataclass(frozen=True)
class Work:
    """One key on its way to a worker."""

    task: Task
    folder: Path

    @property
    def text(self) -> str:
        return self.task.asset.key_text(self.task.key)

    @property
    def progress(self) -> Path:
        """Where the worker says how far it is."""
        return self.folder.with_suffix(".progress")


@dataclass(frozen=True)
class Done:
    """One key on its way back: what lies in its folder."""

    artifacts: Mapping[str, ArtifactInfo]
    metrics: Mapping[str, float]
    notes: Mapping[str, str]
    seconds: float


Report = Callable[[KeyResult | KeyProgress], None]


def run_keys(
    plans: Sequence[KeyPlan],
    planner: Planner,
    contract: Contract,
    mapper: Mapper,
    *,
    tags: Mapping[str, str],
    report: Report,
) -> list[KeyResult]:
    """Bring every key of `plans` to a published run; one result a key, in the order of `plans`.

    A key whose work is published is reused. A key whose inputs are missing, or whose computation raises, is failed: the
    others go on. `report` is called as each key is decided, and with what a key that takes long says of itself.
    """
    results: dict[str, KeyResult] = {}

    def decide(result: KeyResult) -> None:
        results[result.text] = result
        report(result)

    waiting: dict[str, KeyPlan] = {}
    for plan in plans:
        if plan.blocked:
            missing = Failed(f"upstream is missing: {', '.join(plan.blocked)}.", "")
            decide(_failed(contract, plan, planner.draft(plan, tags), missing))
        elif plan.published is not None:
            _export(plan, plan.published, planner, contract)
            decide(KeyResult(plan, plan.published, reused=True))
        else:
            waiting[plan.text] = plan

    scratch = scratch_folder()
    try:
        # With fewer keys than processes, a key may use several.
        cores = max(1, mapper.processes // max(len(waiting), 1))
        work = [
            Work(replace(planner.task(plan), cores=cores), scratch / str(index))
            for index, plan in enumerate(waiting.values())
        ]
        with listening({item.progress: item.text for item in work}, report):
            for outcome in mapper.map(compute_key, work):
                plan = waiting[outcome.item.text]
                if isinstance(outcome.result, Failed):
                    decide(_failed(contract, plan, planner.draft(plan, tags), outcome.result))
                    continue
                done = outcome.result
                write_recipe(plan, planner, outcome.item.folder)
                run = contract.publish(
                    planner.draft(plan, tags),
                    done.artifacts,
                    outcome.item.folder,
                    metrics=done.metrics,
                    seconds=done.seconds,
                )
                shutil.rmtree(outcome.item.folder)
                _export(plan, run, planner, contract)
                decide(KeyResult(plan, run, metrics=done.metrics, notes=done.notes))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return [results[plan.text] for plan in plans]


def compute_key(work: Work) -> Done:
    """In a worker: compute one key and stage its artifacts on disk."""
    started = time.perf_counter()
    with telling(work.progress):
        product = complete(work.task) if work.task.adopted is not None else work.task.asset.compute(work.task)
        if work.folder.exists():  # what a worker wrote that was killed at this key
            shutil.rmtree(work.folder)
        work.folder.mkdir(parents=True)
        # inside, because what writes a folder may be what takes long: weights are trained there
        artifacts = write_product(product, work.task.asset.tables, work.folder)
    return Done(artifacts, dict(product.metrics), dict(product.notes), time.perf_counter() - started)


def _failed(contract: Contract, plan: KeyPlan, draft: Draft, failure: Failed) -> KeyResult:
    contract.publish_failure(draft, failure.reason, failure.traceback)
    return KeyResult(plan, None, error=failure.reason)


def _export(plan: KeyPlan, run: PublishedRun, planner: Planner, contract: Contract) -> None:
    for artifact, place in plan.asset.exports.items():
        export(contract.ref(run, artifact), planner.study.data_dir / place)
