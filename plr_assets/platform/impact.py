"""What a change reaches: the partitions that would have to be computed again.

Belongs here: following what keys read, by artifact. Does not belong here: whether they are done now (`planning`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from plr_assets.grid import Grid, PipelineKey
from plr_assets.platform.stages import StageAsset

Artifact = tuple[str, str]  # asset, artifact


def reached(assets: Sequence[StageAsset], grid: Grid, changed: Collection[Artifact]) -> Counter[str]:
    """Stage -> partitions that read an artifact in `changed`, or descend from one that does. `assets` upstream first.

    Counts at most too many: a partition that comes out as before stops a change on its way, which only running tells.
    """
    anew: set[tuple[str, PipelineKey]] = set()
    counts: Counter[str] = Counter()
    for asset in assets:
        for key in asset.keys_in(grid):
            if any(
                (read.asset.name, read.artifact) in changed
                or any((read.asset.name, above) in anew for above in read.keys(grid, key))
                for read in asset.reads_in(grid.study)
            ):
                anew.add((asset.name, key))
                counts[asset.stage.name] += 1
    return counts
