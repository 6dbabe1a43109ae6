"""The scorer: scikit-learn's numbers, gaps of a slow loop, intervals of a plain bootstrap, coverage of a known band."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from sklearn.metrics import mean_absolute_error, root_mean_squared_error

from plr_assets.defs.results_of_signals import imputation_metrics
from plr_assets.imputation.against_linear import against_linear
from plr_assets.imputation.errors import (
    GAP_CLASSES,
    LONGER,
    Imputed,
    changed_samples,
    per_recording,
    sum_errors,
    typical_recordings,
    worst_gaps,
)
from plr_assets.imputation.scoring import score_imputation
from plr_assets.recordings.gaps import find_gaps, gap_lengths
from plr_assets.recordings.phases import light_phases, lit
from plr_assets.recordings.table import Mask, Recordings, Signal
from plr_assets.schemas import IMPUTATION_ERRORS, IMPUTATION_METRICS, validate
from plr_assets.study import load_study
from plr_assets.subject_bootstrap import subject_weights
from plr_assets_tests.builders import make_recordings

RECORDINGS = make_recordings(6)
assert RECORDINGS.truth is not None
TRUTH = RECORDINGS.truth
MASKS = npst.arrays(np.bool_, st.tuples(st.integers(1, 3), st.integers(1, 40)))


def hidden() -> Mask:
    """Gaps of 5, 20 and 60 samples (0.17, 0.67, 2 s), some of them in the light, beside the recordings' own."""
    assert RECORDINGS.artefact is not None
    mask = RECORDINGS.artefact | RECORDINGS.dropout
    for row in range(6):
        for start, length in ((100, 5), (480 + 10 * row, 20), (600, 60), (1450, 60), (1800, 20)):
            mask[row, start : start + length] = True
    return mask


def imputed(*, seed: int = 0, half_width: float | None = None) -> Imputed:
    mask = hidden()
    error = np.random.default_rng(seed).normal(0.5, 3, mask.shape)
    signal = np.where(mask, TRUTH + error, RECORDINGS.pupil).astype(np.float32)
    if half_width is None:
        return Imputed(signal=signal, mask=mask)
    lower, upper = (np.where(mask, signal + off, np.nan).astype(np.float32) for off in (-half_width, half_width))
    return Imputed(signal=signal, mask=mask, lower=lower, upper=upper)


def value(table: pl.DataFrame, metric: str, stratum: str = "all", column: str = "value") -> float:
    return table.filter(stratum=stratum, metric=metric)[column].item()


def slow_gaps(mask: Mask) -> list[tuple[int, int, int]]:
    """(recording, first, one after the last) of every run, walking sample by sample."""
    found = []
    for row, line in enumerate(mask.tolist()):
        t = 0
        for is_masked, run in groupby(line):
            length = len(list(run))
            if is_masked:
                found.append((row, t, t + length))
            t += length
    return found


def slow_class(length: int, rate_hz: float) -> str:
    return GAP_CLASSES[0 if length / rate_hz < 0.3 else 1 if length / rate_hz <= 1 else 2]


def members(stratum: str, mask: Mask, recordings: Recordings) -> Mask:
    """(n, T) samples of a stratum, by a loop over gaps and the lights' own times."""
    inside = np.zeros(mask.shape, dtype=np.bool_)
    gap, _, light = stratum.partition(" ")
    wanted = GAP_CLASSES[1:] if gap == LONGER else (gap,)
    for row, start, stop in slow_gaps(mask):
        for t in range(start, stop):
            on = any(lamp.onset_s <= recordings.time[t] <= lamp.offset_s for lamp in recordings.stimuli[row])
            in_light = light in ("", "light:on" if on else "light:off")
            inside[row, t] = in_light and (
                gap in ("all", "light:on" if on else "light:off")
                or slow_class(stop - start, recordings.rate_hz) in wanted
            )
    return inside


# -- gaps -----------------------------------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(mask=MASKS)
def test_gaps_are_those_of_a_slow_loop(mask: Mask) -> None:
    gaps, slow = find_gaps(mask), slow_gaps(mask)
    assert list(zip(gaps.row.tolist(), gaps.start.tolist(), gaps.stop.tolist(), strict=True)) == slow
    assert gap_lengths(mask).tolist() == [stop - start for _, start, stop in slow for _ in range(start, stop)]


@pytest.mark.parametrize(
    ("rate_hz", "samples"), [(30.0, (8, 9, 30, 31)), (10.0, (2, 3, 10, 11)), (60, (17, 18, 60, 61))]
)
def test_a_gaps_class_is_its_duration_and_both_borders_belong_to_the_middle(
    rate_hz: float, samples: tuple[int, ...]
) -> None:
    recordings = replace(make_recordings(1), rate_hz=rate_hz)
    mask = np.zeros(recordings.pupil.shape, dtype=np.bool_)
    for start, length in zip((0, 200, 400, 600), samples, strict=True):
        mask[0, start : start + length] = True
    sums = sum_errors(Imputed(signal=np.zeros_like(recordings.pupil), mask=mask), recordings)
    found = [int(sums[name]["n"].sum()) for name in GAP_CLASSES]
    assert found == [samples[0], samples[1] + samples[2], samples[3]]


# -- errors ---------------------------------------------------------------------------------------------------------


STRATA = ("all", *GAP_CLASSES, LONGER, "light:on", "light:off", f"{LONGER} light:on", "gap:under_0.3s light:off")


@pytest.mark.parametrize("stratum", STRATA)
def test_errors_are_scikit_learns_over_the_samples_of_the_stratum(stratum: str) -> None:
    own = imputed()
    which = members(stratum, own.mask, RECORDINGS)
    assert which.sum() > 20
    found, true = own.signal[which].astype(np.float64), TRUTH[which].astype(np.float64)
    table = score_imputation(own, RECORDINGS, seed=0, n_resamples=5)
    assert value(table, "mae", stratum) == pytest.approx(mean_absolute_error(true, found), abs=1e-9)
    assert value(table, "rmse", stratum) == pytest.approx(root_mean_squared_error(true, found), abs=1e-9)
    assert value(table, "bias", stratum) == pytest.approx(np.mean(found - true), abs=1e-9)
    assert value(table, "mae", stratum, "n") == which.sum()


def test_phases_are_those_of_the_lights() -> None:
    own, (names, phase) = imputed(), light_phases(RECORDINGS)
    table = score_imputation(own, RECORDINGS, seed=0, n_resamples=5)
    for index, name in enumerate(names):
        which = own.mask & (phase == index)
        expected = mean_absolute_error(TRUTH[which].astype(np.float64), own.signal[which].astype(np.float64))
        assert value(table, "mae", f"phase:{name}") == pytest.approx(expected, abs=1e-9)
    assert np.array_equal(lit(RECORDINGS), np.isin(phase, [names.index("blue"), names.index("red")]))


@settings(max_examples=50, deadline=None)
@given(mask=MASKS)
def test_every_masked_sample_is_in_one_gap_class_one_phase_and_one_light(mask: Mask) -> None:
    recordings = replace(make_recordings(len(mask), n_samples=mask.shape[1]))
    sums = sum_errors(Imputed(signal=np.ones(mask.shape, dtype=np.float32), mask=mask), recordings)
    both = [f"{gap} {light}" for gap in GAP_CLASSES for light in ("light:on", "light:off")]
    phases = [name for name in sums if name.startswith("phase:")]
    for parts in (GAP_CLASSES, phases, ("light:on", "light:off"), both, (GAP_CLASSES[0], LONGER)):
        for what in ("n", "absolute", "squared", "signed"):
            assert np.allclose(sum(sums[name][what] for name in parts), sums["all"][what])


def test_what_stands_at_unmasked_samples_does_not_matter() -> None:
    own = imputed(half_width=4.0)
    other = replace(own, signal=np.where(own.mask, own.signal, 99).astype(np.float32))
    scores = score_imputation(own, RECORDINGS, seed=0, n_resamples=5)
    assert score_imputation(other, RECORDINGS, seed=0, n_resamples=5).equals(scores)


def test_the_share_that_is_masked_is_of_all_samples() -> None:
    table = score_imputation(imputed(), RECORDINGS, seed=0, n_resamples=5)
    assert value(table, "masked_share") == pytest.approx(hidden().mean(), abs=1e-15)
    assert value(table, "masked_share", column="n") == hidden().size


# -- intervals and bands ----------------------------------------------------------------------------------------------


def test_intervals_are_percentiles_over_resampled_subjects_who_keep_their_recordings_together() -> None:
    subjects = ("A", "A", "B", "C", "C", "D")
    recordings, own = replace(RECORDINGS, subject=subjects), imputed(half_width=4.0)
    table = score_imputation(own, recordings, seed=5, n_resamples=30)
    which = members(f"{LONGER} light:on", own.mask, RECORDINGS)
    again = []
    for drawn in subject_weights(4, 30, 5)[1:].astype(int):
        rows = [row for row, name in enumerate(subjects) for _ in range(drawn["ABCD".index(name)])]
        true, found = (array[rows][which[rows]].astype(np.float64) for array in (TRUTH, own.signal))
        inside = np.abs(found - true) <= 4
        again.append((mean_absolute_error(true, found), root_mean_squared_error(true, found), inside.mean()))
    for metric, column in zip(("mae", "rmse", "coverage_90"), np.array(again).T, strict=True):
        lower, upper = np.quantile(column, [0.025, 0.975])
        assert value(table, metric, f"{LONGER} light:on", "lower") == pytest.approx(lower, abs=1e-6)
        assert value(table, metric, f"{LONGER} light:on", "upper") == pytest.approx(upper, abs=1e-6)


def test_a_right_band_covers_90_percent_and_one_of_half_its_width_does_not() -> None:
    mask = np.ones_like(hidden())
    truth = np.random.default_rng(3).normal(0, 2, mask.shape).astype(np.float32)
    recordings, zero = replace(RECORDINGS, truth=truth), np.zeros_like(truth)
    found = {}
    for width in (1.6449 * 2, 1.6449):
        band = Imputed(signal=zero, mask=mask, lower=zero - np.float32(width), upper=zero + np.float32(width))
        table = score_imputation(band, recordings, seed=0, n_resamples=5)
        found[width] = value(table, "coverage_90")
        assert value(table, "band_width") == pytest.approx(2 * width, abs=1e-5)
    assert found[1.6449 * 2] == pytest.approx(0.9, abs=0.01)
    assert found[1.6449] == pytest.approx(0.589, abs=0.02)  # within +- 0.82 SD


def test_without_a_band_there_is_no_coverage_and_half_a_band_is_refused() -> None:
    assert "coverage_90" not in score_imputation(imputed(), RECORDINGS, seed=0, n_resamples=5)["metric"]
    own = imputed(half_width=1.0)
    with pytest.raises(ValueError, match="lower and an upper"):
        replace(own, upper=None)
    with pytest.raises(ValueError, match="lower has no value"):
        replace(own, lower=np.full_like(own.signal, np.nan))
    with pytest.raises(ValueError, match="upper has shape"):
        replace(own, upper=own.signal[:, 1:])


def test_one_subject_has_values_and_no_interval() -> None:
    table = score_imputation(imputed(), replace(RECORDINGS, subject=("A",) * 6), seed=0, n_resamples=10)
    assert table.filter(stratum="all")["value"].null_count() == 0
    assert table["lower"].null_count() == table["upper"].null_count() == table.height


def test_without_masked_samples_errors_are_null_and_without_truth_they_are_not_there() -> None:
    nothing = Imputed(signal=RECORDINGS.pupil, mask=np.zeros_like(hidden()))
    table = score_imputation(nothing, RECORDINGS, seed=0, n_resamples=5)
    assert table.filter(pl.col("metric") != "masked_share")["value"].null_count() == table.height - 1
    assert value(table, "masked_share") == 0
    untold = score_imputation(imputed(), replace(RECORDINGS, truth=None), seed=0, n_resamples=5)
    assert untold["metric"].to_list() == ["masked_share"]


# -- single recordings ------------------------------------------------------------------------------------------------


def test_a_recordings_errors_are_those_of_its_own_score() -> None:
    own = imputed(half_width=4.0)
    errors = validate(per_recording(own, RECORDINGS), IMPUTATION_ERRORS)
    for row, told in enumerate(errors.iter_rows(named=True)):
        alone = score_imputation(own.take(np.array([row])), RECORDINGS.take([row]), seed=0, n_resamples=2)
        for metric in ("mae", "rmse", "bias", "coverage_90"):
            assert told[metric] == pytest.approx(value(alone, metric), abs=1e-12)
        gaps = [stop - start for r, start, stop in slow_gaps(own.mask) if r == row]
        assert (told["n_masked"], told["n_gaps"]) == (sum(gaps), len(gaps))
        assert told["longest_gap_s"] == pytest.approx(max(gaps) / 30)


def test_typical_recordings_are_at_the_quartile_the_median_and_the_end_of_the_error() -> None:
    errors = pl.DataFrame({"recording": [f"R{i}" for i in range(9)], "mae": [8.0, 0, 1, 2, 3, 4, 5, 6, 7]})
    assert typical_recordings(errors) == {"better quartile": "R3", "median": "R5", "worst": "R0"}
    assert typical_recordings(errors[:1]) == {"worst": "R0"}
    assert typical_recordings(errors.with_columns(mae=pl.lit(None, pl.Float64))) == {}


def test_the_worst_gap_is_the_one_with_most_absolute_error() -> None:
    own = imputed()
    for row, gap in enumerate(worst_gaps(own, RECORDINGS)):
        error = np.abs(own.signal[row].astype(np.float64) - TRUTH[row])
        loads = {(a, b): error[a:b].sum() for r, a, b in slow_gaps(own.mask) if r == row}
        assert gap == max(loads, key=lambda found: loads[found])
    lengths = [stop - start for start, stop in worst_gaps(own, replace(RECORDINGS, truth=None))]
    assert lengths == [max(b - a for r, a, b in slow_gaps(own.mask) if r == row) for row in range(6)]
    with pytest.raises(ValueError, match="R000 has no gap"):
        worst_gaps(Imputed(signal=own.signal, mask=np.zeros_like(own.mask)), RECORDINGS)


# -- checks -----------------------------------------------------------------------------------------------------------


def described(signals: dict[tuple[str, str], Signal], *, oracle: str = "pupil-gt") -> pl.DataFrame:
    """`schemas.IMPUTATION_METRICS` of (outlier method, imputation method) -> signal."""
    mask, found = hidden(), []
    for (outlier, name), signal in signals.items():
        table = score_imputation(Imputed(signal=signal, mask=mask), RECORDINGS, seed=0, n_resamples=5)
        changed = table[:1].with_columns(
            metric=pl.lit("changed_samples"), value=pl.lit(float(changed_samples(signal, mask, RECORDINGS)))
        )
        columns = {"outlier_detection": outlier, "imputation": name, "oracle": name == oracle}
        columns |= {"synthetic": True, "role": "evaluated"}
        both = pl.concat([table, changed]).with_columns(pl.lit(v).alias(k) for k, v in columns.items())
        found.append(both.select(IMPUTATION_METRICS.column_names))
    return validate(pl.concat(found), IMPUTATION_METRICS)


def off_by(error: float) -> Signal:
    return np.where(hidden(), TRUTH + np.float32(error), RECORDINGS.pupil)


def judged(table: pl.DataFrame, name: str) -> tuple[bool, str]:
    (check,) = [check for check in imputation_metrics.checks if check.name == name]
    assert check.blocking is (name == "unmasked_as_recorded")
    verdict = check.judge(load_study("demo"), lambda asked: {"imputation_metrics": table}[asked])
    return verdict.passed, verdict.reason


def test_worse_than_linear_under_the_same_mask_is_named_and_oracles_are_not_judged() -> None:
    signals = {("LOF", "linear"): 3.0, ("LOF", "SAITS"): 2.0, ("pupil-gt", "linear"): 1.0, ("pupil-gt", "SAITS"): 2.0}
    table = described({key: off_by(error) for key, error in signals.items()})
    found = against_linear(table)
    assert {name: numbers.worse for name, numbers in found.items()} == {"LOF__SAITS": False, "pupil-gt__SAITS": True}
    passed, reason = judged(table, "better_than_linear")
    assert not passed
    assert "pupil-gt__SAITS" in reason
    assert "LOF" not in reason
    oracle = described({("LOF", "linear"): off_by(0.0), ("LOF", "pupil-gt"): off_by(1.0)})
    assert against_linear(oracle) == {}


def test_without_linear_nothing_is_judged_and_the_check_says_so() -> None:
    passed, reason = judged(described({("LOF", "SAITS"): off_by(9.0)}), "better_than_linear")
    assert passed
    assert "Nothing to judge" in reason


def test_one_changed_sample_that_was_not_masked_stops_the_study() -> None:
    signal = off_by(1.0)
    assert judged(described({("LOF", "linear"): signal}), "unmasked_as_recorded")[0]
    row, t = np.argwhere(~hidden())[7]
    signal[row, t] = np.nextafter(signal[row, t], np.float32(np.inf))
    passed, reason = judged(described({("LOF", "linear"): signal}), "unmasked_as_recorded")
    assert not passed
    assert "LOF__linear" in reason
