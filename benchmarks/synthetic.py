"""An asset that computes next to nothing, in a grid of the published size: what remains is the platform.

Belongs here: the asset, its study and its tables, and the same run logged by hand. Does not belong here: measuring.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

import polars as pl
from mlflow import MlflowClient
from mlflow.entities import Metric, Param

from plr_assets.grid import Grid, PipelineKey
from plr_assets.paths import data_root
from plr_assets.platform.artifacts import Product
from plr_assets.platform.stages import Stage, Task, stage_asset
from plr_assets.platform.store import default_tracking_uri
from plr_assets.registry import AXES
from plr_assets.schemas import Column, Table
from plr_assets.study import Study, load_study

STAGE = Stage("benchmark", "team:benchmark", "PLR_Benchmark", "nobody")
TINY = Table("tiny", "One row that says which key it is of.", (Column("key", "string", "the key"),), ("key",))


def published_grid(grid: Grid) -> tuple[PipelineKey, ...]:
    """The published 11 x 8 x 1 x 5 keys, whether or not the methods are there yet."""
    published = grid.registry.published
    return tuple(
        PipelineKey(featurization="simple", outlier_detection=o, imputation=i, classification=c)
        for o, i, c in product(published("outlier_detection"), published("imputation"), published("classification"))
    )


def tiny_table(key: str) -> pl.DataFrame:
    return pl.DataFrame({"key": [key]})


@stage_asset(STAGE, keys=published_grid, axes=AXES, tables={"tiny": TINY}, seeded=True)
def tiny(task: Task) -> Product:
    """One row that says which key it is of; it costs the platform what any small result costs."""
    return Product(tables={"tiny": tiny_table(str(task.key))}, metrics={"rows": 1})


def study_named(name: str) -> Study:
    """A study of its own: own experiments, own asset keys, nothing published."""
    return load_study("demo").model_copy(update={"name": name})


class BareTracking:
    """What a careful person writes without a contract: the Parquet file, and an MLflow run that holds it."""

    def __init__(self, experiment: str) -> None:
        self.client = MlflowClient(tracking_uri=default_tracking_uri())
        location = data_root() / "mlflow" / "artifacts" / experiment
        self.experiment_id: str = self.client.create_experiment(experiment, artifact_location=location.as_uri())

    def publish(self, name: str, frame: pl.DataFrame, parameters: Mapping[str, Any], tags: Mapping[str, str]) -> str:
        """Log `frame` as a FINISHED run; returns its id."""
        run_id: str = self.client.create_run(self.experiment_id, run_name=name, tags=dict(tags)).info.run_id
        self.client.log_batch(
            run_id,
            metrics=[Metric("rows", frame.height, 0, 0)],
            params=[Param(key, str(value)) for key, value in parameters.items()],
        )
        path = data_root() / "table.parquet"
        frame.write_parquet(path, compression="zstd", compression_level=3)
        self.client.log_artifact(run_id, str(path))
        self.client.set_terminated(run_id, status="FINISHED")
        return run_id

    def fetch(self, run_id: str) -> pl.DataFrame:
        uri: str = self.client.get_run(run_id).info.artifact_uri
        return pl.read_parquet(Path(uri.removeprefix("file://")) / "table.parquet")
