"""The command `plr`, run in the process of a test.

Belongs here: running it (the fixture `plr`), its exit status and words. Does not belong here: what a command is to say.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import NamedTuple

import pytest


class Said(NamedTuple):
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str


Plr = Callable[..., Said]


def terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Plr:
    """`plr(*arguments)`."""

    def plr(*arguments: str) -> Said:
        from plr_assets.cli import main

        monkeypatch.setattr(sys, "argv", ["plr", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return Said(int(ended.value.code or 0), *capsys.readouterr())

    return plr
