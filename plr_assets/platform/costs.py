"""What is behind a partition: everything that it was computed from, and the seconds that took.

Belongs here: walking up the declared reads, and adding up. Does not belong here: measuring (`mapper` does), or drawing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from plr_assets.grid import Grid, PipelineKey
from plr_assets.platform.artifacts import ArtifactRef
from plr_assets.platform.stages import Inputs, StageAsset


def partitions_behind(asset: StageAsset, key: PipelineKey, grid: Grid) -> list[tuple[StageAsset, PipelineKey]]:
    """The partition itself and all it is computed from, each once, upstream first."""
    found: dict[tuple[str, PipelineKey], StageAsset] = {}

    def walk(above: StageAsset, at: PipelineKey) -> None:
        if (above.name, at) in found:
            return
        for read in above.reads_in(grid.study):
            for wanted in read.keys(grid, at):
                walk(read.asset, wanted)
        found[above.name, at] = above

    walk(asset, key)
    return [(above, at) for (_, at), above in found.items()]


def seconds_by_stage(asset: StageAsset, key: PipelineKey, grid: Grid, inputs: Inputs) -> dict[str, float] | None:
    """Stage -> seconds of the partitions behind one that `inputs` has; None if one of a stage it has is not there.

    Seconds are those of the run that published each partition: of one process, whatever else the machine did.
    """
    refs: Mapping[tuple[str, PipelineKey], ArtifactRef] = dict(_by_partition(inputs))
    assets = {name for name, _ in inputs}
    total: dict[str, float] = {}
    for above, at in partitions_behind(asset, key, grid):
        if above.name not in assets:
            continue
        ref = refs.get((above.name, at))
        if ref is None or math.isnan(ref.seconds):
            return None
        total[above.stage.name] = total.get(above.stage.name, 0.0) + ref.seconds
    return total


def _by_partition(inputs: Inputs) -> Iterator[tuple[tuple[str, PipelineKey], ArtifactRef]]:
    for (name, _), refs in inputs.items():
        for key, ref in refs.items():
            yield (name, key), ref
