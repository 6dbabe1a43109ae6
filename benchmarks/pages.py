"""What pages of results have in common: the runs behind them, how numbers are written, and the marked parts.

Belongs here: what is of no one stage. Does not belong here: a table of one page, or a statistic (the stages made them).
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import polars as pl

from plr_assets.errors import DataError
from plr_assets.grid import Grid, grid_of
from plr_assets.paths import project_root
from plr_assets.platform.artifacts import folder_path
from plr_assets.platform.contract import Contract, PublishedRun
from plr_assets.platform.environment import prepare
from plr_assets.pretrained.weights import Origin
from plr_assets.registry import Method
from plr_assets.study import Study, load_study

F = TypeVar("F")

NONE = "\u2013"
DAGGER = "\u2020"
# A page names so many of what is missing, and counts the rest.
_NAMED = 12


@dataclass(frozen=True)
class Weights:
    """Weights that a foundation model started from: what they learned from, and what it took to get them."""

    origin: Origin
    seconds: float


class Lineage:
    """The runs that published tables descend from, by asset and key. Raises DataError if two of them descend from
    different results of one place, or a run is gone. Runs of equal content count as one: the first that is met."""

    def __init__(self, contract: Contract, tables: Sequence[str]) -> None:
        self._contract = contract
        self.runs: dict[str, PublishedRun] = {}
        self._above: dict[str, tuple[str, ...]] = {}
        for name in tables:
            newest = contract.latest(name, name)
            if newest is None:
                raise DataError(name, "it is not published.", f"`plr run STUDY --select asset={name}`")
            self._follow(name, newest)

    def _follow(self, place: str, run: PublishedRun) -> None:
        self.runs[place] = run
        above = self._contract.upstream(run.run_id)
        self._above[place] = tuple(above)
        for name, run_id in above.items():
            if name not in self.runs:
                self._follow(name, self._run(name, run_id))
            elif self.runs[name].run_id != run_id and self._run(name, run_id).digest != self.runs[name].digest:
                raise DataError(name, "the tables descend from two results of it.", "Run the study again.")

    def _run(self, place: str, run_id: str) -> PublishedRun:
        asset, _, key = place.partition(" ")
        found = next((run for run in self._contract.runs(asset, key or asset) if run.run_id == run_id), None)
        if found is None:
            raise DataError(place, f"its run {run_id} is gone.", "Run the study again.")
        return found

    def seconds(self, place: str, asset: str) -> float | None:
        """The sum over the runs of `asset` that `place` reads directly; none if it reads none."""
        parts = [self.runs[name].seconds for name in self._above[place] if name.partition(" ")[0] == asset]
        return sum(parts) if parts else None

    def total_seconds(self, asset: str) -> tuple[float, int]:
        """Of all runs of `asset`, and how many there are."""
        own = [run.seconds for place, run in self.runs.items() if place.partition(" ")[0] == asset]
        return sum(own), len(own)

    def weights(self) -> dict[str, Weights]:
        """Foundation model -> its weights."""
        return {
            place.removesuffix("_weights"): Weights(
                Origin.load(folder_path(self._contract.ref(run, "weights"))), run.seconds
            )
            for place, run in self.runs.items()
            if place in ("moment_weights", "units_weights")
        }

    def commits(self) -> list[str]:
        """The commits that the runs were computed by."""
        from mlflow import MlflowClient

        client = MlflowClient(tracking_uri=self._contract.tracking_uri)
        return sorted({client.get_run(run.run_id).data.tags["plr.git_sha"] for run in self.runs.values()})


@dataclass(frozen=True)
class Run:
    """What was run: the study, its frozen roles, the commits and weights it was computed by, what is not there."""

    study: Study
    roles: pl.DataFrame
    commits: Sequence[str]
    weights: Mapping[str, Weights]
    missing: Sequence[str]

    def facts(self, scored: str) -> str:
        """A list in Markdown. `scored`: the role of the recordings that are scored."""
        study, roles, simulation = self.study, self.roles, self.study.simulation
        counts = {role: roles.filter(role=role).height for role in ("development", "evaluated", "pending")}
        cohort = ", ".join(f"{count} {role}" for role, count in counts.items() if count)
        origin = "simulated recordings" if study.synthetic else "clinical recordings"
        lines = [f"- study `{study.name}`, seed {study.seed}, training profile `{study.training}`; {origin}"]
        if simulation is not None:
            drawn = (
                f"{simulation.control} control, {simulation.glaucoma} glaucoma, {simulation.unlabelled} without a label"
            )
            lines.append(f"- simulated: {drawn}")
        lines.append(f"- imported: {roles.height} recordings of {roles['subject'].n_unique()} subjects: {cohort}")
        lines.append(f"- scored: those that are {scored}")
        lines.append(f"- code: {', '.join(f'`{commit}`' for commit in self.commits)}")
        for model, own in self.weights.items():
            version = f", revision `{own.origin.version}`" if own.origin.version else ""
            took = f"obtained in {seconds(own.seconds)} s, not part of the seconds below"
            lines.append(f"- weights of `{model}`: {own.origin.pretrained_on}{version}; {took}")
        if self.missing:
            names = ", ".join(f"`{name}`" for name in self.missing[:_NAMED])
            more = f" and {len(self.missing) - _NAMED} more" if len(self.missing) > _NAMED else ""
            lines.append(f"- not published, so not in the tables: {names}{more}")
        return "\n".join(lines) + "\n"


# -- numbers and tables -----------------------------------------------------------------------------------------------


def named(method: Method) -> str:
    return f"*{method.display}* {DAGGER}" if method.oracle else method.display


def number(value: float | None, digits: int = 3) -> str:
    return NONE if value is None else f"{value:.{digits}f}"


def with_interval(row: Mapping[str, Any] | None, value: str = "value", digits: int = 3) -> str:
    if row is None:
        return NONE
    interval = "" if row["lower"] is None else f" [{row['lower']:.{digits}f}, {row['upper']:.{digits}f}]"
    return f"{row[value]:.{digits}f}{interval}"


def seconds(value: float | None) -> str:
    return NONE if value is None else f"{value:.1f}" if value < 10 else f"{value:.0f}"


def markdown(rows: Sequence[Sequence[str]]) -> str:
    head, *body = rows
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (head, rule, *body))


def marked(text: str, parts: Mapping[str, str]) -> str:
    """`text` with each part between its marks. Raises ValueError for a mark that is not there once."""
    for name, content in parts.items():
        first, last = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        between = re.compile(f"{re.escape(first)}.*?{re.escape(last)}", flags=re.DOTALL)
        times = len(between.findall(text))
        if times != 1:
            raise ValueError(f"the page has the marks of {name!r} {times} times, not once")
        before, after = between.split(text)
        text = f"{before}{first}{content}{last}{after}"
    return text


def write_page(
    what: str,
    default: Path,
    gather: Callable[[Study, Grid, Contract], F],
    parts_of: Callable[[F], Mapping[str, str]],
) -> tuple[F, Path]:
    """The command of a page: read the study that the command line names, write the page's marked parts, print them.

    default   the page, below the project. Returns what was found and where the page is.
    """
    parser = argparse.ArgumentParser(description=f"Write the page of {what}.")
    parser.add_argument("study", help="a study of configs/studies, or the path of a study's .yaml file")
    parser.add_argument("page", nargs="?", type=Path, default=project_root() / default, help=f"default: {default}")
    arguments = parser.parse_args()
    prepare()
    study = load_study(arguments.study)
    with closing(Contract(study.name)) as contract:
        found = gather(study, grid_of(study), contract)
    parts, page = parts_of(found), arguments.page
    page.write_text(marked(page.read_text(encoding="utf-8"), parts), encoding="utf-8")
    print("\n".join(parts.values()))
    print(page)
    return found, page
