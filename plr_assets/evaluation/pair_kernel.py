"""Cases against controls, pair by pair: what AUROC is a mean of, and the variance of such means.

Belongs here: the pair kernel of out-of-bag predictions, its structural components, DeLong's and Obuchowski's variance.
Does not belong here: intervals (`discrimination`), or comparing pipelines (`comparisons`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from plr_assets.evaluation.estimate import Codes, Floats, Labels


def mean_pair_kernel(y: Labels, p: Floats) -> NDArray[np.float64]:
    """(cases, controls): the share of iterations in which the case outranks the control, ties counting 1/2.

    p (B, n), NaN in bag. Averaged over the iterations in which both are out of bag; NaN where there is none.
    """
    return pair_kernel_and_areas(y, p)[0]


def pair_kernel_and_areas(y: Labels, p: Floats) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """`mean_pair_kernel`, and with it the (B,) AUROC of every iteration, NaN where a class is missing.

    One case at a time: the (B, cases, controls) tensor of the published cohort would take 70 MB in float64. A third of
    what ranking every iteration (`discrimination.auroc_rows`) would add.
    """
    known = ~np.isnan(p)
    # nothing outranks +inf: a control in bag scores 0 and is not counted
    filled = np.where(known, p, np.inf)
    of_cases, of_controls = np.ascontiguousarray(filled[:, y].T), filled[:, ~y]
    cases, controls = known[:, y], known[:, ~y]
    together = cases.T.astype(np.float64) @ controls.astype(np.float64)
    half_wins, half_wins_of_iteration = np.empty(together.shape), np.zeros(len(p), dtype=np.int64)
    for i, case in enumerate(of_cases):
        rows = np.flatnonzero(cases[:, i])
        value, control = case[rows, None], of_controls[rows]
        # 2 for a win, 1 for a tie, 0 otherwise
        score = (value > control).view(np.int8) + (value >= control).view(np.int8)
        half_wins[i] = score.sum(axis=0, dtype=np.int32)
        half_wins_of_iteration[rows] += score.sum(axis=1, dtype=np.int32)
    pairs = cases.sum(axis=1) * controls.sum(axis=1)
    kernel, areas = (
        np.divide(wins / 2, of, out=np.full(of.shape, np.nan), where=of > 0)
        for wins, of in ((half_wins, together), (half_wins_of_iteration, pairs))
    )
    return kernel, areas


def auroc_variance(kernel: NDArray[np.float64], case_subjects: Codes, control_subjects: Codes) -> float:
    """Sampling variance of the mean of a (cases, controls) pair kernel, subjects being clusters.

    Obuchowski 1997 (Biometrics 53:567), which is DeLong et al. 1988 (Biometrics 44:837) where every subject has one
    recording. NaN kernel entries are left out of the structural components, and so are rows and columns that hold
    nothing else. NaN if a class has fewer than two subjects.
    """
    known = ~np.isnan(kernel)
    of_cases, of_controls = case_subjects[known.any(axis=1)], control_subjects[known.any(axis=0)]
    i10, i01 = np.unique(of_cases).size, np.unique(of_controls).size
    if i10 < 2 or i01 < 2:
        return float("nan")
    size = np.union1d(of_cases, of_controls).size
    codes = int(max(case_subjects.max(), control_subjects.max())) + 1
    by_case, by_control = structural_components(kernel, case_subjects, control_subjects, codes)
    s10 = i10 / (i10 - 1) * np.sum(by_case**2)
    s01 = i01 / (i01 - 1) * np.sum(by_control**2)
    s11 = size / (size - 1) * np.sum(by_case * by_control)
    return float(max(s10 + s01 + 2 * s11, 0.0))


def structural_components(
    kernel: NDArray[np.float64], case_subjects: Codes, control_subjects: Codes, subjects: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(subjects,) and (subjects,): how far each subject's cases, and its controls, move the mean of the pair kernel.

    The summed departures of DeLong's V10 from their mean over the number of cases, and of V01 over that of controls;
    sums of their products over subjects are the variances and covariances of AUROCs. NaN entries, and rows and columns
    of nothing else, are left out.
    """
    known = ~np.isnan(kernel)
    filled = np.where(known, kernel, 0.0)
    moved: list[NDArray[np.float64]] = []
    for axis, codes in ((1, case_subjects), (0, control_subjects)):
        counts = known.sum(axis=axis)
        there = counts > 0
        component = filled.sum(axis=axis)[there] / counts[there]
        departure = (component - component.mean()) / component.size
        moved.append(np.bincount(codes[there], weights=departure, minlength=subjects).astype(np.float64))
    return moved[0], moved[1]


def unseen_variance(kernel: NDArray[np.float64], case_subjects: Codes, control_subjects: Codes) -> float:
    """What DeLong's variance of one prediction a recording lacks where pairs are tied; 0 where none is.

    The variance of each class's structural components is taken with one more component, half of it 1/2 above the mean
    and half 1/2 below, times the share of tied pairs: the pseudo-observation that mends the interval of a rare share
    (Agresti & Coull 1998), faded out as the ranking becomes strict. Coverage of tied predictions rises from 86-93 % to
    94 % and more (docs/decisions/0007). Needs two subjects in each class.
    """
    tied = float(np.mean(kernel == 0.5))
    extra = 0.0
    for axis, subjects in ((1, case_subjects), (0, control_subjects)):
        m = np.unique(subjects).size
        spread = float(np.var(kernel.mean(axis=axis), ddof=1))
        raised = ((m - 1) * spread + tied / 4) / ((m + tied - 1) * (m + tied))
        extra += max(raised - spread / m, 0.0)
    return extra
