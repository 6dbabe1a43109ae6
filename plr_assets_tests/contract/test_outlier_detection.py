"""What every outlier detector promises, whatever its method."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from plr_assets.errors import DataError
from plr_assets.outlier_detection.base import Detector
from plr_assets.recordings.table import Recordings, Signal
from plr_assets.registry import load_registry
from plr_assets_tests.builders import assert_same, make_recordings, with_pupil
from plr_assets_tests.contract.registered import construct, implemented, start

AXIS = "outlier_detection"
DEVELOPMENT = make_recordings(4, seed=1, prefix="D")
SCORED = make_recordings(4, seed=2)
# for what one recording shows as well as four: some methods take a second for each
FEW = SCORED.take([1, 2])


@pytest.fixture(scope="module", params=implemented(AXIS))
def method(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def detector(method: str) -> Detector:
    return fit(method, DEVELOPMENT)


def fit(method: str, development: Recordings) -> Detector:
    fitted: Detector = construct(AXIS, method).fit(development, **start(AXIS, method))
    return fitted


def learned(detector: Detector) -> dict[str, Any]:
    """What can be compared at once; networks are compared by what they score."""
    elsewhere = {field.name for field in fields(detector) if field.metadata}
    return {name: value for name, value in detector.learned.items() if name not in elsewhere}


@pytest.fixture(scope="module")
def scores(detector: Detector) -> Signal:
    return detector.decision_function(SCORED)


def test_scores_are_float32_finite_where_there_is_a_pupil_and_nan_at_dropouts(scores: Signal) -> None:
    assert scores.dtype == np.float32
    assert scores.shape == SCORED.pupil.shape
    assert np.array_equal(np.isnan(scores), SCORED.dropout)


def test_mask_follows_from_scores_and_holds_every_dropout(detector: Detector, scores: Signal) -> None:
    mask = detector.mask(SCORED, scores)
    assert mask.dtype == np.bool_
    assert np.array_equal(mask[[1, 2]], detector.predict(FEW))
    assert mask[SCORED.dropout].all()
    assert 0 < mask[~SCORED.dropout].mean() < 0.5
    for row, flagged in zip(scores, mask & ~SCORED.dropout, strict=True):
        if flagged.any():
            assert np.nanmin(row[flagged]) >= np.nanmax(row[~flagged])


def test_artefacts_score_higher_than_the_rest(scores: Signal) -> None:
    assert SCORED.artefact is not None
    rest = ~SCORED.artefact & ~SCORED.dropout
    assert np.median(scores[SCORED.artefact]) > np.median(scores[rest])


def test_human_knowledge_of_scored_recordings_is_never_used(detector: Detector, scores: Signal) -> None:
    assert FEW.truth is not None
    assert FEW.artefact is not None
    corrupted = replace(FEW, truth=FEW.truth * -3 + 100, artefact=~FEW.artefact, label=FEW.label[::-1])
    for other in (corrupted, replace(FEW, truth=None, artefact=None, label=())):
        found = detector.decision_function(other)
        assert np.array_equal(found, scores[[1, 2]], equal_nan=True)
        assert np.array_equal(detector.mask(other, found), detector.mask(FEW, found))


def test_one_recording_scores_as_it_does_among_many(detector: Detector, scores: Signal) -> None:
    mask = detector.mask(SCORED, scores)
    for row in (0, 3):
        alone = SCORED.take([row])
        found = detector.decision_function(alone)
        assert np.array_equal(found[0], scores[row], equal_nan=True)
        assert np.array_equal(detector.mask(alone, found)[0], mask[row])


def test_fitting_twice_gives_the_same_method(method: str, detector: Detector, scores: Signal) -> None:
    again = fit(method, DEVELOPMENT)
    assert learned(again) == learned(detector)
    assert np.array_equal(again.decision_function(FEW), scores[[1, 2]], equal_nan=True)


def test_saving_and_loading_changes_nothing_and_needs_no_pickle(
    detector: Detector, scores: Signal, tmp_path: Path
) -> None:
    detector.save(tmp_path)
    loaded = type(detector).load(tmp_path)
    assert (loaded.parameters, learned(loaded)) == (detector.parameters, learned(detector))
    assert np.array_equal(loaded.decision_function(FEW), scores[[1, 2]], equal_nan=True)
    assert np.array_equal(loaded.mask(SCORED, scores), detector.mask(SCORED, scores))
    assert not [file for file in tmp_path.rglob("*") if file.suffix in (".pkl", ".pickle", ".joblib", ".pt")]


def test_inputs_are_left_as_they_were(method: str) -> None:
    scored, development = make_recordings(2, seed=3), make_recordings(2, seed=4)
    fit(method, development).predict(scored)
    assert_same(scored, make_recordings(2, seed=3))
    assert_same(development, make_recordings(2, seed=4))


@pytest.mark.parametrize("left", [0, 1, 2, 5])
def test_recordings_with_hardly_a_sample_are_masked_only_where_the_pupil_is_lost(detector: Detector, left: int) -> None:
    signal = np.full(SCORED.n_samples, np.nan)
    signal[100 : 100 + left] = -10.0
    mask = detector.predict(with_pupil(FEW, 1, signal).take([1]))
    assert np.array_equal(mask[0], np.isnan(signal))


def test_a_constant_recording_has_no_outlier(detector: Detector) -> None:
    assert not detector.predict(with_pupil(FEW, 1, -7.25).take([1])).any()


def test_short_recordings_are_scored(detector: Detector) -> None:
    short = make_recordings(2, n_samples=40)
    assert np.array_equal(np.isnan(detector.decision_function(short)), short.dropout)


def test_scoring_before_fitting_is_refused(detector: Detector, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not fitted"):
        type(detector)(**detector.parameters).save(tmp_path)


def test_without_human_knowledge_a_method_works_or_says_that_it_needs_it(method: str) -> None:
    development = make_recordings(2, with_truth=False)
    if "ground_truth" in load_registry().methods[AXIS][method].requires:
        with pytest.raises(DataError, match="ground truth"):
            fit(method, development)
        return
    assert fit(method, development).predict(FEW).shape == FEW.pupil.shape
