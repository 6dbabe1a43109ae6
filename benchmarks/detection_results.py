"""What one run of a study found about outlier detectors, for a page: `python -m benchmarks.detection_results STUDY`.

Belongs here: reading what is published, and tables of it. Does not belong here: a statistic (the stages made them all),
the drawing (`detection_picture`), or what follows from the numbers: that is written by hand around the marked parts.

Everything descends from one published `outlier_metrics`: seconds, votes and weights are those of the runs that it was
computed from, not the newest of their name.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.detection_picture import draw_f1
from plr_assets.errors import DataError
from plr_assets.figures.style import load_figures_config
from plr_assets.grid import Grid, grid_of
from plr_assets.outlier_detection.events import KINDS
from plr_assets.paths import project_root
from plr_assets.platform.artifacts import folder_path, read_document, read_table
from plr_assets.platform.contract import Contract, PublishedRun
from plr_assets.platform.environment import prepare
from plr_assets.pretrained.weights import Origin
from plr_assets.registry import Axis, Method
from plr_assets.schemas import OUTLIER_METRICS, ROLES
from plr_assets.study import Study, load_study

AXIS: Axis = "outlier_detection"
PAGE = Path("docs") / "results" / "outlier_detection.md"
PICTURE = Path("images") / "outlier_detection_f1.png"
NONE = "\u2013"
DAGGER = "\u2020"
# 7 inches at 120 dpi fill a page's column, below 100 kB
DPI = 120


@dataclass(frozen=True)
class Weights:
    """Weights that a foundation model started from: what they learned from, and what it took to get them."""

    origin: Origin
    seconds: float


@dataclass(frozen=True)
class Found:
    """Everything that the page shows, of one published `outlier_metrics`.

    methods   the oracles last, the others as the registry lists them.
    seconds   method -> what fitting and scoring took; of an ensemble all its members'. Missing: nothing is fitted.
    ballots   ensemble -> its members: `member`, whether it `votes`, and its `development_f1`.
    """

    study: Study
    methods: Mapping[str, Method]
    metrics: pl.DataFrame
    roles: pl.DataFrame
    seconds: Mapping[str, tuple[float, float]]
    ballots: Mapping[str, Sequence[Mapping[str, Any]]]
    weights: Mapping[str, Weights]
    commits: Sequence[str]
    missing: Sequence[str]

    def row(self, method: str, metric: str, stratum: str = "all") -> Mapping[str, Any] | None:
        """A row of `schemas.OUTLIER_METRICS`; none where the metric is not there or not defined."""
        rows = self.metrics.filter(method=method, metric=metric, stratum=stratum).drop_nulls("value")
        return rows.row(0, named=True) if rows.height else None

    def value(self, method: str, metric: str, stratum: str = "all") -> float | None:
        row = self.row(method, metric, stratum)
        return None if row is None else float(row["value"])


# -- reading ----------------------------------------------------------------------------------------------------------


class Lineage:
    """The runs that one run descends from, by asset and key."""

    def __init__(self, contract: Contract, run: PublishedRun) -> None:
        self._contract = contract
        self.runs: dict[str, PublishedRun] = {}
        self._above: dict[str, tuple[str, ...]] = {}
        self._follow(run.asset, run)

    def _follow(self, place: str, run: PublishedRun) -> None:
        self.runs[place] = run
        above = self._contract.upstream(run.run_id)
        self._above[place] = tuple(above)
        for name, run_id in above.items():
            if name not in self.runs:
                self._follow(name, self._run(name, run_id))
            elif self.runs[name].run_id != run_id:
                raise DataError(name, "the metrics descend from two runs of it.", "Run the study again.")

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


def gather(study: Study, grid: Grid, contract: Contract) -> Found:
    """Raises DataError if the study has no published metrics, or none of some method's human masks."""
    newest = contract.latest("outlier_metrics", "outlier_metrics")
    if newest is None:
        raise DataError(
            study.name, "no outlier_metrics are published.", "`plr run STUDY --select asset=outlier_metrics`"
        )
    metrics = read_table(contract.ref(newest, "outlier_metrics"), OUTLIER_METRICS)
    if "f1" not in metrics["metric"]:
        raise DataError(
            study.name, "no human rejected samples: there is nothing to compare with.", "Use another study."
        )
    lineage = Lineage(contract, newest)
    listed = {name: entry for name, entry in grid.registry.methods[AXIS].items() if name in set(metrics["method"])}
    methods = {name: listed[name] for name in sorted(listed, key=lambda name: listed[name].oracle)}
    seconds: dict[str, tuple[float, float]] = {}
    ballots: dict[str, Sequence[Mapping[str, Any]]] = {}
    for name in methods:
        place = f"outlier_masks {name}"
        fit, score = (lineage.seconds(place, asset) for asset in ("detectors", "outlier_scores"))
        if fit is not None and score is not None:
            seconds[name] = (fit, score)
        masks = lineage.runs[place]
        if "ballot" in masks.artifacts:
            ballots[name] = read_document(contract.ref(masks, "ballot"))
    weights = {
        place.removesuffix("_weights"): Weights(Origin.load(folder_path(contract.ref(run, "weights"))), run.seconds)
        for place, run in lineage.runs.items()
        if place in ("moment_weights", "units_weights")
    }
    wanted = [str(key) for key in grid.outlier_masks]
    return Found(
        study=study,
        methods=methods,
        metrics=metrics,
        roles=read_table(contract.ref(lineage.runs["cohort_split"], "roles"), ROLES),
        seconds=seconds,
        ballots=ballots,
        weights=weights,
        commits=_commits(contract, lineage),
        missing=[name for name in wanted if name not in methods],
    )


def _commits(contract: Contract, lineage: Lineage) -> list[str]:
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=contract.tracking_uri)
    return sorted({client.get_run(run.run_id).data.tags["plr.git_sha"] for run in lineage.runs.values()})


# -- tables -----------------------------------------------------------------------------------------------------------


def run_facts(found: Found) -> str:
    """What was run, as a list."""
    study, simulation = found.study, found.study.simulation
    roles = {role: found.roles.filter(role=role).height for role in ("development", "evaluated", "pending")}
    cohort = ", ".join(f"{count} {role}" for role, count in roles.items() if count)
    origin = "simulated recordings" if study.synthetic else "clinical recordings"
    lines = [f"- study `{study.name}`, seed {study.seed}, training profile `{study.training}`; {origin}"]
    if simulation is not None:
        drawn = f"{simulation.control} control, {simulation.glaucoma} glaucoma, {simulation.unlabelled} without a label"
        lines.append(f"- simulated: {drawn}")
    scored = ", ".join(sorted(set(found.metrics["role"])))
    lines.append(
        f"- imported: {found.roles.height} recordings of {found.roles['subject'].n_unique()} subjects: {cohort}"
    )
    lines.append(f"- scored: those that are {scored}")
    lines.append(f"- code: {', '.join(f'`{commit}`' for commit in found.commits)}")
    for model, weights in found.weights.items():
        version = f", revision `{weights.origin.version}`" if weights.origin.version else ""
        took = f"obtained in {_seconds(weights.seconds)} s, not part of the seconds below"
        lines.append(f"- weights of `{model}`: {weights.origin.pretrained_on}{version}; {took}")
    if found.missing:
        lines.append(f"- not published, so not in the tables: {', '.join(f'`{name}`' for name in found.missing)}")
    return "\n".join(lines) + "\n"


def scores_table(found: Found) -> str:
    """A row a method, and below it the share of artefacts, who voted, and what the marks mean."""
    with_interval = {"f1": "F1 of samples", "event_f1": "F1 of events", "aupr": "AUPR"}
    without = {"auroc": "AUROC", "precision": "precision", "recall": "recall"}
    rows = [["method", *with_interval.values(), *without.values(), "false alarms / min", "fit (s)", "score (s)"]]
    for name, method in found.methods.items():
        fit, score = found.seconds.get(name, (None, None))
        rows.append(
            [
                _named(method),
                *(_with_interval(found.row(name, metric)) for metric in with_interval),
                *(_number(found.value(name, metric)) for metric in without),
                _number(found.value(name, "false_alarms_per_minute"), 2),
                _seconds(fit),
                _seconds(score),
            ]
        )
    notes = []
    shares = {value for name in found.methods if (value := found.value(name, "artefact_share")) is not None}
    if len(shares) == 1:
        notes.append(
            f"Artefacts are {100 * shares.pop():.1f} % of the samples with a pupil: the AUPR of a random score."
        )
    if any(method.oracle for method in found.methods.values()):
        notes.append(f"{DAGGER} uses the human masks that it is scored by: shown, never ranked.")
    notes.extend(_votes(found, name, ballot) for name, ballot in found.ballots.items())
    return _markdown(rows) + "".join(f"\n{note}\n" for note in notes)


def _votes(found: Found, name: str, ballot: Sequence[Mapping[str, Any]]) -> str:
    voting, silent = (
        ", ".join(f"{row['member']} {_number(row['development_f1'])}" for row in ballot if row["votes"] == votes)
        for votes in (True, False)
    )
    without = f" Without a vote: {silent}." if silent else ""
    return f"{found.methods[name].display}, F1 of samples on development recordings: {voting}.{without}"


def strata_table(found: Found, prefix: str, metric: str, names: Sequence[str]) -> str:
    """`metric` by stratum, a column each: number of artefact samples in the heading."""
    heads, kept = [], []
    for name in names:
        rows = found.metrics.filter(stratum=f"{prefix}:{name}", metric=metric)
        if rows.height:
            kept.append(name)
            heads.append(f"{name.replace('_', ' ')} ({rows['n'][0]})")
    body = [
        [_named(method), *(_number(found.value(key, metric, f"{prefix}:{name}")) for name in kept)]
        for key, method in found.methods.items()
    ]
    return _markdown([["method", *heads], *body])


def phases(found: Found) -> list[str]:
    """Light phases in the order of the recording."""
    strata = found.metrics.filter(pl.col("stratum").str.starts_with("phase:"))["stratum"]
    return [name.removeprefix("phase:") for name in strata.unique(maintain_order=True)]


def _named(method: Method) -> str:
    return f"*{method.display}* {DAGGER}" if method.oracle else method.display


def _number(value: float | None, digits: int = 3) -> str:
    return NONE if value is None else f"{value:.{digits}f}"


def _with_interval(row: Mapping[str, Any] | None) -> str:
    if row is None:
        return NONE
    interval = "" if row["lower"] is None else f" [{row['lower']:.3f}, {row['upper']:.3f}]"
    return f"{row['value']:.3f}{interval}"


def _seconds(value: float | None) -> str:
    return NONE if value is None else f"{value:.1f}" if value < 10 else f"{value:.0f}"


def _markdown(rows: Sequence[Sequence[str]]) -> str:
    head, *body = rows
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (head, rule, *body))


# -- the page ---------------------------------------------------------------------------------------------------------


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


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the tables and the figure of outlier detection.")
    parser.add_argument("study", help="a study of configs/studies, or the path of a study's .yaml file")
    parser.add_argument("page", nargs="?", type=Path, default=project_root() / PAGE, help=f"default: {PAGE}")
    arguments = parser.parse_args()
    prepare()
    study = load_study(arguments.study)
    with closing(Contract(study.name)) as contract:
        found = gather(study, grid_of(study), contract)
    parts = {
        "run": run_facts(found),
        "scores": scores_table(found),
        "kinds": strata_table(found, "kind", "recall", KINDS),
        "phases": strata_table(found, "phase", "f1", phases(found)),
    }
    page: Path = arguments.page
    page.write_text(marked(page.read_text(encoding="utf-8"), parts), encoding="utf-8")
    figure = draw_f1(found.metrics, found.methods, synthetic=study.synthetic, style=load_figures_config().style)
    picture = page.parent / PICTURE
    picture.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(picture, dpi=DPI, metadata={"Software": None}, pil_kwargs={"optimize": True})
    print("\n".join(parts.values()))
    print(f"{page}\n{picture}: {picture.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
