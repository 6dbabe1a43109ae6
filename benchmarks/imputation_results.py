"""What one run of a study found about imputers, for a page: `python -m benchmarks.imputation_results STUDY`.

Belongs here: reading what is published, and tables of it. Does not belong here: a statistic (the stages made them all),
or what follows from the numbers: that is written by hand around the marked parts.

Everything descends from one published `imputation_metrics`, `imputation_comparisons` and `feature_metrics`, which
descend from the same runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks import pages
from plr_assets.errors import DataError
from plr_assets.featurization.scoring import feature_error
from plr_assets.grid import Grid
from plr_assets.imputation.against_linear import LINEAR
from plr_assets.imputation.errors import GAP_CLASSES, LIGHT_ON, LONGER
from plr_assets.platform.artifacts import read_table
from plr_assets.platform.contract import Contract
from plr_assets.registry import Method
from plr_assets.schemas import FEATURE_METRICS, IMPUTATION_COMPARISONS, IMPUTATION_METRICS, ROLES
from plr_assets.study import Study

PAGE = Path("docs") / "results" / "imputation.md"
TABLES = {
    "imputation_metrics": IMPUTATION_METRICS,
    "imputation_comparisons": IMPUTATION_COMPARISONS,
    "feature_metrics": FEATURE_METRICS,
}
# Everything that a signal costs, in the order in which it is computed.
STAGES = ("detectors", "outlier_scores", "outlier_masks", "imputers", "reconstructions", "imputed_signals", "features")
# Where a straight line has most to lose: it cannot know that a light came on.
IN_LIGHT = f"{LONGER} {LIGHT_ON}"
HUMAN = "pupil-gt"


@dataclass(frozen=True)
class Found:
    """Everything that the page shows.

    imputers, masks   methods that are published, oracles last.
    seconds           imputer -> what fitting took, and one mask's reconstruction of all recordings (median over masks).
    spent             asset -> seconds of all its partitions, and how many.
    """

    run: pages.Run
    imputers: Mapping[str, Method]
    masks: Mapping[str, Method]
    metrics: pl.DataFrame
    comparisons: pl.DataFrame
    features: pl.DataFrame
    seconds: Mapping[str, tuple[float, float]]
    spent: Mapping[str, tuple[float, int]]

    def row(self, mask: str, imputer: str, metric: str, stratum: str = "all") -> Mapping[str, Any] | None:
        rows = self.metrics.filter(outlier_detection=mask, imputation=imputer, metric=metric, stratum=stratum)
        rows = rows.drop_nulls("value")
        return rows.row(0, named=True) if rows.height else None

    def value(self, mask: str, imputer: str, metric: str, stratum: str = "all") -> float | None:
        row = self.row(mask, imputer, metric, stratum)
        return None if row is None else float(row["value"])

    def against_linear(self, mask: str, imputer: str, stratum: str) -> Mapping[str, Any] | None:
        rows = self.comparisons.filter(outlier_detection=mask, imputation=imputer, stratum=stratum)
        return rows.row(0, named=True) if rows.height else None

    def feature_error(self, mask: str, imputer: str) -> float | None:
        """Of the featurization `simple`; none where it is not published."""
        rows = self.features.filter(featurization="simple", outlier_detection=mask, imputation=imputer)
        return feature_error(rows) if rows.height else None


# -- reading ----------------------------------------------------------------------------------------------------------


def gather(study: Study, grid: Grid, contract: Contract) -> Found:
    """Raises DataError if a table is not published, is empty, or they descend from different runs."""
    lineage = pages.Lineage(contract, list(TABLES))
    tables = {name: read_table(contract.ref(lineage.runs[name], name), schema) for name, schema in TABLES.items()}
    metrics = tables["imputation_metrics"]
    if "mae" not in metrics["metric"]:
        raise DataError(study.name, "there is no ground truth to compare with.", "Use a study that has it.")
    imputers = _listed(grid.registry.methods["imputation"], metrics["imputation"])
    signals = [place for place in lineage.runs if place.startswith("imputed_signals ")]
    seconds: dict[str, tuple[float, float]] = {}
    for name in imputers:
        own = [place for place in signals if place.endswith(f"__{name}")]
        parts = [lineage.seconds(place, "reconstructions") for place in own]
        fits = [
            lineage.runs[f"imputers {member}"].seconds
            for member in grid.members("imputation", name)
            if f"imputers {member}" in lineage.runs
        ]
        known = [part for part in parts if part is not None]
        if known and fits:
            seconds[name] = (sum(fits), float(pl.Series(known).median()))  # type: ignore[arg-type]
    published = {place.partition(" ")[2] for place in signals}
    run = pages.Run(
        study=study,
        roles=read_table(contract.ref(lineage.runs["cohort_split"], "roles"), ROLES),
        commits=lineage.commits(),
        weights=lineage.weights(),
        missing=[str(key) for key in grid.imputed_signals if str(key) not in published],
    )
    return Found(
        run=run,
        imputers=imputers,
        masks=_listed(grid.registry.methods["outlier_detection"], metrics["outlier_detection"]),
        metrics=metrics,
        comparisons=tables["imputation_comparisons"],
        features=tables["feature_metrics"],
        seconds=seconds,
        spent={asset: lineage.total_seconds(asset) for asset in STAGES},
    )


def _listed(methods: Mapping[str, Method], found: pl.Series) -> dict[str, Method]:
    """Those that were found, in the registry's order, oracles last."""
    names = set(found)
    listed = {name: method for name, method in methods.items() if name in names}
    return {name: listed[name] for name in sorted(listed, key=lambda name: listed[name].oracle)}


# -- tables -----------------------------------------------------------------------------------------------------------


def human_table(found: Found, mask: str = HUMAN) -> str:
    """A row an imputer, under one mask."""
    heads = ["all", *(name.removeprefix("gap:").replace("_", " ") for name in GAP_CLASSES), "over 0.3 s, light on"]
    strata = ["all", *GAP_CLASSES, IN_LIGHT]
    counts = [found.metrics.filter(outlier_detection=mask, stratum=s, metric="mae")["n"][0] for s in strata]
    columns = [f"{head} ({n})" for head, n in zip(heads, counts, strict=True)]
    rows = [["method", *columns, "feature error", "90 % band holds", "fit (s)", "reconstruct (s)"]]
    for name, method in found.imputers.items():
        fit, reconstruct = found.seconds.get(name, (None, None))
        rows.append(
            [
                pages.named(method),
                pages.with_interval(found.row(mask, name, "mae"), digits=2),
                *(pages.number(found.value(mask, name, "mae", stratum), 2) for stratum in strata[1:]),
                pages.number(found.feature_error(mask, name)),
                pages.number(found.value(mask, name, "coverage_90"), 2),
                pages.seconds(fit),
                pages.seconds(reconstruct),
            ]
        )
    return pages.markdown(rows) + f"\n{pages.DAGGER} imputes ground truth itself: shown, never ranked.\n"


def linear_table(found: Found, mask: str = HUMAN) -> str:
    """Difference of MAE to straight lines at the same samples, paired intervals."""
    strata = {"all": "all", **{name: name.removeprefix("gap:").replace("_", " ") for name in GAP_CLASSES}}
    strata[IN_LIGHT] = "over 0.3 s, light on"
    rows = [["method", *strata.values()]]
    rows.extend(
        [
            pages.named(method),
            *(pages.with_interval(found.against_linear(mask, name, s), "difference", 2) for s in strata),
        ]
        for name, method in found.imputers.items()
        if name != LINEAR and not method.oracle
    )
    return pages.markdown(rows)


def matrix(found: Found, stratum: str) -> str:
    """MAE of every imputer under every mask."""
    imputers = {name: method for name, method in found.imputers.items() if not method.oracle}
    rows = [["mask", "masked", *(method.display for method in imputers.values())]]
    for mask, method in found.masks.items():
        shares = (found.value(mask, name, "masked_share") for name in imputers)
        share = next((each for each in shares if each is not None), None)
        values = [found.value(mask, name, "mae", stratum) for name in imputers]
        rows.append([pages.named(method), _percent(share), *(pages.number(value, 2) for value in values)])
    return pages.markdown(rows)


def feature_matrix(found: Found) -> str:
    """Error that imputation carries into the features of `simple`, in standard deviations, mean over features."""
    imputers = {name: method for name, method in found.imputers.items() if not method.oracle}
    rows = [["mask", *(method.display for method in imputers.values())]]
    rows.extend(
        [pages.named(method), *(pages.number(found.feature_error(mask, name)) for name in imputers)]
        for mask, method in found.masks.items()
    )
    return pages.markdown(rows)


def cost_table(found: Found) -> str:
    """Seconds of the published runs by asset: the sum over workers, not wall time."""
    rows = [["asset", "partitions", "seconds", "seconds a partition"]]
    for asset, (total, count) in found.spent.items():
        each = total / count if count else None
        rows.append([f"`{asset}`", str(count), pages.seconds(total), pages.number(each, 1)])
    return pages.markdown(rows)


def _percent(value: float | None) -> str:
    return pages.NONE if value is None else f"{100 * value:.1f} %"


# -- the page ---------------------------------------------------------------------------------------------------------


def parts_of(found: Found) -> dict[str, str]:
    """Mark -> what stands between it and its end."""
    scored: Sequence[str] = sorted(set(found.metrics["role"]))
    return {
        "run": found.run.facts(", ".join(scored)),
        "human": human_table(found),
        "linear": linear_table(found),
        "masks": matrix(found, "all"),
        "masks light": matrix(found, IN_LIGHT),
        "features": feature_matrix(found),
        "cost": cost_table(found),
    }


if __name__ == "__main__":
    pages.write_page("imputation", PAGE, gather, parts_of)
