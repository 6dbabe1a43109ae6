"""Which runs stand behind the rows of a pipeline: one row a run, from its evaluation back to the device files.

Belongs here: walking up what runs recorded that they read, and what is told of each. Does not belong here: what would
be read now (`planning`), or writing it down (`results_db`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from plr_assets.platform.contract import Contract

if TYPE_CHECKING:
    import polars as pl
    from mlflow.entities import Run

# Column -> the tag that it is from.
FACTS: Mapping[str, str] = {
    "asset": "plr.asset",
    "key": "plr.key",
    "fingerprint": "plr.fingerprint",
    "digest": "plr.digest",
    "config_version": "plr.config_version",
    "data_version": "plr.data_version",
    "code_version": "plr.code_version",
    "git_sha": "plr.git_sha",
    "environment": "plr.environment",
    "adopted_from": "plr.adopted_from",
}
COLUMNS = ("pipeline", "mlflow_run_id", *FACTS)


def lineage_of(contract: Contract, evaluated: Mapping[str, str]) -> pl.DataFrame:
    """`COLUMNS`, a row for each pipeline and run behind it, sorted by pipeline, asset and key; all of them strings.

    evaluated   pipeline -> id of the run whose rows it has.
    A tag that a run lacks (it was logged by an older version) is null; a run that was deleted since has its id alone,
    and what was behind it is not known.
    """
    import polars as pl

    runs = {run.info.run_id: run for run in contract.search()}
    rows = [
        (pipeline, place, *(tags.get(tag) for tag in FACTS.values()))
        for pipeline, run_id in evaluated.items()
        for place, tags in _behind(run_id, runs)
    ]
    frame = pl.DataFrame(rows, schema=dict.fromkeys(COLUMNS, pl.String), orient="row")
    return frame.sort("pipeline", "asset", "key", "mlflow_run_id")


def _behind(run_id: str, runs: Mapping[str, Run]) -> Iterator[tuple[str, Mapping[str, str]]]:
    """The run itself and all that it was computed from, each once, with its tags."""
    waiting, seen = [run_id], set[str]()
    while waiting:
        here = waiting.pop()
        if here in seen:
            continue
        seen.add(here)
        yield here, runs[here].data.tags if here in runs else {}
        if here in runs:
            waiting.extend(Contract.upstream_of(runs[here]).values())
