"""Uncertainty of one recording's prediction: how far the models agree on it, and how sure each of them is.

Belongs here: the entropy decomposition over out-of-bag replicates. Does not belong here: how far predictions move from
the developed model's (`stability`), or whether they are right (`overall`, `calibration`).

Entropies are in nats (natural logarithm), of both classes: 0 to ln 2. Depeweg et al. 2018 (PMLR 80:1184); for trees
Malinin et al. 2021 (ICLR, arXiv 2006.10562).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from plr_assets.evaluation.estimate import Floats


class Uncertainty(NamedTuple):
    """Every field (n,); NaN for a recording that was never out of bag.

    confidence           probability of the likelier class in the mean prediction: max(m, 1 - m), m = mean_b p_b.
    entropy_of_expected  H(m): all uncertainty of the prediction.
    expected_entropy     mean_b H(p_b): what each model is unsure of by itself (aleatoric).
    mutual_information   their difference, 0 or more: what the models disagree on (epistemic).
    """

    confidence: NDArray[np.float64]
    entropy_of_expected: NDArray[np.float64]
    expected_entropy: NDArray[np.float64]
    mutual_information: NDArray[np.float64]


def binary_entropy(p: Floats) -> NDArray[np.float64]:
    """-p ln p - (1-p) ln(1-p), 0 at p = 0 and 1; of any shape, NaN stays NaN."""
    from scipy.special import entr

    values = np.asarray(p, dtype=np.float64)
    entropy: NDArray[np.float64] = entr(values) + entr(1 - values)
    return entropy


def decompose(p: Floats) -> Uncertainty:
    """p (B, n) out-of-bag probabilities, NaN in bag. Raises ValueError outside 0..1."""
    values, known = np.asarray(p, dtype=np.float64), ~np.isnan(p)
    if ((values < 0) | (values > 1)).any():
        raise ValueError("probabilities lie in 0..1")
    counts = known.sum(axis=0)

    def mean(rows: NDArray[np.float64]) -> NDArray[np.float64]:
        sums = np.where(known, rows, 0.0).sum(axis=0)
        means: NDArray[np.float64] = np.divide(sums, counts, out=np.full(counts.size, np.nan), where=counts > 0)
        return means

    # a mean may leave 0..1 by rounding, where its entropy would not be defined
    expected = np.clip(mean(values), 0.0, 1.0)
    total, aleatoric = binary_entropy(expected), mean(binary_entropy(values))
    # H is concave, so the difference is negative by rounding alone (Jensen)
    return Uncertainty(np.maximum(expected, 1 - expected), total, aleatoric, np.maximum(total - aleatoric, 0.0))
