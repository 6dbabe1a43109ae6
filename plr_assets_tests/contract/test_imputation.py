"""What every imputer promises, whatever its method."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from plr_assets.errors import DataError, RecordingError
from plr_assets.imputation.base import Imputer, Reconstruction, splice
from plr_assets.recordings.table import Recordings
from plr_assets.registry import load_registry
from plr_assets_tests.builders import assert_same, make_recordings
from plr_assets_tests.contract.registered import construct, implemented, start

AXIS = "imputation"
DEVELOPMENT = make_recordings(4, seed=1, prefix="D")
RECORDINGS = make_recordings(4, seed=2)
assert RECORDINGS.artefact is not None
MASK = RECORDINGS.dropout | RECORDINGS.artefact


@pytest.fixture(scope="module", params=implemented(AXIS))
def method(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def imputer(method: str) -> Imputer:
    return fit(method, DEVELOPMENT)


def fit(method: str, development: Recordings) -> Imputer:
    fitted: Imputer = construct(AXIS, method).fit(development, **start(AXIS, method))
    return fitted


def test_signals_are_float32_without_gaps(imputer: Imputer) -> None:
    signal = imputer.transform(RECORDINGS, MASK)
    assert signal.dtype == np.float32
    assert signal.shape == MASK.shape
    assert np.isfinite(signal).all()


def test_unmasked_samples_are_the_recording_bit_for_bit(imputer: Imputer) -> None:
    signal = imputer.transform(RECORDINGS, MASK)
    assert signal[~MASK].tobytes() == RECORDINGS.pupil[~MASK].tobytes()


def test_reconstructions_hold_the_masked_samples_only_and_splice_to_the_signal(imputer: Imputer) -> None:
    reconstruction = imputer.reconstruct(RECORDINGS, MASK)
    assert np.array_equal(np.isnan(reconstruction), ~MASK)
    assert np.array_equal(splice(RECORDINGS, MASK, reconstruction), imputer.transform(RECORDINGS, MASK))


@pytest.mark.parametrize("hidden", [np.nan, 1e6, "noise"])
def test_hidden_values_are_never_seen(imputer: Imputer, hidden: float | str) -> None:
    values = np.random.default_rng(0).normal(0, 50, MASK.shape) if hidden == "noise" else hidden
    other = replace(RECORDINGS, pupil=np.where(MASK, values, RECORDINGS.pupil).astype(np.float32))
    assert np.array_equal(imputer.transform(other, MASK), imputer.transform(RECORDINGS, MASK))


@pytest.mark.parametrize("hidden", [np.nan, "noise"])
def test_hidden_values_do_not_shape_limits_either(imputer: Imputer, hidden: float | str) -> None:
    values = np.random.default_rng(0).normal(0, 50, MASK.shape) if hidden == "noise" else hidden
    other = replace(RECORDINGS, pupil=np.where(MASK, values, RECORDINGS.pupil).astype(np.float32))
    assert_equal_limits(imputer.reconstruct_with_limits(other, MASK), imputer.reconstruct_with_limits(RECORDINGS, MASK))


def test_limits_enclose_the_value_at_masked_samples_and_are_nowhere_else(imputer: Imputer) -> None:
    found = imputer.reconstruct_with_limits(RECORDINGS, MASK)
    assert found.signal.tobytes() == imputer.reconstruct(RECORDINGS, MASK).tobytes()
    assert (found.lower is None) == (found.upper is None)
    if found.lower is not None and found.upper is not None:
        for limit in (found.lower, found.upper):
            assert limit.dtype == np.float32
            assert np.array_equal(np.isnan(limit), ~MASK)
        assert (found.lower[MASK] <= found.signal[MASK]).all()
        assert (found.signal[MASK] <= found.upper[MASK]).all()
        assert (found.lower[MASK] < found.upper[MASK]).all()


def test_one_recording_has_the_limits_that_it_has_among_many(imputer: Imputer) -> None:
    found = imputer.reconstruct_with_limits(RECORDINGS, MASK)
    for row in (0, 3):
        alone = imputer.reconstruct_with_limits(RECORDINGS.take([row]), MASK[[row]])
        for one, many in zip((alone.lower, alone.upper), (found.lower, found.upper), strict=True):
            assert (one is None) == (many is None)
            if one is not None and many is not None:
                assert np.array_equal(one[0], many[row], equal_nan=True)


def assert_equal_limits(left: Reconstruction, right: Reconstruction) -> None:
    for name in ("signal", "lower", "upper"):
        one, other = getattr(left, name), getattr(right, name)
        assert (one is None and other is None) or one.tobytes() == other.tobytes(), name


def test_human_knowledge_is_never_used(imputer: Imputer) -> None:
    assert RECORDINGS.truth is not None
    corrupted = replace(RECORDINGS, truth=RECORDINGS.truth + 50, artefact=~MASK, label=RECORDINGS.label[::-1])
    for other in (corrupted, replace(RECORDINGS, truth=None, artefact=None, label=())):
        assert np.array_equal(imputer.transform(other, MASK), imputer.transform(RECORDINGS, MASK))


def test_one_recording_is_imputed_as_among_many(imputer: Imputer) -> None:
    signal = imputer.transform(RECORDINGS, MASK)
    for row in range(len(RECORDINGS)):
        assert np.array_equal(imputer.transform(RECORDINGS.take([row]), MASK[[row]])[0], signal[row])


def test_fitting_twice_gives_the_same_method(method: str, imputer: Imputer) -> None:
    again = fit(method, DEVELOPMENT)
    assert np.array_equal(again.transform(RECORDINGS, MASK), imputer.transform(RECORDINGS, MASK))


def test_saving_and_loading_changes_nothing_and_needs_no_pickle(imputer: Imputer, tmp_path: Path) -> None:
    imputer.save(tmp_path)
    loaded = type(imputer).load(tmp_path)
    assert loaded.parameters == imputer.parameters
    assert_equal_limits(
        loaded.reconstruct_with_limits(RECORDINGS, MASK), imputer.reconstruct_with_limits(RECORDINGS, MASK)
    )
    assert not [file for file in tmp_path.rglob("*") if file.suffix in (".pkl", ".pickle", ".joblib", ".pt")]


def test_inputs_are_left_as_they_were(method: str) -> None:
    recordings, mask, development = make_recordings(4, seed=2), MASK.copy(), make_recordings(2, seed=4)
    fit(method, development).reconstruct_with_limits(recordings, mask)
    assert_same(recordings, RECORDINGS)
    assert_same(development, make_recordings(2, seed=4))
    assert np.array_equal(mask, MASK)


def test_gaps_at_both_ends_and_a_single_remaining_sample_are_filled(imputer: Imputer) -> None:
    mask = MASK.copy()
    mask[0, :300] = mask[0, -300:] = True
    mask[1] = True
    mask[1, np.flatnonzero(~RECORDINGS.dropout[1])[500]] = False
    assert np.isfinite(imputer.transform(RECORDINGS, mask)).all()


def test_nothing_masked_returns_the_recording(imputer: Imputer) -> None:
    whole = replace(RECORDINGS, pupil=np.nan_to_num(RECORDINGS.pupil))
    assert np.array_equal(imputer.transform(whole, np.zeros_like(MASK)), whole.pupil)


def test_a_recording_without_a_sample_left_is_named(imputer: Imputer) -> None:
    mask = MASK.copy()
    mask[2] = True
    with pytest.raises(RecordingError, match=r"R002.*no sample left"):
        imputer.transform(RECORDINGS, mask)


def test_a_mask_that_leaves_out_a_dropout_is_refused(imputer: Imputer) -> None:
    mask = MASK.copy()
    mask[3, np.flatnonzero(RECORDINGS.dropout[3])[0]] = False
    with pytest.raises(RecordingError, match=r"R003.*dropout"):
        imputer.transform(RECORDINGS, mask)


def test_short_recordings_and_gaps_without_room_are_filled(imputer: Imputer) -> None:
    short = make_recordings(2, n_samples=40)
    mask = short.dropout.copy()
    mask[1, 3:] = True
    mask[1, np.flatnonzero(~short.dropout[1])[-1]] = False
    assert np.isfinite(imputer.transform(short, mask)).all()


def test_without_ground_truth_a_method_works_or_says_that_it_needs_it(method: str) -> None:
    development = make_recordings(2, with_truth=False)
    if "ground_truth" in load_registry().methods[AXIS][method].requires:
        with pytest.raises(DataError, match="ground truth"):
            fit(method, development)
        return
    assert np.isfinite(fit(method, development).transform(RECORDINGS, MASK)).all()


def test_scale_and_offset_of_a_cohort_come_through(method: str) -> None:
    """A method that forgets to undo its scaling, or does so once too often, fills with values of another size."""
    imputer = fit(method, DEVELOPMENT)
    filled = imputer.reconstruct(RECORDINGS, MASK)
    kept = np.where(MASK, np.nan, RECORDINGS.pupil)
    for row in range(len(RECORDINGS)):
        low, high = np.nanmin(kept[row]), np.nanmax(kept[row])
        room = high - low
        assert np.nanmin(filled[row]) > low - room
        assert np.nanmax(filled[row]) < high + room
