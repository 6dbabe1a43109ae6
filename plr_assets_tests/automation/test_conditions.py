"""Dagster's own conditions: content that changed asks for exactly what reads it, once, and nothing else does."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import dagster as dg
import pytest

from plr_assets.definitions import build_definitions
from plr_assets.platform.assets import asset_key
from plr_assets_tests.e2e.lab import Lab, Place

Tick = Callable[[], set[Place]]


@pytest.fixture
def ticking(lab: Lab) -> Iterator[tuple[dg.DagsterInstance, Tick]]:
    """The instance of a finished trial, and one evaluation after another of all conditions."""
    definitions = build_definitions(lab.study())
    cursor: list[dg.AutomationConditionCursor | None] = [None]
    with lab.instance() as instance:

        def tick() -> set[Place]:
            result = dg.evaluate_automation_conditions(definitions, instance, cursor=cursor[0])
            cursor[0] = result.cursor
            found: set[Place] = set()
            for spec in definitions.resolve_all_asset_specs():
                name = spec.key.path[-1]
                for partition in result.get_requested_partitions(spec.key):
                    found.add((name, partition or name))
            return found

        assert tick() == set(), "what is there already asks for nothing"
        yield instance, tick


def publish(instance: dg.DagsterInstance, place: Place, version: str) -> None:
    asset, partition = place
    tags = {"dagster/data_version": version, "dagster/data_version_is_user_provided": "true"}
    key = asset_key("trial", asset)
    where = None if partition == asset else partition
    instance.report_runless_asset_event(dg.AssetMaterialization(key, partition=where, tags=tags))


def test_other_content_asks_for_what_reads_it_and_for_it_once(
    ticking: tuple[dg.DagsterInstance, Tick],
) -> None:
    instance, tick = ticking
    publish(instance, ("reconstructions", "LOF__linear"), "other")
    costs = ("pipeline_costs", "pipeline_costs")  # it reads the seconds of every stage
    assert tick() == {("imputed_signals", "LOF__linear"), costs}
    assert tick() == set(), "it was asked for"
    publish(instance, ("imputers", "linear"), "other")
    assert tick() == {("reconstructions", "pupil-gt__linear"), ("reconstructions", "LOF__linear"), costs}


def test_the_same_content_published_again_asks_for_nothing(lab: Lab, ticking: tuple[dg.DagsterInstance, Tick]) -> None:
    instance, tick = ticking
    (event,) = lab.materialized(("reconstructions", "LOF__linear"))[:1]
    publish(instance, ("reconstructions", "LOF__linear"), (event.tags or {})["dagster/data_version"])
    assert tick() == set()
