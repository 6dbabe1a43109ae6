"""The matrix of a pipeline: from the table of features to the array that classifiers take.

Belongs here: which columns are features, in which order, and refusing what has no value. Does not belong here: fitting.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from plr_assets.errors import RecordingError


def feature_names(features: pl.DataFrame) -> list[str]:
    """The columns of `schemas.FEATURES` that are features, in their order."""
    return [name for name in features.columns if name not in ("recording", "subject")]


def case_matrix(features: pl.DataFrame, cases: pl.DataFrame) -> NDArray[np.float64]:
    """(n, p) features in the order of `cases`."""
    names = feature_names(features)
    if not names:
        raise ValueError("the table of features has no feature")
    known = set(features["recording"])
    for recording in cases["recording"]:
        if recording not in known:
            raise RecordingError(recording, "it has no features.", "Featurize it, or leave it out of the cases.")
    joined = cases.select("recording").join(features, on="recording", how="left", maintain_order="left")
    X = joined.select(pl.col(names).cast(pl.Float64)).fill_null(float("nan")).to_numpy()
    for row, column in np.argwhere(~np.isfinite(X))[:1]:
        raise RecordingError(
            joined["recording"][int(row)],
            f"its feature {names[column]} has no value.",
            "Leave out the feature or the recording: most often a window lies outside the recording.",
        )
    return np.ascontiguousarray(X)
