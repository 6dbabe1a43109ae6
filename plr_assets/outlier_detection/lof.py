"""Local outlier factor of each sample's amplitude within its own recording (Breunig et al. 2000).

Belongs here: LOF in one dimension, exactly. In one dimension the k nearest neighbours of a value are consecutive among
the sorted values, so no tree is needed: 1 to 5 ms for a recording of 1981 samples and k = 100. Does not belong here:
LOF of windows or of several variables.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from plr_assets.outlier_detection.artefact_share import FROM_DEVELOPMENT, Source, is_share, resolve_share
from plr_assets.outlier_detection.base import AmplitudeDetector
from plr_assets.recordings.table import Mask, Recordings

# scikit-learn's guard against the infinite density of values that repeat more than k times.
_DENSITY_GUARD = 1e-10


@dataclass(eq=False, kw_only=True)
class LOF(AmplitudeDetector):
    """The `contamination` share of each recording with the highest LOF, as scikit-learn's LocalOutlierFactor.

    Where samples tie for the k-th nearest neighbour scikit-learn takes whichever its tree meets first; here equal
    amplitudes always get equal scores, whatever their order in time.
    """

    # 507 recordings of 1981 samples take about as long as starting processes for them
    worth_processes: ClassVar[bool] = False

    n_neighbors: int = 100
    contamination: float | str = FROM_DEVELOPMENT
    contamination_without_truth: float = 0.0766
    contamination_: float = field(init=False)
    contamination_source_: Source = field(init=False)

    def _fit(self, development: Recordings) -> None:
        self._require("n_neighbors", self.n_neighbors >= 1, "at least one neighbour is needed")
        for name in ("contamination", "contamination_without_truth"):
            self._require(name, is_share(getattr(self, name)), f"must be {FROM_DEVELOPMENT} or in (0, 0.5]")
        self.contamination_, self.contamination_source_ = resolve_share(
            self.contamination, self.contamination_without_truth, development
        )

    def _score_amplitudes(self, amplitude: NDArray[np.float64]) -> NDArray[np.float64]:
        return local_outlier_factor(amplitude, self.n_neighbors)

    def _flag(self, scores: NDArray[np.float64]) -> Mask:
        return np.asarray(scores > np.percentile(scores, 100 * (1 - self.contamination_)))


def local_outlier_factor(values: NDArray[np.float64], k: int) -> NDArray[np.float64]:
    """LOF of each of the `values` (m,) among all of them; 1 = as dense as its neighbours. Fewer than two give 1.

    k is cut to m - 1, as scikit-learn does.
    """
    if values.size < 2:
        return np.ones(values.size)
    k = min(k, values.size - 1)
    # A distinct value is worked out once, at its first position among the sorted ones; repeats share the result.
    centre, value, repeats = np.unique(values, return_inverse=True, return_counts=True)
    ordered, first = np.repeat(centre, repeats), np.cumsum(repeats) - repeats
    start = _neighbourhood_start(ordered, first, k)
    k_distance = np.maximum(centre - ordered[start], ordered[start + k] - centre)

    neighbours = start[:, None] + np.arange(k)
    neighbours += neighbours >= first[:, None]  # step over the sample itself
    distance = np.abs(ordered[neighbours] - centre[:, None])
    reachability = np.maximum(distance, np.repeat(k_distance, repeats)[neighbours])
    density = 1 / (reachability.mean(axis=1) + _DENSITY_GUARD)
    factor = np.repeat(density, repeats)[neighbours].mean(axis=1) / density
    return np.asarray(factor[value])


def _neighbourhood_start(ordered: NDArray[np.float64], at: NDArray[np.intp], k: int) -> NDArray[np.intp]:
    """For each position `at`, where its window of itself and its k nearest values begins among the sorted ones.

    Moving a window from s to s + 1 gives up ordered[s] and gains ordered[s + k + 1]; that pays until the value lies
    left of their midpoint, and midpoints are sorted, so one binary search finds the place.
    """
    doubled_midpoints = ordered[: -k - 1] + ordered[k + 1 :]
    start = np.searchsorted(doubled_midpoints, 2 * ordered[at], side="left")
    return np.asarray(np.clip(start, np.maximum(at - k, 0), np.minimum(at, ordered.size - 1 - k)))
