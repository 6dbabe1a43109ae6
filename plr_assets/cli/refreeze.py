"""`plr refreeze`: give roles anew, after showing who joins what and what that costs.

Belongs here: the question and its answer. Does not belong here: what a new freeze does (`platform.refreezing`), or
running anything.
"""

from __future__ import annotations

from contextlib import closing

import polars as pl
from rich.console import Console
from rich.table import Table
from typer import confirm

from plr_assets.defs import ASSETS
from plr_assets.grid import grid_of
from plr_assets.platform.contract import Contract
from plr_assets.platform.refreezing import plan_refreeze, refreeze
from plr_assets.recordings.freezing import freeze_file
from plr_assets.study import Study, load_study


def refreeze_study(name: str, console: Console, *, confirmed: bool) -> None:
    """Show, ask unless `confirmed`, write. Raises DataError if the recordings are not as they would be imported now."""
    study = load_study(name)
    assets = [asset for asset in ASSETS if asset.offered(study)]
    with closing(Contract(study.name)) as contract:
        planned = plan_refreeze(study, grid_of(study), assets, contract)
    if planned.changes_nothing:
        console.print(f"Nothing to do: all {len(planned.roles)} recordings have the role that they would get.")
        return
    console.print(_moves_table(study, planned.moves))
    if planned.joins:
        console.print(f"{len(planned.joins)} file(s) of incoming/ join the study's recordings.", highlight=False)
    console.print(planned.cost_text)
    if not confirmed:
        confirm("Freeze these roles?", abort=True)
    refreeze(study, planned)
    console.print(
        f"Frozen: {freeze_file(study)}. plr run {name} computes what follows.", soft_wrap=True, highlight=False
    )


def _moves_table(study: Study, moves: pl.DataFrame) -> Table:
    table = Table(title=f"{study.title}: roles", title_justify="left", box=None, pad_edge=False)
    for heading in ("from", "to"):
        table.add_column(heading, no_wrap=True)
    table.add_column("recordings", justify="right")
    for before, after, count in moves.iter_rows():
        table.add_row(before, after or "gone", str(count), style="dim" if before == after else None)
    return table
