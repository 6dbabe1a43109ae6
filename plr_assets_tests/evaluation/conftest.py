"""Bootstrap tables of known content, shared by the evaluation tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest

BOOTSTRAP_TYPES = {
    "iteration": pl.Int64,
    "train_indices": pl.List(pl.UInt16),
    "test_indices": pl.List(pl.UInt16),
    "y_true": pl.List(pl.UInt8),
    "y_prob": pl.List(pl.Float32),
    "auroc": pl.Float64,
    "brier": pl.Float64,
}
Tables = tuple[pl.DataFrame, pl.DataFrame]


def bootstrap_tables(
    *,
    events: int = 12,
    controls: int = 28,
    iterations: int = 60,
    per_subject: int = 1,
    seed: int = 1,
    probability: float | None = None,
) -> Tables:
    """Out-of-bag predictions of noisy risks; `probability` makes every prediction that one value."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.r_[np.ones(events, int), np.zeros(controls, int)])
    subject = np.arange(y.size) // per_subject
    risk = rng.normal(size=y.size) + 1.5 * y
    rows: list[dict[str, Any]] = []
    while len(rows) < iterations:
        in_bag = np.isin(subject, rng.integers(0, subject.max() + 1, subject.max() + 1))
        test = np.flatnonzero(~in_bag)
        if len(set(y[test])) < 2:
            continue
        p = 1 / (1 + np.exp(2 - risk[test] - 0.3 * rng.normal(size=test.size)))
        p = (p if probability is None else np.full(test.size, probability)).astype(np.float32)
        indices = {"train_indices": np.flatnonzero(in_bag).tolist(), "test_indices": test.tolist()}
        row = {"iteration": len(rows), **indices, "y_true": y[test].tolist(), "y_prob": p.tolist()}
        rows.append({**row, "auroc": 0.5, "brier": 0.25})
    cases = {
        "case": np.arange(y.size),
        "recording": [f"r{i:03d}" for i in range(y.size)],
        "subject": [f"s{i:03d}" for i in subject],
        "y_true": y,
    }
    return pl.DataFrame(rows, schema=BOOTSTRAP_TYPES), pl.DataFrame(cases)


@pytest.fixture
def make_tables() -> Callable[..., Tables]:
    return bootstrap_tables
