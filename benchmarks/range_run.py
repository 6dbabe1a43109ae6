"""A Dagster run over a range of partitions: through the platform, and without it.

Belongs here: runs through Dagster. Does not belong here: the contract alone (`contract`).
"""

import json
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import dagster as dg

from benchmarks.measure import Result, interleave
from benchmarks.synthetic import BareTracking, published_grid, study_named, tiny, tiny_table
from plr_assets.grid import grid_of
from plr_assets.paths import data_root
from plr_assets.platform.assets import KEYS_TAG, dagster_asset
from plr_assets.platform.contract import Contract
from plr_assets.platform.environment import open_instance
from plr_assets.platform.mapper import SerialMapper
from plr_assets.platform.planning import Planner
from plr_assets.platform.resources import live_resources
from plr_assets.study import load_study

KEYS = 20  # of 440; short runs and many of them, because what disturbs a shared machine lasts for seconds
REPEATS = 5

# The cheapest real partition, 1000 logistic regressions, takes 1.4 s on this machine kind (baselines.md, 3). The
# platform may add a twentieth to it.
GOAL_MS = 70
# The same rows in the same two databases. The contract adds the fingerprint, digests, a validated table and one more
# batch of tags, which mark the run as whole: a quarter is allowed for them.
GOAL_RATIO = 1.25

_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def run() -> Iterator[Result]:
    keys = [str(key) for key in published_grid(grid_of(load_study("demo")))]
    parameters, tags = _description()
    with open_instance() as instance, _accepting_beta():

        def ours(name: str, tags: dict[str, str]) -> None:
            study = study_named(name)
            contract = Contract(study.name)
            asset = dagster_asset(tiny, study, grid_of(study))
            _materialize(asset, keys, instance, live_resources(contract, SerialMapper(), lambda _: None), tags)
            assert all(contract.latest(tiny.name, key) for key in keys[:KEYS])

        # As the UI and the daemon start a range, and as `plr run` does, which names its keys.
        def backfill(repeat: int) -> None:
            ours(f"backfill_{repeat}", {})

        def plr_run(repeat: int) -> None:
            ours(f"plr_run_{repeat}", {KEYS_TAG: json.dumps(keys[:KEYS])})

        def plain(repeat: int) -> None:
            folder = data_root() / f"plain_{repeat}"
            folder.mkdir()
            asset = _plain_asset(
                f"plain_{repeat}", keys, lambda key: tiny_table(key).write_parquet(folder / f"{key}.parquet")
            )
            _materialize(asset, keys, instance, {}, {})
            assert len(list(folder.iterdir())) == KEYS

        def tracked(repeat: int) -> None:
            store = BareTracking(f"tracked_{repeat}")
            asset = _plain_asset(
                f"tracked_{repeat}", keys, lambda key: store.publish(key, tiny_table(key), parameters, tags)
            )
            _materialize(asset, keys, instance, {}, {})
            assert len(store.client.search_runs([store.experiment_id])) == KEYS

        times = interleave(REPEATS, backfill=backfill, plr_run=plr_run, plain=plain, tracked=tracked)
    each = {side: 1000 * times.fastest(side) / KEYS for side in ("plain", "tracked")}
    yield Result(
        "backfill: beyond plain Dagster",
        1000 * times.beyond("backfill", "plain") / KEYS,
        GOAL_MS,
        "ms/partition",
        f"Dagster, Parquet, no tracking: {each['plain']:.1f} ms",
    )
    for name, side in (("backfill", "backfill"), ("plr run", "plr_run")):
        yield Result(
            f"{name}: the same range",
            times.ratio(side, "tracked"),
            GOAL_RATIO,
            "ratio",
            f"Dagster + bare MLflow runs: {each['tracked']:.1f} ms/partition",
        )


def _description() -> tuple[dict[str, object], dict[str, str]]:
    """What the platform says about a partition, for the peer that logs as much."""
    study = study_named("described")
    grid = grid_of(study)
    planner = Planner(study, grid, Contract(study.name))
    draft = planner.draft(planner.plan(tiny)[0], {})
    return dict(draft.parameters), {"plr.fingerprint": draft.fingerprint, **draft.tags}


def _plain_asset(name: str, keys: Sequence[str], compute: Callable[[str], object]) -> dg.AssetsDefinition:
    @dg.asset(
        name=name,
        partitions_def=dg.StaticPartitionsDefinition(list(keys)),
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def body(context: dg.AssetExecutionContext) -> None:
        for key in context.partition_keys:
            compute(key)

    return body


def _materialize(
    asset: dg.AssetsDefinition,
    keys: Sequence[str],
    instance: dg.DagsterInstance,
    resources: dict[str, Any],
    tags: dict[str, str],
) -> None:
    result = dg.materialize(
        [asset],
        instance=instance,
        resources=resources,
        run_config=_QUIET,
        tags={
            "dagster/asset_partition_range_start": keys[0],
            "dagster/asset_partition_range_end": keys[KEYS - 1],
            **tags,
        },
    )
    assert result.success


@contextmanager
def _accepting_beta() -> Iterator[None]:
    """Ranges in one run are beta in Dagster; both sides use them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)
        yield
