"""The bootstrap of every classifier that is implemented, and a plain script with the library behind it.

Belongs here: the plain scripts, one a classifier. Does not belong here: judging predictions (`plr_assets.evaluation`).
A classifier of the registry without a plain script is an error: write one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.measure import Result, interleave
from plr_assets.classification.bootstrap import bootstrap
from plr_assets.classification.resampling import resample
from plr_assets.registry import Method, load_registry
from plr_assets.seeds import integer_seed

# The demo's labelled subjects, and the 8 features of `simple`.
CONTROLS, CASES, FEATURES = 64, 32, 8
# Short turns and many of them: a busy machine is not busy evenly.
ITERATIONS = 30
REPEATS = 15
SEED = 20261121

# The script fits and predicts, and keeps the predictions. The bootstrap also computes AUROC and Brier score, draws a
# seed and keeps indices: a tenth is allowed for that, as for a wrapper round a library.
GOAL = 1.1

Matrix = NDArray[np.float64]
Plain = Callable[[Mapping[str, Any], int], Any]  # parameters, seed -> scikit-learn estimator


def run() -> Iterator[Result]:
    methods = load_registry().methods["classification"]
    for name, method in methods.items():
        if method.implemented:
            yield _compare(name, method)


def _compare(name: str, method: Method) -> Result:
    make_plain = _PLAIN[name]
    parameters = dict(method.parameters)
    classifier = partial(method.load(), **parameters)
    X, y = _cohort()
    ids = [f"R{number:03d}" for number in range(y.size)]
    owners = {"recording": ids, "subject": ids}
    features = pl.DataFrame({**owners, **{f"F{column}": X[:, column] for column in range(FEATURES)}})
    cases = pl.DataFrame({"case": np.arange(y.size), **owners, "y_true": y})
    resamples = resample(ids, y, ITERATIONS, SEED)
    drawn = [(resamples.train(i), resamples.test(i)) for i in range(ITERATIONS)]
    seeds = [integer_seed(SEED, "classifier", str(i)) for i in range(ITERATIONS)]
    predicted: dict[str, list[NDArray[np.float64]]] = {}

    def ours(_: int) -> None:
        results = bootstrap(features, cases, classifier(), resamples)
        predicted["ours"] = [np.asarray(row) for row in results["y_prob"]]

    def plain(_: int) -> None:
        predicted["plain"] = [
            make_plain(parameters, seed).fit(X[train], y[train]).predict_proba(X[test])[:, 1]
            for (train, test), seed in zip(drawn, seeds, strict=True)
        ]

    times = interleave(REPEATS, clock=time.process_time, ours=ours, plain=plain)
    # The same models, or the comparison is of nothing. Logistic regression may stop one step apart (repeated rows here,
    # weights there); the trees are equal to the last digit that is kept.
    for left, right in zip(predicted["ours"], predicted["plain"], strict=True):
        np.testing.assert_allclose(left, right, rtol=0, atol=_TOLERANCE.get(name, 1e-6))
    each = 1000 * times.fastest("plain") / ITERATIONS
    return Result(
        f"bootstrap of {name}", times.ratio("ours", "plain"), GOAL, "ratio", f"plain script: {each:.2f} ms/iteration"
    )


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


_PLAIN: Mapping[str, Plain] = {
    "LogisticRegression": _logistic_regression,
    "CatBoost": _catboost,
    "XGBoost": _xgboost,
}
_TOLERANCE: Mapping[str, float] = {"LogisticRegression": 1e-4}
