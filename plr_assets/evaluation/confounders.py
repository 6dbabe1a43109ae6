"""Confounders: how far what no disease should change tells the classes apart, and what a pipeline adds to age.

Belongs here: AUROC of single nuisances and AUROC among pairs of like age. Does not belong here: measuring a nuisance in
a recording (`recordings.nuisances`).

In the published cohort patients are nine years older than controls, and age alone narrows the pupil: a pipeline may
rank by age. Comparing each case with controls of its age only is the covariate-adjusted AUROC of Janes & Pepe 2009
(Biometrika 96:371), with a window of ages for their smoothing.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from plr_assets.evaluation.discrimination import auroc_estimate
from plr_assets.evaluation.estimate import UNDEFINED, Codes, Estimate, labels_of, subject_codes
from plr_assets.subject_bootstrap import percentile_interval, subject_weights

# Years between a case and a control of like age. Pupils narrow by 0.02 to 0.04 mm a year, by how bright it is (Winn et
# al. 1994, IOVS 35:1132), so 5 years are at most 0.2 mm, less than the spread within an age.
AGE_WINDOW = 5.0
# As for detectors and imputers: a percentile of 1000 draws is known to about a tenth of the interval's width.
RESAMPLES = 1000


class Nuisance(NamedTuple):
    """AUROC of a nuisance alone, larger values read as more likely a case: below 0.5 cases have the smaller values.

    reason   why there is no AUROC; None where there is one.
    """

    auroc: Estimate
    n: int
    n_events: int
    reason: str | None


def nuisance_auroc(y: ArrayLike, values: ArrayLike, subjects: ArrayLike | None = None) -> Nuisance:
    """y (n,) 0/1; values (n,) of any unit, NaN where unknown, those recordings being left out. DeLong's interval."""
    labels, numbers = labels_of(y), np.asarray(values, dtype=np.float64)
    known = np.isfinite(numbers)
    case, found = labels[known], numbers[known]
    n, events = case.size, int(case.sum())
    reason = None
    if n == 0:
        reason = "no recording has a value"
    elif events in (0, n):
        reason = "only one class has values"
    elif np.ptp(found) == 0:
        reason = "all recordings have the same value"
    if reason is not None:
        return Nuisance(UNDEFINED, n, events, reason)
    ranks = np.unique(found, return_inverse=True)[1] / n  # AUROC sees the order alone
    codes = subject_codes(subjects, labels.size)[known]
    return Nuisance(auroc_estimate(case, ranks, codes), n, events, None)


class Matched(NamedTuple):
    """AUROC over (case, control) pairs, all of them and those of like age.

    pairs    pairs of like age.
    reason   why there is no matched AUROC; None where there is one.
    """

    all_pairs: Estimate
    matched: Estimate
    pairs: int
    reason: str | None


def matched_auroc(
    kernel: NDArray[np.float64],
    y: ArrayLike,
    covariate: ArrayLike,
    subjects: Codes,
    *,
    window: float = AGE_WINDOW,
    seed: int,
) -> Matched:
    """AUROC among pairs whose `covariate` differs by at most `window`, beside that of all pairs with a known one.

    kernel      (cases, controls) share of wins, NaN for pairs that were never compared (`mean_pair_kernel`).
    y           (n,) 0/1; covariate (n,), NaN where unknown; subjects (n,) codes.
    Every pair weighs the same. Intervals: percentiles of a bootstrap by subject, in which a pair counts as often as its
    two subjects together are drawn.
    """
    labels, values = labels_of(y), np.asarray(covariate, dtype=np.float64)
    known = np.isfinite(values)
    if not known.any():
        return Matched(UNDEFINED, UNDEFINED, 0, "the covariate is not known of any recording")
    compared = ~np.isnan(kernel) & known[labels][:, None] & known[~labels][None, :]
    with np.errstate(invalid="ignore"):
        like = compared & (np.abs(values[labels][:, None] - values[~labels][None, :]) <= window)
    n_subjects = int(subjects.max()) + 1
    weights = subject_weights(n_subjects, RESAMPLES, seed)
    of_cases, of_controls = weights[:, subjects[labels]], weights[:, subjects[~labels]]
    wins = np.nan_to_num(kernel)

    def estimate(chosen: NDArray[np.bool_]) -> Estimate:
        won = ((of_cases @ np.where(chosen, wins, 0.0)) * of_controls).sum(axis=1)
        total = ((of_cases @ chosen.astype(np.float64)) * of_controls).sum(axis=1)
        areas = np.divide(won, total, out=np.full(won.size, np.nan), where=total > 0)
        return Estimate(float(areas[0]), *percentile_interval(areas, n_subjects))

    pairs = int(like.sum())
    reason = None if pairs else f"no case and control differ by at most {window:g}"
    return Matched(estimate(compared), estimate(like) if pairs else UNDEFINED, pairs, reason)
