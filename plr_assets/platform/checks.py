"""Asset checks: what must hold of an asset's published tables before anything is computed from them.

Belongs here: judging them, their Dagster form, and telling Dagster. Does not belong here: a check's rule (`defs`), or
stopping what comes after (Dagster stops the rest of its run, `runner` that of `plr run`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dagster as dg

from plr_assets.errors import ContractError
from plr_assets.platform.artifacts import read_table
from plr_assets.platform.contract import Contract, PublishedRun
from plr_assets.platform.events import shown
from plr_assets.platform.stages import StageAsset, Verdict
from plr_assets.study import Study

if TYPE_CHECKING:
    import polars as pl


def verdicts(asset: StageAsset, study: Study, run: PublishedRun, contract: Contract) -> dict[str, Verdict]:
    """Check -> what it says of the published `run`. Raises ContractError where a table cannot be read."""
    tables = PublishedTables(asset, run, contract)
    return {check.name: check.judge(study, tables) for check in asset.checks}


@dataclass(frozen=True)
class PublishedTables:
    """The tables of one run of an asset, and of the run before it (see `stages.Tables`)."""

    asset: StageAsset
    run: PublishedRun
    contract: Contract

    def __call__(self, name: str, /) -> pl.DataFrame:
        return self._read(self.run, name)

    def before(self, name: str, /) -> pl.DataFrame | None:
        runs = self.contract.runs(self.run.asset, self.run.key)
        earlier = [run for run in runs if run.end_time < self.run.end_time and run.digest != self.run.digest]
        try:
            return self._read(earlier[-1], name) if earlier else None
        except ContractError:  # of an older version, whose tables were others: nothing to compare with
            return None

    def _read(self, run: PublishedRun, name: str) -> pl.DataFrame:
        return read_table(self.contract.ref(run, name), self.asset.tables[name])


def failures(asset: StageAsset, found: dict[str, Verdict], *, blocking: bool) -> str:
    """The failed checks that block, or those that do not, in words; empty where all passed."""
    chosen = (check.name for check in asset.checks if check.blocking == blocking)
    return " ".join(f"check {name}: {found[name].reason}" for name in chosen if not found[name].passed)


def check_specs(asset: StageAsset, key: dg.AssetKey) -> list[dg.AssetCheckSpec]:
    """After one that blocks and fails, Dagster skips what follows in the same run."""
    return [
        dg.AssetCheckSpec(check.name, asset=key, description=check.description, blocking=check.blocking)
        for check in asset.checks
    ]


def check_results(asset: StageAsset, key: dg.AssetKey, found: dict[str, Verdict]) -> Iterator[dg.AssetCheckResult]:
    severity = {
        check.name: dg.AssetCheckSeverity.ERROR if check.blocking else dg.AssetCheckSeverity.WARN
        for check in asset.checks
    }
    for name, verdict in found.items():
        yield dg.AssetCheckResult(
            passed=verdict.passed,
            severity=severity[name],
            asset_key=key,
            check_name=name,
            description=verdict.reason,
            metadata={title: shown(float(number)) for title, number in verdict.numbers.items()},
        )


def show_verdicts(instance: dg.DagsterInstance, asset: StageAsset, key: dg.AssetKey, found: dict[str, Verdict]) -> None:
    """Tell Dagster, without a run, of verdicts that its page does not show yet: a limit changed, and nothing else."""
    latest = instance.event_log_storage.get_latest_asset_check_execution_by_key(
        [dg.AssetCheckKey(key, name) for name in found]
    )
    for result in check_results(asset, key, found):
        name = str(result.check_name)
        record = latest.get(dg.AssetCheckKey(key, name))
        there = record.evaluation if record is not None else None
        if there is not None and (there.passed, there.description) == (result.passed, result.description):
            continue
        instance.report_runless_asset_event(
            dg.AssetCheckEvaluation(
                asset_key=key,
                check_name=name,
                passed=result.passed,
                metadata=result.metadata,
                severity=result.severity,
                description=result.description,
            )
        )
