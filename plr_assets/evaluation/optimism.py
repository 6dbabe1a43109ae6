"""Optimism: what a model's performance on its own training sample promises too much.

Belongs here: estimates of the performance of the model that is fitted on all subjects (`single`): the .632 and .632+
bootstrap, and Harrell's correction. Does not belong here: refitting (`classification`), or the choice among pipelines,
which is a further optimism (the best of many).

Sources: Efron & Tibshirani 1997 (J Am Stat Assoc 92:548); Harrell, Lee & Mark 1996 (Stat Med 15:361). Compared for
prediction models by Steyerberg et al. 2001 (J Clin Epidemiol 54:774).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from plr_assets.evaluation.estimate import labels_and_probabilities

# The share of subjects that a bootstrap sample of many holds: 1 - 1/e.
IN_BAG = 0.632


class Bootstrap632(NamedTuple):
    """Errors (smaller is better). `overfitting` is R, 0 (none) to 1; NaN where an error is not defined."""

    plain: float
    plus: float
    overfitting: float


def bootstrap_632(apparent: float, out_of_bag: float, no_information: float) -> Bootstrap632:
    """.632 and .632+ estimates of an error.

    apparent         error of the model on the sample that it was fitted on, e.
    out_of_bag       mean error of replicates on what they left out, E.
    no_information   the error if features said nothing of the outcome, g.

    .632 = .368 e + .632 E. R = (E' - e) / (g - e) with E' = min(E, g); 0 where E' <= e or g <= e.
    .632+ = .632 + (E' - e) (.368 * .632 R) / (1 - .368 R): equation 32 of the paper.
    """
    if not np.isfinite([apparent, out_of_bag, no_information]).all():
        return Bootstrap632(np.nan, np.nan, np.nan)
    rest = 1 - IN_BAG
    plain = rest * apparent + IN_BAG * out_of_bag
    bounded = min(out_of_bag, no_information)
    overfits = bounded > apparent and no_information > apparent
    overfitting = (bounded - apparent) / (no_information - apparent) if overfits else 0.0
    plus = plain + (bounded - apparent) * (rest * IN_BAG * overfitting) / (1 - rest * overfitting)
    return Bootstrap632(plain, plus, overfitting)


# Of 1 - AUROC: a ranking that knows nothing puts half of all pairs in the wrong order.
NO_INFORMATION_AUROC = 0.5


def no_information_brier(y: ArrayLike, p: ArrayLike) -> float:
    """Brier score if the outcomes were shuffled: the mean of (y_i - p_j)^2 over all i and j."""
    labels, values = labels_and_probabilities(y, p)
    prevalence = float(labels.mean())
    return prevalence * float(np.mean((1 - values) ** 2)) + (1 - prevalence) * float(np.mean(values**2))


class Corrected(NamedTuple):
    """Harrell's correction: `value` = apparent - `optimism`; `standard_error` is that of drawing few replicates."""

    value: float
    optimism: float
    standard_error: float


def optimism_corrected(apparent: float, in_bag: ArrayLike, on_all: ArrayLike) -> Corrected:
    """Harrell's correction of any performance measure.

    in_bag   (R,) each replicate's performance on the sample that it was fitted on, repeats counted.
    on_all   (R,) its performance on all subjects.
    Optimism is their mean difference. Replicates in which either is not defined are left out; NaN without any.
    """
    differences = np.asarray(in_bag, dtype=np.float64) - np.asarray(on_all, dtype=np.float64)
    differences = differences[np.isfinite(differences)]
    if differences.size == 0:
        return Corrected(np.nan, np.nan, np.nan)
    optimism, spread = float(differences.mean()), np.nan
    if differences.size > 1:
        spread = float(differences.std(ddof=1) / np.sqrt(differences.size))
    return Corrected(apparent - optimism, optimism, spread)
