"""`python -m benchmarks`: run every benchmark, print the table, write `benchmarks/latest.json`.

Belongs here: the environment that all of them share, progress, the table. Does not belong here: what is measured.
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
import time
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from plr_assets.processes import ONE_THREAD

if TYPE_CHECKING:
    from benchmarks.measure import Result

LATEST = Path(__file__).parent / "latest.json"
# recordings first: its memory is that of the whole process
SUBJECTS = (
    "recordings",
    "range_run",
    "code_location",
    "contract",
    "bootstrap",
    "tabm",
    "outlier_detection",
    "featurization",
    "evaluation",
    "planning",
)

# A user's own stores and servers: nothing is read from them or left in them.
_NOT_OURS = ("DAGSTER_HOME", "MLFLOW_TRACKING_URI", "PLR_WORKERS")


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="plr-bench-") as scratch:
        _isolate(Path(scratch))
        results = measure()
    show(results)
    partial = LATEST.with_suffix(".partial")
    partial.write_text(json.dumps([asdict(result) for result in results], indent=1) + "\n", encoding="utf-8")
    partial.replace(LATEST)
    print(f"written: {LATEST}")


def _isolate(scratch: Path) -> None:
    """Set what the libraries and the product read, before either is imported."""
    for name in _NOT_OURS:
        os.environ.pop(name, None)
    # Both sides run on one thread: what is compared is work, not cores.
    os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
    os.environ.update(PLR_DATA_DIR=str(scratch / "data"), PLR_STATE=str(scratch / "dagster"))
    (scratch / "data").mkdir()

    from plr_assets.platform.environment import prepare

    prepare()
    logging.getLogger("dagster").setLevel(logging.CRITICAL)


def measure() -> list[Result]:
    results: list[Result] = []
    for number, subject in enumerate(SUBJECTS, start=1):
        print(f"[{number}/{len(SUBJECTS)}] {subject} ...", flush=True)
        started = time.monotonic()
        for result in import_module(f"benchmarks.{subject}").run():
            print(f"      {result.name}: {result.value:.2f} {result.unit}", flush=True)
            results.append(result)
        print(f"      {time.monotonic() - started:.0f} s", flush=True)
    return results


def show(results: list[Result]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title="Lower is better; ratios are ours / peer, medians of interleaved repeats")
    for column in ("benchmark", "value", "goal", "unit", "", "peer"):
        table.add_column(column, justify="right" if column in ("value", "goal") else "left")
    for result in results:
        verdict = "[green]met[/green]" if result.met else "[red]missed[/red]"
        table.add_row(result.name, f"{result.value:.2f}", f"{result.goal:g}", result.unit, verdict, result.peer)
    console = Console()
    # a pipe or a file has no width of its own
    (console if console.is_terminal else Console(width=120)).print(table)


if __name__ == "__main__":
    main()
