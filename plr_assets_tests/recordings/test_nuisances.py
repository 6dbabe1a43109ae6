"""Nuisances are measured in the recording as the device gave it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from plr_assets.recordings.nuisances import NUISANCES, frame_noise, losses, nuisances_of
from plr_assets_tests.builders import make_recordings


def test_columns_and_rows_are_those_of_the_recordings() -> None:
    recordings = make_recordings(3)
    found = nuisances_of(recordings)
    assert found.columns == ["recording", *NUISANCES]
    assert tuple(found["recording"]) == recordings.recording


def test_losses_are_counted_once_each_and_by_the_minute() -> None:
    recordings = make_recordings(1)
    pupil = np.zeros_like(recordings.pupil)
    for start, stop in ((0, 5), (100, 101), (1000, 1030)):
        pupil[0, start:stop] = np.nan
    row = nuisances_of(replace(recordings, pupil=pupil)).row(0, named=True)
    assert row["blink_rate"] == pytest.approx(3 / (1981 / 30 / 60))
    assert row["dropout_share"] == pytest.approx(36 / 1981)
    assert losses(np.ones(9, dtype=bool)) == 0


def test_noise_follows_the_frames_not_the_pupil() -> None:
    time = np.arange(600) / 30
    slow, all_found = 20 * np.sin(time), np.ones(600, dtype=bool)
    jitter = np.random.default_rng(0).normal(0, 0.7, 600)
    quiet, loud = frame_noise(slow, all_found), frame_noise(slow + jitter, all_found)
    assert quiet < 0.05
    assert loud == pytest.approx(0.6745 * np.sqrt(6) * 0.7, rel=0.15)  # second differences have variance 6 s^2


def test_samples_beside_a_loss_are_not_noise() -> None:
    pupil = np.where(np.arange(30) % 3 == 0, np.nan, 1.0)
    assert np.isnan(frame_noise(pupil, ~np.isnan(pupil)))
    edge = np.array([1.0, 1, 1, 50, 1, 1, 1])
    assert frame_noise(edge, np.arange(7) != 3) == 0


def test_artefacts_are_unknown_where_no_human_looked() -> None:
    recordings = make_recordings(4)
    half = replace(recordings, reviewed=np.array([True, False, True, False]))
    assert recordings.artefact is not None
    found = nuisances_of(half)["artefact_share"].to_numpy()
    kept = ~recordings.dropout
    expected = (recordings.artefact & kept).sum(axis=1) / kept.sum(axis=1)
    assert found[[0, 2]] == pytest.approx(expected[[0, 2]])
    assert np.isnan(found[[1, 3]]).all()
    assert np.isnan(nuisances_of(make_recordings(2, with_truth=False))["artefact_share"].to_numpy()).all()
