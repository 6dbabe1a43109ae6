"""Internal validation of one pipeline: the tables of `schemas.VALIDATION_TABLES`.

Belongs here: which number goes into which column, and what is left empty where the parts do not belong together. Does
not belong here: the estimates themselves, or fitting anything.

`single`: optimism, importance, the adjusted AUROC. `bagged`: `uncertainty`, of the mean out-of-bag prediction and what
it averages over. `stability` compares the two kinds of models, one by one, for each recording.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from plr_assets import schemas
from plr_assets.evaluation.confounders import AGE_WINDOW, matched_auroc, nuisance_auroc
from plr_assets.evaluation.discrimination import auroc, auroc_rows
from plr_assets.evaluation.estimate import Estimate, Labels
from plr_assets.evaluation.importance import Importance, permutation_importance, variance_inflation
from plr_assets.evaluation.optimism import (
    NO_INFORMATION_AUROC,
    Corrected,
    bootstrap_632,
    no_information_brier,
    optimism_corrected,
)
from plr_assets.evaluation.out_of_bag import OutOfBag, read_out_of_bag
from plr_assets.evaluation.overall import brier, brier_rows
from plr_assets.evaluation.pair_kernel import mean_pair_kernel
from plr_assets.evaluation.stability import THRESHOLD_PERCENT, instability
from plr_assets.evaluation.tables import frame_of
from plr_assets.evaluation.uncertainty import decompose

# Refitted replicates are the stored ones if their probabilities agree to this: float32 keeps 6e-8, batched solvers
# agree with the loop to 1e-6, batched networks to about 1e-4.
SAME_MODEL = 1e-3


@dataclass(frozen=True, eq=False)
class Refitted:
    """What is known of the pipeline's own classifier: the model for use, and `R` refitted replicates.

    developed       (n,) apparent probabilities of the model for use.
    counts          (R, n) how often each replicate was fitted on each case.
    on_all          (R, n) its probabilities of all cases.
    shuffled        (R, features, n) the same with one feature shuffled.
    departure       largest difference of out-of-bag probabilities from those of the bootstrap.
    features        names.
    X               (n, features).
    contributions   (n, features) of the model for use in log odds; None where there is no exact algorithm.
    """

    developed: NDArray[np.float64]
    counts: NDArray[np.int64]
    on_all: NDArray[np.float64]
    shuffled: NDArray[np.float64]
    departure: float
    features: Sequence[str]
    X: NDArray[np.float64]
    contributions: NDArray[np.float64] | None

    @property
    def reason(self) -> str | None:
        """Why nothing can be said of the bootstrap's models by way of these; None where they are the same."""
        if self.departure <= SAME_MODEL:
            return None
        return f"the bootstrap is not of this classifier, seed and data: refitted, it differs by {self.departure:.3g}"


def validate_pipeline(
    bootstrap: pl.DataFrame,
    cases: pl.DataFrame,
    refitted: Refitted,
    confounders: pl.DataFrame,
    *,
    pipeline: str,
    seed: int,
) -> dict[str, pl.DataFrame]:
    """All tables of one pipeline, by table name.

    bootstrap, cases   as for `report.evaluate_pipeline`; `refitted` has its cases in the order of `case`.
    confounders        `schemas.CONFOUNDER_VALUES` of these recordings, in any order.
    Where the bootstrap was made by something else (a run logged from outside), what needs both is left empty, with the
    reason. Raises DataError as `read_out_of_bag` does.
    """
    out_of_bag = read_out_of_bag(bootstrap, cases, pipeline=pipeline)
    height, reason = len(out_of_bag.recording), refitted.reason
    each = {"recording": out_of_bag.recording, "y_true": out_of_bag.y, "n_out_of_bag": out_of_bag.counts}
    of_replicates = decompose(out_of_bag.p)
    developed = refitted.developed if reason is None else np.full(height, np.nan)
    moves = instability(developed, out_of_bag.p, np.array(THRESHOLD_PERCENT) / 100)
    columns: dict[str, Mapping[str, Any]] = {
        "uncertainty": {**each, **of_replicates._asdict()},
        "stability": {
            **each,
            "y_prob_model": developed,
            "mape": moves.mape,
            "y_prob_lower": moves.lower,
            "y_prob_upper": moves.upper,
            **{f"class_changes_{t}pct": row for t, row in zip(THRESHOLD_PERCENT, moves.class_changes, strict=True)},
            "reason": [reason] * height,
        },
        "optimism": {name: [value] for name, value in _optimism(out_of_bag, refitted).items()},
        "feature_importance": _importance(out_of_bag.y, refitted),
        "adjusted_auroc": {name: [value] for name, value in _adjusted(out_of_bag, confounders, seed).items()},
    }
    return {
        table.name: frame_of(table, {"pipeline": pipeline}, columns[table.name]) for table in schemas.VALIDATION_TABLES
    }


def confounder_table(values: pl.DataFrame) -> pl.DataFrame:
    """`schemas.CONFOUNDERS` from `schemas.CONFOUNDER_VALUES`."""
    names = [name for name in values.columns if name not in ("recording", "subject", "y_true")]
    y, subjects = values["y_true"].to_numpy(), values["subject"].to_numpy()
    found = [nuisance_auroc(y, values[name].fill_null(float("nan")).to_numpy(), subjects) for name in names]
    columns = {
        "confounder": names,
        **_ends("auroc", [one.auroc for one in found]),
        "n": [one.n for one in found],
        "n_events": [one.n_events for one in found],
        "reason": [one.reason for one in found],
    }
    return frame_of(schemas.CONFOUNDERS, {}, columns)


def _optimism(out_of_bag: OutOfBag, refitted: Refitted) -> dict[str, Any]:
    y, p, known = out_of_bag.y, out_of_bag.p, ~np.isnan(out_of_bag.p)
    own, reason = refitted.developed, refitted.reason
    same = reason is None
    area = auroc(y, own) if same else np.nan
    by_auroc = bootstrap_632(1 - area, 1 - float(auroc_rows(y, p, known).mean()), 1 - NO_INFORMATION_AUROC)
    score, chance = (brier(y, own), no_information_brier(y, own)) if same else (np.nan, np.nan)
    by_brier = bootstrap_632(score, float(brier_rows(y, p, known).mean()), chance)
    in_bag, on_all = (
        _performance(y, refitted, weights) for weights in (refitted.counts, np.ones_like(refitted.counts))
    )
    unknown = Corrected(np.nan, np.nan, np.nan)
    harrell_auroc = optimism_corrected(area, in_bag[0], on_all[0]) if same else unknown
    harrell_brier = optimism_corrected(score, in_bag[1], on_all[1]) if same else unknown
    return {
        "auroc_apparent": area,
        "auroc_out_of_bag": float(auroc_rows(y, p, known).mean()),
        "auroc_no_information": NO_INFORMATION_AUROC,
        "auroc_632": 1 - by_auroc.plain,
        "auroc_632plus": 1 - by_auroc.plus,
        "auroc_overfitting": by_auroc.overfitting,
        **_corrected("auroc", harrell_auroc),
        "brier_apparent": score,
        "brier_out_of_bag": float(brier_rows(y, p, known).mean()),
        "brier_no_information": chance,
        "brier_632": by_brier.plain,
        "brier_632plus": by_brier.plus,
        "brier_overfitting": by_brier.overfitting,
        **_corrected("brier", harrell_brier),
        "n_iterations": len(p),
        "n_replicates": len(refitted.counts),
        "reason": reason,
    }


def _performance(y: Labels, refitted: Refitted, weights: NDArray[np.int64]) -> tuple[NDArray[np.float64], ...]:
    """(R,) AUROC and Brier score of each replicate, where case j counts `weights[:, j]` times."""
    repeated = [np.repeat(np.arange(y.size), row) for row in weights]
    areas = [auroc(y[rows], p[rows]) for rows, p in zip(repeated, refitted.on_all, strict=True)]
    squares = (refitted.on_all - y) ** 2
    return np.array(areas), (squares * weights).sum(axis=1) / weights.sum(axis=1)


def _importance(y: Labels, refitted: Refitted) -> dict[str, Any]:
    features, reason = len(refitted.features), refitted.reason
    found = Importance(*(np.full(features, np.nan) for _ in range(3)))
    if reason is None:
        found = permutation_importance(y, refitted.on_all, refitted.shuffled, refitted.counts == 0)
    shap = refitted.contributions
    return {
        "feature": list(refitted.features),
        "position": np.arange(features),
        "importance": found.mean,
        "importance_lower": found.lower,
        "importance_upper": found.upper,
        "n_replicates": np.full(features, len(refitted.counts)),
        "mean_abs_shap": np.full(features, np.nan) if shap is None else np.abs(shap).mean(axis=0),
        "vif": variance_inflation(refitted.X),
        "reason": [reason] * features,
    }


def _adjusted(out_of_bag: OutOfBag, confounders: pl.DataFrame, seed: int) -> dict[str, Any]:
    order = pl.DataFrame({"recording": out_of_bag.recording})
    age = order.join(confounders, on="recording", how="left", maintain_order="left")["age"]
    found = matched_auroc(
        mean_pair_kernel(out_of_bag.y, out_of_bag.p),
        out_of_bag.y,
        age.fill_null(float("nan")).to_numpy(),
        out_of_bag.subject,
        seed=seed,
    )
    auroc, matched = (
        _ends(name, [value]) for name, value in (("auroc", found.all_pairs), ("auroc_matched", found.matched))
    )
    ends = {name: values[0] for name, values in {**auroc, **matched}.items()}
    return {"confounder": "age", "window": AGE_WINDOW, **ends, "n_pairs": found.pairs, "reason": found.reason}


def _corrected(metric: str, found: Corrected) -> dict[str, float]:
    return {
        f"{metric}_optimism": found.optimism,
        f"{metric}_optimism_se": found.standard_error,
        f"{metric}_corrected": found.value,
    }


def _ends(name: str, estimates: Sequence[Estimate]) -> dict[str, list[float]]:
    return {
        name: [one.value for one in estimates],
        f"{name}_lower": [one.lower for one in estimates],
        f"{name}_upper": [one.upper for one in estimates],
    }
