"""The pages: Dagster's webserver and daemon and the MLflow UI, started together and stopped together.

Belongs here: processes, ports, their logs and their end. Does not belong here: what the pages show.

Each service leads a process group of its own, so that its code servers and run workers end with it (a plain SIGTERM to
`dagster dev` was seen to leave webserver, daemon and code server behind).
"""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from plr_assets.errors import PlrError
from plr_assets.paths import data_root, project_root, state_dir
from plr_assets.platform.store import default_tracking_uri

# The pages stop within seconds; a run worker may be inside a long call.
_GRACE_S = 10.0
_READY_WITHIN_S = 120.0
_POLL_S = 0.2
_LOG_LINES = 15
_FURTHER = {
    # MLflow's server would start ten workers for jobs (of its language-model features) that nothing here uses
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    # The first look of `follow_changes` reads every published file once: some GB of the paper's grid. Dagster's limit
    # of 60 s would cut it off.
    "DAGSTER_SENSOR_GRPC_TIMEOUT_SECONDS": "900",
}


class ServiceError(PlrError):
    """A page cannot be served. `where` is the service."""


@dataclass(frozen=True, slots=True)
class Service:
    """One process: its command, the port it listens on (the daemon has none), and its page."""

    name: str
    command: tuple[str, ...]
    port: int | None

    @property
    def url(self) -> str | None:
        return None if self.port is None else f"http://127.0.0.1:{self.port}"


def ui_services(port: int, mlflow_port: int) -> tuple[Service, ...]:
    """Webserver, daemon and, unless a tracking server is used, the MLflow UI. All listen on this machine only."""
    scripts = Path(sys.executable).parent
    workspace = str(project_root() / "workspace.yaml")
    webserver = ("dagster-webserver", "-h", "127.0.0.1", "-p", str(port), "-w", workspace)
    services = [
        Service("dagster-webserver", (str(scripts / webserver[0]), *webserver[1:]), port),
        Service("dagster-daemon", (str(scripts / "dagster-daemon"), "run", "-w", workspace), None),
    ]
    uri = default_tracking_uri()
    if not uri.startswith("http"):
        store = ("--backend-store-uri", uri, "--default-artifact-root", (data_root() / "mlflow" / "artifacts").as_uri())
        where = ("--host", "127.0.0.1", "--port", str(mlflow_port), "--workers", "1")
        services.append(Service("mlflow", (str(scripts / "mlflow"), "server", *store, *where), mlflow_port))
    return tuple(services)


@dataclass
class Running:
    """A started service, its log, and when it was seen to answer."""

    service: Service
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def ended(self) -> bool:
        return self.process.poll() is not None

    def answers(self) -> bool:
        if self.service.port is None:
            return True
        with socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex(("127.0.0.1", self.service.port)) == 0

    def failure(self) -> ServiceError:
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LOG_LINES:]
        return ServiceError(
            self.service.name,
            f"it ended with exit code {self.process.returncode}; the last lines of {self.log}:\n" + "\n".join(lines),
            "Mend what they name, then start again.",
        )


@contextmanager
def only_supervisor() -> Iterator[None]:
    """Two daemons on one state steal each other's runs; the lock ends with this process, however it ends.

    Raises ServiceError if another process holds it.
    """
    path = state_dir() / "ui.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ServiceError(
                str(path), "the pages of this state are being served already.", "Stop that `make ui` first."
            ) from None
        yield


@contextmanager
def serving(services: Sequence[Service]) -> Iterator[list[Running]]:
    """Start `services` and wait until they answer; stop them all, with everything they started, at the end.

    Raises ServiceError if a port is taken, or if a service ends or does not answer.
    """
    for service in services:
        if service.port is not None:
            _require_free(service.name, service.port)
    running: list[Running] = []
    try:
        for service in services:
            running.append(_start(service))
        _wait_until_ready(running)
        yield running
    finally:
        _stop(running)


def watch(running: Sequence[Running]) -> None:
    """Return never; raise ServiceError as soon as one service ends by itself."""
    while True:
        for started in running:
            if started.ended:
                raise started.failure()
        time.sleep(_POLL_S)


def _require_free(name: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise ServiceError(
                f"{name}: port {port}",
                f"another program listens there ({error.strerror}).",
                "Stop it, or choose other ports: make ui PORT=3001 MLFLOW_PORT=5001.",
            ) from error


def _start(service: Service) -> Running:
    path = state_dir() / "logs" / f"{service.name}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as log:
        process = subprocess.Popen(
            service.command,
            cwd=project_root(),
            env={**os.environ, **_FURTHER},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return Running(service, process, path)


def _wait_until_ready(running: Sequence[Running]) -> None:
    deadline = time.monotonic() + _READY_WITHIN_S
    waiting = list(running)
    while waiting:
        for started in running:
            if started.ended:
                raise started.failure()
        waiting = [started for started in waiting if not started.answers()]
        if waiting and time.monotonic() > deadline:
            raise ServiceError(
                waiting[0].service.name,
                f"it does not answer after {_READY_WITHIN_S:.0f} s.",
                f"Look into {waiting[0].log}.",
            )
        time.sleep(_POLL_S)


def _stop(running: Sequence[Running]) -> None:
    """SIGTERM to all groups, then SIGKILL to what is left of them."""
    for started in running:
        _signal_group(started.process, signal.SIGTERM)
    deadline = time.monotonic() + _GRACE_S
    while any(_group_lives(started.process) for started in running) and time.monotonic() < deadline:
        time.sleep(_POLL_S)
    for started in running:
        _signal_group(started.process, signal.SIGKILL)
        started.process.wait()


def _signal_group(process: subprocess.Popen[bytes], number: int) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return


def _group_lives(process: subprocess.Popen[bytes]) -> bool:
    process.poll()  # a leader that ended counts until it is waited for
    try:
        os.killpg(process.pid, 0)
    except ProcessLookupError:
        return False
    return True
