"""The typical course of a cohort."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from plr_assets.recordings.summary import typical_course
from plr_assets_tests.builders import make_recordings


def test_dropouts_count_for_nothing_and_a_sample_that_nobody_has_is_missing() -> None:
    recordings = make_recordings(11)
    pupil = np.repeat(np.arange(11, dtype=np.float32)[:, None], recordings.n_samples, axis=1)
    pupil[5:, 1] = np.nan
    pupil[:, 2] = np.nan
    centre, (low, high) = typical_course(replace(recordings, pupil=pupil))
    assert [centre[0], low[0], high[0]] == [5, 1, 9]
    assert centre[1] == 2
    assert np.isnan([centre[2], low[2], high[2]]).all()
