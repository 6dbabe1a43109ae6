"""`kill -9` of run worker, daemon and mapper worker, one of each, while the daemon follows a changed parameter."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.kills import survive
from benchmarks.kills_study import KINDS


@pytest.mark.slow
def test_an_automatic_study_that_is_killed_three_ways_ends_as_one_that_is_not(tmp_path: Path) -> None:
    """The short form of `python -m benchmarks.kills 50`: nothing lost, published twice, other, stuck or left behind."""
    assert survive(tmp_path, len(KINDS), seed=20261121) == []
