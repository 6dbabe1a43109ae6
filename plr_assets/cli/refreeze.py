"""`plr refreeze`: give roles anew, after showing who joins what and what that costs.

Belongs here: the question and its answer. Does not belong here: the rule of roles (`recordings.roles`), the file
(`recordings.freezing`), or running anything.
"""

from __future__ import annotations

from collections import Counter

import polars as pl
from rich.console import Console
from rich.table import Table
from rich.text import Text
from typer import confirm

from plr_assets.defs import ASSETS
from plr_assets.defs.data_import import cohort_split, recordings
from plr_assets.errors import DataError
from plr_assets.grid import Grid, grid_of
from plr_assets.platform.artifacts import read_table
from plr_assets.platform.contract import Contract
from plr_assets.platform.digests import digest_frame
from plr_assets.platform.impact import Artifact, reached
from plr_assets.platform.planning import Planner
from plr_assets.platform.stages import WHOLE
from plr_assets.recordings.freezing import changes, freeze_file, read_freeze, write_freeze
from plr_assets.recordings.roles import assign_roles
from plr_assets.study import Study, load_study


def refreeze_study(name: str, console: Console, *, confirmed: bool) -> None:
    """Show, ask unless `confirmed`, write. Raises DataError if the recordings are not as they would be imported now."""
    study = load_study(name)
    if study.simulation is not None:
        raise DataError(
            f"{study.name}: simulation", "the cohort is simulated, so nothing can join it.", "Change `simulation`."
        )
    grid, contract = grid_of(study), Contract(study.name)
    cohort = _cohort(study, grid, contract)
    roles = assign_roles(cohort)
    old = _kept(study)
    moves = changes(old, roles)
    if moves.filter(pl.col("before").ne_missing(pl.col("after"))).is_empty():
        console.print(f"Nothing to do: all {len(roles)} recordings have the role that they would get.")
        return
    console.print(_moves_table(study, moves))
    console.print(_cost(study, grid, _changed(cohort, roles, contract)))
    if not confirmed:
        confirm("Freeze these roles?", abort=True)
    write_freeze(study, roles)
    console.print(
        f"Frozen: {freeze_file(study)}. plr run {name} computes what follows.", soft_wrap=True, highlight=False
    )


def _cohort(study: Study, grid: Grid, contract: Contract) -> pl.DataFrame:
    plan = Planner(study, grid, contract).key_plan(recordings, WHOLE)
    if plan.published is None or not plan.done:
        raise DataError(
            f"{study.name}: recordings",
            "they were not imported since the files, the study or the code changed.",
            f"Run the study first: plr run {study.name}. It leaves the roles alone.",
        )
    return read_table(contract.ref(plan.published, "recordings"), recordings.tables["recordings"])


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
    run = contract.latest(cohort_split.name, cohort_split.key_text(WHOLE))
    published = {} if run is None else {name: info.digest for name, info in run.artifacts.items()}
    return [(cohort_split.name, name) for name, frame in new.items() if published.get(name) != digest_frame(frame)]


def _moves_table(study: Study, moves: pl.DataFrame) -> Table:
    table = Table(title=f"{study.title}: roles", title_justify="left", box=None, pad_edge=False)
    for heading in ("from", "to"):
        table.add_column(heading, no_wrap=True)
    table.add_column("recordings", justify="right")
    for before, after, count in moves.iter_rows():
        table.add_row(before, after or "gone", str(count), style="dim" if before == after else None)
    return table


def _cost(study: Study, grid: Grid, changed: list[Artifact]) -> Text:
    assets = [asset for asset in ASSETS if asset.offered(study)]
    counts = Counter({cohort_split.stage.name: 1}) + reached(assets, grid, changed)
    stages = ", ".join(f"{stage} {count}" for stage, count in counts.items())
    return Text(f"Out of date after that, at most: {counts.total()} partitions ({stages}).")
