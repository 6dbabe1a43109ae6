"""What an asset takes of a run that was logged by somebody else: the declaration, and its use.

Belongs here: which tables such a run must bring, what they are checked against, and the function that checks and
completes them. Does not belong here: finding such runs in the store (`adoption`), or any asset's rules
(`defs.adoption`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from plr_assets.platform.artifacts import Product, read_table
from plr_assets.platform.stages import Reads, StageAsset, Task

if TYPE_CHECKING:
    import polars as pl

Complete = Callable[[Task, Mapping[str, "pl.DataFrame"]], Product]


@dataclass(frozen=True, eq=False)
class Adoption:
    """How foreign runs become partitions of an asset.

    tables    the tables that a run must bring; each has a schema among the asset's.
    reads     what they are checked against: part of what the asset itself reads.
    complete  task, tables -> all that the asset publishes. Raises ContractError, DataError or ValueError where the
              tables do not fit.
    """

    asset: StageAsset
    tables: tuple[str, ...]
    reads: tuple[Reads, ...]
    complete: Complete


_ADOPTIONS: dict[str, Adoption] = {}


def adopts(asset: StageAsset, tables: Sequence[str], against: Sequence[str]) -> Callable[[Complete], Complete]:
    """Declare that `asset` takes foreign runs; the decorated function checks and completes them.

    against   names of the artifacts that the asset reads and that the tables are checked against.
    """
    reads = tuple(read for read in asset.reads if read.artifact in against)
    if len(reads) != len(against) or not set(tables) <= asset.tables.keys():
        raise ValueError(f"{asset.name} does not read {against}, or does not publish {tables}")

    def declare(complete: Complete) -> Complete:
        _ADOPTIONS[asset.name] = Adoption(asset, tuple(tables), reads, complete)
        return complete

    return declare


def adoption_of(asset: str) -> Adoption | None:
    """How the asset takes foreign runs; none if it takes none."""
    return _ADOPTIONS.get(asset)


def adoptable() -> tuple[str, ...]:
    """The names of the assets that take foreign runs."""
    return tuple(_ADOPTIONS)


def complete(task: Task) -> Product:
    """Check and complete the tables that stand for the task's key. Raises as `Adoption.complete` does."""
    adoption = adoption_of(task.asset.name)
    if adoption is None or task.adopted is None:
        raise ValueError(f"nothing was adopted for {task.asset.place(task.key)}")
    tables = {name: read_table(ref, task.asset.tables[name]) for name, ref in task.adopted.items()}
    return adoption.complete(task, tables)
