"""Asset checks: what must hold of an asset's published tables before anything is computed from them.

Belongs here: judging them, and their Dagster form. Does not belong here: a check's rule (`defs`), or stopping what
comes after (Dagster stops the rest of its run, `runner` that of `plr run`).
"""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg

from plr_assets.platform.artifacts import read_table
from plr_assets.platform.contract import Contract, PublishedRun
from plr_assets.platform.stages import StageAsset, Verdict
from plr_assets.study import Study


def verdicts(asset: StageAsset, study: Study, run: PublishedRun, contract: Contract) -> dict[str, Verdict]:
    """Check -> what it says of the published `run`. Raises ContractError where a table cannot be read."""
    return {
        check.name: check.judge(study, lambda name: read_table(contract.ref(run, name), asset.tables[name]))
        for check in asset.checks
    }


def failures(found: dict[str, Verdict]) -> str:
    """The failed checks in words; empty where all passed."""
    return " ".join(f"check {name}: {verdict.reason}" for name, verdict in found.items() if not verdict.passed)


def check_specs(asset: StageAsset, key: dg.AssetKey) -> list[dg.AssetCheckSpec]:
    """All block: Dagster skips what follows in the same run."""
    return [
        dg.AssetCheckSpec(check.name, asset=key, description=check.description, blocking=True) for check in asset.checks
    ]


def check_results(key: dg.AssetKey, found: dict[str, Verdict]) -> Iterator[dg.AssetCheckResult]:
    for name, verdict in found.items():
        yield dg.AssetCheckResult(
            passed=verdict.passed,
            asset_key=key,
            check_name=name,
            description=verdict.reason,
            metadata={title: float(number) for title, number in verdict.numbers.items()},
        )
