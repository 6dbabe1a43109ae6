"""The sensor that adopts runs of others as they appear in MLflow, and the events by which Dagster learns of it.

Belongs here: how to look, and what Dagster is told. Does not belong here: how often (`automation`), or what is adopted
(`adoption`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing

import dagster as dg

from plr_assets.errors import ContractError, PlrError
from plr_assets.grid import grid_of
from plr_assets.platform import automation
from plr_assets.platform.adoption import adopt
from plr_assets.platform.assets import asset_key
from plr_assets.platform.contract import Contract, PublishedRun
from plr_assets.platform.events import materialization, upstream_pointers
from plr_assets.platform.execution import KeyResult
from plr_assets.platform.fingerprints import read_again
from plr_assets.platform.foreign import REFUSED, find_run, waiting
from plr_assets.platform.planning import Planner
from plr_assets.platform.stages import StageAsset
from plr_assets.study import Study

# s of one look after which no further run is begun: Dagster ends a tick after 60, and the next look goes on.
_LONG_S = 20.0
# ms that are looked at again at every look: the clock of whoever logged a run may be wrong by hours, and tags are
# sometimes set after a run has ended.
_BACK_MS = 24 * 3600 * 1000
# ms that the first look goes back: a store may hold ten thousands of our own runs, and a look has to end. Older ones
# are for `plr adopt`.
_FIRST_MS = 7 * _BACK_MS


def adoption_sensor(study: Study, assets: Sequence[StageAsset], reread: Callable[[], Study]) -> dg.SensorDefinition:
    """Looks for runs that propose a partition of the study.

    reread   the study as its file says it now: what a run is checked against is planned anew at every look.
    """

    @dg.sensor(
        name="bring_your_own_run",
        minimum_interval_seconds=automation.ADOPTION_EVERY_S,
        default_status=dg.DefaultSensorStatus.STOPPED,
        description="Adopts finished MLflow runs that carry the contract's tags: each becomes the partition that it "
        "names, or is refused once, with the reason in its tag plr.refused.",
    )
    def look(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        now = int(time.time() * 1000)
        since = int(context.cursor or now - _FIRST_MS)
        with closing(Contract(study.name)) as contract:
            found = waiting(contract.client, study.name, since_ms=since)
            if not found:
                context.update_cursor(str(now - _BACK_MS))
                return dg.SkipReason("no run of others waits")
            read_again()
            try:
                current = reread()
                planner = Planner(current, grid_of(current), contract)
            except PlrError as error:  # half an edit: the runs wait
                return dg.SkipReason(f"{len(found)} run(s) wait; the study cannot be read: {error}")
            adopted, refused, all_seen = _adopt_all(context, found, planner, assets)
        if all_seen:
            context.update_cursor(str(now - _BACK_MS))
        context.log.info(f"{adopted} run(s) adopted, {refused} refused")
        return dg.SkipReason(f"{adopted} run(s) adopted, {refused} refused; partitions have events of their own")

    return look


def _adopt_all(
    context: dg.SensorEvaluationContext, found: Sequence[str], planner: Planner, assets: Sequence[StageAsset]
) -> tuple[int, int, bool]:
    """How many were adopted and refused, and whether none is left for the next look."""
    adopted = refused = left = 0
    started = time.monotonic()
    for run_id in found:
        if time.monotonic() - started > _LONG_S:
            left += 1
            continue
        try:
            result = adopt(run_id, planner, assets, lambda found: record(context.instance, found, planner))
        except ContractError as error:
            context.log.warning(str(error))
            if REFUSED in (tags := find_run(planner.contract.client, run_id).data.tags):
                refused += 1
                _tell_refusal(context.instance, tags, error, planner, assets)
            else:
                left += 1  # not its fault: its inputs are not there yet
            continue
        adopted += 1
        context.log.info(f"adopted run {run_id} as {result.plan.asset.place(result.plan.key)}")
    return adopted, refused, left == 0


def record(instance: dg.DagsterInstance, result: KeyResult, planner: Planner) -> None:
    """Tell Dagster of an adopted partition: a materialization without a run, with data version and links."""
    asset, study = result.plan.asset, planner.study
    pointers = upstream_pointers(instance, asset, study)
    made_in = f"adopted {result.run.adopted_from}" if result.run else "adopted"
    key = asset_key(study.name, asset.name)
    instance.report_runless_asset_event(
        materialization(key, asset, result, pointers, planner.contract, made_in=made_in)
    )


def record_release(instance: dg.DagsterInstance, study: str, asset: StageAsset, pin: PublishedRun) -> None:
    """Tell Dagster that a partition is its own method's again: an observation, which `follow_changes` sees."""
    instance.report_runless_asset_event(
        dg.AssetObservation(
            asset_key(study, asset.name),
            partition=pin.key,
            description=f"run {pin.adopted_from} stands for it no longer",
            metadata={"released_run": pin.adopted_from or ""},
        )
    )


def _tell_refusal(
    instance: dg.DagsterInstance,
    tags: dict[str, str],
    error: ContractError,
    planner: Planner,
    assets: Sequence[StageAsset],
) -> None:
    """An observation on the asset that the run was meant for, where there is one: it stays on the asset's page."""
    asset = next((asset for asset in assets if asset.name == tags.get("plr.asset")), None)
    if asset is None:
        return
    keys = {asset.key_text(key) for key in asset.keys_in(planner.grid)} if asset.partitioned else set()
    instance.report_runless_asset_event(
        dg.AssetObservation(
            asset_key(planner.study.name, asset.name),
            partition=key if (key := tags.get("plr.key", "")) in keys else None,
            description=f"{error.where} was refused: {error.problem}",
            metadata={"refused_run": error.where, "reason": error.problem, "remedy": error.remedy},
        )
    )
