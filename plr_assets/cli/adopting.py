"""`plr adopt` and `plr release`.

Belongs here: what is printed. Does not belong here: what fits, or what is published (`platform.adoption`).
"""

from __future__ import annotations

from contextlib import closing

from rich.console import Console

from plr_assets.defs import ASSETS
from plr_assets.errors import SelectionError, did_you_mean
from plr_assets.grid import grid_of
from plr_assets.platform.adopting import adoptable
from plr_assets.platform.adoption import adopt, release
from plr_assets.platform.adoption_sensor import record, record_release
from plr_assets.platform.contract import Contract
from plr_assets.platform.environment import open_instance
from plr_assets.platform.planning import Planner
from plr_assets.study import load_study


def adopt_run(run_id: str, name: str, console: Console) -> None:
    """Adopt one run and tell Dagster. Raises ContractError if it does not fit."""
    study = load_study(name)
    grid = grid_of(study)
    with open_instance() as instance, closing(Contract(study.name)) as contract:
        planner = Planner(study, grid, contract)
        assets = [asset for asset in ASSETS if asset.offered(study)]
        result = adopt(run_id, planner, assets, lambda found: record(instance, found, planner))
    place = result.plan.asset.place(result.plan.key)
    console.print(f"Adopted: {place} is run {run_id}, published as {result.run.run_id if result.run else '-'}.")
    console.print(
        f"It stands until another is adopted, or plr release {name} {place}. plr run {name} computes what follows.",
        soft_wrap=True,
        highlight=False,
    )


def release_partition(name: str, asset_name: str, key: str, console: Console) -> None:
    """Give a partition back to the study's own method."""
    study = load_study(name)
    asset = next((asset for asset in ASSETS if asset.name == asset_name and asset.offered(study)), None)
    if asset is None:
        raise SelectionError(asset_name, "the study has no such asset.", did_you_mean(asset_name, adoptable()))
    with open_instance() as instance, closing(Contract(study.name)) as contract:
        pin = release(Planner(study, grid_of(study), contract), asset, key)
        record_release(instance, study.name, asset, pin)
    console.print(
        f"Released: run {pin.adopted_from} stands for {asset_name} {key} no longer. plr run {name} computes it.",
        soft_wrap=True,
        highlight=False,
    )
