"""One pipeline of the trial, run once a session: what tests of single runs need, in part of a whole run's time."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from plr_assets_tests.e2e.lab import Lab, empty_lab

ONE_GRID = [
    {
        "outlier_detection": ["LOF"],
        "imputation": ["linear"],
        "featurization": ["simple"],
        "classification": ["LogisticRegression"],
    }
]
PIPELINE = "simple__LOF__linear__LogisticRegression"


@cache
def small_lab(base: Path) -> Lab:
    """One pipeline, up to its evaluation. Shared: tests that change anything take a copy."""
    lab = empty_lab(base).copy(base / "small")
    with pytest.MonkeyPatch.context() as patch:
        lab.enter(patch).run(lab.study(grids=ONE_GRID), "asset=evaluation")
    return lab
