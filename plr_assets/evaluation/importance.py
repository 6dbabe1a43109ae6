"""Importance: how much of a pipeline's discrimination goes when a feature is shuffled.

Belongs here: permutation importance from predictions that are given, and what tells whether importances can be kept
apart (variance inflation). Does not belong here: refitting and shuffling (`classification.replicates`), or what a
method itself says of its features (`classification.contributions`).

Importance is the model's, not nature's: of two features that say the same, a model may use either, and shuffling one of
them then costs little.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from plr_assets.evaluation.discrimination import auroc_rows
from plr_assets.evaluation.estimate import Floats, labels_of
from plr_assets.subject_bootstrap import LEVELS


class Importance(NamedTuple):
    """Decrease of out-of-bag AUROC, every field (features,): mean over replicates, 2.5 and 97.5 %."""

    mean: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]


def permutation_importance(y: ArrayLike, p: Floats, shuffled: Floats, out_of_bag: NDArray[np.bool_]) -> Importance:
    """Breiman 2001 (Machine Learning 45:5), with AUROC for the error rate, on out-of-bag recordings.

    y (n,) 0/1; p (R, n) predictions of R replicates; shuffled (R, features, n) the same with one feature shuffled;
    out_of_bag (R, n). The interval is the spread over replicates and shuffles, not that of a new sample of subjects.
    Replicates whose out-of-bag recordings are of one class are left out; NaN without any.
    """
    labels = labels_of(y)
    replicates, features, n = shuffled.shape
    if p.shape != (replicates, n) or out_of_bag.shape != p.shape or labels.shape != (n,):
        raise ValueError(f"y {labels.shape}, p {p.shape}, shuffled {shuffled.shape}, out_of_bag {out_of_bag.shape}")
    if features == 0:
        return Importance(*(np.empty(0) for _ in range(3)))
    intact = auroc_rows(labels, p, out_of_bag)
    without = auroc_rows(labels, shuffled.reshape(-1, n), np.repeat(out_of_bag, features, axis=0))
    decrease = intact[:, None] - without.reshape(replicates, features)
    decrease = decrease[np.isfinite(intact)]
    if decrease.size == 0:
        return Importance(*(np.full(features, np.nan) for _ in range(3)))
    lower, upper = np.quantile(decrease, LEVELS, axis=0)
    return Importance(decrease.mean(axis=0), lower, upper)


# 1 - R^2 below this: the rest is rounding of the features, which are stored as float64 of float32 signals.
_NO_OWN_PART = 1e-7


def variance_inflation(X: Floats) -> NDArray[np.float64]:
    """(features,) 1 / (1 - R^2) of each feature regressed on all others; 1 = uncorrelated.

    X (n, features). NaN where it is not defined: a constant feature, one that the others determine, or as many others
    as recordings. Above about 10 a feature's importance can hardly be told from its neighbours'.
    """
    values = np.asarray(X, dtype=np.float64)
    n, features = values.shape
    factors = np.full(features, np.nan)
    spread = values.std(axis=0)
    varies = np.flatnonzero(spread > 1e-12 * np.abs(values).max(axis=0, initial=0.0))
    if varies.size == 0 or varies.size >= n:
        return factors
    standard = (values[:, varies] - values[:, varies].mean(axis=0)) / spread[varies]
    for place, feature in enumerate(varies):
        others = np.delete(standard, place, axis=1)
        own = standard[:, place] - others @ np.linalg.lstsq(others, standard[:, place], rcond=None)[0]
        unexplained = float(np.mean(own**2))
        factors[feature] = 1 / unexplained if unexplained > _NO_OWN_PART else np.nan
    return factors
