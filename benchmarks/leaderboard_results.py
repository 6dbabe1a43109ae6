"""What one run of a study found about pipelines, for a page: `python -m benchmarks.leaderboard_results STUDY`.

Belongs here: reading what is published, and tables of it, and what the whole published design would cost at the seconds
found. Does not belong here: a metric (the stages made them all), or what follows from the numbers: that is written by
hand around the marked parts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from benchmarks import pages
from plr_assets.grid import Grid, PipelineKey
from plr_assets.platform.artifacts import read_table
from plr_assets.platform.contract import Contract
from plr_assets.registry import AXES, Axis, Method
from plr_assets.schemas import ESSENTIAL_METRICS, ROLES
from plr_assets.study import Study

PAGE = Path("docs") / "results" / "leaderboard.md"
SHOWN = 20
# The published design: 11 detectors x 8 imputers x 5 classifiers, with handcrafted features and with embeddings.
PUBLISHED_PIPELINES = 2 * 11 * 8 * 5
# What is computed once a signal, and once a pipeline.
SHARED = ("moment_weights", "units_weights", "detectors", "outlier_scores", "outlier_masks", "imputers")
PER_SIGNAL = ("reconstructions", "imputed_signals")
PER_PIPELINE = ("bootstrap_results", "models", "evaluation", "internal_validation")


@dataclass(frozen=True)
class Found:
    """Everything that the page shows.

    metrics   `schemas.ESSENTIAL_METRICS`.
    spent     asset -> seconds of all its partitions, and how many.
    seconds   (featurization, classifier) -> seconds of the bootstrap of each of its pipelines.
    """

    run: pages.Run
    methods: Mapping[Axis, Mapping[str, Method]]
    metrics: pl.DataFrame
    spent: Mapping[str, tuple[float, int]]
    seconds: Mapping[tuple[str, str], Sequence[float]]

    @property
    def ranked(self) -> pl.DataFrame:
        """Without oracles, best first."""
        return self.metrics.filter(~pl.col("oracle")).sort("auroc", descending=True)

    def display(self, axis: Axis, name: str) -> str:
        return self.methods[axis][name].display


# -- reading ----------------------------------------------------------------------------------------------------------


def gather(study: Study, grid: Grid, contract: Contract) -> Found:
    """Raises DataError if no table of pipelines is published."""
    lineage = pages.Lineage(contract, ["essential_metrics"])
    metrics = read_table(contract.ref(lineage.runs["essential_metrics"], "essential_metrics"), ESSENTIAL_METRICS)
    published = set(metrics["pipeline"])
    seconds: dict[tuple[str, str], list[float]] = {}
    for place, run in lineage.runs.items():
        asset, _, text = place.partition(" ")
        if asset == "bootstrap_results":
            key = PipelineKey.parse(text, AXES)
            seconds.setdefault((key.named("featurization"), key.named("classification")), []).append(run.seconds)
    left_out = [f"{name} ({reason})" for name, reason in grid.left_out.items()]
    missing = [name for name in map(str, grid.pipelines) if name not in published]
    return Found(
        run=pages.Run(
            study=study,
            roles=read_table(contract.ref(lineage.runs["cohort_split"], "roles"), ROLES),
            commits=lineage.commits(),
            weights=lineage.weights(),
            missing=[*left_out, *missing],
        ),
        methods=grid.registry.methods,
        metrics=metrics,
        spent={asset: lineage.total_seconds(asset) for asset in (*SHARED, *PER_SIGNAL, "features", *PER_PIPELINE)},
        seconds=seconds,
    )


# -- tables -----------------------------------------------------------------------------------------------------------


def top_table(found: Found, rows: int = SHOWN) -> str:
    """The best pipelines, and how many there are."""
    table = [["rank", "features", "outliers", "imputation", "classifier", "AUROC", "Brier", "calibration slope", "O:E"]]
    axes: tuple[Axis, ...] = ("featurization", "outlier_detection", "imputation", "classification")
    for rank, row in enumerate(found.ranked.head(rows).iter_rows(named=True), 1):
        table.append(
            [
                str(rank),
                *(found.display(axis, row[axis]) for axis in axes),
                f"{row['auroc']:.3f} [{row['auroc_ci_lower']:.3f}, {row['auroc_ci_upper']:.3f}]",
                pages.number(row["brier"]),
                pages.number(row["calibration_slope"], 2),
                pages.number(row["o_e_ratio"], 2),
            ]
        )
    oracles = found.metrics.height - found.ranked.height
    said = (
        f"{found.ranked.height} pipelines are ranked; {oracles} use ground truth of evaluated recordings and are not."
    )
    return pages.markdown(table) + f"\n{said}\n"


def by_method(found: Found, axis: Axis) -> str:
    """AUROC over the pipelines of `simple` that a method takes part in: mean, lowest and highest."""
    rows = [["method", "pipelines", "mean AUROC", "lowest", "highest", "mean Brier"]]
    own = found.metrics.filter(featurization="simple")
    for name, method in found.methods[axis].items():
        part = own.filter(pl.col(axis) == name)
        if axis not in ("outlier_detection", "imputation") or not method.oracle:
            part = part.filter(~pl.col("oracle"))
        if part.height:
            auroc, brier = part["auroc"].to_numpy(), part["brier"].to_numpy()
            values = [float(auroc.mean()), float(auroc.min()), float(auroc.max()), float(brier.mean())]
            rows.append([pages.named(method), str(part.height), *(pages.number(value) for value in values)])
    return pages.markdown(rows)


def featurization_table(found: Found) -> str:
    """AUROC of each featurization and classifier over the signals that all featurizations were computed from."""
    signals = ["outlier_detection", "imputation"]
    kinds = [name for name in found.methods["featurization"] if name in set(found.metrics["featurization"])]
    shared = found.metrics.group_by(signals).agg(pl.col("featurization").n_unique().alias("n")).filter(n=len(kinds))
    own = found.metrics.join(shared.select(signals), on=signals)
    classifiers = [name for name in found.methods["classification"] if name in set(own["classification"])]
    rows = [["features", *(found.display("classification", name) for name in classifiers)]]
    for kind in kinds:
        cells = [own.filter(featurization=kind, classification=name)["auroc"].to_list() for name in classifiers]
        rows.append(
            [
                found.display("featurization", kind),
                *(pages.number(sum(each) / len(each)) if each else pages.NONE for each in cells),
            ]
        )
    return pages.markdown(rows) + f"\nMeans over {shared.height} pairs of outlier detection and imputation.\n"


def seconds_table(found: Found) -> str:
    """Seconds of a bootstrap by features and classifier."""
    rows = [["features", "classifier", "pipelines", "seconds, median", "longest"]]
    for (features, classifier), values in found.seconds.items():
        median = float(pl.Series(values).median())  # type: ignore[arg-type]
        names = (found.display("featurization", features), found.display("classification", classifier))
        rows.append([*names, str(len(values)), pages.seconds(median), pages.seconds(max(values))])
    return pages.markdown(rows)


def cost_table(found: Found) -> str:
    """Seconds by asset, and the published design at the same seconds a partition."""
    rows = [["asset", "partitions here", "seconds", "in the published design", "seconds"]]
    signals, total = 11 * 8, 0.0
    for asset, (spent, count) in found.spent.items():
        if not count:
            continue
        full = count if asset in SHARED else signals if asset in PER_SIGNAL else PUBLISHED_PIPELINES
        full = 2 * signals if asset == "features" else full
        needed = spent / count * full
        total += needed
        rows.append([f"`{asset}`", str(count), pages.seconds(spent), str(full), pages.seconds(needed)])
    rows.append(["all", "", pages.seconds(sum(spent for spent, _ in found.spent.values())), "", pages.seconds(total)])
    return pages.markdown(rows) + f"\nTwo workers: {total / 2 / 60:.0f} minutes for {PUBLISHED_PIPELINES} pipelines.\n"


# -- the page ---------------------------------------------------------------------------------------------------------


def parts_of(found: Found) -> dict[str, str]:
    """Mark -> what stands between it and its end."""
    return {
        "run": found.run.facts("evaluated"),
        "top": top_table(found),
        "classifiers": by_method(found, "classification"),
        "detectors": by_method(found, "outlier_detection"),
        "imputers": by_method(found, "imputation"),
        "featurizations": featurization_table(found),
        "seconds": seconds_table(found),
        "cost": cost_table(found),
    }


if __name__ == "__main__":
    pages.write_page("pipelines", PAGE, gather, parts_of)
