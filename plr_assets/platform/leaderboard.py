"""The leaderboard: pipelines of a study, best first.

Belongs here: order and ranks over the results database. Does not belong here: printing (`cli`), or a metric.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from plr_assets.platform import results_db
from plr_assets.study import Study

if TYPE_CHECKING:
    import polars as pl


def leaderboard(study: Study) -> pl.DataFrame:
    """`essential_metrics` by falling AUROC, with `rank`: none for pipelines that use ground truth.

    Raises DataError if the study has no results database yet.
    """
    return ranked(results_db.read_table(results_db.database_path(study.data_dir), "essential_metrics"))


def ranked(metrics: pl.DataFrame) -> pl.DataFrame:
    """`essential_metrics` as the leaderboard orders them, with `rank`."""
    import polars as pl

    ordered = metrics.sort(["auroc", "pipeline"], descending=[True, False], nulls_last=True)
    ranked = pl.when(~pl.col("oracle")).then((~pl.col("oracle")).cum_sum()).otherwise(None).cast(pl.Int64)
    return ordered.select(ranked.alias("rank"), pl.all())


def missing_pipelines(study: Study) -> list[str]:
    """Pipelines of the study that the database has no rows of."""
    provenance = results_db.read_table(results_db.database_path(study.data_dir), "provenance")
    return provenance.filter(~provenance["published"])["pipeline"].to_list()
