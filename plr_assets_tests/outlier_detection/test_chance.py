"""Against chance: a method that knows nothing passes, one that is wrong on purpose does not, oracles are not judged."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from plr_assets.defs.results_of_signals import outlier_metrics
from plr_assets.outlier_detection.chance import against_chance
from plr_assets.outlier_detection.scoring import score_detection
from plr_assets.recordings.table import Mask
from plr_assets.schemas import OUTLIER_METRICS, validate
from plr_assets.study import load_study
from plr_assets_tests.builders import make_recordings

RECORDINGS = make_recordings(12)


def masks() -> dict[str, Mask]:
    assert RECORDINGS.artefact is not None
    rng = np.random.default_rng(0)
    lot = rng.random(RECORDINGS.pupil.shape) < 0.2
    return {
        "contrary": ~RECORDINGS.artefact & lot,
        "lot": lot,
        "good": RECORDINGS.artefact & (rng.random(lot.shape) < 0.7),
        "silent": np.zeros_like(lot),
    }


def metrics(mask: Mask, method: str, *, oracle: bool = False) -> pl.DataFrame:
    table = score_detection(mask, RECORDINGS, seed=0, n_resamples=200)
    described = {"method": method, "oracle": oracle, "synthetic": True, "role": "evaluated"}
    named = table.with_columns(pl.lit(value).alias(name) for name, value in described.items())
    return validate(named.select(OUTLIER_METRICS.column_names), OUTLIER_METRICS)


def test_only_a_method_that_avoids_artefacts_is_worse_than_chance() -> None:
    found = against_chance(pl.concat([metrics(mask, name) for name, mask in masks().items()]))
    assert {name: numbers.worse for name, numbers in found.items()} == {
        "contrary": True,
        "lot": False,
        "good": False,
        "silent": False,
    }


def test_oracles_are_not_judged_and_missing_intervals_are_no_verdict() -> None:
    contrary = masks()["contrary"]
    assert against_chance(metrics(contrary, "pupil-gt", oracle=True)) == {}
    assert against_chance(metrics(contrary, "x").with_columns(upper=pl.lit(None, pl.Float64))) == {}


@pytest.mark.parametrize("worse", [True, False])
def test_the_check_warns_and_names_the_methods(worse: bool) -> None:
    chosen = {name: mask for name, mask in masks().items() if worse or name != "contrary"}
    table = pl.concat([metrics(mask, name) for name, mask in chosen.items()])
    (check,) = (check for check in outlier_metrics.checks if not check.over_time)
    assert not check.blocking
    verdict = check.judge(load_study("demo"), lambda name: {"outlier_metrics": table}[name])
    assert verdict.passed is not worse
    assert ("contrary" in verdict.reason) is worse
    assert "good" not in verdict.reason
    assert verdict.numbers["good F1"] > verdict.numbers["good F1 at random"]
