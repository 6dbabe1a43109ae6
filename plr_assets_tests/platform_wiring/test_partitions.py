"""Lineage that Dagster shows is what the planner reads, key by key, in both directions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import dagster as dg
import pytest

from plr_assets.defs import ASSETS, outlier_detection
from plr_assets.grid import Grid, PipelineKey, grid_of
from plr_assets.platform.assets import asset_key, dagster_asset
from plr_assets.platform.partitions import partition_mapping, partitions_def, reads_by_asset
from plr_assets.platform.stages import StageAsset
from plr_assets.study import load_study
from plr_assets_tests.test_grid import FULL_VOTE, THREE_MEAN, grid_with, sub_grid


def demo() -> Grid:
    return grid_of(load_study("demo"))


def ensembles() -> Grid:
    return grid_with(
        sub_grid((FULL_VOTE, "LOF", "pupil-gt"), (THREE_MEAN, "linear", "pupil-gt"), classification=("CatBoost",)),
        every_method=True,
    )


GRIDS = pytest.mark.parametrize("grid", [demo(), ensembles()], ids=["demo", "ensembles"])


def edges(grid: Grid) -> Iterator[tuple[StageAsset, StageAsset, dg.StaticPartitionMapping]]:
    """Downstream, upstream and the mapping between them, where both have partitions."""
    by_name = {asset.name: asset for asset in ASSETS}
    for asset in ASSETS:
        for name, same in reads_by_asset(asset, grid.study).items():
            mapping = partition_mapping(asset, same, grid)
            if mapping is not None:
                assert isinstance(mapping, dg.StaticPartitionMapping)
                yield asset, by_name[name], mapping


def parents(asset: StageAsset, upstream: StageAsset, key: PipelineKey, grid: Grid) -> set[str]:
    """What planning reads from `upstream` for `key`."""
    wanted = [read for read in asset.reads_in(grid.study) if read.asset is upstream]
    return {str(parent) for read in wanted for parent in read.keys(grid, key)}


@GRIDS
def test_dagster_maps_every_key_to_the_keys_that_planning_reads(grid: Grid) -> None:
    seen = 0
    for asset, upstream, mapping in edges(grid):
        below, above = partitions_def(asset, grid), partitions_def(upstream, grid)
        assert below is not None
        assert above is not None
        for key in asset.keys_in(grid):
            found = mapping.get_upstream_mapped_partitions_result_for_partitions(
                below.subset_with_partition_keys([str(key)]), below, above
            )
            assert set(found.partitions_subset.get_partition_keys()) == parents(asset, upstream, key, grid)
            seen += 1
    assert seen > 10


@GRIDS
def test_dagster_maps_every_key_to_the_keys_that_are_computed_from_it(grid: Grid) -> None:
    for asset, upstream, mapping in edges(grid):
        below, above = partitions_def(asset, grid), partitions_def(upstream, grid)
        assert below is not None
        assert above is not None
        children = defaultdict(set)
        for key in asset.keys_in(grid):
            for parent in parents(asset, upstream, key, grid):
                children[parent].add(str(key))
        for key in upstream.keys_in(grid):
            found = mapping.get_downstream_partitions_for_partitions(
                above.subset_with_partition_keys([str(key)]), above, below
            )
            assert set(found.get_partition_keys()) == children[str(key)]


@GRIDS
def test_every_key_that_is_read_exists_upstream(grid: Grid) -> None:
    for asset in ASSETS:
        for read in asset.reads_in(grid.study):
            known = set(read.asset.keys_in(grid))
            for key in asset.keys_in(grid):
                assert set(read.keys(grid, key)) <= known, (asset.name, read.asset.name, str(key))


@GRIDS
def test_an_asset_depends_on_exactly_the_assets_that_it_reads(grid: Grid) -> None:
    for asset in ASSETS:
        made = dagster_asset(asset, grid.study, grid)
        expected = {asset_key(grid.study.name, read.asset.name) for read in asset.reads_in(grid.study)}
        assert set(made.asset_deps[made.key]) == expected


def test_assets_are_listed_upstream_first() -> None:
    """Runner and selection go through the list once."""
    for place, asset in enumerate(ASSETS):
        assert {read.asset.name for read in asset.reads} <= {earlier.name for earlier in ASSETS[:place]}


@GRIDS
def test_partitions_are_in_the_order_of_the_grid(grid: Grid) -> None:
    for asset in ASSETS:
        partitions = partitions_def(asset, grid)
        if partitions is not None:
            assert partitions.get_partition_keys() == [str(key) for key in asset.keys_in(grid)]
        else:
            assert not asset.partitioned


def test_an_ensembles_mask_comes_from_the_scores_of_its_members_and_a_human_mask_from_none() -> None:
    grid = ensembles()
    masks, scores = outlier_detection.outlier_masks, outlier_detection.outlier_scores
    members = grid.registry.methods["outlier_detection"][FULL_VOTE].members
    found = {str(key): parents(masks, scores, key, grid) for key in masks.keys_in(grid)}
    assert found == {FULL_VOTE: set(members), "LOF": {"LOF"}, "pupil-gt": set()}
