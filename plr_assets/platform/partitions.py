"""Dagster partitions of a study: one static set an asset, joined by built-in static mappings.

Belongs here: the translation of grid keys to partition definitions and mappings. Does not belong here: the keys
themselves (`grid`). Mappings come from the same `reads` declarations that planning uses, so lineage in the Dagster UI
is what is really read. Subclasses of PartitionMapping are not supported by Dagster, and none are needed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import dagster as dg

from plr_assets.grid import Grid, PipelineKey
from plr_assets.platform.stages import Reads, StageAsset
from plr_assets.study import Study


def partitions_def(asset: StageAsset, grid: Grid) -> dg.StaticPartitionsDefinition | None:
    """The asset's partitions in grid order: a backfill starts one run per contiguous range."""
    return dg.StaticPartitionsDefinition([str(key) for key in asset.keys_in(grid)]) if asset.partitioned else None


def partition_mapping(downstream: StageAsset, same_upstream: Iterable[Reads], grid: Grid) -> dg.PartitionMapping | None:
    """How the keys of one upstream asset reach `downstream`; none where either has no partitions."""
    edges = upstream_keys(downstream, same_upstream, grid)
    (upstream,) = {read.asset.name: read.asset for read in same_upstream}.values()
    if not (upstream.partitioned and downstream.partitioned):
        return None
    children: dict[str, list[str]] = defaultdict(list)
    for key, parents in edges.items():
        for parent in parents:
            children[str(parent)].append(str(key))
    return dg.StaticPartitionMapping(dict(children))


def upstream_keys(
    downstream: StageAsset, same_upstream: Iterable[Reads], grid: Grid
) -> dict[PipelineKey, set[PipelineKey]]:
    """Key of `downstream` -> the upstream keys it reads."""
    return {
        key: {parent for read in same_upstream for parent in read.keys(grid, key)} for key in downstream.keys_in(grid)
    }


def reads_by_asset(asset: StageAsset, study: Study) -> dict[str, list[Reads]]:
    """The asset's reads in `study`, grouped by what they read from."""
    grouped: dict[str, list[Reads]] = defaultdict(list)
    for read in asset.reads_in(study):
        grouped[read.asset.name].append(read)
    return dict(grouped)
