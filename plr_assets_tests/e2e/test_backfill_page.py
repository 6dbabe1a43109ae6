"""A part of the grid, chosen by clicks in Dagster's dialog, is computed by the daemon: exactly that part."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from dagster._core.execution.backfill import BULK_ACTION_TERMINAL_STATUSES, BulkActionStatus

from plr_assets.paths import project_root
from plr_assets.platform.contract import Contract
from plr_assets.platform.services import serving, ui_services
from plr_assets_tests.e2e.lab import TRIAL, Lab
from plr_assets_tests.e2e.test_pages import free_ports, until

ASSET = "bootstrap_results"
GRID = {
    "outlier_detection": ["pupil-gt", "LOF"],
    "imputation": ["pupil-gt", "linear"],
    "featurization": ["simple"],
    "classification": ["LogisticRegression", "XGBoost"],
}
# Two detectors by two classifiers under one imputation: not a contiguous range of partitions, so two runs.
SUB_GRID = [
    f"simple__{detector}__linear__{classifier}"
    for detector in GRID["outlier_detection"]
    for classifier in GRID["classification"]
]
CHANGED = {"LogisticRegression": {"C": 0.5}, "XGBoost": {"min_child_weight": 1.0, "n_estimators": 25}}
# The daemon looks for backfills every 30 s; two runs start, on a machine that may be a busy one.
COMPLETES_WITHIN_S = 300


@pytest.fixture
def driver() -> ModuleType:
    """`docs/tour/browser.py`, which also takes the documentation's pictures."""
    path = Path(__file__).parents[2] / "docs" / "tour" / "browser.py"
    spec = importlib.util.spec_from_file_location("tour_browser", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    try:
        module.programs()
    except module.TourError as absent:
        pytest.skip(f"no browser to click with: {absent}")
    return module


@pytest.fixture
def changed(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """The trial after one run, served from a home of its own, in which both classifiers have other parameters now."""
    home = lab.root / "home"
    shutil.copytree(project_root() / "configs" / "methods", home / "configs" / "methods")
    shutil.copy(project_root() / "configs" / "figures.yaml", home / "configs")
    (home / "configs" / "studies").mkdir()
    content = {**TRIAL, "grids": [GRID], "methods": {"classification": CHANGED}}
    (home / "configs" / "studies" / "trial.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    entry = {"module_name": "plr_assets.definitions", "attribute": "trial", "location_name": "trial"}
    (home / "workspace.yaml").write_text(yaml.safe_dump({"load_from": [{"python_module": entry}]}), encoding="utf-8")
    monkeypatch.setenv("PLR_HOME", str(home))
    return lab


def every_run(contract: Contract) -> dict[tuple[str, str], list[str]]:
    """Partition -> ids of all runs that were ever published of it."""
    return {place: [run.run_id for run in contract.runs(*place)] for place in contract.places()}


@pytest.mark.slow
def test_a_sub_grid_chosen_in_the_page_is_computed_and_nothing_else(changed: Lab, driver: Any) -> None:
    port, mlflow_port = free_ports(2)
    services = [service for service in ui_services(port, mlflow_port) if service.name != "mlflow"]
    before = every_run(Contract("trial"))
    with serving(services), driver.browser() as page, changed.instance() as instance:
        page.size(1280, 900)
        driver.open_dialog(page, driver.partition_page(port, "trial", ASSET))
        driver.choose_partitions(page, SUB_GRID)
        page.press(driver.Keys.ESCAPE)  # the list, which lies over the button
        backfill_id = driver.launch_backfill(page)

        def ended() -> bool:
            backfill = instance.get_backfill(backfill_id)
            return backfill is not None and backfill.status in BULK_ACTION_TERMINAL_STATUSES

        until(ended, COMPLETES_WITHIN_S, "the backfill does not end")
        backfill = instance.get_backfill(backfill_id)
        assert backfill is not None
        assert backfill.status == BulkActionStatus.COMPLETED_SUCCESS, backfill.error
        page.open(f"http://127.0.0.1:{port}/runs/b/{backfill_id}")
        page.text("100% completed")
    after = every_run(Contract("trial"))
    anew = {place: set(runs) - set(before.get(place, [])) for place, runs in after.items()}
    assert {place for place, runs in anew.items() if runs} == {(ASSET, key) for key in SUB_GRID}
    assert all(len(runs) <= 1 for runs in anew.values()), "nothing is computed twice"
    for key in SUB_GRID:
        event = changed.materialized((ASSET, key))[0]
        assert event.metadata["mlflow_run_id"].value in anew[ASSET, key], "the page shows what was computed now"
        assert event.metadata["reused"].value is False
