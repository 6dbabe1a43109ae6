"""Import of the published number of device files, against the time polars needs merely to read and split them.

Belongs here: that one comparison, and the memory it takes. Does not belong here: the clock (`measure`).
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import polars as pl

from benchmarks.measure import Result

GOAL_RATIO = 1.5
GOAL_MEMORY_MB = 1000.0
REPEATS = 3


def run(repeats: int = REPEATS) -> list[Result]:
    """The ratio, and the peak of the whole process. The files are study `paper`'s, simulated if they are not there."""
    from plr_assets.recordings.importer import import_recordings
    from plr_assets.recordings.simulator.files import are_written, write_study_files
    from plr_assets.study import load_study

    study = load_study("paper")
    if not are_written(study):
        write_study_files(study)
    files = sorted(study.resolve(study.recordings.path).iterdir())
    ours: list[float] = []
    peers: list[float] = []
    with tempfile.TemporaryDirectory() as scratch:
        # repeat 0 pays for imports and for the disk
        for repeat in range(repeats + 1):
            sides: list[tuple[list[float], Callable[[], int]]] = [
                (ours, lambda: len(import_recordings(study, Path(scratch) / "lookup.json").recordings)),
                (peers, lambda: _read_and_split(files)),
            ]
            for times, side in sides if repeat % 2 else reversed(sides):
                started = time.perf_counter()
                assert side() == len(files)
                if repeat:
                    times.append(time.perf_counter() - started)
    megabytes = sum(path.stat().st_size for path in files) / 1e6
    peer = (
        f"polars reads {megabytes:.0f} MB as text and splits them in {min(peers):.1f} s; we import in {min(ours):.1f} s"
    )
    ratio = median(ours[i] / peers[i] for i in range(repeats))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
    return [
        Result(f"import of {len(files)} device files", ratio, GOAL_RATIO, "ratio", peer),
        Result("memory of that import", peak, GOAL_MEMORY_MB, "MB", "whole process, Dagster not yet imported"),
    ]


def _read_and_split(files: list[Path]) -> int:
    """How many were read."""
    for path in files:
        rows = pl.read_csv(path, has_header=False, infer_schema=False, separator="\x01", new_columns=["row"])
        rows["row"].str.split(", ")
    return len(files)
