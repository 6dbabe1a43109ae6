"""Tests of this package run torch on one thread."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _quick(one_thread: None) -> None:
    pass
