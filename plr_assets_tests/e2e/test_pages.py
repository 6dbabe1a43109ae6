"""The pages start together, serve both studies, and leave nothing behind when they are stopped."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from plr_assets.platform.environment import open_instance
from plr_assets.platform.services import Service, ServiceError, serving
from plr_assets_tests.e2e.lab import Lab

UNFINISHED = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.CANCELING]


def free_ports(number: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def marked(value: str) -> list[int]:
    """Processes whose environment holds `PLR_TEST_MARK=value`: everything that the pages started."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            environment = path.read_bytes()
        except OSError:
            continue  # it ended while we looked
        if f"PLR_TEST_MARK={value}\0".encode() in environment:
            found.append(int(path.parent.name))
    return found


def until(condition: Callable[[], Any], seconds: float, what: str) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, what
        time.sleep(0.2)
    return found


@contextmanager
def pages(lab: Lab, port: int, mlflow_port: int, mark: str) -> Iterator[subprocess.Popen[bytes]]:
    """`plr ui`, ready; killed with all it started if the test ends before it does."""
    log = lab.root / "ui.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-c", "from plr_assets.cli import main; main()", "ui"],
            env={**os.environ, "PLR_UI_PORT": str(port), "PLR_MLFLOW_PORT": str(mlflow_port), "PLR_TEST_MARK": mark},
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    try:
        until(lambda: b"Ctrl-C" in log.read_bytes() or process.poll() is not None, 120, "the pages do not start")
        assert process.poll() is None, log.read_text()
        yield process
    finally:
        for pid in marked(mark):
            os.kill(pid, signal.SIGKILL)


def ask(port: int, query: str, **variables: Any) -> Any:
    body = json.dumps({"query": query, "variables": variables}).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}/graphql", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
        return json.load(answer)["data"]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_pages_stop_with_all_they_started_and_start_again(fresh: Lab, number: signal.Signals) -> None:
    port, mlflow_port = free_ports(2)
    for round_ in ("first", "second"):
        mark = f"{number.name}-{round_}-{os.getpid()}"
        with pages(fresh, port, mlflow_port, mark) as process:
            locations = ask(port, "{workspaceOrError{... on Workspace{locationEntries{name loadStatus}}}}")
            entries = locations["workspaceOrError"]["locationEntries"]
            assert {entry["name"]: entry["loadStatus"] for entry in entries} == {"demo": "LOADED", "paper": "LOADED"}
            with urllib.request.urlopen(f"http://127.0.0.1:{mlflow_port}/", timeout=60) as answer:
                assert answer.status == 200
            process.send_signal(number)
            assert process.wait(60) == 0
            until(lambda mark=mark: not marked(mark), 10, f"processes are left: {marked(mark)}")
        with open_instance() as instance:
            assert not instance.get_runs(dg.RunsFilter(statuses=UNFINISHED))


@pytest.mark.slow
def test_a_run_that_the_pages_were_stopped_in_is_closed(fresh: Lab) -> None:
    port, mlflow_port = free_ports(2)
    mark = f"cut-off-{os.getpid()}"
    with pages(fresh, port, mlflow_port, mark) as process:
        launch = """mutation($p: ExecutionParams!){launchPipelineExecution(executionParams:$p){__typename
            ... on LaunchRunSuccess{run{runId}} ... on PythonError{message}}}"""
        selector = {
            "repositoryLocationName": "demo",
            "repositoryName": "__repository__",
            "jobName": "__ASSET_JOB",
            "assetSelection": [{"path": ["demo", "device_files"]}],
        }
        launched = ask(port, launch, p={"selector": selector, "mode": "default", "runConfigData": {}})
        run_id = launched["launchPipelineExecution"]["run"]["runId"]
        with open_instance() as instance:

            def started() -> bool:
                run = instance.get_run_by_id(run_id)
                return run is not None and run.status in UNFINISHED

            until(started, 90, "the run does not start")
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
            run = instance.get_run_by_id(run_id)
            assert run is not None
            assert run.is_finished
        until(lambda: not marked(mark), 10, f"processes are left: {marked(mark)}")


def test_a_port_that_is_taken_is_named_before_anything_starts(fresh: Lab) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        started = fresh.root / "started"
        service = Service("page", (sys.executable, "-c", f"open({str(started)!r}, 'w')"), port)
        with pytest.raises(ServiceError, match=f"page: port {port}.*PORT="), serving([service]):
            pass
    assert not started.exists()


def test_a_service_that_ends_takes_the_others_with_it_and_says_why(fresh: Lab) -> None:
    (port,) = free_ports(1)
    lasting = Service("lasting", (sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"), port)
    failing = Service("failing", (sys.executable, "-c", "raise SystemExit('no store here')"), free_ports(1)[0])
    why = r"failing: it ended with exit code 1(.|\n)*no store here"
    with pytest.raises(ServiceError, match=why), serving([lasting, failing]):
        pass
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0, "the other service is still there"
