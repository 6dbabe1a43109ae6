"""The nightly check finds what was changed behind the platform's back; a busy store is waited for, an error is not."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest

from plr_assets.definitions import build_definitions
from plr_assets.platform import assets as platform_assets
from plr_assets.platform.assets import asset_key
from plr_assets.platform.contract import Contract
from plr_assets.platform.integrity import Integrity, check_integrity
from plr_assets.platform.jobs import INTEGRITY
from plr_assets.platform.results_db import database_path, read_table
from plr_assets_tests.e2e.lab import NOT_FIGURES, Lab

ONE = "simple__LOF__linear__XGBoost"


def check(lab: Lab) -> Integrity:
    with closing(Contract("trial")) as contract:
        return check_integrity(lab.study(), contract)


def folder_of(asset: str, key: str) -> Path:
    run = Contract("trial").latest(asset, key)
    assert run is not None
    return Path(run.artifact_uri.removeprefix("file://"))


def test_nothing_is_wrong_after_a_run(finished: Lab) -> None:
    report = check(finished)
    assert report.problems == ()
    assert report.counts["partitions"] == len(finished.digests())
    assert report.counts["artifacts"] == sum(len(own) for own in finished.digests().values())
    assert report.counts["rows"] > 0


def test_every_kind_of_damage_is_found_and_the_job_fails_with_it(lab: Lab) -> None:
    changed = folder_of("outlier_masks", "LOF") / "outlier_masks.parquet"
    changed.write_bytes(changed.read_bytes() + b"\0")
    (folder_of("detectors", "LOF") / "model" / "estimator.json").unlink()
    lost = folder_of("features", "simple__LOF__linear") / "features.parquet"
    lost.unlink()
    orphan = folder_of("features", "simple__LOF__linear").parent.parent / ("f" * 32)
    shutil.copytree(folder_of("features", "simple__LOF__linear"), orphan)
    with duckdb.connect(str(database_path(lab.folder))) as connection:
        connection.execute("UPDATE provenance SET published = false WHERE pipeline = ?", [ONE])
    lines = "\n".join(check(lab).lines)
    assert "outlier_masks LOF, outlier_masks (run" in lines
    assert "detectors LOF, model (run" in lines
    assert "features simple__LOF__linear, features (run" in lines
    assert "the file is gone" in lines
    assert f"{'f' * 32}: artifacts that belong to no run" in lines
    assert f"results.duckdb: essential_metrics: 1 row(s) of {ONE} come from no run" in lines
    assert str(lab.root) not in lines
    with lab.instance() as instance:
        job = build_definitions(lab.study()).get_repository_def().get_job(INTEGRITY)
        result = job.execute_in_process(instance=instance, raise_on_error=False)
    assert not result.success
    (event,) = result.get_step_failure_events()
    assert event.step_failure_data.user_failure_data is not None
    assert "outlier_masks LOF" in str(event.step_failure_data.user_failure_data.description)


def test_rows_of_a_run_that_is_not_published_are_named(lab: Lab) -> None:
    with duckdb.connect(str(database_path(lab.folder))) as connection:
        connection.execute("UPDATE provenance SET mlflow_run_id = 'somebody' WHERE pipeline = ?", [ONE])
    (problem,) = check(lab).problems
    assert "its rows are of run somebody" in str(problem)


@pytest.mark.slow
def test_rows_of_an_older_run_that_stands_again_are_no_problem(lab: Lab) -> None:
    """A parameter is changed and changed back: the database holds what was published first, and rightly so."""
    other = {"classification": {"XGBoost": {"min_child_weight": 1.0, "n_estimators": 5}}}
    first = Contract("trial").latest("evaluation", ONE)
    lab.run(lab.study(methods=other), "asset=evaluation")
    newest = Contract("trial").latest("evaluation", ONE)
    assert newest is not None
    assert first is not None
    assert newest.digest != first.digest
    assert check(lab).problems == ()  # out of date, which `plr status` says, and whole
    lab.run(lab.study(methods=other), "asset=results_database")
    assert check(lab).problems == ()
    lab.run(only=NOT_FIGURES)
    assert check(lab).problems == ()
    assert first.run_id in set(read_table(database_path(lab.folder), "provenance")["mlflow_run_id"])


# -- retries ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "attempts"), [(ConnectionResetError("the server went away"), 2), (ValueError("a wrong column"), 1)]
)
def test_a_step_is_tried_again_after_what_passes_and_after_nothing_else(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, error: Exception, attempts: int
) -> None:
    tried = []
    plain = platform_assets.run_keys

    def once_broken(*arguments: Any, **options: Any) -> Any:
        tried.append(1)
        if len(tried) == 1:
            raise error
        return plain(*arguments, **options)

    monkeypatch.setattr(platform_assets, "run_keys", once_broken)
    monkeypatch.setattr("plr_assets.platform.transient.WAIT_S", 0)
    with lab.instance() as instance:
        job = build_definitions(lab.study()).resolve_implicit_global_asset_job_def()
        keys = [asset_key("trial", "outlier_metrics")]
        result = job.execute_in_process(instance=instance, asset_selection=keys, raise_on_error=False)
    assert len(tried) == attempts
    assert result.success == (attempts == 2)
    restarts = [e for e in result.all_events if e.event_type == dg.DagsterEventType.STEP_UP_FOR_RETRY]
    assert len(restarts) == attempts - 1
