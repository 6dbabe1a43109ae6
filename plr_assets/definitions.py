"""Code locations: one a study. `attribute: demo` in workspace.yaml is `configs/studies/demo.yaml`."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from plr_assets.defs import ASSETS
from plr_assets.grid import grid_of
from plr_assets.platform.adoption_sensor import adoption_sensor
from plr_assets.platform.assets import dagster_asset
from plr_assets.platform.resources import study_resources
from plr_assets.study import Study, load_study, study_names


def build_definitions(study: Study, resources: Mapping[str, Any] | None = None) -> dg.Definitions:
    """Everything of one study; `resources` replaces the ones that a run makes for itself."""
    grid = grid_of(study)
    offered = [asset for asset in ASSETS if asset.offered(study)]
    return dg.Definitions(
        assets=[dagster_asset(asset, study, grid) for asset in offered],
        sensors=[adoption_sensor(grid, offered)],
        resources=resources or study_resources(study, offered),
        executor=dg.in_process_executor,
    )


def __getattr__(name: str) -> dg.Definitions:
    if name not in study_names():
        raise AttributeError(name)
    return build_definitions(load_study(name))
