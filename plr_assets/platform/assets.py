"""Dagster assets made from stage declarations.

Belongs here: dg.asset objects and the events they emit. Does not belong here: what a stage computes (`defs`), or the
loop over keys (`execution`).

An asset body loops over a range's keys itself. Dagster would give every key of a range one data version, so the body
logs one materialization a key, after its output (docs/decisions/0001-ranges.md).
"""

import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import dagster as dg

from plr_assets.grid import Grid, PipelineKey
from plr_assets.platform import events
from plr_assets.platform.automation import condition_of
from plr_assets.platform.checks import check_results, check_specs, verdicts
from plr_assets.platform.contract import Contract
from plr_assets.platform.execution import KeyResult, Report, run_keys
from plr_assets.platform.mapper import Mapper
from plr_assets.platform.parent_run import end_parent_run
from plr_assets.platform.partitions import partition_mapping, partitions_def, reads_by_asset
from plr_assets.platform.planning import Planner
from plr_assets.platform.progress import KeyProgress
from plr_assets.platform.stages import WHOLE, StageAsset
from plr_assets.platform.transient import retried
from plr_assets.study import Study

# Set by `plr run`: the keys of a range that are wanted. A run's range must be contiguous, a selection need not be.
KEYS_TAG = "plr/keys"


def asset_key(study: str, name: str) -> dg.AssetKey:
    """Assets are prefixed by their study: equal keys in two code locations would collide."""
    return dg.AssetKey([study, name])


def dagster_asset(asset: StageAsset, study: Study, grid: Grid) -> dg.AssetsDefinition:
    """The Dagster asset of one declaration in one study."""
    with _accepting_beta():
        return _declare(asset, study, grid)


@contextmanager
def _accepting_beta() -> Iterator[None]:
    """Dagster calls ranges in one run and data versions beta, once an asset and run; the platform is built on them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)
        yield


def _declare(asset: StageAsset, study: Study, grid: Grid) -> dg.AssetsDefinition:
    # Nothing: a result is published, not handed to an IO manager; its annotation lacks this documented spelling.
    nothing: Any = dg.Nothing

    @dg.asset(
        key=asset_key(study.name, asset.name),
        partitions_def=partitions_def(asset, grid),
        backfill_policy=dg.BackfillPolicy.single_run() if asset.partitioned else None,
        deps=list(dependencies(asset, study, grid)),
        group_name=asset.stage.name,
        owners=[asset.stage.owner],
        kinds=set(asset.kinds),
        pool=asset.pool,
        tags={"stage": asset.stage.name, "origin": study.origin},
        description=asset.description,
        metadata=events.definition_metadata(asset.tables, asset.stage.persona),
        dagster_type=nothing,
        output_required=False,
        check_specs=check_specs(asset, asset_key(study.name, asset.name)) or None,
        automation_condition=condition_of(asset, study),
        hooks={end_parent_run},
    )
    def body(
        context: dg.AssetExecutionContext,
        contract: dg.ResourceParam[Contract],
        workers: dg.ResourceParam[Mapper],
        observer: dg.ResourceParam[Report],
        mlflow: dg.ResourceParam[Any],
    ) -> Iterator[dg.Output[None] | dg.AssetCheckResult]:
        keys, whole_range = _chosen(context, asset)
        parent = {"mlflow.parentRunId": mlflow.mlflow_run_id or mlflow.active_run().info.run_id} if mlflow else {}
        pointers = events.upstream_pointers(context.instance, asset, study)
        with retried():
            planner = Planner(study, grid, contract)
            results = run_keys(
                planner.plan(asset, keys),
                planner,
                contract,
                workers,
                tags={"plr.dagster_run_id": context.run.run_id, **parent},
                report=_progress(context, len(keys), observer),
            )
        yield from _emit(context, asset, results, pointers, contract, whole_range=whole_range)
        if asset.checks and (run := results[0].run) is not None:
            yield from check_results(asset, context.asset_key, verdicts(asset, study, run, contract))

    return body


def dependencies(asset: StageAsset, study: Study, grid: Grid) -> Iterator[dg.AssetDep]:
    for name, same_upstream in reads_by_asset(asset, study).items():
        mapping = partition_mapping(asset, same_upstream, grid)
        yield dg.AssetDep(asset_key(study.name, name), partition_mapping=mapping)


def _chosen(context: dg.AssetExecutionContext, asset: StageAsset) -> tuple[list[PipelineKey], bool]:
    """The keys to run, and whether they are all that Dagster thinks this run covers."""
    if not asset.partitioned:
        return [WHOLE], True
    covered = list(context.partition_keys)
    tag = context.run.tags.get(KEYS_TAG)
    wanted = covered if tag is None else json.loads(tag)
    return [asset.parse(text) for text in wanted], tag is None


def _progress(context: dg.AssetExecutionContext, total: int, observer: Report) -> Report:
    """Tells the Dagster log, and whoever else watches, of each key as it is decided."""
    decided = 0

    def report(result: KeyResult | KeyProgress) -> None:
        nonlocal decided
        observer(result)
        if isinstance(result, KeyProgress):
            context.log.info(f"{result.text}: {result.line}")
            return
        decided += 1
        where = f"[{decided}/{total}] {result.text}"
        if result.error is not None:
            context.log.error(f"{where}: {result.error}")
        elif result.run is not None:
            context.log.info(f"{where}: {'reused' if result.reused else f'{result.run.seconds:.1f} s'}")

    return report


def _emit(
    context: dg.AssetExecutionContext,
    asset: StageAsset,
    results: Sequence[KeyResult],
    pointers: Mapping[str, str],
    contract: Contract,
    *,
    whole_range: bool,
) -> Iterator[dg.Output[None]]:
    failed = [result for result in results if result.error is not None]
    if not failed and len(results) == 1:
        # One key: Dagster's own event can carry its version and metadata.
        (result,) = results
        metadata, version = events.metadata(asset, result, contract), events.version(result)
        with _accepting_beta():
            output = dg.Output(None, metadata=metadata, data_version=version)
        yield output
        return
    if not failed and whole_range:
        # An output lets children and checks of the same run go on. It marks the whole range with one version, which
        # the events below replace key by key; so it is left out where only some keys of the range were wanted.
        yield dg.Output(None)
    for result in results:
        if result.run is not None:
            event = events.materialization(
                context.asset_key, asset, result, pointers, contract, made_in=context.run.run_id
            )
            context.log_event(event)
    if failed:
        raise dg.Failure(events.failure_summary(asset, failed, len(results)), allow_retries=False)
