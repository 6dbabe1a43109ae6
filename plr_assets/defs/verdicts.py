"""What is asked of the study's tables: their checks, and the judges of those.

Belongs here: from tables to a verdict, in words. Does not belong here: the tables (`results`, `comparisons`), or an
estimate (stage packages). A verdict is no part of what is published.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from plr_assets.grid import grid_of
from plr_assets.platform.stages import Check, Tables, Verdict
from plr_assets.study import Study

if TYPE_CHECKING:
    import polars as pl


# A share of 0 has an interval that begins at 0 but for the last digits.
ROUNDING = 1e-9


def of_all_pipelines(name: str) -> Callable[[Study, Callable[[str], pl.DataFrame]], Verdict]:
    """The judge of a check that every pipeline of the study has rows in the table `name`."""

    def judge(study: Study, table: Callable[[str], pl.DataFrame]) -> Verdict:
        there = set(table(name)["pipeline"])
        wanted = [str(key) for key in grid_of(study).pipelines]
        missing = [pipeline for pipeline in wanted if pipeline not in there]
        reason = (
            f"{len(missing)} of {len(wanted)} pipelines have no result: {_some(missing)}."
            if missing
            else f"All {len(wanted)} pipelines of the study are there."
        )
        return Verdict(not missing, reason, {"pipelines": float(len(there)), "missing": float(len(missing))})

    return judge


def intervals_hold(name: str) -> Callable[[Study, Callable[[str], pl.DataFrame]], Verdict]:
    """The judge of a check that every interval in the table `name` (`<x>_ci_lower`, `<x>_ci_upper`) holds its value."""

    def judge(_study: Study, table: Callable[[str], pl.DataFrame]) -> Verdict:
        import polars as pl

        frame = table(name)
        values = [column.removesuffix("_ci_lower") for column in frame.columns if column.endswith("_ci_lower")]
        # an end that is missing has a reason elsewhere, and is no contradiction
        wrong = {}
        for value in values:
            lower, upper = pl.col(f"{value}_ci_lower") - ROUNDING, pl.col(f"{value}_ci_upper") + ROUNDING
            wrong[value] = frame.filter(~pl.col(value).is_between(lower, upper))["pipeline"]
        found = [f"{value} of {_some(of.unique(maintain_order=True))}" for value, of in wrong.items() if len(of)]
        reason = (
            f"{'; '.join(found)}: the interval does not hold the value."
            if found
            else f"Every interval holds its value ({frame.height} rows)."
        )
        return Verdict(not found, reason, {f"{value} outside": float(len(of)) for value, of in wrong.items()})

    return judge


def same_recordings(_study: Study, table: Callable[[str], pl.DataFrame]) -> Verdict:
    """Of `predictions`: every pipeline was judged on the recordings that most were judged on."""
    import polars as pl

    each = table("predictions").group_by("pipeline", maintain_order=True).agg(pl.col("recording").sort().str.join(" "))
    usual = each["recording"].mode().sort()[-1]
    other = each.filter(pl.col("recording") != usual)["pipeline"]
    reason = (
        f"{_some(other)}: not judged on the recordings that the others are judged on."
        if len(other)
        else f"All {each.height} pipelines are judged on the same {usual.count(' ') + 1} recordings."
    )
    return Verdict(not len(other), reason, {"pipelines": float(each.height), "other": float(len(other))})


def judged_alike(name: str, n: str) -> Callable[[Study, Callable[[str], pl.DataFrame]], Verdict]:
    """The judge of a check that all pipelines in the table `name` were judged on as many recordings, the sum of `n`."""

    def judge(_study: Study, table: Callable[[str], pl.DataFrame]) -> Verdict:
        import polars as pl

        counted = table(name).group_by("pipeline", maintain_order=True).agg(pl.col(n).sum())
        usual = int(counted[n].mode().sort()[-1])
        other = counted.filter(pl.col(n) != usual)
        reason = (
            f"{_some(other['pipeline'])}: not judged on {usual} recordings, as the others are."
            if other.height
            else f"All {counted.height} pipelines are judged on {usual} recordings."
        )
        return Verdict(not other.height, reason, {"pipelines": float(counted.height), "other": float(other.height)})

    return judge


def curves_rise(_study: Study, table: Callable[[str], pl.DataFrame]) -> Verdict:
    """Of `roc_curves`: from (0, 0) to (1, 1), and neither rate ever falls."""
    import polars as pl

    rates = pl.col("false_positive_rate"), pl.col("true_positive_rate")
    ends = [end for rate in rates for end in (rate.first() == 0, rate.last() == 1)]
    rising = [(rate.diff().min() >= 0).fill_null(value=True) for rate in rates]
    curves = table("roc_curves").sort("pipeline", "point").group_by("pipeline", maintain_order=True)
    good = curves.agg(good=pl.all_horizontal(*ends, *rising))
    wrong = good.filter(~pl.col("good"))["pipeline"]
    reason = (
        f"{_some(wrong)}: the curve does not rise from (0, 0) to (1, 1)."
        if len(wrong)
        else f"All {good.height} curves rise from (0, 0) to (1, 1)."
    )
    return Verdict(not len(wrong), reason, {"curves": float(good.height), "wrong": float(len(wrong))})


def not_drifted(
    name: str, key: Sequence[str], value: str, ends: tuple[str, str], **only: str
) -> Callable[[Study, Tables], Verdict]:
    """The judge of a check over time: no `value` in the table `name` lies outside the interval that it had before.

    key    columns that say what a row is of. only: column = value of the rows that are looked at.
    A change of data or methods moves results, and may; this says of which.
    """

    def judge(_study: Study, table: Tables) -> Verdict:
        import polars as pl

        earlier = table.before(name)
        if earlier is None:
            return Verdict(passed=True, reason="There is no earlier publication to compare with.")
        both = table(name).filter(**only).join(earlier.filter(**only), on=list(key), suffix="_before")
        lower, upper = (pl.col(f"{end}_before") for end in ends)
        moved = both.filter(~pl.col(value).is_between(lower, upper))
        named = moved.select(pl.concat_str(key, separator="__")).to_series()
        reason = (
            f"{_some(named)}: outside the 95 % interval of the publication before ({len(named)} of {both.height})."
            if moved.height
            else f"All {both.height} values lie in their 95 % intervals of the publication before."
        )
        return Verdict(not moved.height, reason, {"compared": float(both.height), "moved": float(moved.height)})

    return judge


def _some(names: Iterable[str], most: int = 10) -> str:
    """The first names, and how many more there are."""
    listed = list(names)
    rest = len(listed) - most
    return ", ".join(listed[:most]) + (f" and {rest} more" if rest > 0 else "")


def every_pipeline(name: str) -> Check:
    """The check that all pipelines are in the table `name`."""
    what = "Every pipeline of the study has rows; those that have none are named."
    return Check("every_pipeline", what, of_all_pipelines(name), blocking=False)


def intervals(name: str) -> Check:
    """The check of the intervals in the table `name`."""
    return Check("intervals_hold", "Every 95 % interval holds the value that it is of.", intervals_hold(name))


def alike(name: str, n: str) -> Check:
    """The check of the number of recordings in the table `name`."""
    return Check("judged_alike", "All pipelines are judged on as many recordings.", judged_alike(name, n))


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
