"""Planning a grid of the published size in which nothing changed: what every `plr run` and `plr status` starts with.

Belongs here: the decision that nothing is to be done. Does not belong here: running (`range_run`).
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from mlflow import MlflowClient

from benchmarks.measure import Result, interleave
from benchmarks.synthetic import STAGE, study_named, tiny
from plr_assets.grid import grid_of
from plr_assets.platform.contract import Contract
from plr_assets.platform.execution import run_keys
from plr_assets.platform.mapper import SerialMapper
from plr_assets.platform.planning import Planner

REPEATS = 7

# An unchanged study of 440 pipelines has some 1700 partitions over all stages. It is to be told as such in two seconds.
GOAL_MS = 1.0


def run() -> Iterator[Result]:
    study = study_named("planned")
    grid = grid_of(study)
    first = Contract(study.name)
    planner = Planner(study, grid, first)
    plans = planner.plan(tiny)
    done = run_keys(plans, planner, first, SerialMapper(), tags={}, report=lambda _: None)
    assert all(result.run is not None for result in done)
    client = MlflowClient(tracking_uri=first.tracking_uri)
    experiment = client.get_experiment_by_name(first.experiment(STAGE.experiment))
    assert experiment is not None
    experiments = [experiment.experiment_id]

    def ours(_: int) -> None:
        # nothing is remembered from before, as in a new process
        fresh = Planner(study, grid, Contract(study.name))
        assert all(plan.done for plan in fresh.plan(tiny))

    def listed(_: int) -> None:
        assert len(client.search_runs(experiments, max_results=1000)) == len(plans)

    times = interleave(REPEATS, clock=time.process_time, ours=ours, listed=listed)
    yield Result(
        f"plan {len(plans)} unchanged keys",
        1000 * times.fastest("ours") / len(plans),
        GOAL_MS,
        "ms/key",
        f"search_runs alone: {1000 * times.fastest('listed') / len(plans):.2f} ms/key",
    )
