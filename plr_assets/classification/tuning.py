"""Choosing a classifier's parameters inside each bootstrap sample (Optuna; Akiba et al. 2019, arXiv 1907.10902).

Belongs here: the search, its inner folds, and a classifier that searches before it is fitted. Does not belong here:
what may be searched (`configs/methods/classification.yaml`), or whether a study does (`tuning` in the study).

A search sees the cases that an iteration draws and no other: what is out of bag judges the tuned classifier, so it may
not have chosen its parameters. The price is a search an iteration: `trials` x `folds` fits where there was one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from plr_assets.classification.base import Classes, Classifier, Features, Weights
from plr_assets.errors import ConfigError
from plr_assets.registry import Search
from plr_assets.seeds import generator, integer_seed

Metric = Literal["auroc", "brier", "log_loss"]
# A probability of exactly 0 or 1 that was wrong would cost infinitely much.
_SMALLEST = 1e-7


@dataclass(eq=False, kw_only=True)
class Tuned(Classifier):
    """`method`, with the parameters of `search` chosen anew wherever it is fitted.

    method    what is tuned; its own parameters are the first trial, where the search holds them.
    search    parameter -> candidates.
    trials    sets of parameters that are tried.
    folds     inner folds, stratified by class. Recordings of a subject and copies of a case stay in one.
    metric    what is best on average over the folds, cases counting as often as they were drawn: the highest AUROC, the
              lowest Brier score or log loss.
    subjects  (n,) whose case it is, of the cases that `fit` or `out_of_bag` get.

    It is saved as what it chose: a fitted `method`, which `method`'s class loads.
    """

    method: Classifier
    search: Mapping[str, Search]
    trials: int = 20
    folds: int = 5
    metric: Metric = "auroc"
    subjects: Sequence[str]
    chosen_: dict[str, Any] = field(init=False)
    fitted_: Classifier = field(init=False)

    def _fit(self, X: Features, y: Classes, sample_weight: Weights | None) -> None:
        counts = np.ones(y.size) if sample_weight is None else np.rint(sample_weight)
        if sample_weight is not None and not np.array_equal(counts, sample_weight):
            raise ValueError("tuning takes weights that are counts")
        fitted = self.fit_resample(X, y, counts.astype(np.int64), self.random_state)
        self.chosen_, self.fitted_ = fitted.chosen_, fitted.fitted_

    def fit_resample(self, X: Features, y: Classes, counts: NDArray[np.int64], seed: int) -> Self:
        """See `Classifier.fit_resample`."""
        if len(self.subjects) != y.size:
            raise ValueError(f"subjects of {len(self.subjects)} cases, X of {y.size}")
        drawn = np.flatnonzero(counts)
        replicate = replace(self, random_state=seed)
        subjects = np.asarray(self.subjects)[drawn]
        replicate.chosen_ = replicate._choose(X[drawn], y[drawn], counts[drawn], subjects)
        replicate.fitted_ = replace(self.method, **replicate.chosen_).fit_resample(
            X[drawn], y[drawn], counts[drawn], seed
        )
        return replicate

    def _probability(self, X: Features) -> NDArray[np.float64]:
        return self.fitted_.predict_proba(X)[:, 1]

    def save(self, folder: Path) -> None:
        self.fitted_.save(folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        raise TypeError(f"{folder} holds the method that was chosen: load it by that method's class")

    def _choose(self, X: Features, y: Classes, counts: NDArray[np.int64], subjects: NDArray[np.str_]) -> dict[str, Any]:
        import optuna

        fold_of = inner_folds(subjects, y, self.folds, self.random_state)
        # Tuned from the seed of the iteration, so that a replicate can be built again.
        sampler = optuna.samplers.TPESampler(seed=integer_seed(self.random_state, "tuning"))
        own = {name: value for name, value in self.method.parameters.items() if name in self.search}
        loudness = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        try:
            study = optuna.create_study(direction="maximize", sampler=sampler)
            if all(_holds(self.search[name], value) for name, value in own.items()):
                study.enqueue_trial(own)

            def value(trial: Any) -> float:
                parameters = {name: _suggest(trial, name, search) for name, search in self.search.items()}
                return self._score(replace(self.method, **parameters), X, y, counts, fold_of)

            study.optimize(value, n_trials=self.trials)
        finally:
            optuna.logging.set_verbosity(loudness)
        return dict(study.best_params)

    def _score(
        self,
        candidate: Classifier,
        X: Features,
        y: Classes,
        counts: NDArray[np.int64],
        fold_of: NDArray[np.int64],
    ) -> float:
        """The mean over folds; higher is better."""
        scores = []
        for fold in range(int(fold_of.max()) + 1):
            held = fold_of == fold
            fitted = candidate.fit_resample(X, y, np.where(held, 0, counts), self.random_state)
            scores.append(_metric(self.metric, y[held], fitted.predict_proba(X[held])[:, 1], counts[held]))
        return float(np.mean(scores))


def inner_folds(subjects: NDArray[np.str_], y: Classes, folds: int, seed: int) -> NDArray[np.int64]:
    """(n,) fold of each case: subjects of each class are shuffled and dealt out. A subject with cases of both classes
    is dealt with the positives.

    There are fewer folds where a class has fewer subjects, so that each fold holds both. Raises ConfigError below two.
    """
    rng = generator(seed, "inner folds")
    positive = np.unique(subjects[y == 1])
    negative = np.setdiff1d(subjects, positive)
    folds = min(folds, positive.size, negative.size)
    if folds < 2:
        raise ConfigError(
            "tuning.folds",
            f"a sample has {positive.size} positive and {negative.size} negative subjects: too few for two folds.",
            "Leave tuning off for so small a cohort.",
        )
    dealt: dict[str, int] = {}
    for of_class in (positive, negative):
        for place, subject in enumerate(rng.permutation(of_class)):
            dealt[str(subject)] = place % folds
    return np.array([dealt[str(subject)] for subject in subjects])


def _suggest(trial: Any, name: str, search: Search) -> Any:
    if search.choices:
        return trial.suggest_categorical(name, list(search.choices))
    suggest = trial.suggest_int if isinstance(search.low, int) and isinstance(search.high, int) else trial.suggest_float
    return suggest(name, search.low, search.high, log=search.log)


def _holds(search: Search, value: Any) -> bool:
    """Whether `value` is among the candidates."""
    if search.choices or search.low is None or search.high is None:
        return value in search.choices
    return value is not None and search.low <= value <= search.high


def _metric(metric: Metric, y: Classes, p: NDArray[np.float64], counts: NDArray[np.int64]) -> float:
    """Higher is better."""
    if metric == "auroc":
        from sklearn.metrics import roc_auc_score

        return float(roc_auc_score(y, p, sample_weight=counts))
    if metric == "brier":
        return -float(np.average(np.square(p - y), weights=counts))
    right = np.clip(np.where(y == 1, p, 1 - p), _SMALLEST, 1)
    return float(np.average(np.log(right), weights=counts))
