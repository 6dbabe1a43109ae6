"""Tuning looks at the cases that an iteration draws, and at no other."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from plr_assets.classification.base import Classes, Classifier, Features, Weights
from plr_assets.classification.logistic_regression import LogisticRegression
from plr_assets.classification.resampling import resample
from plr_assets.classification.tuning import Metric, Tuned, inner_folds
from plr_assets.classification.xgboost import XGBoost
from plr_assets.errors import ConfigError
from plr_assets.registry import Search, load_registry
from plr_assets.study import TUNING, Tuning, load_study

RNG = np.random.default_rng(0)
# two recordings of each of 40 subjects
SUBJECTS = [f"s{i // 2:02d}" for i in range(80)]
Y = np.array([i // 2 % 3 == 0 for i in range(80)]).astype(np.int64)
X = RNG.standard_normal((80, 4)) + Y[:, None] * [1.0, 0.5, 0, 0]
RESAMPLES = resample(SUBJECTS, Y, 3, seed=1)
SEARCH = {"C": Search(low=0.001, high=100.0, log=True)}


def tuned(**changes: Any) -> Tuned:
    given = {"method": LogisticRegression(), "search": SEARCH, "trials": 6, "folds": 3, "subjects": SUBJECTS}
    return Tuned(**{**given, **changes})


def of_iteration(iteration: int, features: Features = X, y: Classes = Y, **changes: Any) -> Tuned:
    return tuned(**changes).fit_resample(features, y, RESAMPLES.counts[iteration], seed=7)


@pytest.mark.parametrize("method", ["LogisticRegression", "XGBoost"])
def test_out_of_bag_rows_and_labels_change_neither_parameters_nor_model(method: str, tmp_path: Path) -> None:
    entry = load_registry().methods["classification"][method]
    how = {"method": entry.load()(**entry.parameters), "search": entry.search, "trials": 4}
    out = RESAMPLES.test(0)
    features, labels = X.copy(), Y.copy()
    features[out] = features[out] * 1e3 + 1e4
    labels[out] = 1 - labels[out]
    one, other = of_iteration(0, **how), of_iteration(0, features, labels, **how)
    assert one.chosen_ == other.chosen_
    one.save(tmp_path / "one")
    other.save(tmp_path / "other")
    for file in sorted((tmp_path / "one").iterdir()):
        assert file.read_bytes() == (tmp_path / "other" / file.name).read_bytes()


def test_in_bag_rows_do_change_them() -> None:
    """Else the test above would hold of a search that looks at nothing."""
    drawn = np.flatnonzero(RESAMPLES.counts[0])
    features = X.copy()
    features[drawn] = RNG.standard_normal((drawn.size, 4))
    assert of_iteration(0).chosen_ != of_iteration(0, features).chosen_


@dataclass(eq=False, kw_only=True)
class Recorder(Classifier):
    """Keeps the rows of every fit and every question."""

    counts_as_weights: ClassVar[bool] = True
    fits: ClassVar[list[Features]] = []
    questions: ClassVar[list[Features]] = []

    C: float = 1.0
    seen_: int = field(init=False)

    def _fit(self, X: Features, y: Classes, sample_weight: Weights | None) -> None:  # noqa: ARG002
        self.seen_ = len(X)
        self.fits.append(X)

    def _probability(self, X: Features) -> Any:
        self.questions.append(X)
        return np.linspace(0, 1, len(X))


def test_no_fold_is_judged_by_a_subject_that_it_was_fitted_on() -> None:
    Recorder.fits.clear()
    Recorder.questions.clear()
    marked = np.column_stack([np.array([int(s[1:]) for s in SUBJECTS]), np.arange(80)]).astype(float)
    of_iteration(0, marked, method=Recorder(), trials=2)
    assert len(Recorder.fits) == 2 * 3 + 1
    drawn = {SUBJECTS[i] for i in RESAMPLES.train(0)}
    for fit, question in zip(Recorder.fits[:-1], Recorder.questions, strict=True):
        assert not set(fit[:, 0]) & set(question[:, 0])
        assert {f"s{int(code):02d}" for code in [*fit[:, 0], *question[:, 0]]} == drawn


def test_folds_hold_both_classes_and_keep_subjects_whole() -> None:
    folds = inner_folds(np.array(SUBJECTS), Y, 5, seed=3)
    assert set(folds) == set(range(5))
    for subject in set(SUBJECTS):
        assert len({int(fold) for fold, s in zip(folds, SUBJECTS, strict=True) if s == subject}) == 1
    for fold in range(5):
        assert set(Y[folds == fold]) == {0, 1}


def test_folds_are_fewer_where_a_class_has_few_subjects_and_two_at_least() -> None:
    subjects, y = np.array(list("abcdefgh")), np.array([1, 1, 1, 0, 0, 0, 0, 0])
    assert set(inner_folds(subjects, y, 5, seed=0)) == {0, 1, 2}
    with pytest.raises(ConfigError, match="1 positive"):
        inner_folds(subjects, np.array([1, 0, 0, 0, 0, 0, 0, 0]), 5, seed=0)


def test_the_same_seed_chooses_the_same_and_another_need_not() -> None:
    assert of_iteration(1).chosen_ == of_iteration(1).chosen_
    again = tuned().fit_resample(X, Y, RESAMPLES.counts[1], seed=8)
    assert again.chosen_ != of_iteration(1).chosen_


def test_out_of_bag_is_the_chosen_model_of_each_iteration() -> None:
    predicted = list(tuned().out_of_bag(X, Y, RESAMPLES, [7, 7, 7]))
    for i, given in enumerate(predicted):
        chosen = of_iteration(i).chosen_
        plain = LogisticRegression(**chosen).fit_resample(X, Y, RESAMPLES.counts[i], 7)
        np.testing.assert_allclose(given, plain.predict_proba(X[RESAMPLES.test(i)])[:, 1], atol=1e-9)


@pytest.mark.parametrize("metric", ["auroc", "brier", "log_loss"])
def test_what_is_chosen_is_the_best_of_what_was_tried(metric: Metric) -> None:
    """Where a feature is the label, strong shrinkage is worse by every metric; more so of the log loss."""
    features = np.column_stack([Y + 0.3 * RNG.standard_normal(80), RNG.standard_normal((80, 20))])
    both = {"C": Search(choices=(1e-6, 1.0))}
    assert of_iteration(0, features, search=both, metric=metric).chosen_ == {"C": 1.0}


def test_configured_parameters_are_tried_first() -> None:
    assert of_iteration(0, trials=1).chosen_ == {"C": 1.0}


def test_a_tuned_classifier_is_saved_as_what_it_chose(tmp_path: Path) -> None:
    fitted = tuned().fit(X, Y)
    fitted.save(tmp_path)
    loaded = LogisticRegression.load(tmp_path)
    assert pytest.approx(fitted.chosen_["C"]) == loaded.C
    assert np.array_equal(loaded.predict_proba(X), fitted.predict_proba(X))
    with pytest.raises(TypeError, match="method's class"):
        Tuned.load(tmp_path)


def test_every_search_holds_what_is_configured_and_constructs() -> None:
    for name, entry in load_registry().methods["classification"].items():
        for parameter, search in entry.search.items():
            value = entry.parameters[parameter]
            held = value in search.choices if search.choices else search.low <= value <= search.high
            assert held, f"{name}: {parameter}"


def test_tuning_is_off_by_default_and_enters_the_parameters_of_the_tuned_classifier_alone() -> None:
    study = load_study("demo")
    assert TUNING not in study.parameters("classification", "XGBoost")
    tuning = study.model_copy(update={"tuning": {"XGBoost": Tuning(trials=3)}})
    given = tuning.parameters("classification", "XGBoost")[TUNING]
    assert given["trials"] == 3
    assert given["search"]["max_depth"]["high"] == 3
    assert TUNING not in tuning.parameters("classification", "CatBoost")
    assert (
        Search.model_validate(given["search"]["max_depth"])
        == load_registry().methods["classification"]["XGBoost"].search["max_depth"]
    )


def test_whole_numbers_stay_whole() -> None:
    chosen = of_iteration(0, method=XGBoost(), search={"max_depth": Search(low=1, high=3)}, trials=2).chosen_
    assert isinstance(chosen["max_depth"], int)
