"""Names of processes that outlive them: host, process id, and the process's start, because ids are used again.

Belongs here: naming a process and asking whether it lives. Does not belong here: what follows for its runs
(`leftovers`, `contract`).
"""

from __future__ import annotations

import hashlib
import os
import socket


def this_process() -> str:
    """The name of the calling process."""
    return f"{_host()}:{os.getpid()}:{_started(os.getpid())}"


def lives(process: str) -> bool:
    """Whether the process of this name is there; true for one of another machine, which cannot be seen from here."""
    host, _, rest = process.partition(":")
    pid, _, started = rest.partition(":")
    return host != _host() or _started(int(pid)) == started


def _host() -> str:
    """This machine, without its name: runs are seen by people whom it does not concern."""
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:12]


def _started(pid: int) -> str:
    """When the process started, in clock ticks since boot; empty if there is no such process."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:  # noqa: PTH123 - no path of the project
            # the name, in brackets, may hold blanks; the first field after it is the state, the 20th the start
            fields = file.read().rpartition(")")[2].split()
            # ended, and nobody waited for it: where a container has no init, it stays for ever
            return "" if fields[0] in "ZX" else fields[19]
    except (FileNotFoundError, ProcessLookupError):
        return "" if not _exists_without_proc(pid) else "unknown"


def _exists_without_proc(pid: int) -> bool:
    """On systems without /proc: whether a process of this id exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
