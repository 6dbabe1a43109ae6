"""The bootstrap of one pipeline, with classifiers whose answers are known."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from sklearn.metrics import brier_score_loss, roc_auc_score

from plr_assets.classification.base import Classes, Classifier, Features, Weights
from plr_assets.classification.bootstrap import as_seed_dict, bootstrap, refit
from plr_assets.classification.resampling import Resamples, resample
from plr_assets.errors import RecordingError
from plr_assets.platform.artifacts import Product, write_product
from plr_assets.schemas import BOOTSTRAP_CASES, BOOTSTRAP_RESULTS, validate
from plr_assets.seeds import integer_seed
from plr_assets_tests.builders import make_features

FEATURES, CASES = make_features(30)
Y = CASES["y_true"].to_numpy()
RESAMPLES = resample(CASES["subject"].to_list(), Y, 6, seed=4)


@dataclass(eq=False, kw_only=True)
class Recorder(Classifier):
    """Keeps what it is fitted on, and all that were made after it; predicts its first feature."""

    counts_as_weights: ClassVar[bool] = False
    made: list[Recorder] = field(default_factory=list)
    rows_: Features = field(init=False)
    weights_: Weights | None = field(init=False)

    def _fit(self, X: Features, y: Classes, sample_weight: Weights | None) -> None:
        assert len(y) == len(X)
        self.rows_, self.weights_ = X, sample_weight
        self.made.append(self)

    def _probability(self, X: Features) -> NDArray[np.float64]:
        return 1 / (1 + np.exp(-X[:, 0]))


@dataclass(eq=False, kw_only=True)
class WeightedRecorder(Recorder):
    counts_as_weights: ClassVar[bool] = True


def _run(kind: type[Recorder], features: pl.DataFrame = FEATURES) -> tuple[pl.DataFrame, list[Recorder]]:
    recorder = kind()
    return bootstrap(features, CASES, recorder, RESAMPLES), recorder.made


def test_metrics_are_those_of_the_stored_probabilities() -> None:
    results, _ = _run(Recorder)
    validate(results, BOOTSTRAP_RESULTS)
    for row in results.iter_rows(named=True):
        stored = np.array(row["y_prob"], dtype=np.float32)
        assert row["auroc"] == pytest.approx(roc_auc_score(row["y_true"], stored), abs=1e-12)
        assert row["brier"] == pytest.approx(brier_score_loss(row["y_true"], stored.astype(float)), abs=1e-12)
        assert row["y_true"] == Y[row["test_indices"]].tolist()


def test_only_in_bag_rows_are_fitted_as_repeats_or_as_weights() -> None:
    X = FEATURES[:, 2:].to_numpy()
    _, repeated = _run(Recorder)
    _, weighted = _run(WeightedRecorder)
    for i, (a, b) in enumerate(zip(repeated, weighted, strict=True)):
        assert np.array_equal(a.rows_, X[RESAMPLES.train(i)])
        assert a.weights_ is None
        drawn, counts = np.unique(RESAMPLES.train(i), return_counts=True)
        assert np.array_equal(b.rows_, X[drawn])
        assert b.weights_ is not None
        assert np.array_equal(b.weights_, counts)


def test_each_iteration_has_its_own_seed_from_the_studys() -> None:
    _, made = _run(Recorder)
    assert [one.random_state for one in made] == [integer_seed(4, "classifier", str(i)) for i in range(6)]


def test_order_of_the_feature_table_and_further_recordings_do_not_matter() -> None:
    other = make_features(50, seed=8)[0][30:]
    shuffled = pl.concat([other, FEATURES]).sample(fraction=1, shuffle=True, seed=0)
    assert _run(Recorder, shuffled)[0].equals(_run(Recorder)[0])


def test_a_missing_value_names_recording_and_feature() -> None:
    gap = FEATURES.with_columns(pl.when(pl.col("recording") == "R007").then(None).otherwise(pl.col("F2")).alias("F2"))
    with pytest.raises(RecordingError, match=r"R007.*F2"):
        _run(Recorder, gap)
    with pytest.raises(RecordingError, match=r"R007.*F2"):
        _run(Recorder, gap.fill_null(float("nan")))
    with pytest.raises(RecordingError, match=r"R029.*no features"):
        _run(Recorder, FEATURES[:29])


def test_the_seeds_dict_holds_plain_lists_an_iteration_each() -> None:
    results, _ = _run(Recorder)
    exported = as_seed_dict(results.reverse())
    assert list(exported) == ["auroc", "brier", "y_true", "y_prob", "train_indices", "test_indices"]
    assert exported["auroc"] == results["auroc"].to_list()
    assert isinstance(exported["train_indices"][0], list)
    assert exported["test_indices"] == [RESAMPLES.test(i).tolist() for i in range(6)]


@pytest.mark.parametrize("iteration", range(len(RESAMPLES)))
def test_an_iteration_is_built_again_from_seed_and_parameters(iteration: int) -> None:
    results, _ = _run(Recorder)
    again = refit(FEATURES, CASES, Recorder(), RESAMPLES, iteration)
    test = RESAMPLES.test(iteration)
    predicted = again.predict_proba(FEATURES[:, 2:].to_numpy()[test])[:, 1]
    assert np.array_equal(predicted.astype(np.float32), results["y_prob"][iteration].to_numpy())
    assert again.random_state == integer_seed(4, "classifier", str(iteration))
    with pytest.raises(IndexError):
        refit(FEATURES, CASES, Recorder(), RESAMPLES, len(RESAMPLES))


def test_a_resample_of_one_class_is_refused() -> None:
    """`resample` cannot draw one; resamples of another origin may hold it."""
    counts = RESAMPLES.counts.copy()
    counts[3, Y == 1] = 0
    with pytest.raises(ValueError, match="iteration 3"):
        bootstrap(FEATURES, CASES, Recorder(), Resamples(counts, seed=4))


def test_a_thousand_iterations_of_the_published_cohort_are_stored_in_less_than_a_megabyte(tmp_path: Path) -> None:
    """208 cases; the original kept 42 MB of metrics. Probabilities of normal features do not compress."""
    features, cases = make_features(208)
    resamples = resample(cases["subject"].to_list(), cases["y_true"].to_numpy(), 1000, seed=1)
    results = bootstrap(features, cases, Recorder(), resamples)
    schemas = {"bootstrap_results": BOOTSTRAP_RESULTS, "bootstrap_cases": BOOTSTRAP_CASES}
    infos = write_product(Product(tables={"bootstrap_results": results, "bootstrap_cases": cases}), schemas, tmp_path)
    assert sum(info.bytes for info in infos.values()) < 1_000_000
