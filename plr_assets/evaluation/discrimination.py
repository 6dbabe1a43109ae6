"""Discrimination: AUROC, its sampling variance, and the ROC curve.

Belongs here: everything computed from the order of the probabilities. Does not belong here: thresholds chosen for care
(`utility`) or the size of the probabilities (`calibration`, `overall`).

Two estimands (design 6). `bagged`: AUROC of one prediction a recording, `auroc_estimate`. `single`: the mean over
bootstrap iterations of the out-of-bag AUROC, `mean_auroc_estimate`; what one fitted model does.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from plr_assets.evaluation.estimate import (
    UNDEFINED,
    Z_95,
    Codes,
    Estimate,
    Floats,
    Labels,
    labels_and_probabilities,
    labels_of,
    subject_codes,
)


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
    """AUROC of one prediction a recording, with DeLong's interval (Obuchowski's where subjects repeat)."""
    labels, values = labels_and_probabilities(y, p)
    if labels.all() or not labels.any():
        return UNDEFINED
    kernel = mean_pair_kernel(labels, values[None, :])
    codes = subject_codes(subjects, labels.size)
    return _logit_interval(auroc(labels, values), auroc_variance(kernel, codes[labels], codes[~labels]))


def mean_auroc_estimate(y: ArrayLike, p: Floats, subjects: ArrayLike | None = None) -> Estimate:
    """The mean out-of-bag AUROC over iterations (estimand `single`), with the sampling interval of the tested.

    y (n,) 0/1; p (B, n), NaN in bag. The variance is that of the pair kernel averaged over iterations: how the
    result would vary with the subjects tested, averaged over what the models learnt. With one iteration it is DeLong's.
    The spread over training resamples is not in it and is reported apart. NaN if an iteration lacks a class.
    """
    labels = labels_of(y)
    value = float(auroc_rows(labels, p, ~np.isnan(p)).mean())
    if np.isnan(value):
        return UNDEFINED
    codes = subject_codes(subjects, labels.size)
    return _logit_interval(value, auroc_variance(mean_pair_kernel(labels, p), codes[labels], codes[~labels]))


def mean_pair_kernel(y: Labels, p: Floats) -> NDArray[np.float64]:
    """(cases, controls): the share of iterations in which the case outranks the control, ties counting 1/2.

    p (B, n), NaN in bag. Averaged over the iterations in which both are out of bag; NaN where there is none. One case
    at a time: the (B, cases, controls) tensor of the published cohort would take 70 MB in float64.
    """
    of_cases, of_controls = p[:, y], p[:, ~y]
    together = (~np.isnan(of_cases)).T.astype(np.float64) @ (~np.isnan(of_controls)).astype(np.float64)
    half_wins = np.empty(together.shape)
    for i in range(of_cases.shape[1]):
        rows = ~np.isnan(of_cases[:, i])
        case, control = of_cases[rows, i, None], of_controls[rows]
        # 2 for a win, 1 for a tie, 0 otherwise: a comparison with NaN is false
        score = np.add(case > control, case >= control, dtype=np.int8)
        half_wins[i] = score.sum(axis=0, dtype=np.int32)
    kernel: NDArray[np.float64]
    kernel = np.divide(half_wins / 2, together, out=np.full(together.shape, np.nan), where=together > 0)
    return kernel


def auroc_variance(kernel: NDArray[np.float64], case_subjects: Codes, control_subjects: Codes) -> float:
    """Sampling variance of the mean of a (cases, controls) pair kernel, subjects being clusters.

    Obuchowski 1997 (Biometrics 53:567), which is DeLong et al. 1988 (Biometrics 44:837) where every subject has one
    recording. NaN kernel entries are left out of the structural components, and so are rows and columns that hold
    nothing else. NaN if a class has fewer than two subjects.
    """
    known = ~np.isnan(kernel)
    cases, controls = known.any(axis=1), known.any(axis=0)
    m, k = int(cases.sum()), int(controls.sum())
    if m == 0 or k == 0:
        return float("nan")
    filled = np.where(known, kernel, 0.0)
    of_case = filled[cases].sum(axis=1) / known[cases].sum(axis=1)
    of_control = filled[:, controls].sum(axis=0) / known[:, controls].sum(axis=0)
    codes = np.unique(np.concatenate([case_subjects[cases], control_subjects[controls]]), return_inverse=True)[1]
    size = int(codes.max()) + 1
    # per subject, the summed departure of its cases and of its controls from the mean
    by_case = np.bincount(codes[:m], weights=of_case - of_case.mean(), minlength=size)
    by_control = np.bincount(codes[m:], weights=of_control - of_control.mean(), minlength=size)
    i10, i01 = np.unique(codes[:m]).size, np.unique(codes[m:]).size
    if i10 < 2 or i01 < 2:
        return float("nan")
    s10 = i10 / (i10 - 1) * np.sum(by_case**2) / m**2
    s01 = i01 / (i01 - 1) * np.sum(by_control**2) / k**2
    s11 = size / (size - 1) * np.sum(by_case * by_control) / (m * k)
    return float(max(s10 + s01 + 2 * s11, 0.0))


def _logit_interval(value: float, variance: float) -> Estimate:
    """95 % interval of an AUROC on the logit scale, which stays in 0..1 and covers better than the plain one in samples
    of tens (Qin & Hotilovac 2008, Stat Methods Med Res 17:207).

    At an AUROC of exactly 0 or 1 no pair disagrees and the variance estimate is 0: an interval of no width would claim
    certainty, so the interval is NaN.
    """
    if np.isnan(variance) or not 0 < value < 1:
        return Estimate(value, np.nan, np.nan)
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


def _share(counts: NDArray[np.int_]) -> NDArray[np.float64]:
    return counts / counts[-1] if counts[-1] else np.full(counts.size, np.nan)
