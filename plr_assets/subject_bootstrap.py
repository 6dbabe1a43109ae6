"""Intervals: the bootstrap by subject.

Belongs here: how often each subject is drawn, and percentile intervals of what comes of it. Does not belong here: a
metric, or the bootstrap that classifiers are trained in (`classification`). Recordings of one subject are drawn
together, because they are alike (same eye, same lids, same squint).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from plr_assets.seeds import generator

# The ends of a 95 % interval.
LEVELS = (0.025, 0.975)


def subject_index(subject: Sequence[str]) -> tuple[NDArray[np.intp], int]:
    """(n,) 0-based subject of each recording in order of appearance, and how many there are."""
    number: dict[str, int] = {}
    return np.array([number.setdefault(name, len(number)) for name in subject], dtype=np.intp), len(number)


def subject_weights(n_subjects: int, n_resamples: int, seed: int) -> NDArray[np.float64]:
    """(1 + n_resamples, n_subjects) how often each subject counts: once in row 0, as drawn with replacement below it.

    The draws depend on the seed and the number of subjects alone, so that methods scored on the same recordings share
    them, whatever their stage.
    """
    # The stream is still named after the first stage that drew from it, so that intervals of detectors stay.
    rng = generator(seed, "outlier_detection", "subject_bootstrap")
    drawn = rng.multinomial(n_subjects, np.full(n_subjects, 1 / n_subjects), size=n_resamples)
    return np.concatenate([np.ones((1, n_subjects)), drawn.astype(np.float64)])


def percentile_interval(values: NDArray[np.float64], n_subjects: int) -> tuple[float, float]:
    """2.5 and 97.5 % points of `values[1:]`, the resamples of `values[0]`; of those in which the metric is defined.

    NaN where the value itself is undefined, and with fewer than two subjects, whose resamples are all alike.
    """
    resampled = values[1:][np.isfinite(values[1:])]
    if n_subjects < 2 or not np.isfinite(values[0]) or resampled.size == 0:
        return float("nan"), float("nan")
    lower, upper = np.quantile(resampled, LEVELS)
    return float(lower), float(upper)
