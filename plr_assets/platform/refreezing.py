"""A new freeze: which roles recordings would get, who joins, what that puts out of date, and doing it.

Belongs here: what `plr refreeze` and the job `refreeze` have in common. Does not belong here: the rule of roles
(`recordings.roles`), the file of roles (`recordings.freezing`), asking anyone (`cli`), or computing what follows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from plr_assets.errors import DataError
from plr_assets.grid import Grid
from plr_assets.platform.artifacts import read_table
from plr_assets.platform.contract import Contract, PublishedRun
from plr_assets.platform.digests import digest_frame
from plr_assets.platform.impact import Artifact, reached
from plr_assets.platform.planning import Planner
from plr_assets.platform.stages import WHOLE, StageAsset
from plr_assets.recordings.freezing import changes, read_freeze, write_freeze
from plr_assets.recordings.incoming import join, joining, takes_new_files
from plr_assets.recordings.roles import assign_roles
from plr_assets.study import Study


@dataclass(frozen=True, eq=False)
class Refreeze:
    """What a new freeze would do.

    roles   `schemas.ROLES` that would be frozen.
    moves   as `recordings.freezing.changes` gives them.
    joins   files in `incoming/` that become part of the study.
    cost    stage -> partitions that are out of date after that, at most.
    """

    roles: pl.DataFrame
    moves: pl.DataFrame
    joins: tuple[Path, ...]
    cost: Counter[str]

    @property
    def changes_nothing(self) -> bool:
        return not self.joins and self.moves.filter(pl.col("before").ne_missing(pl.col("after"))).is_empty()

    @property
    def cost_text(self) -> str:
        stages = ", ".join(f"{stage} {count}" for stage, count in self.cost.items())
        return f"Out of date after that, at most: {self.cost.total()} partitions ({stages})."


def plan_refreeze(study: Study, grid: Grid, assets: Sequence[StageAsset], contract: Contract) -> Refreeze:
    """Nothing is written. Raises DataError if the recordings are not as they would be imported now."""
    if study.simulation is not None:
        raise DataError(
            f"{study.name}: simulation", "the cohort is simulated, so nothing can join it.", "Change `simulation`."
        )
    named = {asset.name: asset for asset in assets}
    planner = Planner(study, grid, contract)
    cohort = _imported(planner, named["recordings"])
    joins: tuple[Path, ...] = ()
    if takes_new_files(study) and (found := joining(study)):
        arrivals = _imported(planner, named["incoming_recordings"])
        joins, cohort = tuple(found), pl.concat([cohort, arrivals]).sort("recording")
    roles = assign_roles(cohort)
    changed = _changed(cohort, roles, contract)
    if joins:
        changed.append(("recordings", "recordings"))
    cost = Counter({named["cohort_split"].stage.name: 3 if joins else 1}) + reached(
        [asset for asset in assets if asset.name != "cohort_split"], grid, changed
    )
    return Refreeze(roles, changes(_kept(study), roles), joins, cost)


def refreeze(study: Study, planned: Refreeze) -> None:
    """Move the files that join, and freeze the roles. Raises DataError, before anything is moved, if one cannot be."""
    if planned.joins:
        join(study, planned.joins)
    write_freeze(study, planned.roles)


def _imported(planner: Planner, asset: StageAsset) -> pl.DataFrame:
    plan = planner.key_plan(asset, WHOLE)
    if plan.published is None or not plan.done:
        raise DataError(
            f"{planner.study.name}: {asset.name}",
            "they were not imported since the files, the study or the code changed.",
            f"Run the study first: plr run {planner.study.name}. It leaves the roles alone.",
        )
    return _table(planner.contract, plan.published, asset)


def _table(contract: Contract, run: PublishedRun, asset: StageAsset) -> pl.DataFrame:
    return read_table(contract.ref(run, asset.name), asset.tables[asset.name])


def _kept(study: Study) -> dict[str, str]:
    """The freeze that is replaced; a damaged one counts as none."""
    try:
        return dict(read_freeze(study) or {})
    except DataError:
        return {}


def _changed(cohort: pl.DataFrame, roles: pl.DataFrame, contract: Contract) -> list[Artifact]:
    """Artifacts of `cohort_split` that will differ from its published ones."""
    new = {"roles": roles, "cases": roles.filter(pl.col("role") == "evaluated")}
    for role in ("development", "evaluated"):
        names = roles.filter(pl.col("role") == role)["recording"].to_list()
        new[role] = cohort.filter(pl.col("recording").is_in(names))
    run = contract.latest("cohort_split", "cohort_split")
    published = {} if run is None else {name: info.digest for name, info in run.artifacts.items()}
    return [("cohort_split", name) for name, frame in new.items() if published.get(name) != digest_frame(frame)]
