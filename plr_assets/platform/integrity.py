"""Integrity: whether what is published is still what was published.

Belongs here: reading every artifact, the provenance of every row of the results database, and what belongs to nothing.
Does not belong here: mending (a damaged partition is computed again by the next run), or removing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from plr_assets.errors import ContractError, DataError
from plr_assets.platform import results_db
from plr_assets.platform.contract import Contract, PublishedRun
from plr_assets.study import Study

_SHOWN = 30


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, where, and what to do."""

    where: str
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what} {self.remedy}"


@dataclass(frozen=True)
class Integrity:
    """What was looked at, and what is wrong."""

    counts: Mapping[str, int]
    problems: tuple[Problem, ...]

    @property
    def counts_text(self) -> str:
        return ", ".join(f"{count} {what}" for what, count in self.counts.items())

    @property
    def lines(self) -> list[str]:
        more = len(self.problems) - _SHOWN
        shown = [str(problem) for problem in self.problems[:_SHOWN]]
        return [*shown, f"... and {more} more"] if more > 0 else shown


def check_integrity(study: Study, contract: Contract) -> Integrity:
    """Look at everything that is published of `study`. Writes nothing."""
    counts: Counter[str] = Counter(partitions=0, artifacts=0, rows=0)
    problems: list[Problem] = []
    for asset, key in contract.places():
        counts["partitions"] += 1
        newest = contract.latest(asset, key)
        for run in contract.runs(asset, key):
            problems.extend(_damaged(run, contract, counts, newest=run is newest))
    problems.extend(_database(study, contract, counts))
    problems.extend(_orphans(contract))
    return Integrity(dict(counts), tuple(problems))


def _damaged(run: PublishedRun, contract: Contract, counts: Counter[str], *, newest: bool) -> Iterator[Problem]:
    remedy = "The next run computes it again." if newest else "It was superseded; nothing current reads it."
    for name in run.artifacts:
        counts["artifacts"] += 1
        try:
            contract.ref(run, name).verify()
        except ContractError as error:
            place = run.asset if run.asset == run.key else f"{run.asset} {run.key}"
            yield Problem(f"{place}, {name} (run {run.run_id})", error.problem, remedy)


def _database(study: Study, contract: Contract, counts: Counter[str]) -> Iterator[Problem]:
    """Every row names a pipeline, every such pipeline a run, and that run is published.

    Whether it is the run that stands now is no question of integrity: after a parameter was changed and changed back,
    an older one does. `plr status` says what is out of date.
    """
    path = results_db.database_path(study.data_dir)
    if not path.is_file():
        return
    rebuild = "Run the study: it is rebuilt."
    try:
        told = dict(
            results_db.read_table(path, "provenance").filter(published=True).select("pipeline", "mlflow_run_id").rows()
        )
        tables = results_db.pipelines_by_table(path)
    except DataError as error:
        yield Problem(path.name, error.problem, error.remedy)
        return
    for table, rows in tables.items():
        counts["rows"] += sum(rows.values())
        for pipeline in sorted(set(rows) - set(told)):
            yield Problem(f"{path.name}: {table}", f"{rows[pipeline]} row(s) of {pipeline} come from no run.", rebuild)
    for pipeline, run_id in told.items():
        if contract.published(run_id) is None:
            yield Problem(f"{path.name}: {pipeline}", f"its rows are of run {run_id}, which is not published.", rebuild)
    if results_db.content_digest(path) is None:
        yield Problem(path.name, "it is of another version, or damaged.", rebuild)


def _orphans(contract: Contract) -> Iterator[Problem]:
    """Runs that a dead process left, and folders of a local store that no run owns."""
    for run_id in contract.broken_off():
        yield Problem(f"run {run_id}", "its process is gone and it is still RUNNING.", "The next run closes it.")
    for folder in contract.folders_without_run():
        # enough to find it, and nothing of the machine
        yield Problem("/".join(folder.parts[-3:]), "artifacts that belong to no run.", "Remove the folder.")
