"""Code locations: one a study. `attribute: demo` in workspace.yaml is `configs/studies/demo.yaml`."""

from collections.abc import Callable, Mapping
from typing import Any

import dagster as dg

from plr_assets.defs import ASSETS
from plr_assets.grid import grid_of
from plr_assets.platform.adoption_sensor import adoption_sensor
from plr_assets.platform.assets import dagster_asset
from plr_assets.platform.jobs import study_jobs
from plr_assets.platform.resources import study_resources
from plr_assets.platform.sensors import read_from_file, study_schedules, study_sensors
from plr_assets.study import Study, load_study, study_names


def build_definitions(
    study: Study, resources: Mapping[str, Any] | None = None, reread: Callable[[], Study] | None = None
) -> dg.Definitions:
    """Everything of one study.

    resources   replace the ones that a run makes for itself.
    reread      the study as it is declared now, for sensors that outlive a change; by default as it is.
    """
    grid = grid_of(study)
    offered = [asset for asset in ASSETS if asset.offered(study)]
    jobs = study_jobs(study, offered, build_definitions)
    declared = reread or (lambda: study)
    return dg.Definitions(
        assets=[dagster_asset(asset, study, grid) for asset in offered],
        resources=resources or study_resources(study, offered),
        jobs=jobs,
        sensors=[*study_sensors(study, ASSETS, jobs, declared), adoption_sensor(study, offered, declared)],
        schedules=study_schedules(study, jobs),
        executor=dg.in_process_executor,
    )


def __getattr__(name: str) -> dg.Definitions:
    if name not in study_names():
        raise AttributeError(name)
    study = load_study(name)
    return build_definitions(study, reread=lambda: read_from_file(study))
