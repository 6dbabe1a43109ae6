"""`plr status`: how much of a study is there.

Belongs here: counting partitions by stage. Does not belong here: printing (`cli`) or running.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from plr_assets.grid import Grid
from plr_assets.platform.contract import Contract
from plr_assets.platform.planning import Planner
from plr_assets.platform.runner import AssetOutcome, outcomes_file
from plr_assets.platform.stages import StageAsset


@dataclass
class AssetStatus:
    """Partitions of one asset.

    done      published as they would be computed now, and so is all that they descend from.
    outdated  published, but from older inputs, code or parameters.
    failed    not done, and the last attempt at them failed.
    reused    found published by the last `plr run`, which did not compute them.
    adopted   somebody else's run stands for them.
    """

    stage: str
    asset: str
    total: int
    done: int = 0
    outdated: int = 0
    failed: int = 0
    reused: int = 0
    adopted: int = 0
    failures: dict[str, str] = field(default_factory=dict)


def study_status(grid: Grid, assets: Sequence[StageAsset], contract: Contract) -> list[AssetStatus]:
    """One entry an asset, upstream first."""
    planner = Planner(grid.study, grid, contract)
    last = read_outcomes(outcomes_file(grid.study.data_dir))
    found = []
    for asset in assets:
        plans = planner.plan(asset)
        status = AssetStatus(asset.stage.name, asset.name, len(plans))
        status.reused = int(last.get(asset.name, {}).get("reused", 0))
        for plan in plans:
            failure = contract.failure(asset.name, plan.text)
            status.adopted += plan.adopted is not None
            if plan.done:
                status.done += 1
            elif failure is not None:
                status.failed += 1
                status.failures[plan.text] = failure.error
            elif plan.newest is not None:
                status.outdated += 1
        found.append(status)
    return found


def as_json(grid: Grid, statuses: Sequence[AssetStatus]) -> dict[str, Any]:
    """The status as `plr status --json` prints it: totals by stage, by asset, and of whole pipelines."""
    stages: dict[str, dict[str, int]] = {}
    counts = ("total", "done", "outdated", "failed", "reused", "adopted")
    for status in statuses:
        stage = stages.setdefault(status.stage, dict.fromkeys(counts, 0))
        for name in counts:
            stage[name] += getattr(status, name)
    evaluated = next((status for status in statuses if status.asset == "evaluation"), None)
    return {
        "study": grid.study.name,
        "pipelines": {"total": len(grid.pipelines), "done": evaluated.done if evaluated else 0},
        "stages": stages,
        "assets": {status.asset: {k: v for k, v in asdict(status).items() if k != "asset"} for status in statuses},
        "left_out": grid.left_out,
    }


def write_outcomes(path: Path, outcomes: Mapping[str, AssetOutcome]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps({name: asdict(outcome) for name, outcome in outcomes.items()}), encoding="utf-8")
    partial.replace(path)


def read_outcomes(path: Path) -> dict[str, dict[str, Any]]:
    """What `write_outcomes` wrote; empty before the first run."""
    if not path.is_file():
        return {}
    outcomes: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return outcomes
