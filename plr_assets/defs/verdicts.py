"""What is asked of the study's tables: the judges of their checks.

Belongs here: from tables to a verdict, in words. Does not belong here: the tables (`results`, `comparisons`), or an
estimate (stage packages). A verdict is no part of what is published.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from plr_assets.grid import grid_of
from plr_assets.platform.stages import Verdict
from plr_assets.study import Study

if TYPE_CHECKING:
    import polars as pl


def of_all_pipelines(name: str) -> Callable[[Study, Callable[[str], pl.DataFrame]], Verdict]:
    """The judge of a check that every pipeline of the study has rows in the table `name`."""

    def judge(study: Study, table: Callable[[str], pl.DataFrame]) -> Verdict:
        there = set(table(name)["pipeline"])
        wanted = [str(key) for key in grid_of(study).pipelines]
        missing = [pipeline for pipeline in wanted if pipeline not in there]
        reason = (
            f"{len(missing)} of {len(wanted)} pipelines have no result: {', '.join(missing)}."
            if missing
            else f"All {len(wanted)} pipelines of the study are there."
        )
        return Verdict(not missing, reason, {"pipelines": float(len(there)), "missing": float(len(missing))})

    return judge


def better_than_random(_study: Study, table: Callable[[str], pl.DataFrame]) -> Verdict:
    from plr_assets.outlier_detection.chance import against_chance

    f1 = against_chance(table("outlier_metrics"))
    worse = [name for name, numbers in f1.items() if numbers.worse]
    reason = (
        f"{', '.join(worse)}: F1 is below that of flagging as many samples at random, the whole interval of it."
        if worse
        else f"No method's F1 lies below that of flagging as many samples at random ({len(f1)} judged)."
    )
    return Verdict(not worse, reason, {f"{name} {what}": v for name, n in f1.items() for what, v in n.numbers.items()})


def unmasked_as_recorded(_study: Study, table: Callable[[str], pl.DataFrame]) -> Verdict:
    from plr_assets.imputation.against_linear import touched

    metrics = table("imputation_metrics")
    wrong, signals = touched(metrics), metrics.select("outlier_detection", "imputation").n_unique()
    reason = (
        f"{', '.join(wrong)}: unmasked samples differ from the recording."
        if wrong
        else f"All unmasked samples are as they were recorded ({signals} signals)."
    )
    return Verdict(not wrong, reason, {f"{name} changed samples": float(n) for name, n in wrong.items()})


def better_than_linear(study: Study, table: Callable[[str], pl.DataFrame]) -> Verdict:
    from plr_assets.imputation.against_linear import LINEAR, against_linear

    mae = against_linear(table("imputation_metrics"))
    worse = [f"{name} ({n.mae:.2f} % against {n.linear:.2f} %)" for name, n in mae.items() if n.worse]
    if worse:
        reason = f"{', '.join(worse)}: a larger MAE than straight lines under the same mask."
    elif mae:
        reason = f"No method's MAE is above that of straight lines under the same mask ({len(mae)} judged)."
    else:
        reason = f"Nothing to judge: {study.name} has no published method beside {LINEAR!r} under the same mask."
    return Verdict(not worse, reason, {f"{name} MAE": n.mae for name, n in mae.items()})


def same_models(_study: Study, table: Callable[[str], pl.DataFrame]) -> Verdict:
    optimism = table("optimism")
    other = optimism.drop_nulls("reason")["pipeline"].to_list()
    reason = (
        f"{', '.join(other)}: the bootstrap cannot be fitted again, so nothing is said of its models."
        if other
        else f"The bootstrap of all {optimism.height} pipelines was fitted again from its seeds."
    )
    return Verdict(not other, reason, {"pipelines": float(optimism.height), "not reproduced": float(len(other))})


def comparisons_agree(_study: Study, table: Callable[[str], pl.DataFrame]) -> Verdict:
    import polars as pl

    ranks, winner = table("pipeline_ranks").drop_nulls("rank"), table("winner").drop_nulls("pipeline")
    sums = ranks.group_by("metric").agg(pl.col("probability_best").sum(), pl.len(), pl.col("rank").max())
    wrong = sums.filter((pl.col("probability_best") - 1).abs() > 1e-9)["metric"].to_list()
    wrong += sums.filter(pl.col("rank") > pl.col("len"))["metric"].to_list()
    first = ranks.join(winner, on=["metric", "pipeline"])
    wrong += first.filter(pl.col("score") != pl.col("apparent"))["metric"].to_list()
    wrong += sorted(set(winner["metric"]) - set(first["metric"]))
    wrong += (
        table("comparisons")
        .filter(~pl.col("difference").is_between("difference_lower", "difference_upper"))["first"]
        .to_list()
    )
    reason = (
        f"{', '.join(dict.fromkeys(wrong))}: ranks, probabilities, winner and intervals contradict each other."
        if wrong
        else f"Ranks, probabilities, winner and intervals agree ({ranks.height} ranks)."
    )
    return Verdict(not wrong, reason, {"ranks": float(ranks.height), "wrong": float(len(wrong))})
