"""Before a run: how much there is to do, and how long it will take by what it took before.

Belongs here: counts and times of what a run would do. Does not belong here: planning (`planning`) or printing (`cli`).
Counts are at most too many: a partition that comes out as before spares what follows from it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from plr_assets.grid import PipelineKey
from plr_assets.platform.contract import Contract
from plr_assets.platform.planning import Planner
from plr_assets.platform.stages import StageAsset


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a run would do with one asset.

    to_do    partitions that are not as they would be computed now; at most so many are computed.
    seconds  computing time of those of which something like them was computed before, s.
    unknown  those of which nothing was.
    """

    stage: str
    asset: str
    wanted: int
    to_do: int
    seconds: float
    unknown: int


def forecast(planner: Planner, wanted: Mapping[StageAsset, Sequence[PipelineKey]]) -> list[Forecast]:
    """One entry an asset of which something is wanted, in the order of `wanted`."""
    found = []
    for asset, keys in wanted.items():
        if not keys:
            continue
        to_do = [plan.key for plan in planner.plan(asset, keys) if not plan.done]
        past = _Past(planner.contract, asset)
        known = [seconds for key in to_do if (seconds := _seconds(asset, key, past)) is not None]
        found.append(Forecast(asset.stage.name, asset.name, len(keys), len(to_do), sum(known), len(to_do) - len(known)))
    return found


class _Past:
    """What partitions of one asset took when they were last computed, by key and by method."""

    def __init__(self, contract: Contract, asset: StageAsset) -> None:
        self.by_key: dict[str, float] = {}
        by_method: dict[str | None, list[float]] = defaultdict(list)
        for key_text, runs in contract.partitions(asset.name).items():
            # an adopted run took as long as it was checked, not as long as its author computed
            seconds = [run.seconds for run in runs if run.adopted_from is None and not math.isnan(run.seconds)]
            if seconds:
                self.by_key[key_text] = seconds[-1]
                by_method[_method(asset, key_text)].append(seconds[-1])
        self.by_method = {method: median(seconds) for method, seconds in by_method.items()}


def _method(asset: StageAsset, key_text: str) -> str | None:
    return asset.method(asset.parse(key_text)) if asset.method_axis is not None else None


def _seconds(asset: StageAsset, key: PipelineKey, past: _Past) -> float | None:
    """What this key took when it was last computed, or else the median of the keys of the same method."""
    text = asset.key_text(key)
    return past.by_key[text] if text in past.by_key else past.by_method.get(_method(asset, text))
