"""Dagster resources of a study's code location.

Belongs here: how a run gets its contract and its workers, and gives them back. Does not belong here: their behaviour
(`contract`, `mapper`). `plr run` passes live ones instead, shared by all its runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg

from plr_assets.platform.contract import Contract
from plr_assets.platform.execution import KeyResult, Report
from plr_assets.platform.mapper import Mapper, make_mapper
from plr_assets.platform.parent_run import parent_run_resource
from plr_assets.platform.progress import KeyProgress
from plr_assets.platform.stages import StageAsset
from plr_assets.study import Study


def study_resources(study: Study, assets: Sequence[StageAsset]) -> dict[str, Any]:
    """Resources that a run makes for itself."""

    @dg.resource(
        description="The study's side of the MLflow store: MLFLOW_TRACKING_URI, or sqlite below the data root."
    )
    def contract(_: dg.InitResourceContext) -> Iterator[Contract]:
        live = Contract(study.name)
        try:
            yield live
        finally:
            live.close()

    @dg.resource(description="Spreads the keys of a range: the study's `workers`, or PLR_WORKERS.")
    def workers(_: dg.InitResourceContext) -> Iterator[Mapper]:
        live = make_mapper(study.workers.kind, study.workers.processes)
        try:
            yield live
        finally:
            live.close()

    return {
        "contract": contract,
        "workers": workers,
        "observer": dg.ResourceDefinition.hardcoded_resource(
            _nobody, "Who is told of each partition besides the run's log: nobody, or the terminal of `plr run`."
        ),
        "mlflow": parent_run_resource(study.name, {asset.name: asset.stage.experiment for asset in assets}),
    }


def _nobody(_: KeyResult | KeyProgress) -> None:
    """Runs that the UI or the daemon started are watched through the Dagster log alone."""


def live_resources(contract: Contract, workers: Mapper, observer: Report) -> dict[str, Any]:
    """Resources that exist already and outlive a run: what `plr run` shares among its runs."""
    made = {"contract": contract, "workers": workers, "observer": observer, "mlflow": None}
    return {name: dg.ResourceDefinition.hardcoded_resource(value) for name, value in made.items()}
