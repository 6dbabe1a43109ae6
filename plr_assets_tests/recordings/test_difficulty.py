"""The simulated cohort is as hard to classify as published, for the reasons that were published."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.difficulty import (
    from_dropouts_alone,
    from_human_mask,
    from_nuisances,
    from_truth,
    is_glaucoma,
    labelled_cohort,
    tuned_auroc,
)
from plr_assets.recordings.simulator.cohort import simulate_cohort
from plr_assets.study.recordings import Simulation

SEEDS = (201, 202, 203, 204, 205, 206)


def ages(*, match_age: bool) -> tuple[np.ndarray, np.ndarray]:
    cohort = simulate_cohort(Simulation(control=150, glaucoma=150, unlabelled=0, match_age=match_age), seed=5)
    age, glaucoma = np.array([recording.subject.age for recording in cohort]), is_glaucoma(cohort)
    return age[~glaucoma], age[glaucoma]


def test_age_is_confounded_as_published() -> None:
    # Najjar 2023: median (IQR) 55.2 (26.7) and 68.5 (13.6); standard errors of 150 are about 2 and 1.1
    controls, patients = ages(match_age=False)
    assert np.median(controls) == pytest.approx(55.2, abs=4)
    assert np.median(patients) == pytest.approx(68.5, abs=3)
    assert np.subtract(*np.percentile(controls, [75, 25])) == pytest.approx(26.7, abs=6)
    assert np.subtract(*np.percentile(patients, [75, 25])) == pytest.approx(13.6, abs=4)


def test_matched_controls_are_as_old_as_the_patients() -> None:
    controls, patients = ages(match_age=True)
    assert abs(np.median(controls) - np.median(patients)) <= 3


@pytest.mark.slow
def test_the_published_figure_comes_back_and_only_through_the_response() -> None:
    truth, masked, unmasked, nuisances = [], [], [], []
    for seed in SEEDS:
        cohort, matched = labelled_cohort(seed), labelled_cohort(seed, match_age=True)
        glaucoma = is_glaucoma(cohort)
        truth.append(tuned_auroc(from_truth(cohort), glaucoma))
        masked.append(tuned_auroc(from_human_mask(cohort), glaucoma))
        unmasked.append(tuned_auroc(from_dropouts_alone(cohort), glaucoma))
        nuisances.append(tuned_auroc(from_nuisances(matched), is_glaucoma(matched)))
    assert 0.88 <= np.mean(truth) <= 0.94
    assert np.mean(nuisances) <= 0.60
    # missing masks hurt in every cohort, and by more than imputation does
    assert all(bad < good for bad, good in zip(unmasked, masked, strict=True))
    assert np.mean(masked) - np.mean(unmasked) >= 0.02
