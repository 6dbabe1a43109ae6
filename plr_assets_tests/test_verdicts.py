"""Checks of the study's tables: garbage is named, and what moved since the last publication, too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from plr_assets.defs import results, results_of_signals, verdicts
from plr_assets.platform.stages import Verdict
from plr_assets.study import load_study

PIPELINES = [f"p{i}" for i in range(8)]


class Tables:
    """Tables in memory, and those of the publication before."""

    def __init__(self, now: dict[str, pl.DataFrame], before: dict[str, pl.DataFrame] | None = None) -> None:
        self._now, self._before = now, before

    def __call__(self, name: str, /) -> pl.DataFrame:
        return self._now[name]

    def before(self, name: str, /) -> pl.DataFrame | None:
        return None if self._before is None else self._before[name]


def judged(judge: Callable[[Any, Any], Verdict], **now: pl.DataFrame) -> Verdict:
    return judge(load_study("demo"), Tables(now))


def metrics(**changes: Any) -> pl.DataFrame:
    frame = pl.DataFrame({"pipeline": PIPELINES}).with_columns(auroc=0.8, auroc_ci_lower=0.7, auroc_ci_upper=0.9)
    at = pl.col("pipeline") == PIPELINES[3]
    return frame.with_columns(pl.when(at).then(pl.lit(v)).otherwise(pl.col(k)).alias(k) for k, v in changes.items())


def test_an_interval_that_does_not_hold_its_value_is_named() -> None:
    judge = verdicts.intervals_hold("essential_metrics")
    assert judged(judge, essential_metrics=metrics()).passed
    found = judged(judge, essential_metrics=metrics(auroc=0.95))
    assert not found.passed
    assert "auroc of p3:" in found.reason


def test_rounding_is_no_contradiction() -> None:
    judge = verdicts.intervals_hold("essential_metrics")
    assert judged(judge, essential_metrics=metrics(auroc=0.9 + 1e-15)).passed


def test_an_end_that_is_missing_is_no_contradiction() -> None:
    judge = verdicts.intervals_hold("essential_metrics")
    assert judged(judge, essential_metrics=metrics(auroc_ci_lower=None)).passed


def test_a_pipeline_of_fewer_recordings_is_named() -> None:
    judge = verdicts.judged_alike("calibration_curves", "n")
    rows = pl.DataFrame({"pipeline": [name for name in PIPELINES for _ in range(5)]}).with_columns(n=2)
    assert judged(judge, calibration_curves=rows).passed
    found = judged(judge, calibration_curves=rows.slice(0, rows.height - 1))
    assert not found.passed
    assert found.reason.startswith("p7: not judged on 10")


@pytest.mark.parametrize("other", [None, "r9"], ids=["fewer", "others"])
def test_a_pipeline_of_other_recordings_is_named(other: str | None) -> None:
    judged_on = [(name, f"r{i}") for name in PIPELINES for i in range(5)]
    rows = pl.DataFrame(judged_on, ["pipeline", "recording"], orient="row")
    assert judged(verdicts.same_recordings, predictions=rows.sample(fraction=1, shuffle=True, seed=1)).passed
    last = rows.slice(0, rows.height - 1)
    if other is not None:
        last = last.vstack(pl.DataFrame({"pipeline": ["p7"], "recording": [other]}))
    found = judged(verdicts.same_recordings, predictions=last)
    assert not found.passed
    assert found.reason.startswith("p7: not judged on")


@pytest.mark.parametrize(
    "rates",
    [([0.0, 0.5, 0.4, 1.0], [0.0, 0.5, 0.6, 1.0]), ([0.1, 0.5, 1.0], [0.0, 0.5, 1.0]), ([0.0, 0.5], [0.0, 1.0])],
    ids=["falls", "does not begin at 0", "does not end at 1"],
)
def test_a_curve_that_does_not_rise_from_corner_to_corner_is_named(rates: tuple[list[float], list[float]]) -> None:
    good = pl.DataFrame({"false_positive_rate": [0.0, 0.0, 0.5, 1.0], "true_positive_rate": [0.0, 0.4, 0.4, 1.0]})
    bad = pl.DataFrame({"false_positive_rate": rates[0], "true_positive_rate": rates[1]})
    curves = [
        frame.with_row_index("point").with_columns(pipeline=pl.lit(name))
        for name, frame in {"good": good, "bad": bad}.items()
    ]
    assert judged(verdicts.curves_rise, roc_curves=curves[0]).passed
    found = judged(verdicts.curves_rise, roc_curves=pl.concat(curves))
    assert not found.passed
    assert found.reason.startswith("bad: ")


def drift(now: pl.DataFrame, before: pl.DataFrame | None) -> Verdict:
    (check,) = (check for check in results.essential_metrics.checks if check.over_time)
    earlier = None if before is None else {"essential_metrics": before}
    return check.judge(load_study("demo"), Tables({"essential_metrics": now}, earlier))


def test_a_result_that_left_its_earlier_interval_is_named_and_counted() -> None:
    assert drift(metrics(), metrics()).passed
    assert drift(metrics(auroc=0.89), metrics()).passed
    found = drift(metrics(auroc=0.95, auroc_ci_upper=0.97), metrics())
    assert (found.passed, found.numbers["moved"], found.numbers["compared"]) == (False, 1, 8)
    assert found.reason.startswith("p3: outside")


def test_what_is_new_or_gone_has_not_moved_and_the_first_publication_has_nothing_to_compare_with() -> None:
    assert drift(metrics(), None).passed
    assert "no earlier" in drift(metrics(), None).reason
    assert drift(metrics(auroc=0.95).head(3), metrics()).passed


def test_checks_over_time_look_at_rows_that_are_there_and_only_warn() -> None:
    """A misspelt stratum or metric would compare nothing, and pass for ever."""
    assets = (results.essential_metrics, results_of_signals.outlier_metrics, results_of_signals.imputation_metrics)
    checks = [check for asset in assets for check in asset.checks if check.over_time]
    assert len(checks) == len(assets)
    assert not any(check.blocking for check in checks)
    names = {"method": "LOF", "outlier_detection": "LOF", "imputation": "SAITS", "stratum": "all"}
    for metric, table, check in zip(("f1", "mae"), ("outlier_metrics", "imputation_metrics"), checks[1:], strict=True):
        now = pl.DataFrame([{**names, "metric": metric, "value": 0.5, "lower": 0.4, "upper": 0.6}])
        then = now.with_columns(pl.col("value", "lower", "upper") + 0.3)
        found = check.judge(load_study("demo"), Tables({table: now}, {table: then}))
        assert (found.passed, found.numbers["compared"]) == (False, 1)
