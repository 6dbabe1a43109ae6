"""LOF against scikit-learn, and against the definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from sklearn.neighbors import LocalOutlierFactor

from plr_assets.errors import ConfigError
from plr_assets.outlier_detection.lof import LOF, local_outlier_factor
from plr_assets_tests.builders import make_recordings


def _by_definition(values: NDArray[np.float64], k: int) -> NDArray[np.float64]:
    """Breunig's formulas, sample by sample; only for values without ties."""
    distance = np.abs(values[:, None] - values)
    nearest = [[j for j in np.argsort(row, kind="stable") if j != i][:k] for i, row in enumerate(distance)]
    k_distance = [distance[i, nearest[i][-1]] for i in range(values.size)]
    density = [
        1 / (np.mean([max(distance[i, j], k_distance[j]) for j in nearest[i]]) + 1e-10) for i in range(values.size)
    ]
    return np.array([np.mean([density[j] for j in nearest[i]]) / density[i] for i in range(values.size)])


@pytest.mark.parametrize(("size", "k"), [(2, 1), (5, 4), (30, 7), (60, 59), (60, 1)])
def test_equals_the_definition(size: int, k: int) -> None:
    values = np.random.default_rng(size + k).normal(size=size)
    assert np.allclose(local_outlier_factor(values, k), _by_definition(values, k), rtol=1e-10)


@pytest.mark.parametrize("seed", range(4))
def test_scores_and_masks_equal_scikit_learns_on_plr_signals(seed: int) -> None:
    recordings = make_recordings(2, seed=seed)
    lof = LOF(contamination=0.0766).fit(recordings)
    mask = lof.predict(recordings)
    for row, observed in enumerate(~recordings.dropout):
        column = recordings.pupil[row, observed].astype(np.float64)[:, None]
        reference = LocalOutlierFactor(n_neighbors=100, contamination=0.0766)
        flagged = reference.fit_predict(column) == -1
        assert np.allclose(local_outlier_factor(column[:, 0], 100), -reference.negative_outlier_factor_, rtol=1e-6)
        assert np.array_equal(mask[row, observed], flagged)


def test_quantised_amplitudes_agree_with_scikit_learn_but_for_ties() -> None:
    """A device that reports 0.01 of 40 px gives steps of 0.025 %; ties at the k-th neighbour are then common."""
    recordings = make_recordings(2)
    for row, observed in enumerate(~recordings.dropout):
        values = np.round(recordings.pupil[row, observed].astype(np.float64) / 0.025) * 0.025
        ours = local_outlier_factor(values, 100)
        theirs = -LocalOutlierFactor(n_neighbors=100).fit(values[:, None]).negative_outlier_factor_
        differs = (ours > np.percentile(ours, 92.34)) != (theirs > np.percentile(theirs, 92.34))
        assert differs.mean() < 0.005


@settings(max_examples=60, deadline=None)
@given(
    arrays.arrays(np.float64, st.integers(0, 40), elements=st.integers(-5, 5).map(lambda v: v / 2)),
    st.integers(1, 50),
)
def test_equal_amplitudes_score_equally_in_any_order(values: NDArray[np.float64], k: int) -> None:
    scores = local_outlier_factor(values, k)
    assert np.isfinite(scores).all()
    order = np.random.default_rng(values.size * 100 + k).permutation(values.size)
    assert np.array_equal(local_outlier_factor(values[order], k), scores[order])
    for value in np.unique(values):
        assert np.unique(scores[values == value]).size == 1


def test_the_flagged_share_of_every_recording_is_the_artefact_share_of_development() -> None:
    development, scored = make_recordings(4, seed=1), make_recordings(3, seed=2)
    assert development.artefact is not None
    lof = LOF().fit(development)
    expected = development.artefact.sum() / (~development.dropout).sum()
    assert (lof.contamination_, lof.contamination_source_) == (pytest.approx(expected), "development")
    for mask, observed in zip(lof.predict(scored), ~scored.dropout, strict=True):
        assert mask[observed].mean() == pytest.approx(expected, abs=2 / observed.sum())


def test_without_human_masks_the_declared_share_is_used_and_said_to_be() -> None:
    lof = LOF(contamination_without_truth=0.05).fit(make_recordings(2, with_truth=False))
    assert (lof.contamination_, lof.contamination_source_) == (0.05, "declared")
    lof = LOF(contamination=0.02).fit(make_recordings(2))
    assert (lof.contamination_, lof.contamination_source_) == (0.02, "declared")


@pytest.mark.parametrize("parameters", [{"n_neighbors": 0}, {"contamination": 0.7}, {"contamination": "auto"}])
def test_impossible_parameters_are_refused_by_name(parameters: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=f"LOF: {next(iter(parameters))}"):
        LOF(**parameters).fit(make_recordings(2))  # type: ignore[arg-type]
