"""Coverage of windows against a walk over samples; errors of features against a plain loop over recordings."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plr_assets.defs.featurization import features
from plr_assets.errors import DataError
from plr_assets.featurization.coverage import feature_coverage
from plr_assets.featurization.scoring import feature_error, score_features
from plr_assets.featurization.windowed import WindowedFeatures
from plr_assets.grid import PipelineKey
from plr_assets.recordings.table import Mask, Recordings, Signal, signal_column
from plr_assets.registry import load_registry
from plr_assets.schemas import FEATURE_COVERAGE, validate
from plr_assets.subject_bootstrap import subject_weights
from plr_assets_tests.builders import BLUE, make_recordings

SIMPLE = WindowedFeatures(**load_registry().methods["featurization"]["simple"].parameters)
RECORDINGS = make_recordings(6)
assert RECORDINGS.truth is not None
TRUTH = RECORDINGS.truth


def masked(seed: int = 0) -> tuple[Mask, Signal]:
    """A mask with short and long gaps, and a signal that is wrong there and noisy elsewhere."""
    rng = np.random.default_rng(seed)
    mask = RECORDINGS.dropout
    for row in range(6):
        for start in rng.integers(0, RECORDINGS.n_samples - 120, size=6):
            mask[row, start : start + rng.integers(3, 120)] = True
    noise = rng.normal(0, 1, mask.shape)
    return mask, np.where(mask, TRUTH + 4 + 3 * noise, np.nan_to_num(RECORDINGS.pupil, nan=0)).astype(np.float32)


def coverage(mask: Mask, recordings: Recordings = RECORDINGS, longest_s: float = 1.0) -> pl.DataFrame:
    return validate(feature_coverage(SIMPLE, recordings, mask, longest_s), FEATURE_COVERAGE)


def scores(recordings: Recordings = RECORDINGS, n_resamples: int = 20) -> pl.DataFrame:
    mask, signal = masked()
    return score_features(
        SIMPLE, recordings, signal, mask, coverage(mask, recordings), seed=3, n_resamples=n_resamples
    )  # fmt: skip


def value(table: pl.DataFrame, feature: str, metric: str, column: str = "value") -> float:
    return table.filter(feature=feature, metric=metric)[column].item()


# -- coverage -------------------------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_coverage_and_longest_gap_are_those_of_a_walk_through_the_window(seed: int) -> None:
    mask, _ = masked(seed)
    table, windows = coverage(mask), SIMPLE.windows(RECORDINGS)
    assert table.height == 6 * len(windows)
    for told in table.iter_rows(named=True):
        row = RECORDINGS.recording.index(told["recording"])
        ((starts, stops),) = windows[told["feature"]]
        start, stop = int(starts[row]), int(stops[row])
        inside = mask[row, start:stop].tolist()
        longest = max((len(list(run)) for is_masked, run in groupby(inside) if is_masked), default=0)
        assert told["coverage"] == pytest.approx(1 - sum(inside) / len(inside), abs=1e-12)
        assert told["longest_gap_s"] == pytest.approx(longest / 30, abs=1e-12)
        assert told["flagged"] is (longest > 30)


@pytest.mark.parametrize(("samples", "flagged"), [(30, False), (31, True)])
def test_a_gap_counts_only_as_far_as_it_lies_in_the_window(samples: int, flagged: bool) -> None:
    """PHASIC is 0 to 5 s from onset; the gap begins 3 s before the light."""
    mask = np.zeros_like(RECORDINGS.dropout)
    onset = round(BLUE.onset_s * 30)
    mask[2, onset - 90 : onset + samples] = True
    table = coverage(mask).filter(recording="R002", feature="Blue_PHASIC")
    assert table["longest_gap_s"].item() == pytest.approx(samples / 30)
    assert table["flagged"].item() is flagged
    assert coverage(mask).filter(pl.col("feature").str.starts_with("Red"))["coverage"].to_list() == [1.0] * 24


def test_a_feature_without_value_has_no_coverage_and_is_not_flagged() -> None:
    only_blue = replace(RECORDINGS, stimuli=((BLUE,),) * 6)
    red = coverage(np.ones_like(RECORDINGS.dropout), only_blue).filter(pl.col("feature").str.starts_with("Red"))
    assert red["coverage"].null_count() == red["longest_gap_s"].null_count() == red.height == 24
    assert not red["flagged"].any()


def test_rows_come_by_recording_then_feature() -> None:
    table = coverage(masked()[0])
    assert table["recording"].to_list() == [name for name in RECORDINGS.recording for _ in range(8)]
    assert table["feature"].to_list() == list(SIMPLE.windows(RECORDINGS)) * 6


def test_features_of_a_signal_that_changed_where_it_was_not_masked_are_refused() -> None:
    """A run that was logged from outside may be wrong; nothing is computed from it."""
    mask, signal = masked()
    filled = np.where(mask, signal, RECORDINGS.pupil)

    def task(signal: Signal) -> Any:
        tables = {
            "recordings": RECORDINGS.to_frame(),
            "imputed_signals": pl.DataFrame({"signal": signal_column(signal)}),
            "outlier_masks": pl.DataFrame({"mask": signal_column(mask)}),
        }
        key = PipelineKey(outlier_detection="LOF", imputation="linear", featurization="simple")
        return SimpleNamespace(table=lambda name, _="": tables[name], key=key)

    row, t = np.argwhere(~mask)[11]
    filled[row, t] += np.float32(0.5)
    with pytest.raises(DataError, match=r"LOF__linear.*1 samples differ"):
        features.compute(task(filled))


# -- errors -----------------------------------------------------------------------------------------------------------


def test_errors_are_those_of_a_loop_over_recordings_against_truth_and_against_truth_in_the_gaps() -> None:
    mask, signal = masked()
    spliced = np.where(mask, TRUTH, signal)
    table = scores()
    found, true, ideal = (SIMPLE.transform(RECORDINGS, each) for each in (signal, TRUTH, spliced))
    for name in found.columns[2:]:
        error = [a - b for a, b in zip(found[name], true[name], strict=True)]
        own = [a - b for a, b in zip(found[name], ideal[name], strict=True)]
        expected = {"mae": np.mean(np.abs(error)), "bias": np.mean(error), "truth_sd": np.std(true[name].to_numpy())}
        expected |= {"imputation_mae": np.mean(np.abs(own)), "imputation_bias": np.mean(own)}
        for metric, number in expected.items():
            assert value(table, name, metric) == pytest.approx(number, abs=1e-9)
            assert value(table, name, metric, "n") == 6
    shares = [value(table, n, "imputation_mae") / value(table, n, "truth_sd") for n in found.columns[2:]]
    assert feature_error(table) == pytest.approx(np.mean(shares))


def test_ground_truth_in_the_gaps_carries_no_error_of_imputation_and_still_that_of_the_recording() -> None:
    mask, signal = masked()
    spliced = np.where(mask, TRUTH, signal)
    table = score_features(SIMPLE, RECORDINGS, spliced, mask, coverage(mask), seed=3, n_resamples=5)
    assert feature_error(table) == 0
    assert set(table.filter(metric="imputation_mae")["value"]) == {0.0}
    assert min(table.filter(metric="mae")["value"]) > 0


def test_intervals_are_percentiles_over_resampled_subjects() -> None:
    recordings = replace(RECORDINGS, subject=("A", "A", "B", "C", "C", "D"))
    mask, signal = masked()
    table, weights = scores(recordings), subject_weights(4, 20, 3)[1:]
    found, true = (SIMPLE.transform(recordings, each)["Red_PIPR_AUC"].to_numpy() for each in (signal, TRUTH))
    flagged = coverage(mask).filter(feature="Red_PIPR_AUC")["flagged"].to_numpy()
    times = weights[:, [0, 0, 1, 2, 2, 3]].astype(int)
    again = {
        "mae": [np.repeat(np.abs(found - true), drawn).mean() for drawn in times],
        "truth_sd": [np.repeat(true, drawn).std() for drawn in times],
        "flagged_share": [np.repeat(flagged, drawn).mean() for drawn in times],
    }
    for metric, numbers in again.items():
        lower, upper = np.quantile(numbers, [0.025, 0.975])
        assert value(table, "Red_PIPR_AUC", metric, "lower") == pytest.approx(lower, abs=1e-9)
        assert value(table, "Red_PIPR_AUC", metric, "upper") == pytest.approx(upper, abs=1e-9)


def test_without_truth_there_is_coverage_alone_and_features_without_value_are_null() -> None:
    untold = scores(replace(RECORDINGS, truth=None))
    assert set(untold["metric"]) == {"coverage", "flagged_share"}
    assert feature_error(untold) is None
    only_blue = scores(replace(RECORDINGS, stimuli=((BLUE,),) * 6))
    red = only_blue.filter(pl.col("feature").str.starts_with("Red"))
    assert red["value"].null_count() == red.height
    assert set(red["n"]) == {0}
    assert only_blue.filter(pl.col("feature").str.starts_with("Blue"))["value"].null_count() == 0


def test_coverage_of_other_recordings_and_shapes_that_differ_are_refused() -> None:
    mask, signal = masked()
    with pytest.raises(ValueError, match="other recordings"):
        score_features(SIMPLE, RECORDINGS, signal, mask, coverage(mask).reverse(), seed=0)
    with pytest.raises(ValueError, match="shapes differ"):
        score_features(SIMPLE, RECORDINGS, signal, mask[:, 1:], coverage(mask), seed=0)
    with pytest.raises(ValueError, match="mask has shape"):
        feature_coverage(SIMPLE, RECORDINGS, mask[:, 1:], 1.0)
