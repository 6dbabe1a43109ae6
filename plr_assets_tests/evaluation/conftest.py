"""Bootstrap tables of known content, shared by the evaluation tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest

from plr_assets.evaluation.internal_validation import Refitted
from plr_assets.evaluation.out_of_bag import read_out_of_bag

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
# Replicates that `refitted_of` makes.
REPLICATES = 12


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


def values_of(cases: pl.DataFrame, age: Any = None) -> pl.DataFrame:
    """`schemas.CONFOUNDER_VALUES` of `cases`: one nuisance is constant, one unknown."""
    rng = np.random.default_rng(3)
    n = len(cases)
    column = rng.normal(60, 8, n) if age is None else age
    return cases.select("recording", "subject", "y_true").with_columns(
        age=pl.Series(column, dtype=pl.Float64),
        baseline=pl.Series(rng.normal(40, 5, n)),
        blink_rate=pl.lit(2.0),
        dropout_share=pl.Series(rng.random(n)),
        artefact_share=pl.lit(None, dtype=pl.Float64),
        noise=pl.Series(rng.random(n)),
    )


def refitted_of(tables: Tables, seed: int = 5) -> Refitted:
    """Replicates with the stored out-of-bag predictions; in bag they are closer to the truth."""
    out = read_out_of_bag(*tables, pipeline="simple__LOF__linear__CatBoost")
    rng = np.random.default_rng(seed)
    n = out.y.size
    known = ~np.isnan(out.p[:REPLICATES])
    learned = np.clip(0.25 + 0.5 * out.y + rng.normal(0, 0.15, (REPLICATES, n)), 0, 1)
    on_all = np.where(known, out.p[:REPLICATES], learned).astype(np.float64)
    shuffled = np.stack([on_all, rng.random((REPLICATES, n))], axis=1)
    return Refitted(
        developed=np.clip(0.3 + 0.4 * out.y + rng.normal(0, 0.1, n), 0, 1),
        counts=np.where(known, 0, rng.integers(1, 4, (REPLICATES, n))),
        on_all=on_all,
        shuffled=shuffled,
        departure=0.0,
        features=("idle", "used"),
        X=rng.normal(size=(n, 2)),
        contributions=np.column_stack([np.zeros(n), np.full(n, -0.5)]),
    )


@pytest.fixture
def make_tables() -> Callable[..., Tables]:
    return bootstrap_tables
