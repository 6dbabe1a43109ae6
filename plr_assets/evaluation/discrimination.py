"""Discrimination: AUROC, its sampling variance, and the ROC curve.

Belongs here: everything computed from the order of the probabilities. Does not belong here: thresholds chosen for care
(`utility`) or the size of the probabilities (`calibration`, `overall`).

Two estimands (design 6). `bagged`: AUROC of one prediction a recording, `auroc_estimate`. `single`: the mean over
bootstrap iterations of the out-of-bag AUROC, `mean_auroc_estimate`; what one fitted model does.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from plr_assets.evaluation.estimate import (
    FEW_SUBJECTS,
    NO_VARIANCE,
    ONE_CLASS,
    Z_95,
    Estimate,
    Floats,
    labels_and_probabilities,
    labels_of,
    subject_codes,
    undefined,
    without_interval,
)
from plr_assets.evaluation.operating_points import operating_points
from plr_assets.evaluation.pair_kernel import (
    auroc_variance,
    mean_pair_kernel,
    pair_kernel_and_areas,
    structural_components,
    unseen_variance,
)

# A variance below this is rounding: AUROCs are sums of at most some 10^5 pairs, each known to 1e-16.
VANISHING = 1e-24


def auroc(y: ArrayLike, p: ArrayLike) -> float:
    """The probability that a case is ranked above a control, ties counting 1/2. NaN if a class is absent."""
    labels, values = labels_and_probabilities(y, p)
    return float(auroc_rows(labels, values[None, :], np.ones((1, labels.size), dtype=bool))[0])


def auroc_rows(y: ArrayLike, p: Floats, mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """AUROC of every row of a matrix at once, by rank sums.

    y (n,) 0/1; p (B, n); mask (B, n) true where a recording counts (out of bag). Returns (B,), NaN for a row that
    lacks a class. Values of p outside the mask are ignored; a NaN inside raises ValueError.
    """
    case = labels_of(y)
    if p.shape != mask.shape or p.shape[1:] != case.shape:
        raise ValueError(f"p {p.shape}, mask {mask.shape} and labels {case.shape} do not fit together")
    if np.isnan(p[mask]).any():
        raise ValueError("a probability that counts is NaN")
    rows, n = p.shape
    value = np.where(mask, p, np.inf)
    order = np.argsort(value, axis=1)
    value = np.take_along_axis(value, order, axis=1)
    counts = np.take_along_axis(mask, order, axis=1)
    is_case = case[order] & counts
    # Tied values form one group, numbered over the whole matrix; a row always opens a group.
    opens = np.ones((rows, n), dtype=bool)
    opens[:, 1:] = value[:, 1:] != value[:, :-1]
    group = np.cumsum(opens.ravel()) - 1
    cases = np.bincount(group, weights=is_case.ravel())
    controls = np.bincount(group, weights=(counts & ~is_case).ravel())
    first = group[::n]
    n_cases, n_controls = np.add.reduceat(cases, first), np.add.reduceat(controls, first)
    controls_before = np.cumsum(controls) - controls
    controls_before -= np.repeat(controls_before[first], np.diff(np.append(first, cases.size)))
    wins = np.add.reduceat(cases * (controls_before + controls / 2), first)
    pairs = n_cases * n_controls
    areas: NDArray[np.float64] = np.divide(wins, pairs, out=np.full(rows, np.nan), where=pairs > 0)
    return areas


def auroc_estimate(y: ArrayLike, p: ArrayLike, subjects: ArrayLike | None = None) -> Estimate:
    """AUROC of one prediction a recording, with DeLong's interval (Obuchowski's where subjects repeat).

    The target is what these predictions, as fixed, would reach in the population that the recordings are drawn from.
    Where predictions tie, the variance is raised (`pair_kernel.unseen_variance`): DeLong's knows no disorder but what
    was seen, and among near-constant predictions that is the luck of a few recordings. No interval for a constant.
    """
    labels, values = labels_and_probabilities(y, p)
    if labels.all() or not labels.any():
        return undefined(ONE_CLASS)
    kernel = mean_pair_kernel(labels, values[None, :])
    codes = subject_codes(subjects, labels.size)
    variance = auroc_variance(kernel, codes[labels], codes[~labels])
    if variance > VANISHING:
        variance += unseen_variance(kernel, codes[labels], codes[~labels])
    return logit_interval(auroc(labels, values), variance)


class MeanAuroc(NamedTuple):
    """estimate: mean over iterations with its interval; areas (B,): each iteration's; kernel: `mean_pair_kernel`."""

    estimate: Estimate
    areas: NDArray[np.float64]
    kernel: NDArray[np.float64]


def mean_auroc_estimate(
    y: ArrayLike, p: Floats, subjects: ArrayLike | None = None, drawn: Floats | None = None
) -> Estimate:
    """The estimate of `mean_auroc` alone."""
    return mean_auroc(y, p, subjects, drawn).estimate


def mean_auroc(y: ArrayLike, p: Floats, subjects: ArrayLike | None = None, drawn: Floats | None = None) -> MeanAuroc:
    """The mean out-of-bag AUROC over iterations (estimand `single`), with its interval.

    y (n,) 0/1; p (B, n), NaN in bag; drawn (B, S) how often each of the S subjects, in the order of their sorted names,
    was in the bag. NaN if an iteration lacks a class.

    With `drawn`, the target is the AUROC that a model fitted on such a sample is to be expected to reach, and the
    variance has both the subjects tested and the subjects learnt from: the infinitesimal jackknife of the
    leave-pair-out bootstrap (Yousef, Wagner & Loew 2005, Pattern Recognit Lett 26:2600; Efron & Tibshirani 1997), less
    its Monte-Carlo part (Wager, Hastie & Efron 2014), and never below DeLong's. It errs to the wide side near chance.

    Without, the models are taken as fixed, and the variance is that of the pair kernel averaged over iterations. That
    is too narrow as soon as the models depend on who was learnt from: rankings that are learnt from noise average to
    1/2 in every pair, and the variance to nearly 0 (docs/decisions/0007). With one iteration it is DeLong's.
    """
    labels = labels_of(y)
    kernel, areas = pair_kernel_and_areas(labels, p)
    value = float(areas.mean())
    if np.isnan(value):
        return MeanAuroc(undefined(ONE_CLASS), areas, kernel)
    codes = subject_codes(subjects, labels.size)
    tested = auroc_variance(kernel, codes[labels], codes[~labels])
    if drawn is None or np.isnan(tested):
        return MeanAuroc(logit_interval(value, tested), areas, kernel)
    if drawn.shape != (len(p), int(codes.max()) + 1):
        raise ValueError(f"drawn {drawn.shape} does not fit {len(p)} iterations of {int(codes.max()) + 1} subjects")
    known = ~np.isnan(p)
    surplus = _surplus(kernel, areas, known[:, labels], known[:, ~labels])
    moved = sum(structural_components(kernel, codes[labels], codes[~labels], drawn.shape[1]), start=np.float64(0))
    contributions = (drawn - drawn.mean(axis=0)) * surplus[:, None]
    learnt = contributions.sum(axis=0)
    noise = np.sum(contributions**2) - np.sum(learnt**2) / len(p)
    size = learnt.size
    variance = size / (size - 1) * np.sum((moved + learnt) ** 2) - noise
    return MeanAuroc(logit_interval(value, max(tested, float(variance))), areas, kernel)


def _surplus(
    kernel: NDArray[np.float64],
    areas: NDArray[np.float64],
    of_cases: NDArray[np.bool_],
    of_controls: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """(B,) by how much an iteration ranks its pairs better than these pairs are ranked on average, over all pairs.

    What was in its bag did that, not what it was tested on. Sums to 0 over the iterations.
    """
    cases, controls = of_cases.astype(np.float64), of_controls.astype(np.float64)
    pairs = cases.sum(axis=1) * controls.sum(axis=1)
    usual = np.einsum("bj,bj->b", cases @ np.nan_to_num(kernel), controls)
    surplus: NDArray[np.float64] = (pairs * areas - usual) / pairs.sum()
    return surplus


def logit_interval(value: float, variance: float) -> Estimate:
    """95 % interval of an AUROC on the logit scale, which stays in 0..1 and covers better than the plain one in samples
    of tens (Qin & Hotilovac 2008, Stat Methods Med Res 17:207).

    Where all pairs agree (AUROC 0 or 1) or none is ordered (constant probabilities), the variance estimate is 0: an
    interval of no width would claim certainty, so the interval is NaN.
    """
    if np.isnan(variance):
        return without_interval(value, FEW_SUBJECTS)
    # below the rounding of sums of thousands of pairs there is no variance
    if variance < VANISHING or not 0 < value < 1:
        return without_interval(value, NO_VARIANCE)
    centre, half = np.log(value / (1 - value)), Z_95 * np.sqrt(variance) / (value * (1 - value))
    lower, upper = 1 / (1 + np.exp(-(centre + half * np.array([-1.0, 1.0]))))
    return Estimate(value, float(lower), float(upper))


def roc_curve(y: ArrayLike, p: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """False and true positive rates at every distinct threshold, from (0, 0) to (1, 1).

    Its trapezoids add up to `auroc`. NaN rates for a class that is absent.
    """
    labels, values = labels_and_probabilities(y, p)
    order = np.argsort(-values, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(values[order])), labels.size - 1)
    positives = np.append(0, np.cumsum(labels[order])[ends])
    negatives = np.append(0, np.cumsum(~labels[order])[ends])
    return _share(negatives), _share(positives)


class PrecisionRecall(NamedTuple):
    """From referring everyone to referring no one; every field (g + 1,), threshold NaN at the last point."""

    threshold: NDArray[np.float64]
    recall: NDArray[np.float64]
    precision: NDArray[np.float64]


def precision_recall_curve(y: ArrayLike, p: ArrayLike) -> PrecisionRecall:
    """Precision and recall at every distinct threshold, both classes being there.

    A step function: from a point to the next, recall falls at this point's precision, so that its area is the average
    precision (`operating_points.average_precision_of`). The last point closes it at recall 0 with the precision of the
    strictest threshold. NaN recall without cases.
    """
    points = operating_points(y, p)
    tp, fp = points.true_positive[0, :0:-1], points.false_positive[0, :0:-1]
    recall, precision = tp / points.cases[0] if points.cases[0] else np.full(tp.size, np.nan), tp / (tp + fp)
    return PrecisionRecall(
        np.append(points.threshold[:0:-1], np.nan), np.append(recall, 0.0), np.append(precision, precision[-1])
    )


def _share(counts: NDArray[np.int_]) -> NDArray[np.float64]:
    return counts / counts[-1] if counts[-1] else np.full(counts.size, np.nan)
