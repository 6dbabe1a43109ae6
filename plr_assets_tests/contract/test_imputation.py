"""What every imputer promises, whatever its method."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from plr_assets.errors import RecordingError
from plr_assets.imputation.base import Imputer, splice
from plr_assets_tests.builders import assert_same, make_recordings
from plr_assets_tests.contract.registered import construct, implemented

AXIS = "imputation"
DEVELOPMENT = make_recordings(4, seed=1, prefix="D")
RECORDINGS = make_recordings(4, seed=2)
assert RECORDINGS.artefact is not None
MASK = RECORDINGS.dropout | RECORDINGS.artefact


@pytest.fixture(scope="module", params=implemented(AXIS))
def imputer(request: pytest.FixtureRequest) -> Imputer:
    fitted: Imputer = construct(AXIS, request.param).fit(DEVELOPMENT)
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


def test_human_knowledge_is_never_used(imputer: Imputer) -> None:
    assert RECORDINGS.truth is not None
    corrupted = replace(RECORDINGS, truth=RECORDINGS.truth + 50, artefact=~MASK, label=RECORDINGS.label[::-1])
    for other in (corrupted, replace(RECORDINGS, truth=None, artefact=None, label=())):
        assert np.array_equal(imputer.transform(other, MASK), imputer.transform(RECORDINGS, MASK))


def test_one_recording_is_imputed_as_among_many(imputer: Imputer) -> None:
    signal = imputer.transform(RECORDINGS, MASK)
    for row in range(len(RECORDINGS)):
        assert np.array_equal(imputer.transform(RECORDINGS.take([row]), MASK[[row]])[0], signal[row])


def test_fitting_twice_gives_the_same_method(imputer: Imputer) -> None:
    again = type(imputer)(**imputer.parameters).fit(DEVELOPMENT)
    assert np.array_equal(again.transform(RECORDINGS, MASK), imputer.transform(RECORDINGS, MASK))


def test_saving_and_loading_changes_nothing_and_needs_no_pickle(imputer: Imputer, tmp_path: Path) -> None:
    imputer.save(tmp_path)
    loaded = type(imputer).load(tmp_path)
    assert loaded.parameters == imputer.parameters
    assert np.array_equal(loaded.transform(RECORDINGS, MASK), imputer.transform(RECORDINGS, MASK))
    assert not [file for file in tmp_path.rglob("*") if file.suffix in (".pkl", ".pickle", ".joblib", ".pt")]


def test_inputs_are_left_as_they_were(imputer: Imputer) -> None:
    recordings, mask = make_recordings(4, seed=2), MASK.copy()
    imputer.transform(recordings, mask)
    assert_same(recordings, RECORDINGS)
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
