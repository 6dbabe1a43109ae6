"""Work over processes: same results, first error, and no process that outlives its parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest

from plr_assets.errors import RecordingError
from plr_assets.platform.processes import lives, this_process
from plr_assets.processes import spread
from plr_assets_tests.platform.workers import die_at_first, die_of

ORPHANS = """
import os, pathlib, sys, time
from plr_assets.platform.processes import lives, this_process
from plr_assets.processes import spread
from plr_assets_tests.platform.workers import die_at_first, die_of

def work(folder):
    (pathlib.Path(folder) / str(os.getpid())).touch()
    time.sleep(600)

if __name__ == "__main__":
    spread(work, [sys.argv[1]] * 2, 2)
"""


def square(number: int) -> int:
    return number * number


def thread_settings(_: int) -> tuple[int, str | None]:
    return os.getpid(), os.environ.get("OMP_NUM_THREADS")


def refuse(number: int) -> int:
    if number == 3:
        raise RecordingError("R3", "it cannot be used.", "Leave it out.")
    return number


def test_results_come_in_the_order_of_the_items_however_many_processes() -> None:
    assert spread(square, range(7), 1) == spread(square, range(7), 2) == [n * n for n in range(7)]
    assert spread(square, [], 2) == []


def test_workers_are_other_processes_with_one_thread() -> None:
    found = spread(thread_settings, [0, 1], 2)
    assert os.getpid() not in {process for process, _ in found}
    assert {threads for _, threads in found} == {"1"}


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_an_error_reaches_the_caller_as_it_is(n_jobs: int) -> None:
    with pytest.raises(RecordingError, match="R3: it cannot be used"):
        spread(refuse, range(5), n_jobs)


def test_workers_that_somebody_kills_are_replaced(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_text("1")
    second.write_text("0")
    assert spread(die_at_first, [(1, first), (2, second)], 2) == [1, 2]


def test_workers_that_die_each_time_are_an_error() -> None:
    with pytest.raises(BrokenProcessPool):
        spread(die_of, [(1, "kill"), (2, "kill")], 2)


def test_a_process_that_ended_does_not_live_though_nobody_waited_for_it() -> None:
    """Where a container has no init, it stays in the table of processes for ever."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        fields = Path(f"/proc/{process.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        name = f"{this_process().partition(':')[0]}:{process.pid}:{fields[19]}"
        assert lives(name)
        process.send_signal(signal.SIGKILL)
        assert within_a_minute(lambda: not is_alive(process.pid))
        assert Path(f"/proc/{process.pid}").exists(), "nobody waited for it"
        assert not lives(name)


def test_no_process_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        spread(square, [1], 0)


def test_workers_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    script, running = tmp_path / "orphans.py", tmp_path / "running"
    script.write_text(ORPHANS, encoding="utf-8")
    running.mkdir()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    parent = subprocess.Popen([sys.executable, str(script), str(running)], env=environment)
    try:
        assert within_a_minute(lambda: len(list(running.iterdir())) == 2)
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    assert within_a_minute(lambda: not any(is_alive(int(file.name)) for file in running.iterdir()))


def within_a_minute(holds: Callable[[], bool]) -> bool:
    ends = time.monotonic() + 60
    while not (found := holds()) and time.monotonic() < ends:
        time.sleep(0.1)
    return found


def is_alive(process: int) -> bool:
    """A process that ended and that nobody waited for (the tests may run where no init does) is not."""
    try:
        return Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
