"""`plr gc`: runs that nothing refers to any more, and what killed processes left.

Belongs here: what may go, why, and removing it. Does not belong here: printing (`cli`), or closing the runs of dead
processes (`contract`, `leftovers`).

Kept, with everything upstream of it, however far:
- the current and the newest run of every partition, and the newest of partitions that the study has no more
- the adopted run that stands for a partition, and the failure that `plr status` shows
- what a registered model, a figure's data file, the results database, or a run outside the study refers to
- a run that carries the tag `plr.keep`; and every run that somebody else logged
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from plr_assets.errors import ContractError, DataError
from plr_assets.platform.contract import Contract
from plr_assets.platform.leftovers import unfinished
from plr_assets.platform.planning import Planner
from plr_assets.platform.processes import lives
from plr_assets.platform.results_db import database_path, read_table
from plr_assets.platform.scratch import abandoned
from plr_assets.platform.stages import StageAsset
from plr_assets.platform.store import PAGE, local_path

if TYPE_CHECKING:
    from mlflow.entities import Run

_RUN_ID = re.compile(r"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])")
_KEEP = "plr.keep"


@dataclass(frozen=True, slots=True)
class Garbage:
    """Something that may go.

    place    partition of a run, or the path of a folder or file.
    why      in words.
    bytes    on disk; of a store elsewhere, as declared.
    run_id   of a run that is not deleted yet; none for files alone.
    files    what is removed from this machine's disk.
    """

    place: str
    why: str
    bytes: int
    run_id: str | None
    files: tuple[Path, ...]


def garbage(planner: Planner, assets: Sequence[StageAsset]) -> list[Garbage]:
    """All that may go, run by run and then files. Changes nothing."""
    # only of our own experiments: what lies in others is theirs
    orphans = planner.contract.folders_without_run({asset.stage.experiment for asset in assets})
    runs = {run.info.run_id: run for run in planner.contract.search()}
    kept = _with_upstream(_roots(planner, assets, runs), runs, planner.contract)
    found = []
    for run_id, run in runs.items():
        why = _why(run)
        if run_id not in kept and why:
            found.append(_of_run(run, why))
    found += [_of_files(folder, "its run was deleted") for folder in orphans]
    found += [
        _of_files(path, "left by a killed process") for path in (*_partials(planner.study.data_dir), *abandoned())
    ]
    return found


def remove(found: Iterable[Garbage], contract: Contract, instance: dg.DagsterInstance) -> int:
    """Remove what `garbage` found and return how many bytes that freed.

    Raises ContractError while a run of the study is going on: it may be reading what is about to go.
    A removal that breaks off is completed by the next: a run is deleted first, and its files are then an orphan's.
    """
    if busy := unfinished(instance, contract.study):
        raise ContractError(
            f"study {contract.study}", f"Dagster run {busy[0]} is going on.", "Wait for its end, or stop it."
        )
    freed = 0
    for item in found:
        if item.run_id is not None:
            uri = contract.client.get_run(item.run_id).info.artifact_uri
            contract.client.delete_run(item.run_id)
            if not item.files:
                _remove_elsewhere(uri)
        for path in item.files:
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        freed += item.bytes
    contract.refresh()
    return freed


def _remove_elsewhere(uri: str) -> None:
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    repository: Any = get_artifact_repository(uri)  # mlflow leaves its methods untyped
    repository.delete_artifacts()


# -- what is kept -----------------------------------------------------------------------------------------------------


def _roots(planner: Planner, assets: Sequence[StageAsset], runs: Mapping[str, Run]) -> set[str]:
    """Runs that are kept for their own sake."""
    contract = planner.contract
    kept = {run_id for run_id, run in runs.items() if _KEEP in run.data.tags}
    for asset in assets:
        for plan in planner.plan(asset):
            pin, failure = contract.pinned(asset.name, plan.text), contract.failure(asset.name, plan.text)
            latest = contract.latest(asset.name, plan.text)
            for run in (plan.published, plan.newest, pin, failure, latest):
                if run is not None:
                    kept.add(run.run_id)
        for key in contract.partitions(asset.name):
            newest = contract.latest(asset.name, key)
            if newest is not None:
                kept.add(newest.run_id)
            if any(check.over_time for check in asset.checks):  # what the newest is compared with
                others = [run for run in contract.runs(asset.name, key) if newest and run.digest != newest.digest]
                kept.update(run.run_id for run in others[-1:])
    return kept | _named_in_files(planner.study.data_dir) | _named_elsewhere(contract, runs)


def _named_in_files(data_dir: Path) -> set[str]:
    """Runs that figures and the database, as people have them, say they come from."""
    named: set[str] = set()
    for path in (data_dir / "figures").rglob("*.json"):
        named.update(_RUN_ID.findall(path.read_text(encoding="utf-8")))
    with suppress(DataError):  # no database, or none that can be read: then it refers to nothing
        named.update(read_table(database_path(data_dir), "provenance")["mlflow_run_id"].drop_nulls())
    return named


def _named_elsewhere(contract: Contract, runs: Collection[str]) -> set[str]:
    """Runs that registered models, and runs that are not the study's own, refer to in a tag or parameter."""
    named: set[str] = set()
    token: str | None = None
    while True:
        models = contract.client.search_model_versions(max_results=PAGE, page_token=token)
        for model in models:
            named.update(_RUN_ID.findall(json.dumps([model.run_id, model.source, dict(model.tags or {})])))
        token = models.token
        if not token:
            break
    for run in contract.every_run():
        if run.info.run_id not in runs:
            named.update(_RUN_ID.findall(json.dumps([dict(run.data.tags), dict(run.data.params)])))
    return named


def _with_upstream(roots: Iterable[str], runs: Mapping[str, Run], contract: Contract) -> set[str]:
    kept: set[str] = set()
    waiting = list(roots)
    while waiting:
        run_id = waiting.pop()
        if run_id not in kept:
            kept.add(run_id)
            if run_id in runs:
                waiting.extend(contract.upstream_of(runs[run_id]).values())
    return kept


# -- what may go ------------------------------------------------------------------------------------------------------


def _why(run: Run) -> str:
    """Why a run that is not kept may go; empty if it must stay nevertheless."""
    if "plr.fingerprint" not in run.data.tags:
        return ""  # somebody else's, or a parent run of Dagster's
    if run.info.status == "FINISHED":
        return "superseded"
    if run.info.status == "RUNNING":
        return "" if lives(run.data.tags.get("plr.process", "")) else "broken off"
    return "failed before" if run.info.status == "FAILED" else "broken off"


def _of_run(run: Run, why: str) -> Garbage:
    tags = run.data.tags
    place = f"{tags.get('plr.asset', '?')} {tags.get('plr.key', '?')}"
    folder = local_path(run.info.artifact_uri)
    if folder is None:
        declared = Contract.artifacts_of(run)
        return Garbage(place, why, sum(info.bytes for info in declared.values()), run.info.run_id, ())
    whole = folder.parent if folder.parent.name == run.info.run_id else folder
    return Garbage(place, why, _size(whole), run.info.run_id, (whole,) if whole.exists() else ())


def _of_files(path: Path, why: str) -> Garbage:
    return Garbage(str(path), why, _size(path), None, (path,))


def _partials(data_dir: Path) -> Iterator[Path]:
    """Half-written files and folders of a study."""
    for pattern in (".simulation-*", ".*.partial*", "*.partial", "figures/**/.*.partial"):
        yield from sorted(data_dir.glob(pattern))


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else (path,)
    return sum(file.stat().st_size for file in files if file.is_file())
