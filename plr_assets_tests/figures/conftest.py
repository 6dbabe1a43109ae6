"""Small tables to draw."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import polars as pl
import pytest

from plr_assets.figures.style import Style, load_figures_config
from plr_assets.registry import load_registry


@pytest.fixture
def style() -> Style:
    return load_figures_config().style


@pytest.fixture
def tables() -> dict[str, pl.DataFrame]:
    """The evaluation tables of one pipeline, as they are read from the results database."""
    key = {"pipeline": "simple__LOF__linear__CatBoost"}
    metrics: dict[str, Any] = {}
    for name, value in {"auroc": 0.81, "auroc_bagged": 0.84, "calibration_slope": 1.2, "o_e_ratio": 0.9}.items():
        metrics |= {name: value, f"{name}_ci_lower": value - 0.1, f"{name}_ci_upper": value + 0.1}
    metrics |= {
        "synthetic": True,
        "prevalence": 0.27,
        "calibration_intercept": -0.2,
        "calibration_intercept_ci_lower": -0.6,
    }
    metrics["calibration_intercept_ci_upper"] = 0.2
    grid, bins, t = np.linspace(0, 1, 12), np.arange(20), np.arange(1, 51) / 100
    histogram = {"y_true": np.repeat([0, 1], 20), "bin": np.tile(bins, 2)}
    histogram |= {"bin_start": np.tile(bins / 20, 2), "bin_end": np.tile((bins + 1) / 20, 2)}
    histogram["n"] = np.r_[19 - bins, bins]
    # fmt: off
    columns: dict[str, Any] = {
        "essential_metrics": metrics,
        "roc_curves": {"point": np.arange(12), "false_positive_rate": grid, "true_positive_rate": grid**0.3},
        "calibration_curves": {
            "bin": np.arange(10),
            "predicted_mean": grid[1:-1],
            "observed_share": grid[1:-1] ** 1.2,
            "observed_share_ci_lower": grid[1:-1] * 0.7,
            "observed_share_ci_upper": 1 - (1 - grid[1:-1]) * 0.7,
            "n": np.full(10, 20),
        },
        "dca_curves": {
            "threshold": t,
            "net_benefit_model": 0.27 - 0.3 * t,
            "net_benefit_model_ci_lower": 0.2 - 0.3 * t,
            "net_benefit_model_ci_upper": 0.34 - 0.3 * t,
            "net_benefit_all": 0.27 - 0.73 * t / (1 - t),
            "net_benefit_none": 0 * t,
        },
        "probability_distributions": histogram,
        "supplementary_metrics": _at_thresholds(),
        "calibration_smooth": {
            "point": np.arange(12), "predicted": grid, "observed": grid**1.1, "observed_lower": grid * 0.8,
            "observed_upper": 1 - (1 - grid) * 0.8,
        },
        "roc_bands": {
            "false_positive_rate": grid, "true_positive_rate": grid**0.4,
            "true_positive_rate_ci_lower": grid**0.5, "true_positive_rate_ci_upper": grid**0.3,
        },
        "pr_curves": {"point": np.arange(12), "recall": grid[::-1], "precision": 1 - 0.7 * grid[::-1] ** 2},
        "classification_at_thresholds": {
            "threshold": [0.05, 0.1, 0.2], "true_positive": [50, 48, 40], "false_negative": [6, 8, 16],
            "false_positive": [90, 60, 30], "true_negative": [62, 92, 122],
        },
    }
    # fmt: on
    return {
        name: pl.DataFrame(values).with_columns(pl.lit(v).alias(k) for k, v in key.items())
        for name, values in columns.items()
    }


def _at_thresholds() -> list[dict[str, Any]]:
    """`supplementary_metrics`: the area of precision and recall, and three metrics at three thresholds."""
    rows: list[dict[str, Any]] = [{"metric": "aupr", "threshold": None, "value": 0.7, "lower": 0.6, "upper": 0.8}]
    for percent in (5, 10, 20):
        values = {"sensitivity": 1 - percent / 100, "specificity": 0.5 + percent / 50}
        values |= {"net_benefit": 0.27 - 0.003 * percent, "net_benefit_beyond_all": 0.05}
        rows += [
            {"metric": f"{metric}_{percent}pct", "threshold": percent / 100, "value": value}
            | {"lower": value - 0.06, "upper": min(1.0, value + 0.04)}
            for metric, value in values.items()
        ]
    return rows


@pytest.fixture
def metrics() -> pl.DataFrame:
    """The published design, one pipeline in seven missing."""
    registry, rows = load_registry(), []
    axes = ("outlier_detection", "imputation", "classification")
    for i, names in enumerate(product(*(registry.published(axis) for axis in axes))):
        if i % 7 != 3:
            oracle = any(registry.methods[axis][name].oracle for axis, name in zip(axes, names, strict=True))
            rows.append(
                {
                    "featurization": "simple",
                    "synthetic": True,
                    **dict(zip(axes, names, strict=True)),
                    "oracle": oracle,
                    "auroc": 0.7 + (i * 37 % 200) / 1000,
                }
            )
    return pl.DataFrame(rows)


@pytest.fixture
def display() -> dict[str, dict[str, str]]:
    return {axis: {n: m.display for n, m in methods.items()} for axis, methods in load_registry().methods.items()}
