"""What one run of a study found about outlier detectors, for a page: `python -m benchmarks.detection_results STUDY`.

Belongs here: reading what is published, and tables of it. Does not belong here: a statistic (the stages made them all),
the drawing (`detection_picture`), or what follows from the numbers: that is written by hand around the marked parts.

Everything descends from one published `outlier_metrics`: seconds, votes and weights are those of the runs that it was
computed from, not the newest of their name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks import pages
from benchmarks.detection_picture import draw_f1
from plr_assets.errors import DataError
from plr_assets.figures.style import load_figures_config
from plr_assets.grid import Grid
from plr_assets.outlier_detection.events import KINDS
from plr_assets.platform.artifacts import read_document, read_table
from plr_assets.platform.contract import Contract
from plr_assets.registry import Axis, Method
from plr_assets.schemas import OUTLIER_METRICS, ROLES
from plr_assets.study import Study

AXIS: Axis = "outlier_detection"
PAGE = Path("docs") / "results" / "outlier_detection.md"
PICTURE = Path("images") / "outlier_detection_f1.png"
# 7 inches at 120 dpi fill a page's column, below 100 kB
DPI = 120


@dataclass(frozen=True)
class Found:
    """Everything that the page shows, of one published `outlier_metrics`.

    methods   the oracles last, the others as the registry lists them.
    seconds   method -> what fitting and scoring took; of an ensemble all its members'. Missing: nothing is fitted.
    ballots   ensemble -> its members: `member`, whether it `votes`, and its `development_f1`.
    """

    run: pages.Run
    methods: Mapping[str, Method]
    metrics: pl.DataFrame
    seconds: Mapping[str, tuple[float, float]]
    ballots: Mapping[str, Sequence[Mapping[str, Any]]]

    def row(self, method: str, metric: str, stratum: str = "all") -> Mapping[str, Any] | None:
        """A row of `schemas.OUTLIER_METRICS`; none where the metric is not there or not defined."""
        rows = self.metrics.filter(method=method, metric=metric, stratum=stratum).drop_nulls("value")
        return rows.row(0, named=True) if rows.height else None

    def value(self, method: str, metric: str, stratum: str = "all") -> float | None:
        row = self.row(method, metric, stratum)
        return None if row is None else float(row["value"])


# -- reading ----------------------------------------------------------------------------------------------------------


def gather(study: Study, grid: Grid, contract: Contract) -> Found:
    """Raises DataError if the study has no published metrics, or none of some method's human masks."""
    lineage = pages.Lineage(contract, ["outlier_metrics"])
    metrics = read_table(contract.ref(lineage.runs["outlier_metrics"], "outlier_metrics"), OUTLIER_METRICS)
    if "f1" not in metrics["metric"]:
        raise DataError(
            study.name, "no human rejected samples: there is nothing to compare with.", "Use another study."
        )
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
    run = pages.Run(
        study=study,
        roles=read_table(contract.ref(lineage.runs["cohort_split"], "roles"), ROLES),
        commits=lineage.commits(),
        weights=lineage.weights(),
        missing=[name for name in map(str, grid.outlier_masks) if name not in methods],
    )
    return Found(run=run, methods=methods, metrics=metrics, seconds=seconds, ballots=ballots)


# -- tables -----------------------------------------------------------------------------------------------------------


def scores_table(found: Found) -> str:
    """A row a method, and below it the share of artefacts, who voted, and what the marks mean."""
    with_interval = {"f1": "F1 of samples", "event_f1": "F1 of events", "aupr": "AUPR"}
    without = {"auroc": "AUROC", "precision": "precision", "recall": "recall"}
    rows = [["method", *with_interval.values(), *without.values(), "false alarms / min", "fit (s)", "score (s)"]]
    for name, method in found.methods.items():
        fit, score = found.seconds.get(name, (None, None))
        rows.append(
            [
                pages.named(method),
                *(pages.with_interval(found.row(name, metric)) for metric in with_interval),
                *(pages.number(found.value(name, metric)) for metric in without),
                pages.number(found.value(name, "false_alarms_per_minute"), 2),
                pages.seconds(fit),
                pages.seconds(score),
            ]
        )
    notes = []
    shares = {value for name in found.methods if (value := found.value(name, "artefact_share")) is not None}
    if len(shares) == 1:
        notes.append(
            f"Artefacts are {100 * shares.pop():.1f} % of the samples with a pupil: the AUPR of a random score."
        )
    if any(method.oracle for method in found.methods.values()):
        notes.append(f"{pages.DAGGER} uses the human masks that it is scored by: shown, never ranked.")
    notes.extend(_votes(found, name, ballot) for name, ballot in found.ballots.items())
    return pages.markdown(rows) + "".join(f"\n{note}\n" for note in notes)


def _votes(found: Found, name: str, ballot: Sequence[Mapping[str, Any]]) -> str:
    voting, silent = (
        ", ".join(f"{row['member']} {pages.number(row['development_f1'])}" for row in ballot if row["votes"] == votes)
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
        [pages.named(method), *(pages.number(found.value(key, metric, f"{prefix}:{name}")) for name in kept)]
        for key, method in found.methods.items()
    ]
    return pages.markdown([["method", *heads], *body])


def phases(found: Found) -> list[str]:
    """Light phases in the order of the recording."""
    strata = found.metrics.filter(pl.col("stratum").str.starts_with("phase:"))["stratum"]
    return [name.removeprefix("phase:") for name in strata.unique(maintain_order=True)]


# -- the page ---------------------------------------------------------------------------------------------------------


def parts_of(found: Found) -> dict[str, str]:
    """Mark -> what stands between it and its end."""
    return {
        "run": found.run.facts(", ".join(sorted(set(found.metrics["role"])))),
        "scores": scores_table(found),
        "kinds": strata_table(found, "kind", "recall", KINDS),
        "phases": strata_table(found, "phase", "f1", phases(found)),
    }


def main() -> None:
    found, page = pages.write_page("outlier detection", PAGE, gather, parts_of)
    synthetic, style = found.run.study.synthetic, load_figures_config().style
    figure = draw_f1(found.metrics, found.methods, synthetic=synthetic, style=style)
    picture = page.parent / PICTURE
    picture.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(picture, dpi=DPI, metadata={"Software": None}, pil_kwargs={"optimize": True})
    print(f"{picture}: {picture.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
