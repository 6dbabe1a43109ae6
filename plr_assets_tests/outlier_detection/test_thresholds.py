"""Thresholds learned from development recordings."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from plr_assets.errors import ConfigError
from plr_assets.outlier_detection.thresholds import ThresholdDetector, f1_optimal_threshold, quantile_threshold
from plr_assets.recordings.table import Recordings
from plr_assets_tests.builders import make_recordings


@dataclass(eq=False, kw_only=True)
class Depth(ThresholdDetector):
    """Scores how deep a sample is below the recording's median."""

    constant: float = 12.0

    @property
    def declared_threshold(self) -> float:
        return self.constant

    def _fit(self, development: Recordings) -> None:
        pass

    def _score(self, signal: NDArray[np.float64], rate_hz: float) -> NDArray[np.float64]:  # noqa: ARG002
        return np.nanmedian(signal) - signal


def f1(flagged: NDArray[np.bool_], artefact: NDArray[np.bool_]) -> float:
    return float(2 * (flagged & artefact).sum() / (flagged.sum() + artefact.sum()))


@given(
    # few levels: ties are the rule
    st.lists(st.tuples(st.integers(0, 6), st.booleans(), st.booleans()), min_size=2, max_size=40).filter(
        lambda samples: any(hit and seen for _, hit, seen in samples)
    ),
    st.sampled_from([0.3, 0.5, 1.0]),
)
def test_no_threshold_has_a_higher_f1_than_the_one_found(
    samples: list[tuple[int, bool, bool]], largest_share: float
) -> None:
    score, artefact, observed = (np.array(column)[None] for column in zip(*samples, strict=True))
    score = score.astype(np.float32)
    threshold = f1_optimal_threshold(score, artefact, observed, largest_share=largest_share)
    reached = (score > threshold)[observed]
    assert reached.mean() <= largest_share
    every = [(score > t)[observed] for t in (-1, *np.unique(score))]  # the last flags none
    allowed = [flagged for flagged in every if flagged.mean() <= largest_share]
    best = max(f1(flagged, artefact[observed]) for flagged in allowed)
    assert f1(reached, artefact[observed]) == best
    fewest = min(flagged.sum() for flagged in allowed if f1(flagged, artefact[observed]) == best)
    assert reached.sum() == fewest


def test_the_threshold_lies_halfway_between_what_is_flagged_and_what_is_not() -> None:
    score, artefact = np.array([[1.0, 2, 5, 8]]), np.array([[False, False, True, True]])
    assert f1_optimal_threshold(score, artefact, np.ones_like(artefact)) == 3.5


def test_neighbouring_floating_point_scores_are_still_told_apart() -> None:
    low = 1.0
    score = np.array([[low, np.nextafter(low, 2)]])
    threshold = f1_optimal_threshold(score, np.array([[False, True]]), np.ones((1, 2), dtype=bool))
    assert ((score > threshold) == [[False, True]]).all()


def test_dropouts_take_no_part_in_the_search() -> None:
    score = np.array([[np.nan, 1.0, 2, 5, 9]], dtype=np.float32)
    observed = ~np.isnan(score)
    artefact = np.array([[True, False, False, True, True]])
    assert f1_optimal_threshold(score, artefact, observed) == 3.5
    assert quantile_threshold(score, observed, 0.25) == 5


def test_scores_that_say_nothing_do_not_end_in_flagging_all() -> None:
    rng = np.random.default_rng(0)
    score, artefact = rng.normal(size=(2, 500)), rng.random((2, 500)) < 0.3
    threshold = f1_optimal_threshold(score, artefact, np.ones_like(artefact))
    assert (score > threshold).mean() <= 0.5


def test_nothing_to_learn_from_is_an_error() -> None:
    score, observed = np.zeros((1, 3)), np.ones((1, 3), dtype=bool)
    with pytest.raises(ValueError, match="no artefact"):
        f1_optimal_threshold(score, ~observed, observed)
    with pytest.raises(ValueError, match="no observed sample"):
        quantile_threshold(score, ~observed, 0.1)
    with pytest.raises(ValueError, match="no finite score"):
        quantile_threshold(score * np.nan, observed, 0.1)
    with pytest.raises(ValueError, match="share"):
        quantile_threshold(score, observed, 1.0)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=50), st.floats(0, 0.99))
def test_a_quantile_flags_at_most_the_share_and_no_lower_one_does(values: list[int], share: float) -> None:
    score = np.array([values], dtype=np.float32)
    threshold = quantile_threshold(score, np.ones(score.shape, dtype=bool), share)
    assert (score > threshold).mean() <= share + 1e-9
    lower = score[score < threshold]
    if lower.size:
        assert (score > lower.max()).mean() > share


def test_a_share_that_is_a_ratio_of_counts_is_met_exactly() -> None:
    score = np.arange(7.0)[None]
    for flagged in range(7):
        threshold = quantile_threshold(score, np.ones(score.shape, dtype=bool), flagged / 7)
        assert (score > threshold).sum() == flagged


def test_the_threshold_is_the_best_on_development_where_a_human_marked_artefacts_else_the_declared_one() -> None:
    development = make_recordings(3)
    assert development.artefact is not None
    fitted = Depth().fit(development)
    observed = ~development.dropout
    scores = fitted.decision_function(development)
    assert fitted.threshold_ == f1_optimal_threshold(scores, development.artefact, observed)
    assert fitted.threshold_source_ == "development"
    for other in (Depth().fit(make_recordings(3, with_truth=False)), Depth(threshold="declared").fit(development)):
        assert (other.threshold_, other.threshold_source_) == (12.0, "declared")


def test_human_masks_without_an_artefact_cannot_set_a_threshold() -> None:
    development = make_recordings(2)
    with pytest.raises(ConfigError, match="Set threshold to declared"):
        Depth().fit(replace(development, artefact=np.zeros_like(development.dropout)))


def test_a_rule_that_is_not_known_is_refused() -> None:
    with pytest.raises(ConfigError, match="must be f1-optimal or declared"):
        Depth(threshold="best").fit(make_recordings(2))  # type: ignore[arg-type]
