"""Interpolation, the oracle, the mean, and the guarantees of the base class."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from plr_assets.errors import DataError, RecordingError
from plr_assets.imputation.base import Imputer, splice
from plr_assets.imputation.linear import LinearInterpolation
from plr_assets.imputation.mean import mean_of_members
from plr_assets.imputation.truth import fill_with_truth
from plr_assets.recordings.table import Recordings
from plr_assets_tests.builders import make_recordings

RECORDINGS = make_recordings(3)
assert RECORDINGS.artefact is not None
assert RECORDINGS.truth is not None
MASK = RECORDINGS.artefact | RECORDINGS.dropout


@dataclass(eq=False, kw_only=True)
class Spy(Imputer):
    value: float = 0.0

    def _reconstruct(self, hidden: Recordings) -> NDArray[np.float64]:
        self.shown = hidden
        return np.full(hidden.pupil.shape, self.value)


def test_a_method_is_shown_neither_masked_values_nor_what_a_human_knows() -> None:
    spy = Spy()
    spy.transform(RECORDINGS, MASK)
    assert np.array_equal(np.isnan(spy.shown.pupil), MASK)
    assert (spy.shown.truth, spy.shown.artefact, spy.shown.label) == (None, None, (None, None, None))


def test_a_method_that_leaves_a_gap_is_an_error_that_names_the_recording() -> None:
    with pytest.raises(RecordingError, match=r"R000.*without a value"):
        Spy(value=float("nan")).transform(RECORDINGS, MASK)


def test_splicing_a_reconstruction_of_another_mask_is_an_error() -> None:
    reconstruction = LinearInterpolation().reconstruct(RECORDINGS, MASK)
    more = MASK.copy()
    more[1, np.flatnonzero(~MASK[1])[0]] = True
    with pytest.raises(RecordingError, match=r"R001.*no reconstructed value"):
        splice(RECORDINGS, more, reconstruction)


def test_a_straight_line_comes_back_and_ends_are_held() -> None:
    line = np.linspace(0, -40, RECORDINGS.n_samples)
    recordings = replace(RECORDINGS, pupil=np.tile(line, (3, 1)).astype(np.float32))
    mask = np.zeros_like(MASK)
    mask[:, 500:900] = mask[:, 1000] = True
    mask[2, :50] = mask[2, -70:] = True
    signal = LinearInterpolation().fit(recordings).transform(recordings, mask)
    assert np.allclose(signal[:2], line, atol=1e-4)
    assert (signal[2, :50] == recordings.pupil[2, 50]).all()
    assert (signal[2, -70:] == recordings.pupil[2, -71]).all()


def test_interpolated_values_lie_between_the_neighbours() -> None:
    signal = LinearInterpolation().transform(RECORDINGS, MASK)
    for row in range(3):
        kept = np.flatnonzero(~MASK[row])
        for i in np.flatnonzero(MASK[row]):
            beside = kept[max(np.searchsorted(kept, i) - 1, 0) : np.searchsorted(kept, i) + 1]
            low, high = signal[row, beside].min(), signal[row, beside].max()
            assert low - 1e-4 <= signal[row, i] <= high + 1e-4


def test_the_oracle_uses_truth_at_masked_samples_only() -> None:
    assert RECORDINGS.truth is not None
    signal = fill_with_truth(RECORDINGS, MASK)
    assert np.array_equal(signal[MASK], RECORDINGS.truth[MASK])
    assert np.array_equal(signal[~MASK], RECORDINGS.pupil[~MASK])
    with pytest.raises(DataError, match="ground truth"):
        fill_with_truth(replace(RECORDINGS, truth=None), MASK)


_FINITE = st.floats(-500, 500, width=32)


@given(arrays.arrays(np.float32, (2, 6), elements=_FINITE), st.integers(1, 9))
def test_members_that_agree_keep_their_bits(signal: NDArray[np.float32], members: int) -> None:
    assert np.array_equal(mean_of_members([signal] * members), signal)


def test_the_mean_of_members_is_their_mean() -> None:
    members = [np.random.default_rng(i).normal(size=(2, 5)).astype(np.float32) for i in range(3)]
    mean = mean_of_members(members)
    assert mean.dtype == np.float32
    assert np.allclose(mean, np.mean(members, axis=0), atol=1e-6)
    with pytest.raises(ValueError, match="members"):
        mean_of_members([])
