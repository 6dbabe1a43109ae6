"""Replicates that are fitted again are those of the bootstrap, and what they are asked cannot reach them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import polars as pl
import pytest

from plr_assets.classification import replicates
from plr_assets.classification.base import Classes, Classifier, Features
from plr_assets.classification.bootstrap import bootstrap, replicate_seeds
from plr_assets.classification.contributions import contributions
from plr_assets.classification.matrix import case_matrix
from plr_assets.classification.replicates import refit, resamples_of
from plr_assets.classification.resampling import Resamples, resample
from plr_assets_tests.builders import make_features
from plr_assets_tests.contract.registered import construct, implemented, start

FEATURES, CASES = make_features(40)
X, Y = case_matrix(FEATURES, CASES), CASES["y_true"].to_numpy()
DRAWN = resample(CASES["subject"].to_list(), Y, 14, seed=6)


@dataclass(eq=False, kw_only=True)
class FirstFeature(Classifier):
    """Says the first feature, and remembers what it was asked."""

    asked: list[tuple[Features, Classes, Resamples]] = field(default_factory=list)

    def _fit(self, X: Features, y: Classes, sample_weight: object) -> None: ...

    def _probability(self, X: Features) -> Features:
        return 1 / (1 + np.exp(-X[:, 0]))

    def out_of_bag(self, X: Features, y: Classes, resamples: Resamples, seeds: Sequence[int]) -> Iterator[Features]:
        self.asked.append((X, y, resamples))
        yield from super().out_of_bag(X, y, resamples, seeds)


def _refit(classifier: Classifier, drawn: Resamples = DRAWN) -> replicates.Replicates:
    return refit(classifier, X, Y, drawn, replicate_seeds(drawn))


def test_the_draws_are_read_from_the_table_in_the_order_of_iterations() -> None:
    stored = bootstrap(FEATURES, CASES, FirstFeature(), DRAWN)
    found = resamples_of(stored.reverse(), len(CASES), DRAWN.seed, 5)
    assert np.array_equal(found.counts, DRAWN.counts[:5])
    assert np.array_equal(resamples_of(stored, len(CASES), 1).counts, DRAWN.counts)


@pytest.mark.parametrize("name", implemented("classification"))
def test_seed_and_parameters_rebuild_what_the_bootstrap_predicted(name: str) -> None:
    classifier = construct("classification", name, **start("classification", name))
    stored = bootstrap(FEATURES, CASES, classifier, DRAWN)
    first = resamples_of(stored, len(CASES), DRAWN.seed, 3)
    assert _refit(classifier, first).departure(stored) < 1e-4


def test_a_bootstrap_of_another_seed_is_told_apart() -> None:
    classifier = construct("classification", "XGBoost", min_child_weight=1.0)
    stored = bootstrap(FEATURES, CASES, classifier, DRAWN)
    first = resamples_of(stored, len(CASES), DRAWN.seed + 1, 3)
    assert _refit(classifier, first).departure(stored) > 1e-3


@dataclass(eq=False, kw_only=True)
class Single(FirstFeature):
    """The same, of those that are fitted one by one."""

    def fit_resample(self, X: Features, y: Classes, counts: np.ndarray, seed: int) -> Self:
        return super().fit_resample(X, y, counts, seed)


@pytest.mark.parametrize("kind", [FirstFeature, Single])
def test_every_case_is_asked_intact_and_with_each_feature_shuffled(kind: type[FirstFeature]) -> None:
    classifier = kind()
    found = _refit(classifier)
    assert bool(classifier.asked) == (kind is FirstFeature), "together where that is the quick way"
    said = 1 / (1 + np.exp(-X[:, 0]))
    assert found.on_all == pytest.approx(np.tile(said, (14, 1)))
    assert found.shuffled.shape == (14, 4, 40)
    assert found.shuffled[:, 1:] == pytest.approx(np.tile(said, (14, 3, 1))), "it reads the first feature alone"
    assert not np.allclose(found.shuffled[:, 0], said)
    assert np.sort(found.shuffled[:, 0], axis=1) == pytest.approx(np.tile(np.sort(said), (14, 1)))


def test_what_is_asked_is_never_drawn() -> None:
    classifier = FirstFeature()
    _refit(classifier)
    for rows, labels, drawn in classifier.asked:
        assert np.array_equal(rows[:40], X)
        assert len(rows) == len(labels) == drawn.counts.shape[1]
        assert not drawn.counts[:, 40:].any()
    assert np.array_equal(np.vstack([drawn.counts[:, :40] for *_, drawn in classifier.asked]), DRAWN.counts)


def test_shuffles_differ_between_groups_of_replicates_and_repeat_with_the_seed() -> None:
    once, again = _refit(FirstFeature()), _refit(FirstFeature())
    assert np.array_equal(once.shuffled, again.shuffled)
    assert np.array_equal(once.shuffled[0], once.shuffled[9])
    assert not np.array_equal(once.shuffled[0], once.shuffled[10])


@pytest.mark.parametrize("name", implemented("classification"))
def test_replicates_say_the_same_one_by_one_and_together(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is asked reaches no fit: not as one more row of weight 0, not by rounding worth the name."""
    classifier, few = (
        construct("classification", name, **start("classification", name)),
        Resamples(DRAWN.counts[:2], DRAWN.seed),
    )
    found = []
    for together in (False, True):
        monkeypatch.setattr(replicates, "_is_quick_together_only", lambda _classifier, is_so=together: is_so)
        found.append(_refit(classifier, few))
    assert found[0].on_all == pytest.approx(found[1].on_all, abs=1e-4)
    assert found[0].shuffled == pytest.approx(found[1].shuffled, abs=1e-4)


def test_more_features_than_fit_at_once_are_asked_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Indices are uint16: embeddings of hundreds of cases do not fit into one question."""
    whole = _refit(FirstFeature())
    monkeypatch.setattr(replicates, "MOST_CASES", 40 * 4)  # the cases, and three copies that are asked
    in_blocks = _refit(FirstFeature())
    assert np.array_equal(in_blocks.shuffled, whole.shuffled)
    assert np.array_equal(in_blocks.on_all, whole.on_all)


@pytest.mark.parametrize("name", ["CatBoost", "XGBoost", "LogisticRegression"])
def test_contributions_add_up_to_the_log_odds(name: str) -> None:
    fitted = construct("classification", name).fit(X, Y)
    found = contributions(fitted, X)
    assert found is not None
    assert found.shape == X.shape
    p = fitted.predict_proba(X)[:, 1]
    base = np.log(p / (1 - p)) - found.sum(axis=1)
    assert base == pytest.approx(np.full(len(X), base[0]), abs=1e-4)


def test_a_method_without_an_exact_algorithm_has_no_contributions() -> None:
    assert contributions(FirstFeature().fit(X, Y), X) is None
    ensemble = construct("classification", "CatBoost", posterior_sampling=True)
    assert contributions(ensemble.fit(X, Y), X) is None


def test_a_departure_is_the_largest_of_all() -> None:
    stored = bootstrap(FEATURES, CASES, FirstFeature(), DRAWN)
    one = stored["y_prob"].to_list()
    one[2][0] += 0.25
    moved = stored.with_columns(pl.Series("y_prob", one, dtype=pl.List(pl.Float32)))
    assert _refit(FirstFeature()).departure(moved) == pytest.approx(0.25, abs=1e-6)
