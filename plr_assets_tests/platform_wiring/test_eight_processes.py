"""Eight processes publish, read, query and rebuild at once: nothing is lost or torn, and no one sees a locked database.

On a store that is not there yet: who comes first creates it, while the others come as well.
"""

from __future__ import annotations

import multiprocessing
import shutil
import traceback
from collections import Counter
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from rich.console import Console

from plr_assets import schemas
from plr_assets.cli.reports import print_query
from plr_assets.platform import results_db
from plr_assets.platform.artifacts import Product, read_table, write_product
from plr_assets.platform.contract import Contract, Draft
from plr_assets.platform.scratch import scratch_folder
from plr_assets.study import load_study
from plr_assets_tests.platform.test_results_db import build

pytestmark = pytest.mark.slow

STUDY, ASSET, EXPERIMENT = "demo", "outlier_masks", "PLR_OutlierDetection"
PUBLISHERS, READERS = 4, 2  # and one that asks by SQL, and one that rebuilds the database
KEYS = 12  # of each publisher; as many again that all of them publish
SIZES = (3, 40)  # rows of the two databases that take turns


def table(key: str) -> pl.DataFrame:
    """What is published of a key: other content for each."""
    names = [f"{key} {number}" for number in range(50)]
    return pl.DataFrame({"recording": names, "subject": names, "role": "evaluated", "label": "control"})


def publish(number: int, _: Path) -> None:
    """Own keys, and those that all publish, in turn."""
    contract = Contract(STUDY)
    for index in range(KEYS):
        for key in (f"own-{number}-{index}", f"shared-{index}"):
            staged = scratch_folder() / "staged"
            staged.mkdir()
            infos = write_product(Product(tables={"roles": table(key)}), {"roles": schemas.ROLES}, staged)
            draft = Draft(ASSET, key, EXPERIMENT, fingerprint=f"of {key}", parameters={"key": key}, tags={})
            contract.publish(draft, infos, staged, metrics={"rows": 50}, seconds=0.0)
            shutil.rmtree(staged.parent)


def read(_: int, stop: Path) -> None:
    """Whatever is published is whole, at any moment."""
    contract = Contract(STUDY)
    while not stop.exists():
        contract.refresh()
        for asset, key in contract.places():
            run = contract.latest(asset, key)
            assert run is not None
            assert_frame_equal(read_table(contract.ref(run, "roles"), schemas.ROLES), table(key))


def query(_: int, stop: Path) -> None:
    """`plr sql`: one database or the other, never a part of one."""
    question = (
        "SELECT count(*) AS rows, max(length(name)) AS longest, (SELECT count(*) FROM provenance) AS told FROM meta"
    )
    while not stop.exists():
        printed = StringIO()
        print_query(STUDY, question, Console(file=printed, width=120), csv=False, most=5)
        results_db.pipelines_by_table(results_db.database_path(load_study(STUDY).data_dir))
        told = int(printed.getvalue().split()[-1])
        assert told in SIZES, printed.getvalue()


def rebuild(_: int, stop: Path) -> None:
    turn = 0
    while not stop.exists():
        swap(SIZES[turn % 2])
        turn += 1


def swap(size: int) -> None:
    """A database of `size` pipelines in the place of the one that is there."""
    pipelines = [f"simple__LOF__linear__{number}" for number in range(size)]
    build(results_db.database_path(load_study(STUDY).data_dir), *pipelines)


def report(function: Callable[[int, Path], None], number: int, stop: Path, errors: Path) -> None:
    """In a process of its own: run it, and leave what went wrong behind."""
    try:
        function(number, stop)
    except BaseException:
        (errors / f"{function.__name__}-{number}").write_text(traceback.format_exc(), encoding="utf-8")
        raise


def test_eight_processes_lose_and_tear_nothing_and_meet_no_locked_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLR_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    stop, errors = tmp_path / "stop", tmp_path / "errors"
    errors.mkdir()
    swap(SIZES[0])
    spawn = multiprocessing.get_context("spawn")
    publishers = [spawn.Process(target=report, args=(publish, number, stop, errors)) for number in range(PUBLISHERS)]
    others = [spawn.Process(target=report, args=(read, number, stop, errors)) for number in range(READERS)]
    others += [spawn.Process(target=report, args=(function, 0, stop, errors)) for function in (query, rebuild)]
    everyone = [*publishers, *others]
    assert len(everyone) == 8
    for process in everyone:
        process.start()
    try:
        for process in publishers:
            process.join()
        stop.touch()
        for process in others:
            process.join(120)
    finally:
        for process in everyone:
            process.kill()
    found = {path.name: path.read_text(encoding="utf-8") for path in sorted(errors.iterdir())}
    assert not found, "\n".join(f"{name}:\n{text}" for name, text in found.items())
    assert [process.exitcode for process in everyone] == [0] * 8

    contract = Contract(STUDY)
    expected = {f"own-{number}-{index}": 1 for number in range(PUBLISHERS) for index in range(KEYS)}
    expected |= {f"shared-{index}": PUBLISHERS for index in range(KEYS)}
    assert {key: len(contract.runs(asset, key)) for asset, key in contract.places()} == expected
    for key in expected:
        for run in contract.runs(ASSET, key):
            assert contract.ref(run, "roles").is_intact()
            assert_frame_equal(read_table(contract.ref(run, "roles"), schemas.ROLES), table(key))
    statuses = Counter(run.info.status for run in contract.search())
    assert statuses == {"FINISHED": sum(expected.values())}
    assert contract.folders_without_run() == []
    assert not list(results_db.database_path(load_study(STUDY).data_dir).parent.glob(".*.partial*"))
