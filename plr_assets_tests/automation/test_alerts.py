"""Of a failed run it is said what failed, why, and how to go on; and it reaches those who asked for it."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import dagster as dg
import pytest

from plr_assets.errors import ConfigError
from plr_assets.platform import alerts
from plr_assets.platform.alerts import failure_of, send
from plr_assets.platform.jobs import REFREEZE
from plr_assets.platform.transient import is_transient


def run_of(assets: list[str], job: str = "__ASSET_JOB", **tags: str) -> dg.DagsterRun:
    keys = {dg.AssetKey(["trial", name]) for name in assets}
    return dg.DagsterRun(job, run_id="0" * 32, asset_selection=keys or None, tags=tags)


def test_a_failure_names_asset_keys_cause_and_the_command_that_goes_on() -> None:
    keys = json.dumps([f"LOF__{number}" for number in range(8)])
    failure = failure_of("trial", run_of(["imputers"], **{"plr/keys": keys}), ["LOF__3: no sample is left."], None)
    assert failure.text.splitlines() == [
        "trial: imputers failed",
        "keys: LOF__0, LOF__1, LOF__2, LOF__3, LOF__4 and 3 more",
        "cause: LOF__3: no sample is left.",
        "go on with: plr run trial --select 'asset=imputers'",
        f"Dagster run: {'0' * 32}",
    ]


@pytest.mark.parametrize(
    ("tags", "keys"),
    [
        ({"dagster/partition": "LOF"}, "LOF"),
        (
            {"dagster/asset_partition_range_start": "LOF", "dagster/asset_partition_range_end": "SubPCA"},
            "LOF ... SubPCA",
        ),
        ({}, ""),
    ],
)
def test_the_keys_of_a_run_from_the_pages_are_those_of_its_range(tags: dict[str, str], keys: str) -> None:
    assert failure_of("trial", run_of(["detectors"], **tags), [], "killed").keys == keys


def test_a_run_that_was_killed_says_so() -> None:
    failure = failure_of("trial", run_of([], job=REFREEZE), [], "its process was killed")
    assert failure.cause == "its process was killed"
    assert failure.resume == "plr refreeze trial"


@pytest.fixture
def hook() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    received: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/secret", received
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_summary_reaches_the_webhook(hook: tuple[str, list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch) -> None:
    url, received = hook
    monkeypatch.setenv("PLR_ALERT_WEBHOOK", url)
    failure = failure_of("trial", run_of(["features"]), ["no feature"], None)
    assert send(failure) == []
    assert received == [{"text": failure.text, "study": "trial", "run_id": failure.run_id}]


def test_a_webhook_that_does_not_answer_is_said_without_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("PLR_ALERT_WEBHOOK", f"http://127.0.0.1:{port}/secret")
    (problem,) = send(failure_of("trial", run_of([]), [], "x"))
    assert problem.startswith("PLR_ALERT_WEBHOOK: URLError")
    assert "secret" not in problem
    monkeypatch.setenv("PLR_ALERT_WEBHOOK", "file:///etc/passwd")
    with pytest.raises(ConfigError, match="no http"):
        send(failure_of("trial", run_of([]), [], "x"))


def test_a_summary_is_mailed_with_its_subject(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = []

    class Server:
        def __init__(self, host: str, port: int, **_: float) -> None:
            self.place = (host, port)

        def __enter__(self) -> Server:
            return self

        def __exit__(self, *_: object) -> None: ...

        def send_message(self, message: Any) -> None:
            sent.append((self.place, message))

    monkeypatch.setattr(alerts.smtplib, "SMTP", Server)
    monkeypatch.setenv("PLR_ALERT_EMAIL", "lab@example.org")
    with pytest.raises(ConfigError, match="PLR_SMTP_SERVER"):
        send(failure_of("trial", run_of(["features"]), ["no feature"], None))
    monkeypatch.setenv("PLR_SMTP_SERVER", "mail.example.org:587")
    assert send(failure_of("trial", run_of(["features"]), ["no feature"], None)) == []
    ((place, message),) = sent
    assert place == ("mail.example.org", 587)
    assert (message["To"], message["Subject"]) == ("lab@example.org", "trial: features failed")
    assert "cause: no feature" in message.get_content()


def test_nothing_is_sent_where_nobody_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PLR_ALERT_WEBHOOK", raising=False)
    monkeypatch.delenv("PLR_ALERT_EMAIL", raising=False)
    monkeypatch.setattr(alerts.urllib.request, "urlopen", lambda *_, **__: pytest.fail("something was sent"))
    assert send(failure_of("trial", run_of([]), [], "x")) == []


# -- what is tried again --------------------------------------------------------------------------------------------


def test_only_what_passes_by_itself_is_tried_again() -> None:
    import requests
    import sqlalchemy.exc
    from mlflow.exceptions import MlflowException
    from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE, TEMPORARILY_UNAVAILABLE

    wrapped = RuntimeError("the store said")
    wrapped.__cause__ = sqlalchemy.exc.OperationalError("insert", {}, Exception("database is locked"))
    for error in (
        ConnectionResetError("the server was restarted"),
        TimeoutError(),
        requests.ConnectionError(),
        MlflowException("database is locked", error_code=TEMPORARILY_UNAVAILABLE),
        wrapped,
    ):
        assert is_transient(error), error
    for error in (
        ValueError("a column is missing"),
        ConfigError("study", "no such key.", "Mend it."),
        FileNotFoundError("recording"),
        MlflowException("no such run", error_code=INVALID_PARAMETER_VALUE),
        MemoryError(),
    ):
        assert not is_transient(error), error
