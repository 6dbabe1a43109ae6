"""Labs for whole runs. Fresh and copied ones belong to one test; `finished` is shared and only read."""

from __future__ import annotations

from pathlib import Path

import pytest

from plr_assets_tests.e2e.lab import Lab, empty_lab, finished_lab


@pytest.fixture
def finished(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """The trial after one run. Not to be changed."""
    return finished_lab(tmp_path_factory.getbasetemp()).enter(monkeypatch)


@pytest.fixture
def lab(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """The trial after one run, to be changed."""
    return finished_lab(tmp_path_factory.getbasetemp()).copy(tmp_path / "lab").enter(monkeypatch)


@pytest.fixture
def fresh(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """A lab in which nothing was run."""
    return empty_lab(tmp_path_factory.getbasetemp()).copy(tmp_path / "lab").enter(monkeypatch)
