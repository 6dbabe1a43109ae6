"""Tables of a study: equal to the pure functions; oracles apart; defined for one pipeline and for oracles only."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import polars as pl
import pytest

from plr_assets import schemas
from plr_assets.errors import DataError
from plr_assets.evaluation.between import Pipeline, compare_pipelines
from plr_assets.evaluation.comparisons import paired_delong
from plr_assets.evaluation.winner import corrected_winner, ranks, shared_auroc

SEED, CASES, CONTROLS = 4, 12, 28
TRUTH = "pupil-gt"


def scores_of(risk: Any) -> pl.DataFrame:
    """`pair_scores` of one prediction a recording."""
    y = np.arange(CASES + CONTROLS) < CASES
    p = 1 / (1 + np.exp(1 - np.asarray(risk)))
    wins = ((p[y][:, None] > p[~y]) + 0.5 * (p[y][:, None] == p[~y])).tolist()
    return pl.DataFrame(
        {
            "recording": [f"r{i}" for i in range(y.size)],
            "subject": [f"s{i}" for i in range(y.size)],
            "y_true": y.astype(np.int64),
            "y_prob": p,
            "wins": pl.Series(wins + [[]] * CONTROLS, dtype=pl.List(pl.Float32)),
        }
    )


def study(
    outliers: tuple[str, ...] = (TRUTH, "LOF", "MOMENT"),
    imputers: tuple[str, ...] = (TRUTH, "linear", "SAITS"),
    classifiers: tuple[str, ...] = ("CatBoost", "TabM"),
) -> tuple[list[Pipeline], dict[str, pl.DataFrame]]:
    rng = np.random.default_rng(SEED)
    signal = 1.2 * (np.arange(CASES + CONTROLS) < CASES) + rng.normal(size=CASES + CONTROLS)
    pipelines, tables = [], {}
    for o, i, c in product(outliers, imputers, classifiers):
        name, best = f"simple__{o}__{i}__{c}", f"simple__{TRUTH}__{TRUTH}__{c}"
        methods = {"outlier_detection": o, "imputation": i, "featurization": "simple", "classification": c}
        reference = best if TRUTH in outliers and TRUTH in imputers else None
        pipelines.append(Pipeline(name, methods, TRUTH in (o, i), reference))
        tables[name] = scores_of(signal + 0.8 * rng.normal(size=signal.size))
    return pipelines, tables


def compared(pipelines: list[Pipeline], tables: dict[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    found = compare_pipelines(pipelines, tables, seed=SEED)
    assert list(found) == [table.name for table in schemas.COMPARISON_TABLES]
    for table in schemas.COMPARISON_TABLES:
        schemas.validate(found[table.name], table)
    return found


def kernels_of(pipelines: list[Pipeline], tables: dict[str, pl.DataFrame]) -> Any:
    return np.array([tables[p.name]["wins"].to_list()[:CASES] for p in pipelines])


def test_numbers_are_those_of_the_pure_functions() -> None:
    pipelines, tables = study()
    found = compared(pipelines, tables)
    y = np.arange(CASES + CONTROLS) < CASES
    kernels, oracle = kernels_of(pipelines, tables), [p.oracle for p in pipelines]
    subjects = tables[pipelines[0].name]["subject"].to_numpy()
    shared = shared_auroc(kernels, y, subjects, resamples=1000, seed=SEED)
    won, ranked = corrected_winner(shared, oracle), ranks(shared, oracle)
    row = found["winner"].filter(metric="auroc").row(0, named=True)
    assert row["pipeline"] == pipelines[won.pipeline].name
    assert (row["apparent"], row["corrected"], row["optimism"]) == pytest.approx(
        (won.apparent, won.corrected.value, won.optimism)
    )
    assert (row["n_pipelines"], row["n_oracles"]) == (8, 10)
    places = found["pipeline_ranks"].filter(metric="auroc")
    for column, values in zip(("rank", "rank_lower", "rank_upper", "probability_best"), ranked, strict=True):
        assert places[column].fill_null(np.nan).to_numpy() == pytest.approx(values, nan_ok=True), column
    honest = [i for i, mark in enumerate(oracle) if not mark and i != won.pipeline]
    direct = paired_delong(kernels, y, [(i, won.pipeline) for i in honest], subjects)
    best = found["comparisons"].filter(family="best")
    assert best["first"].to_list() == [pipelines[i].name for i in honest]
    for column, values in {
        "difference": direct.value,
        "difference_lower": direct.lower,
        "p_holm": direct.p_holm,
    }.items():
        assert best[column].to_numpy() == pytest.approx(values), column


def test_oracles_are_compared_with_and_never_ranked() -> None:
    found = compared(*study())
    ranked = found["pipeline_ranks"]
    assert ranked.filter("oracle")["rank"].is_null().all()
    assert ranked.filter("oracle")["score"].null_count() == 0
    assert ranked.filter(~pl.col("oracle"), metric="brier")["rank"].sum() == sum(range(1, 9))
    reference = found["comparisons"].filter(family="reference")
    assert reference.height == 18 - 2
    same_classifier = reference["first"].str.split("__").list.last() == reference["second"].str.split("__").list.last()
    assert same_classifier.all()
    assert set(found["method_ranks"]["method"]) == {"LOF", "MOMENT", "linear", "SAITS", "CatBoost", "TabM"}


def test_a_lower_brier_score_is_the_better() -> None:
    pipelines, tables = study()
    found = compared(pipelines, tables)
    honest = found["pipeline_ranks"].filter(~pl.col("oracle"), metric="brier").sort("rank")
    assert honest["score"].is_sorted()
    best = tables[honest["pipeline"][0]]
    row = found["winner"].filter(metric="brier").row(0, named=True)
    assert row["apparent"] == pytest.approx(((best["y_prob"] - best["y_true"]) ** 2).mean())
    assert row["corrected_lower"] < row["corrected"] < row["corrected_upper"]
    assert row["corrected"] == pytest.approx(row["apparent"] + row["optimism"])


def test_one_pipeline_wins_and_is_compared_with_nothing() -> None:
    found = compared(*study(("LOF",), ("linear",), ("CatBoost",)))
    assert found["winner"]["probability_best"].to_list() == [1.0] * 3
    assert found["pipeline_ranks"]["rank"].to_list() == [1.0] * 3
    assert [found[name].height for name in ("comparisons", "method_ranks", "variance_decomposition")] == [0, 0, 0]


def test_oracles_only_have_no_winner() -> None:
    found = compared(*study((TRUTH,), (TRUTH, "linear"), ("CatBoost",)))
    assert found["winner"]["pipeline"].null_count() == 3
    assert found["winner"]["reason"].null_count() == 0
    assert found["pipeline_ranks"]["rank"].null_count() == 6
    assert found["comparisons"]["family"].to_list() == ["reference"]
    assert found["variance_decomposition"].is_empty()


def test_without_ground_truth_there_is_no_reference() -> None:
    found = compared(*study(("LOF", "MOMENT"), ("linear", "SAITS"), ("CatBoost", "TabM")))
    assert found["comparisons"]["family"].unique().to_list() == ["best"]
    assert found["comparisons"].height == 7


def test_pipelines_that_rank_alike_have_a_difference_and_no_p() -> None:
    pipelines, tables = study(("LOF", "MOMENT"), ("linear",), ("CatBoost",))
    tables = dict.fromkeys(tables, tables[pipelines[0].name])
    found = compared(pipelines, tables)
    row = found["comparisons"].row(0, named=True)
    assert (row["difference"], row["p_value"]) == (0.0, None)
    assert "alike" in row["reason"]
    assert found["pipeline_ranks"]["rank"].to_list() == [1.5] * 6
    assert found["variance_decomposition"].filter(term="outlier_detection")["eta_squared"].to_list() == [None]


def test_constant_pipelines_are_ranked_last_and_not_refused() -> None:
    pipelines, tables = study(("LOF", "MOMENT"), ("linear",), ("CatBoost",))
    tables[pipelines[1].name] = scores_of(np.zeros(CASES + CONTROLS))
    row = compared(pipelines, tables)["pipeline_ranks"].filter(metric="auroc").row(1, named=True)
    assert (row["score"], row["rank"]) == (0.5, 2.0)


def test_a_stage_without_whole_blocks_says_so() -> None:
    pipelines, tables = study(("LOF", "MOMENT"), ("linear", "SAITS"), ("CatBoost",))
    pipelines = [
        p for p in pipelines if (p.methods["outlier_detection"] == "LOF") == (p.methods["imputation"] == "linear")
    ]
    found = compared(pipelines, tables)["method_ranks"]
    assert found["mean_rank"].null_count() == found.height == 4
    assert found["reason"].null_count() == 0


def test_shares_of_variance_are_of_the_stages_that_vary() -> None:
    found = compared(*study())["variance_decomposition"]
    of_all, with_all = found.filter(model="all"), found.filter(model="crossed")
    stages = ["outlier_detection", "imputation", "classification"]
    assert of_all["term"].to_list() == [*stages, "residual"]
    assert with_all["term"].to_list() == [
        *stages,
        "outlier_detection:imputation",
        "outlier_detection:classification",
        "imputation:classification",
        "residual",
    ]
    assert found.filter(model="TabM")["term"].to_list() == ["outlier_detection", "imputation", "residual"]
    # the grid is balanced: shares add up
    for model in (of_all, with_all):
        assert model["eta_squared"].sum() == pytest.approx(1)
        assert model["n_pipelines"].unique().to_list() == [8]


def test_stages_are_crossed_where_every_method_meets_every_other() -> None:
    """One detector was run with one imputer alone: every pipeline counts, and interactions are of the others."""
    pipelines, tables = study(("LOF", "MOMENT", "SubPCA"))
    kept = [p for p in pipelines if p.methods["outlier_detection"] != "SubPCA" or p.methods["imputation"] != "SAITS"]
    found = compared(kept, {p.name: tables[p.name] for p in kept})["variance_decomposition"]
    honest = sum(not pipeline.oracle for pipeline in kept)
    assert found.filter(model="all")["n_pipelines"].unique().to_list() == [honest]
    crossed = found.filter(model="crossed")
    assert crossed["n_pipelines"].unique().to_list() == [8]
    assert crossed["eta_squared"].null_count() == 0


def test_a_pipeline_of_other_recordings_is_named() -> None:
    pipelines, tables = study()
    other = tables[pipelines[3].name].with_columns(recording=pl.lit("x") + pl.col("recording"))
    with pytest.raises(DataError, match=pipelines[3].name):
        compare_pipelines(pipelines, {**tables, pipelines[3].name: other}, seed=SEED)


def test_the_same_seed_gives_the_same_tables() -> None:
    first, second = compared(*study()), compared(*study())
    assert all(first[name].equals(second[name]) for name in first)
