"""The paired comparison with straight lines."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from plr_assets.imputation.against_linear import compare_with_linear
from plr_assets.imputation.errors import Imputed, error_sums
from plr_assets.imputation.scoring import score_imputation
from plr_assets.schemas import IMPUTATION_ERROR_SUMS, validate
from plr_assets_tests.builders import make_recordings

RECORDINGS = make_recordings(6, seed=3)
RNG = np.random.default_rng(3)


def hidden(*lengths: int) -> np.ndarray:
    mask = np.zeros(RECORDINGS.pupil.shape, dtype=np.bool_)
    for row in range(1, len(RECORDINGS)):  # the first recording has nothing masked
        for length in lengths:
            start = int(RNG.integers(0, RECORDINGS.n_samples - length))
            mask[row, start : start + length] = True
    return mask


MASK = hidden(5, 20, 60)


def signals() -> dict[str, Imputed]:
    assert RECORDINGS.truth is not None
    truth = RECORDINGS.truth
    found = {}
    for name, error in (("linear", 3.0), ("good", 1.0), ("alike", 3.0), ("noisy", 3.0)):
        noise = RNG.normal(0, 2, truth.shape).astype(np.float32) if name == "noisy" else np.float32(0)
        found[name] = Imputed(
            signal=np.where(MASK, truth + np.float32(error) + noise, RECORDINGS.pupil).astype(np.float32), mask=MASK
        )
    return found


SIGNALS = signals()
SUMS = {name: error_sums(imputed, RECORDINGS) for name, imputed in SIGNALS.items()}


def test_sums_by_stratum_add_up_to_the_scores_and_name_every_recording() -> None:
    for name, sums in SUMS.items():
        validate(sums, IMPUTATION_ERROR_SUMS)
        assert sums.filter(stratum="all")["recording"].to_list() == list(RECORDINGS.recording)
        scores = score_imputation(SIGNALS[name], RECORDINGS, seed=0, n_resamples=2).filter(metric="mae")
        for row in scores.drop_nulls("value").iter_rows(named=True):
            part = sums.filter(stratum=row["stratum"])
            assert part["absolute"].sum() / part["n"].sum() == pytest.approx(row["value"], abs=1e-12)


def test_the_difference_is_that_of_the_pooled_errors_and_its_interval_is_paired() -> None:
    table = compare_with_linear(SUMS, seed=1, n_resamples=400)
    assert set(table["imputation"]) == {"good", "alike", "noisy"}
    everything = {row["imputation"]: row for row in table.filter(stratum="all").iter_rows(named=True)}
    assert everything["good"]["difference"] == pytest.approx(-2, abs=1e-4)
    # errors that differ by the same number everywhere: a paired interval has no width, an unpaired one would
    assert everything["good"]["upper"] - everything["good"]["lower"] < 1e-4
    assert everything["alike"]["difference"] == everything["alike"]["lower"] == everything["alike"]["upper"] == 0
    noisy = everything["noisy"]
    assert noisy["lower"] < noisy["difference"] < noisy["upper"]
    assert noisy["difference"] == pytest.approx(noisy["mae"] - noisy["mae_linear"], abs=1e-12)
    assert noisy["n"] == MASK.sum()


def test_the_interval_is_that_of_a_slow_bootstrap_over_subjects() -> None:
    table = compare_with_linear({name: SUMS[name] for name in ("linear", "noisy")}, seed=4, n_resamples=3000)
    both = (
        SUMS["noisy"]
        .filter(stratum="gap:over_1s")
        .join(SUMS["linear"].filter(stratum="gap:over_1s"), on="recording", suffix="_linear")
    )
    # the subject without such a gap is drawn too
    n = np.append(both["n"].to_numpy(), 0)
    gain = np.append((both["absolute"] - both["absolute_linear"]).to_numpy(), 0)
    rng = np.random.default_rng(9)
    drawn = [rng.integers(0, n.size, n.size) for _ in range(3000)]
    slow = np.quantile([gain[rows].sum() / n[rows].sum() for rows in drawn if n[rows].sum()], [0.025, 0.975])
    found = table.filter(stratum="gap:over_1s").row(0, named=True)
    assert (found["lower"], found["upper"]) == pytest.approx(tuple(slow), abs=0.03)


def test_without_linear_or_truth_there_is_nothing_to_compare() -> None:
    assert compare_with_linear({"good": SUMS["good"]}, seed=0).is_empty()
    untold = {name: error_sums(each, replace(RECORDINGS, truth=None)) for name, each in SIGNALS.items()}
    assert all(sums.is_empty() for sums in untold.values())
    assert compare_with_linear(untold, seed=0).is_empty()


def test_one_subject_has_no_interval() -> None:
    one = {name: sums.with_columns(subject=pl.lit("A")) for name, sums in SUMS.items()}
    table = compare_with_linear(one, seed=0, n_resamples=10)
    assert table["difference"].null_count() == 0
    assert table["lower"].null_count() == table["upper"].null_count() == table.height


def test_methods_scored_on_other_samples_are_refused() -> None:
    other = Imputed(signal=SIGNALS["good"].signal, mask=np.roll(MASK, 1, axis=0))
    with pytest.raises(ValueError, match="good and linear were not scored on the same samples"):
        compare_with_linear({"linear": SUMS["linear"], "good": error_sums(other, RECORDINGS)}, seed=0)
