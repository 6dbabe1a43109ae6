"""The bootstrap of every classifier that is implemented, and a plain script with the library behind it.

Belongs here: the plain scripts, one a classifier; what a bootstrap's metrics take and its table weighs. Does not belong
here: judging predictions (`plr_assets.evaluation`). A classifier of the registry without a plain script is an error:
write one.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.measure import Result, interleave
from plr_assets.classification.bootstrap import bootstrap
from plr_assets.classification.metrics import auroc_each, brier_each
from plr_assets.classification.resampling import resample
from plr_assets.platform.artifacts import Product, write_product
from plr_assets.processes import start_pool
from plr_assets.registry import load_registry
from plr_assets.schemas import BOOTSTRAP_CASES, BOOTSTRAP_RESULTS
from plr_assets.seeds import integer_seed

# The published cohort's labelled subjects, and the 8 features of `simple`.
CONTROLS, CASES, FEATURES = 152, 56, 8
# A process runs one pipeline, as the product's mapper does. What a pipeline costs beyond its fits (checks, Parquet:
# about 50 ms) weighs more on 150 iterations than on the 1000 of a study, so the ratio there is no worse. Short turns,
# because a busy machine is not busy evenly.
PROCESSES, ITERATIONS, REPEATS = 2, 150, 5
SEED = 20261121

# The script fits and predicts, and hands over its predictions. The bootstrap also draws resamples and seeds, computes
# AUROC and Brier score and writes Parquet: a tenth is allowed for that, as for a wrapper round a library.
GOAL = 1.1
# All replicates as one problem, against one after another.
BATCHED: Mapping[str, float] = {"LogisticRegression": 0.2}

METRICS_MS, STORED_MB, STUDY_ITERATIONS = 20, 1.0, 1000

Matrix = NDArray[np.float64]
Predictions = list[NDArray[np.float32]]
Plain = Callable[[Mapping[str, Any], int], Any]  # parameters, seed -> scikit-learn estimator


def run() -> Iterator[Result]:
    for name, method in load_registry().methods["classification"].items():
        if method.implemented and name not in _ELSEWHERE:
            yield _compare(name)
    results, cases = bootstrapped("LogisticRegression", 0, STUDY_ITERATIONS)
    yield _metrics(results)
    yield _stored(results, cases)


def _compare(name: str) -> Result:
    """Both sides spread as many pipelines as there are processes over a pool that stands already."""
    predicted: dict[str, list[Predictions]] = {}
    with start_pool(PROCESSES) as pool:

        def side(label: str, work: Callable[[int], Predictions]) -> Callable[[int], None]:
            def turn(_: int) -> None:
                predicted[label] = list(pool.map(work, range(PROCESSES)))

            return turn

        times = interleave(
            REPEATS, ours=side("ours", partial(_ours, name)), plain=side("plain", partial(_script, name))
        )
    # The same models, or the comparison is of nothing: the trees are equal to the last digit that is kept;
    # scikit-learn's logistic regression stops at a tolerance.
    for ours, plain in zip(predicted["ours"], predicted["plain"], strict=True):
        for left, right in zip(ours, plain, strict=True):
            np.testing.assert_allclose(left, right, rtol=0, atol=_TOLERANCE.get(name, 1e-6))
    each = 1000 * times.fastest("plain") / ITERATIONS
    peer = f"plain script, {PROCESSES} processes: {each:.2f} ms/iteration in each"
    return Result(
        f"bootstrap of {name}, all included", times.ratio("ours", "plain"), BATCHED.get(name, GOAL), "ratio", peer
    )


def _ours(name: str, pipeline: int) -> Predictions:
    """Everything that the asset does for one pipeline."""
    results, cases = bootstrapped(name, pipeline, ITERATIONS)
    _write(results, cases)
    return [row.to_numpy() for row in results["y_prob"]]


def _script(name: str, pipeline: int) -> Predictions:
    """Fits and predicts; its draws are made beforehand."""
    (X, y), parameters, make_plain = _cohort(), _parameters(name), _PLAIN[name]
    return [
        make_plain(parameters, seed).fit(X[train], y[train]).predict_proba(X[test])[:, 1].astype(np.float32)
        for train, test, seed in _draws(pipeline)
    ]


def _metrics(results: pl.DataFrame) -> Result:
    y, p = results["y_true"].explode().to_numpy(), results["y_prob"].explode().to_numpy()
    lengths = results["y_prob"].list.len().to_numpy().astype(np.int64)

    def both(_: int) -> None:
        auroc_each(y, p, lengths)
        brier_each(y, p, lengths)

    took = 1000 * interleave(REPEATS, both=both).fastest("both")
    return Result(f"AUROC and Brier score of {len(results)} iterations", took, METRICS_MS, "ms", "")


def _stored(results: pl.DataFrame, cases: pl.DataFrame) -> Result:
    megabytes = _write(results, cases) / 1e6
    peer = "the original: 42 MB of metrics, about 300 MB of models"
    return Result(f"stored bootstrap of {len(results)} iterations", megabytes, STORED_MB, "MB", peer)


def bootstrapped(name: str, pipeline: int, iterations: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    X, y = _cohort()
    ids = [f"R{number:03d}" for number in range(y.size)]
    owners = {"recording": ids, "subject": ids}
    features = pl.DataFrame({**owners, **{f"F{column}": X[:, column] for column in range(FEATURES)}})
    cases = pl.DataFrame({"case": np.arange(y.size), **owners, "y_true": y})
    resamples = resample(ids, y, iterations, SEED + pipeline)
    method = load_registry().methods["classification"][name]
    return bootstrap(features, cases, method.load()(**method.parameters), resamples), cases


def _write(results: pl.DataFrame, cases: pl.DataFrame) -> int:
    """Bytes of both tables."""
    tables = {"bootstrap_results": results, "bootstrap_cases": cases}
    schemas = {"bootstrap_results": BOOTSTRAP_RESULTS, "bootstrap_cases": BOOTSTRAP_CASES}
    with tempfile.TemporaryDirectory() as folder:
        infos = write_product(Product(tables=tables), schemas, Path(folder))
    return sum(info.bytes for info in infos.values())


@cache
def _draws(pipeline: int) -> list[tuple[NDArray[np.uint16], NDArray[np.uint16], int]]:
    _, y = _cohort()
    resamples = resample([f"R{number:03d}" for number in range(y.size)], y, ITERATIONS, SEED + pipeline)
    return [
        (resamples.train(i), resamples.test(i), integer_seed(SEED + pipeline, "classifier", str(i)))
        for i in range(ITERATIONS)
    ]


@cache
def _parameters(name: str) -> Mapping[str, Any]:
    return dict(load_registry().methods["classification"][name].parameters)


@cache
def _cohort() -> tuple[Matrix, NDArray[np.int64]]:
    """Features of two overlapping classes."""
    rng = np.random.default_rng(SEED)
    y = np.repeat([0, 1], [CONTROLS, CASES]).astype(np.int64)
    X = rng.normal(size=(y.size, FEATURES)) + 0.6 * y[:, None]
    return np.ascontiguousarray(X * np.linspace(1, 30, FEATURES)), y


def _logistic_regression(parameters: Mapping[str, Any], _: int) -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(**parameters))


def _catboost(parameters: Mapping[str, Any], seed: int) -> Any:
    from catboost import CatBoostClassifier

    return CatBoostClassifier(
        **parameters,
        bootstrap_type="No",
        boosting_type="Plain",
        random_seed=seed,
        thread_count=1,
        allow_writing_files=False,
        logging_level="Silent",
    )


def _xgboost(parameters: Mapping[str, Any], seed: int) -> Any:
    from xgboost import XGBClassifier

    return XGBClassifier(**parameters, tree_method="hist", random_state=seed, n_jobs=1)


# TabM draws other initial values than its package (`benchmarks.tabm`); TabPFN needs weights that are not ours to bring.
_ELSEWHERE = ("TabM", "TabPFN")
_PLAIN: Mapping[str, Plain] = {
    "LogisticRegression": _logistic_regression,
    "CatBoost": _catboost,
    "XGBoost": _xgboost,
}
# scikit-learn stops where the gradient is 1e-4; at a tight tolerance the coefficients agree to 1e-6 (tests).
_TOLERANCE: Mapping[str, float] = {"LogisticRegression": 1e-2}
