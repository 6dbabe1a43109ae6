"""`kill -9` at random moments of a run: what was published stays, the next run completes it, nothing is torn."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from plr_assets.grid import grid_of
from plr_assets.platform import results_db
from plr_assets.platform.contract import Contract
from plr_assets.platform.environment import open_instance
from plr_assets.platform.leftovers import close_runs_of_dead_processes
from plr_assets.study import load_study
from plr_assets_tests.e2e.lab import MEASURED, Lab, Place

pytestmark = pytest.mark.slow

KILLS = 6
WORKERS = {"workers": {"kind": "process", "processes": 2}}


def start(study: Path, lab: Lab, *, at_a_terminal: bool = False) -> subprocess.Popen[str]:
    """`plr run` in a process of its own, with a pool of workers. `at_a_terminal`: with what it starts, it can be
    stopped by Ctrl-C, also where the tests are a background job, which is not.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PLR_WORKERS"}
    return subprocess.Popen(
        [sys.executable, "-c", "from plr_assets.cli import main; main()", "run", str(study)],
        env=environment,
        stdout=(lab.root / "terminal.log").open("a"),
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=at_a_terminal,
        preexec_fn=(lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)) if at_a_terminal else None,  # noqa: PLW1509
    )


def children(parent: int) -> set[tuple[int, str]]:
    """Processes that `parent` started: id and start time, which together name a process."""
    return {(pid, started) for pid, ppid, started in processes() if ppid == parent}


def processes() -> Iterator[tuple[int, int, str]]:
    """Id, parent's id and start time of every process that is not a zombie."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended while we looked
        if fields[0] != "Z":
            yield int(path.parent.name), int(fields[1]), fields[19]


def results(lab: Lab) -> dict[Place, dict[str, str]]:
    """Digests of what a run finds, without what says how long it took."""
    return {place: digests for place, digests in lab.digests().items() if place[0] not in MEASURED}


def test_a_run_that_is_killed_at_any_moment_is_completed_by_the_next_with_the_same_digests(
    fresh: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = fresh.copy(tmp_path / "whole").enter(monkeypatch)
    study = whole.study_file(**WORKERS)
    started = time.monotonic()
    assert start(study, whole).wait() == 0, (whole.root / "terminal.log").read_text()
    duration = time.monotonic() - started
    expected = results(whole)

    broken = fresh.copy(tmp_path / "broken").enter(monkeypatch)
    moments = random.Random(20261121)  # noqa: S311
    completed: set[tuple[str, str]] = set()
    for _ in range(KILLS):
        process = start(study, broken)
        try:
            process.wait(moments.uniform(0.1, 0.8) * duration)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
        found = results(broken)
        assert found.items() <= expected.items(), "a killed run left something that reads as another result"
        assert completed <= set(found), "what was published before was lost"
        completed = set(found)
    assert start(study, broken).wait() == 0, (broken.root / "terminal.log").read_text()

    assert results(broken) == expected
    database = results_db.database_path(broken.folder)
    rows = results_db.read_table(database, "essential_metrics")["pipeline"].to_list()
    assert sorted(rows) == sorted(str(key) for key in grid_of(load_study(str(study))).pipelines)
    assert not list(broken.folder.glob(".simulation-*")), "half-written recordings were left"


def test_a_killed_run_leaves_no_worker_and_no_run_that_goes_on_for_ever(
    fresh: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = fresh.study_file(**WORKERS)
    process = start(study, fresh)
    deadline = time.monotonic() + 120
    while len(workers := children(process.pid)) < 2:
        assert time.monotonic() < deadline, (fresh.root / "terminal.log").read_text()
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    deadline = time.monotonic() + 30
    while workers & {(pid, started) for pid, _, started in processes()}:
        assert time.monotonic() < deadline, "workers outlive the run that started them"
        time.sleep(0.1)
    with open_instance() as instance:
        assert close_runs_of_dead_processes(instance)
        unfinished = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.QUEUED]
        assert not instance.get_runs(dg.RunsFilter(statuses=unfinished))


def test_ctrl_c_stops_at_once_without_orphans_and_the_next_run_goes_on(
    fresh: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = fresh.study_file(**WORKERS)
    process = start(study, fresh, at_a_terminal=True)
    deadline = time.monotonic() + 240
    while ("detectors", "LOF") not in fresh.digests():
        assert time.monotonic() < deadline, (fresh.root / "terminal.log").read_text()
        time.sleep(0.2)
    workers = children(process.pid)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(120) == 130, (fresh.root / "terminal.log").read_text()
    assert "Stopped. What is published stays" in (fresh.root / "terminal.log").read_text()
    deadline = time.monotonic() + 10
    while workers & {(pid, started) for pid, _, started in processes()}:
        assert time.monotonic() < deadline, "workers outlive the run that was stopped"
        time.sleep(0.1)
    before = fresh.digests()
    assert ("evaluation", "simple__LOF__linear__XGBoost") not in before, "it went on"
    contract = Contract("trial")
    stopped = {place: contract.latest(*place) for place in before}
    assert start(study, fresh).wait() == 0, (fresh.root / "terminal.log").read_text()
    contract.refresh()
    assert {place: contract.latest(*place) for place in before} == stopped, "what was there is not computed again"
