"""Cases and controls at or above every threshold, under many weightings of the recordings at once.

Belongs here: the cumulative weights that ROC, precision-recall, net benefit and confusion matrices are made of, and the
areas under curves. Does not belong here: intervals, or what a threshold is worth.

A weighting is a row of (R, n): how often each recording counts. Rows drawn by subject
(`plr_assets.subject_bootstrap.subject_weights`, spread over recordings by `recording_weights`) make every metric here a
clustered bootstrap without a loop.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from plr_assets.evaluation.estimate import Codes, labels_and_probabilities
from plr_assets.subject_bootstrap import subject_weights

Matrix = NDArray[np.float64]

# The corner of the virtual glaucoma clinic (10.1038/s41433-024-03056-7; reference/evaluation.md 1.1).
MIN_SENSITIVITY, MIN_SPECIFICITY = 0.862, 0.821


def recording_weights(codes: Codes, resamples: int, seed: int) -> Matrix:
    """(1 + resamples, n): row 0 is all ones, the others count each recording as often as its subject was drawn.

    Equal subjects, resamples and seed give equal weights, so that pipelines scored under them are paired.
    """
    return _drawn(int(codes.max()) + 1, resamples, seed)[:, codes]


@lru_cache(maxsize=2)  # 3 MB each; all pipelines of a study share one, which takes as long to draw as to use
def _drawn(n_subjects: int, resamples: int, seed: int) -> Matrix:
    weights = subject_weights(n_subjects, resamples, seed)
    weights.setflags(write=False)
    return weights


class OperatingPoints(NamedTuple):
    """From referring no one (column 0) to referring everyone (the last).

    threshold        (g + 1,) falling; a recording counts as referred where p >= threshold; the first is +inf.
    true_positive    (R, g + 1) weight of cases referred.
    false_positive   (R, g + 1) weight of controls referred.
    """

    threshold: NDArray[np.float64]
    true_positive: Matrix
    false_positive: Matrix

    @property
    def cases(self) -> NDArray[np.float64]:
        return self.true_positive[:, -1]

    @property
    def controls(self) -> NDArray[np.float64]:
        return self.false_positive[:, -1]

    def at(self, thresholds: ArrayLike) -> tuple[Matrix, Matrix]:
        """True and false positives (R, k) of referring where p >= each of (k,) thresholds."""
        # the last column whose threshold is not below the one asked for
        columns = np.searchsorted(-self.threshold, -np.asarray(thresholds, dtype=np.float64), side="right") - 1
        return self.true_positive[:, columns], self.false_positive[:, columns]


def operating_points(y: ArrayLike, p: ArrayLike, weights: ArrayLike | None = None) -> OperatingPoints:
    """y (n,) 0/1, p (n,), weights (R, n), one row of ones by default. Equal probabilities share a threshold."""
    labels, values = labels_and_probabilities(y, p)
    w = np.ones((1, labels.size)) if weights is None else np.asarray(weights, dtype=np.float64)
    if w.ndim != 2 or w.shape[1] != labels.size:
        raise ValueError(f"{w.shape} weights for {labels.shape} labels")
    order = np.argsort(-values, kind="stable")
    falling = values[order]
    ends = np.flatnonzero(np.append(falling[1:] != falling[:-1], True))
    sorted_weights, start = w[:, order], np.zeros((len(w), 1))
    sums = [
        np.concatenate([start, np.cumsum(sorted_weights * group[order], axis=1)[:, ends]], axis=1)
        for group in (labels, ~labels)
    ]
    return OperatingPoints(np.concatenate([[np.inf], falling[ends]]), *sums)


def auroc_of(points: OperatingPoints) -> NDArray[np.float64]:
    """(R,) area under the ROC curve; NaN where a class has no weight."""
    tp, fp = points.true_positive, points.false_positive
    area = np.sum((tp[:, 1:] + tp[:, :-1]) * np.diff(fp, axis=1), axis=1) / 2
    return _ratio(area, points.cases * points.controls)


def average_precision_of(points: OperatingPoints) -> NDArray[np.float64]:
    """(R,) sum over thresholds of precision x gain in recall, without interpolation; NaN without cases or controls.

    The step estimate: the trapezoid of the precision-recall curve is too high (Davis & Goadrich 2006).
    """
    tp, fp = points.true_positive[:, 1:], points.false_positive[:, 1:]
    gain = np.diff(points.true_positive, axis=1)
    precision = np.divide(tp, tp + fp, out=np.zeros_like(tp), where=tp + fp > 0)
    area = _ratio(np.sum(precision * gain, axis=1), points.cases)
    return np.where(points.controls > 0, area, np.nan)


def partial_auroc_of(
    points: OperatingPoints, min_sensitivity: float = MIN_SENSITIVITY, min_specificity: float = MIN_SPECIFICITY
) -> NDArray[np.float64]:
    """(R,) two-way partial AUROC: the share of the corner sens >= a, spec >= b that lies under the ROC curve.

    Area between the curve and sensitivity a over 0 <= 1 - specificity <= 1 - b, divided by (1 - a)(1 - b) (Yang, Lu,
    Lyu & Hu 2019): 1 is perfect, 0 means that the curve does not reach the corner. The curve is the empirical one,
    straight between thresholds, so that a = b = 0 gives the AUROC. NaN where a class has no weight.
    """
    if not (0 <= min_sensitivity < 1 and 0 <= min_specificity < 1):
        raise ValueError("the corner's sensitivity and specificity lie in 0 <= v < 1")
    limit = 1 - min_specificity
    x = _ratio(points.false_positive, points.controls[:, None])
    height = _ratio(points.true_positive, points.cases[:, None]) - min_sensitivity
    # pieces that are in the corner for no weighting, three in four of them, are left alone
    inside = slice(
        np.searchsorted(np.fmax.reduce(height[:, 1:], axis=0) > 0, True),
        np.searchsorted(np.fmin.reduce(x[:, :-1], axis=0) >= limit, True),
    )
    left, right, low, high = (part[:, inside] for part in (x[:, :-1], x[:, 1:], height[:, :-1], height[:, 1:]))
    # Each piece from `left` to `right` rises from `low` to `high`: cut it at `limit`, then take what is above 0.
    width = right - left
    kept = np.clip(limit - left, 0, width)
    reached = low + (high - low) * np.divide(kept, width, out=np.zeros_like(width), where=width > 0)
    rise = reached - low
    above = np.divide(np.clip(reached, 0, None) ** 2, 2 * rise, out=np.zeros_like(rise), where=(rise > 0) & (low < 0))
    area = kept * np.where(low >= 0, (low + reached) / 2, above)
    share = area.sum(axis=1) / ((1 - min_sensitivity) * limit)
    return np.where((points.cases > 0) & (points.controls > 0), share, np.nan)


def _ratio(a: Matrix, b: Matrix) -> Matrix:
    shape = np.broadcast_shapes(a.shape, b.shape)
    ratio: Matrix = np.divide(a, b, out=np.full(shape, np.nan), where=np.broadcast_to(b, shape) > 0)
    return ratio
