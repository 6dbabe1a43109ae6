"""What a fitted classifier says each feature contributes to a prediction: Shapley values in log odds, where exact.

Belongs here: the library's own exact algorithm, or the closed form, behind one function. Does not belong here: sampled
approximations: a method without an exact one has none, and is judged by permutation (`replicates`).
"""

from __future__ import annotations

from functools import singledispatch

import numpy as np
from numpy.typing import NDArray

from plr_assets.classification.base import Classifier, Features
from plr_assets.classification.catboost import CatBoost
from plr_assets.classification.logistic_regression import LogisticRegression
from plr_assets.classification.xgboost import XGBoost


@singledispatch
def contributions(_classifier: Classifier, _X: Features) -> NDArray[np.float64] | None:
    """(n, p) log odds that each feature adds to the mean prediction's; None for methods without an exact algorithm.

    Trees: TreeSHAP (Lundberg et al. 2020, Nat Mach Intell 2:56), relative to the training sample's paths through the
    trees. Logistic regression: coefficient times distance from the training mean, exact for independent features.
    """
    return None


@contributions.register
def _(classifier: LogisticRegression, X: Features) -> NDArray[np.float64]:
    standardised = (X - np.asarray(classifier.mean_)) / np.asarray(classifier.scale_)
    return np.asarray(standardised * np.asarray(classifier.coefficients_))


@contributions.register
def _(classifier: CatBoost, X: Features) -> NDArray[np.float64] | None:
    from catboost import Pool

    if classifier.posterior_sampling:
        return None  # the prediction is a mean over parts of the model, which TreeSHAP of the whole does not explain
    values = classifier.model_.get_feature_importance(Pool(X), type="ShapValues", thread_count=1)
    return np.asarray(values[:, :-1], dtype=np.float64)  # the last column is the mean prediction


@contributions.register
def _(classifier: XGBoost, X: Features) -> NDArray[np.float64]:
    from xgboost import DMatrix

    values = classifier.model_.predict(DMatrix(X, nthread=1), pred_contribs=True)
    return np.asarray(values[:, :-1], dtype=np.float64)
