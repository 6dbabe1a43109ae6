"""`plr ui` in the terminal.

Belongs here: what is printed, and turning signals into an end. Does not belong here: processes (`platform.services`).
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from types import FrameType

from rich.console import Console

from plr_assets.study import study_names


def serve(port: int, mlflow_port: int, console: Console) -> None:
    """Serve until Ctrl-C or SIGTERM. Raises ServiceError if a page cannot be served."""
    from plr_assets.platform.environment import open_instance
    from plr_assets.platform.leftovers import close_launched_runs, close_runs_of_dead_processes
    from plr_assets.platform.services import only_supervisor, serving, ui_services, watch

    os.environ.setdefault("PLR_MLFLOW_UI", f"http://127.0.0.1:{mlflow_port}")
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell starts background jobs with SIGINT ignored
        signal.signal(number, _interrupt)
    # The instance is opened first: several processes at once on a new state were seen to lose a run.
    with open_instance() as instance, only_supervisor():
        close_runs_of_dead_processes(instance)
        close_launched_runs(instance)
        console.print("starting the pages ...", highlight=False)
        try:
            with serving(ui_services(port, mlflow_port)) as running:
                for started in running:
                    page = started.service.url or "(no page)"
                    console.print(f"  {started.service.name:<18} {page:<24} log {started.log}", soft_wrap=True)
                for name in study_names():
                    console.print(f"  lineage of {name:<8} {lineage_url(name, port)}", soft_wrap=True)
                console.print("Ctrl-C stops them all.")
                _until_interrupted(lambda: watch(running))
        except KeyboardInterrupt:
            console.print("stopped before all were up")
        closed = close_launched_runs(instance)
        console.print("stopped" + (f"; {len(closed)} run(s) were cut off and are marked failed" if closed else ""))


def lineage_url(study: str, port: int = 3000) -> str:
    """The page of one study's asset graph; without a selection the page shows all studies at once."""
    return f"http://127.0.0.1:{port}/asset-groups~key%3A%22{study}%2F*%22/"


def _until_interrupted(wait: Callable[[], None]) -> None:
    """Ctrl-C or SIGTERM ends the waiting; from then on they are ignored, so that stopping is not stopped."""
    try:
        wait()
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
