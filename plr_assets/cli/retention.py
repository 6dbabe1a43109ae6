"""`plr gc`: what may go, and what that frees.

Belongs here: the table and the sum. Does not belong here: what may go (`platform.retention`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from rich.console import Console
from rich.table import Table

from plr_assets.defs import ASSETS
from plr_assets.grid import grid_of
from plr_assets.platform.contract import Contract
from plr_assets.platform.environment import open_instance
from plr_assets.platform.planning import Planner
from plr_assets.platform.retention import Garbage, garbage, remove
from plr_assets.study import load_study


def collect_garbage(name: str, console: Console, *, confirmed: bool) -> None:
    """List what may go; remove it if `confirmed`. Raises ContractError while a run of the study is going on."""
    study = load_study(name)
    assets = [asset for asset in ASSETS if asset.offered(study)]
    with open_instance() as instance, closing(Contract(study.name)) as contract:
        if confirmed:
            contract.close_broken_off()
        found = garbage(Planner(study, grid_of(study), contract), assets)
        if not found:
            console.print("Nothing to remove: every run is current, or something refers to it.")
            return
        console.print(_table(found))
        total = size(sum(item.bytes for item in found))
        if not confirmed:
            console.print(f"{len(found)} run(s) and folders, {total}, may go; with --yes they do.")
            return
        console.print(f"Removed {len(found)} run(s) and folders: {size(remove(found, contract, instance))} freed.")


def _table(found: Sequence[Garbage]) -> Table:
    """One row for each asset and reason; files by their path."""
    groups: dict[tuple[str, str], list[Garbage]] = defaultdict(list)
    for item in found:
        what = item.place.split(" ")[0] if item.run_id is not None else str(Path(item.place).name)
        groups[what, item.why].append(item)
    table = Table(box=None, pad_edge=False)
    for heading in ("what", "why"):
        table.add_column(heading, overflow="fold")
    for heading in ("number", "size"):
        table.add_column(heading, justify="right", no_wrap=True)
    for (what, why), items in groups.items():
        table.add_row(what, why, str(len(items)), size(sum(item.bytes for item in items)))
    return table


def size(count: int) -> str:
    """Bytes as people say them."""
    for unit, limit in (("B", 1e3), ("kB", 1e6), ("MB", 1e9)):
        if count < limit:
            return f"{count / limit * 1e3:.0f} {unit}"
    return f"{count / 1e9:.1f} GB"
