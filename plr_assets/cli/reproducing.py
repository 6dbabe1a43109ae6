"""`plr reproduce` in the terminal.

Belongs here: what is printed. Does not belong here: making anything again (`platform.reproduction`).
"""

from __future__ import annotations

import shutil
from contextlib import closing

from rich.console import Console
from rich.markup import escape

from plr_assets.defs import ASSETS
from plr_assets.errors import ContractError
from plr_assets.platform.contract import Contract
from plr_assets.platform.environment import prepare
from plr_assets.platform.foreign import find_run
from plr_assets.platform.mapper import make_mapper
from plr_assets.platform.reproduction import Reproducer, Reproduction, result_of
from plr_assets.platform.scratch import scratch_folder
from plr_assets.study import load_study


def reproduce_run(run_id: str, study_name: str | None, console: Console, *, deep: bool) -> bool:
    """Make a run again, print what came of it, and say whether everything was equal."""
    prepare()
    study = load_study(study_name or _study_of(run_id))
    scratch = scratch_folder()
    try:
        with (
            closing(Contract(study.name)) as contract,
            closing(make_mapper(study.workers.kind, study.workers.processes)) as workers,
        ):
            run = result_of(contract, run_id)
            assets = [asset for asset in ASSETS if asset.offered(study)]
            made = []
            for one in Reproducer(study, assets, contract, workers, scratch).reproduce(run, deep=deep):
                _print(one, console)
                made.append(one)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    same = all(one.same for one in made)
    console.print("equal" if same else "not equal", style="green" if same else "red")
    return same


def _study_of(run_id: str) -> str:
    """Which study a run says it is of."""
    name = find_run(Contract("any").client, run_id).data.tags.get("plr.study")
    if not name:
        raise ContractError(f"run {run_id}", "it is of no study.", "Name a run that a study published.")
    return name


def _print(one: Reproduction, console: Console) -> None:
    word = "[green]equal[/green]" if one.same else "[red]not equal[/red]"
    console.print(f"{escape(one.place)}, run {one.run_id}: {word}", highlight=False, soft_wrap=True)
    if one.error:
        console.print(f"  could not be made again: {escape(one.error)}", highlight=False, soft_wrap=True)
    for name, how in one.differing.items():
        console.print(f"  {name}: {escape(how)}", highlight=False, soft_wrap=True)
    for difference in one.differences:
        console.print(f"  [yellow]differs[/yellow] {escape(difference)}", highlight=False, soft_wrap=True)
