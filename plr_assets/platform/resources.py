"""Dagster resources of a study's code location.

Belongs here: how a run gets its contract and its workers, and gives them back. Does not belong here: their behaviour
(`contract`, `mapper`). `plr run` passes live ones instead, shared by all its runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import dagster as dg

from plr_assets.platform.contract import Contract
from plr_assets.platform.execution import KeyResult, Report
from plr_assets.platform.mapper import Mapper, make_mapper
from plr_assets.study import Study


def study_resources(study: Study) -> dict[str, Any]:
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

    return {"contract": contract, "workers": workers, "observer": dg.ResourceDefinition.hardcoded_resource(_nobody)}


def _nobody(_: KeyResult) -> None:
    """Runs that the UI or the daemon started are watched through the Dagster log alone."""


def live_resources(contract: Contract, workers: Mapper, observer: Report) -> dict[str, Any]:
    """Resources that exist already and outlive a run: what `plr run` shares among its runs."""
    made = {"contract": contract, "workers": workers, "observer": observer}
    return {name: dg.ResourceDefinition.hardcoded_resource(value) for name, value in made.items()}
