"""What every featurization promises, whatever its method."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from plr_assets.errors import RecordingError
from plr_assets.featurization.base import DESCRIBED, Featurizer
from plr_assets.recordings.table import Signal
from plr_assets.schemas import FEATURES, validate
from plr_assets_tests.builders import assert_same, make_recordings
from plr_assets_tests.contract.registered import construct, implemented, start

AXIS = "featurization"
DEVELOPMENT = make_recordings(4, seed=1, prefix="D")
RECORDINGS = make_recordings(4, seed=2)
assert RECORDINGS.truth is not None
assert DEVELOPMENT.truth is not None
SIGNAL = RECORDINGS.truth


@pytest.fixture(scope="module", params=implemented(AXIS))
def featurizer(request: pytest.FixtureRequest) -> Featurizer:
    assert DEVELOPMENT.truth is not None
    fitted: Featurizer = construct(AXIS, request.param).fit(
        DEVELOPMENT, DEVELOPMENT.truth, **start(AXIS, request.param)
    )
    return fitted


def test_one_row_a_recording_in_order_one_described_column_a_feature(featurizer: Featurizer) -> None:
    table = validate(featurizer.transform(RECORDINGS, SIGNAL), FEATURES)
    assert tuple(table["recording"]) == RECORDINGS.recording
    assert tuple(table["subject"]) == RECORDINGS.subject
    described = featurizer.describe()
    assert table.columns[2:] == [entry["name"] for entry in described]
    assert set(table.dtypes[2:]) == {pl.Float64}
    for entry in described:
        assert tuple(sorted(entry)) == tuple(sorted(DESCRIBED))
        assert all(entry.values()), entry
        assert "not stated" not in (entry["source"], entry["leakage"])
    assert np.isfinite(table[:, 2:].to_numpy()).all()


def test_one_recording_is_featurized_as_among_many(featurizer: Featurizer) -> None:
    table = featurizer.transform(RECORDINGS, SIGNAL)
    for row in range(len(RECORDINGS)):
        assert featurizer.transform(RECORDINGS.take([row]), SIGNAL[[row]]).equals(table[row])


def test_only_the_signal_and_the_lights_matter(featurizer: Featurizer) -> None:
    other = replace(
        RECORDINGS, truth=SIGNAL + 1, artefact=None, label=RECORDINGS.label[::-1], pupil=np.zeros_like(SIGNAL)
    )
    assert featurizer.transform(other, SIGNAL).equals(featurizer.transform(RECORDINGS, SIGNAL))


def test_the_same_signal_gives_the_same_features_after_saving_and_loading(
    featurizer: Featurizer, tmp_path: Path
) -> None:
    featurizer.save(tmp_path)
    loaded = type(featurizer).load(tmp_path)
    assert loaded.parameters == featurizer.parameters
    assert loaded.transform(RECORDINGS, SIGNAL).equals(featurizer.transform(RECORDINGS, SIGNAL))
    assert not [file for file in tmp_path.rglob("*") if file.suffix in (".pkl", ".pickle", ".joblib", ".pt")]


def test_only_samples_within_its_window_matter_to_a_feature(featurizer: Featurizer) -> None:
    """What a window leaves out may change. The first and last sample of each of its runs may not: another value there
    changes the feature of at least one recording, or else that of a flat signal (a moment is where it is, whatever
    comes after)."""
    windows, n = featurizer.windows(RECORDINGS), len(RECORDINGS)
    bases = (SIGNAL, np.zeros_like(SIGNAL))
    before = [featurizer.transform(RECORDINGS, base) for base in bases]
    assert list(windows) == before[0].columns[2:]
    index = np.arange(RECORDINGS.n_samples)
    for name, pieces in windows.items():
        inside = np.zeros(SIGNAL.shape, dtype=np.bool_)
        for first, last in pieces:
            assert first.shape == last.shape == (n,)
            own = (first[:, None] <= index) & (index < last[:, None])
            assert not (inside & own).any()
            inside |= own
        assert inside.any(axis=1).all()
        outside = np.where(inside, SIGNAL, SIGNAL - 50).astype(np.float32)
        assert featurizer.transform(RECORDINGS, outside)[name].equals(before[0][name])
        for edge in {int(edge) for first, last in pieces for edge in (first[0], last[0] - 1)}:
            assert any(
                not featurizer.transform(RECORDINGS, _with(base, edge, value))[name].equals(usual[name])
                for base, usual in zip(bases, before, strict=True)
                for value in (-500, 500)
            ), (name, edge)


def _with(signal: Signal, sample: int, value: float) -> Signal:
    changed = signal.copy()
    changed[:, sample] = value
    return changed


def test_inputs_are_left_as_they_were(featurizer: Featurizer) -> None:
    recordings, signal = make_recordings(4, seed=2), SIGNAL.copy()
    featurizer.transform(recordings, signal)
    assert_same(recordings, RECORDINGS)
    assert np.array_equal(signal, SIGNAL)


def test_a_signal_with_a_gap_is_refused_by_name(featurizer: Featurizer) -> None:
    signal = SIGNAL.copy()
    signal[1, 700] = np.nan
    with pytest.raises(RecordingError, match=r"R001.*gap"):
        featurizer.transform(RECORDINGS, signal)


def test_a_constant_signal_has_finite_features(featurizer: Featurizer) -> None:
    table = featurizer.transform(RECORDINGS, np.full_like(SIGNAL, -5))
    assert np.isfinite(table[:, 2:].to_numpy()).all()


def test_a_recording_that_ends_before_the_lights_has_a_row_without_values(featurizer: Featurizer) -> None:
    short = make_recordings(2, n_samples=60)
    assert short.truth is not None
    table = validate(featurizer.transform(short, short.truth), FEATURES)
    assert len(table) == 2
