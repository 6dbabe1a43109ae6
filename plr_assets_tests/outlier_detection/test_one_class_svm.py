"""OneClassSVM as a detector."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from plr_assets.errors import ConfigError
from plr_assets.outlier_detection.one_class_svm import OneClassSVM
from plr_assets_tests.builders import make_recordings


def test_flags_about_nu_of_each_recording_and_what_scikit_learn_flags() -> None:
    from sklearn.svm import OneClassSVM as Reference

    recordings = make_recordings(2, seed=3)
    mask = OneClassSVM(nu=0.1).fit(recordings).predict(recordings)
    for row, observed in enumerate(~recordings.dropout):
        column = recordings.pupil[row, observed].astype(np.float64).reshape(-1, 1)
        assert np.array_equal(mask[row, observed], Reference(nu=0.1).fit_predict(column) == -1)
        assert mask[row, observed].mean() == pytest.approx(0.1, abs=0.01)


def test_nu_is_the_artefact_share_of_development() -> None:
    development = make_recordings(3)
    assert development.artefact is not None
    detector = OneClassSVM().fit(development)
    assert detector.nu_ == pytest.approx(development.artefact.sum() / (~development.dropout).sum())
    assert detector.nu_source_ == "development"
    assert OneClassSVM().fit(make_recordings(3, with_truth=False)).nu_source_ == "declared"


def test_a_development_set_without_any_artefact_cannot_set_nu() -> None:
    development = make_recordings(3)
    clean = replace(development, artefact=np.zeros_like(development.dropout))
    with pytest.raises(ConfigError, match="Set nu to a number"):
        OneClassSVM().fit(clean)
