"""AUROC and Brier score of many iterations, against scikit-learn's of one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, roc_auc_score

from plr_assets.classification.metrics import auroc_each, brier_each

# Few values, so that most probabilities are tied; 0, -0 and 1 among them.
VALUES = st.sampled_from([0.0, -0.0, 1e-30, 0.25, 0.5, 0.75, 1.0])
ITERATION = st.lists(st.tuples(st.integers(0, 1), VALUES), min_size=2, max_size=15).filter(
    lambda rows: len({y for y, _ in rows}) == 2
)


@given(st.lists(ITERATION, min_size=1, max_size=6))
def test_each_iteration_has_the_metrics_of_it_alone(iterations: list[list[tuple[int, float]]]) -> None:
    y = np.array([y for rows in iterations for y, _ in rows], dtype=np.uint8)
    p = np.array([p for rows in iterations for _, p in rows], dtype=np.float32)
    lengths = np.array([len(rows) for rows in iterations])
    cuts = np.cumsum(lengths)[:-1]
    each = list(zip(np.split(y, cuts), np.split(p.astype(np.float64), cuts), strict=True))
    assert np.allclose(auroc_each(y, p, lengths), [roc_auc_score(*one) for one in each], rtol=0, atol=1e-12)
    assert np.allclose(brier_each(y, p, lengths), [brier_score_loss(*one) for one in each], rtol=0, atol=1e-12)


def test_probabilities_and_classes_that_have_no_metric_are_refused() -> None:
    y, p, lengths = np.array([0, 1, 0, 1]), np.array([0.1, 0.2, 0.3, 0.4], dtype=np.float32), np.array([2, 2])
    for value in (np.nan, 1.5, -0.1):
        bad = p.copy()
        bad[3] = value
        with pytest.raises(ValueError, match="iteration 1 has a probability"):
            auroc_each(y, bad, lengths)
    with pytest.raises(ValueError, match="iteration 0 has one class"):
        auroc_each(np.array([1, 1, 0, 1]), p, lengths)
    with pytest.raises(ValueError, match="4 rows"):
        brier_each(y[:3], p[:3], lengths)
