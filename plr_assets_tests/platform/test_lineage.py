"""Lineage: what stands behind the rows of a pipeline, as far as it is still known."""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from plr_assets.platform.lineage import COLUMNS, lineage_of

CHAIN = {
    "e": ("evaluation", ["b", "c"]),
    "b": ("bootstrap_results", ["f"]),
    "c": ("cohort_split", []),
    "f": ("features", ["c"]),
}


class _Store:
    """Runs by id: their asset, and the runs that they read."""

    def __init__(self, runs: dict[str, tuple[str, list[str]]]) -> None:
        self._runs = runs

    def search(self) -> Iterator[Any]:
        for run_id, (asset, above) in self._runs.items():
            tags = {"plr.asset": asset, "plr.key": "K", "plr.upstream": json.dumps({run: run for run in above})}
            yield SimpleNamespace(info=SimpleNamespace(run_id=run_id), data=SimpleNamespace(tags=tags))


def test_every_run_behind_a_pipeline_is_a_row_and_none_twice() -> None:
    store: Any = _Store(CHAIN)
    found = lineage_of(store, {"p": "e", "q": "b"})
    assert tuple(found.columns) == COLUMNS
    assert found.filter(pipeline="p")["mlflow_run_id"].sort().to_list() == ["b", "c", "e", "f"]
    assert found.filter(pipeline="q")["asset"].to_list() == ["bootstrap_results", "cohort_split", "features"]


def test_a_run_that_was_deleted_since_has_its_id_alone() -> None:
    store: Any = _Store({name: run for name, run in CHAIN.items() if name != "f"})
    found = lineage_of(store, {"p": "e"})
    assert found["mlflow_run_id"].sort().to_list() == ["b", "c", "e", "f"]
    assert found.filter(mlflow_run_id="f").drop("pipeline", "mlflow_run_id").row(0) == (None,) * (len(COLUMNS) - 2)
