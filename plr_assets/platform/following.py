"""What would have to be computed now, as a sensor asks it: exactly that, once, and not what failed and did not change.

Belongs here: the question. Does not belong here: when it is asked (`automation`), or the answer's computation
(`runner`).

The planner compares fingerprints, so a changed parameter, source file or recording is seen, whoever changed it, and a
file that was only touched is not. Nothing is remembered between two questions but the name of the work that was asked
for last, so that no change is lost: what a killed run left undone is still to be done.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from plr_assets.grid import PipelineKey
from plr_assets.platform.digests import digest_json
from plr_assets.platform.planning import KeyPlan, Planner
from plr_assets.platform.stages import StageAsset

# Asset -> partition -> the data version that Dagster shows.
Shown = Callable[[StageAsset], Mapping[str, str]]


@dataclass(frozen=True)
class Work:
    """What is to be done.

    wanted  the partitions that are out of date and can be computed, of each asset that has any; upstream first.
    held    partition -> why it is left out: it failed, and nothing that it is computed from has changed since.
    name    of the work that can start at once. It changes with any input, and when anything was published; where it
            does not, asking again would give the same.
    """

    wanted: Mapping[StageAsset, tuple[PipelineKey, ...]]
    held: Mapping[str, str]
    name: str

    @property
    def partitions(self) -> int:
        return sum(len(keys) for keys in self.wanted.values())


def work_to_do(planner: Planner, assets: Sequence[StageAsset], shown: Shown) -> Work:
    """What is out of date in the study of `planner`. `assets` upstream first.

    At most too much: a partition that comes out as before stops a change on its way, which only running tells.
    """
    wanted: dict[StageAsset, tuple[PipelineKey, ...]] = {}
    held: dict[str, str] = {}
    beyond: set[str] = set()  # what waits for something that is held
    moving: set[str] = set()  # what may come out otherwise than it is
    ready: list[tuple[str, str, str, str]] = []
    for asset in assets:
        versions = shown(asset)
        chosen = []
        for plan in planner.plan(asset):
            place, read = asset.place(plan.key), _read(planner, plan)
            # A table that does without what is out of date is as it should be, until that is there.
            there, moved = _is_there(plan, versions), any(above in moving for above in read)
            if there and not moved:
                continue
            if any(needed and (above in held or above in beyond) for above, needed in read.items()):
                beyond.add(place)
            elif why := _failed_before(planner, plan):
                held[place] = why
            else:
                chosen.append(plan.key)
                if moved or not plan.done:
                    moving.add(place)
                if not (there or plan.blocked or plan.outdated):
                    newest = planner.contract.latest(asset.name, plan.text)
                    run = newest.run_id if newest else ""
                    ready.append((place, plan.fingerprint, run, versions.get(plan.text, "")))
        if chosen:
            wanted[asset] = tuple(chosen)
    return Work(wanted, held, digest_json(ready))


def _is_there(plan: KeyPlan, versions: Mapping[str, str]) -> bool:
    """Published, copied, and shown: a run that was killed may have published what no page shows."""
    return (
        plan.published is not None and plan.done and plan.exported and versions.get(plan.text) == plan.published.digest
    )


def _failed_before(planner: Planner, plan: KeyPlan) -> str:
    """Why this very work failed; empty where it was not tried, or where anything that it is computed from changes."""
    if plan.blocked or plan.outdated:
        return ""
    failure = planner.contract.failure(plan.asset.name, plan.text)
    return failure.error if failure is not None and failure.fingerprint == plan.fingerprint else ""


def _read(planner: Planner, plan: KeyPlan) -> dict[str, bool]:
    """The partitions that this one reads -> whether it cannot be computed without them."""
    read: dict[str, bool] = {}
    for one in plan.asset.reads_in(planner.study):
        for key in one.keys(planner.grid, plan.key):
            place = one.asset.place(key)
            read[place] = read.get(place, False) or one.required
    return read
