"""All pipelines of a study against each other: the tables of `schemas.COMPARISON_TABLES`.

Belongs here: which pipelines are compared, and which number goes into which row. Does not belong here: the estimates
themselves (`comparisons`, `winner`, `variance_decomposition`, `critical_difference`), or one pipeline by itself
(`report`).

AUROC is over pairs of a case and a control, each ranked by models fitted on neither (`single`); Brier score and net
benefit are of the averaged prediction (`bagged`). Models are taken as fixed; all pipelines share the resamples of the
subjects. Oracles have scores, and are compared with, but are never ranked and explain no variance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from plr_assets import schemas
from plr_assets.errors import DataError
from plr_assets.evaluation.comparisons import against, paired_delong
from plr_assets.evaluation.estimate import Codes, Labels, subject_codes
from plr_assets.evaluation.method_ranks import method_rank_columns
from plr_assets.evaluation.tables import frame_of
from plr_assets.evaluation.utility import benefits
from plr_assets.evaluation.variance_decomposition import Decomposition, Effect, crossed, variance_decomposition
from plr_assets.evaluation.winner import Shared, corrected_winner, ranks, shared_auroc, shared_mean

Columns = Mapping[str, Any]
Matrix = NDArray[np.float64]

BENEFIT_PERCENT = 15
RESAMPLES = 1000
# Resamples behind intervals of ranks of methods and of shares of variance: 200 hold their ends to 0.01 or so.
FEWER_RESAMPLES = 200
ORACLE = "it uses ground truth of evaluated recordings"
ONLY_ORACLES = "every published pipeline uses ground truth of evaluated recordings"
ALIKE = "both rank every pair alike: nothing tells how much they could differ"
# Models of `variance_decomposition` that are of no classifier.
ALL, CROSSED = "all", "crossed"
RESIDUAL = "no interval is computed of what is left"


@dataclass(frozen=True)
class Pipeline:
    """Who it is.

    methods    axis -> method.
    reference  the pipeline that has the same but ground truth in the place of some methods; None: it has none.
    """

    name: str
    methods: Mapping[str, str]
    oracle: bool
    reference: str | None = None


@dataclass(frozen=True, eq=False)
class _Study:
    """pipelines (J,); y, subject (n,); kernels (J, cases, controls); p (J, n)."""

    pipelines: Sequence[Pipeline]
    y: Labels
    subject: Codes
    kernels: Matrix
    p: Matrix

    @property
    def names(self) -> list[str]:
        return [pipeline.name for pipeline in self.pipelines]

    @property
    def oracle(self) -> NDArray[np.bool_]:
        return np.array([pipeline.oracle for pipeline in self.pipelines])


def compare_pipelines(
    pipelines: Sequence[Pipeline], tables: Mapping[str, pl.DataFrame], *, seed: int
) -> dict[str, pl.DataFrame]:
    """All tables of a study, by table name.

    tables   pipeline -> `schemas.PAIR_SCORES`.
    seed     of the resamples of the subjects.
    Raises DataError where a pipeline was judged on other recordings than the first.
    """
    study = _read(pipelines, tables)
    signed = {
        "auroc": shared_auroc(study.kernels, study.y, study.subject, resamples=RESAMPLES, seed=seed),
        "brier": shared_mean(-((study.p - study.y) ** 2), study.subject, resamples=RESAMPLES, seed=seed),
        f"net_benefit_{BENEFIT_PERCENT}pct": shared_mean(
            np.concatenate([benefits(study.y, p, [BENEFIT_PERCENT / 100]) for p in study.p]),
            study.subject,
            resamples=RESAMPLES,
            seed=seed,
        ),
    }
    honest = [(place, pipeline) for place, pipeline in enumerate(pipelines) if not pipeline.oracle]
    places, judged = [place for place, _ in honest], [pipeline.methods for _, pipeline in honest]
    scores = signed["auroc"].drawn[places, : 1 + FEWER_RESAMPLES]
    columns: dict[str, Columns] = {
        "comparisons": _compared(study, signed["auroc"]),
        "winner": _winners(study, signed),
        "pipeline_ranks": _ranked(study, signed),
        "method_ranks": method_rank_columns(judged, scores),
        "variance_decomposition": _decomposed(judged, scores, int(study.subject.max()) + 1),
    }
    return {table.name: frame_of(table, {}, columns[table.name]) for table in schemas.COMPARISON_TABLES}


def _read(pipelines: Sequence[Pipeline], tables: Mapping[str, pl.DataFrame]) -> _Study:
    identity = ("recording", "subject", "y_true")
    first = tables[pipelines[0].name].select(identity)
    for pipeline in pipelines:
        if not tables[pipeline.name].select(identity).equals(first):
            raise DataError(
                pipeline.name,
                f"it was not judged on the recordings of {pipelines[0].name}, so they cannot be compared.",
                "Run its classification again, or mend the run that was adopted.",
            )
    y = first["y_true"].to_numpy().astype(bool)
    shape = int(y.sum()), int((~y).sum())
    wins = [tables[pipeline.name].filter(pl.col("y_true") == 1)["wins"] for pipeline in pipelines]
    for pipeline, of in zip(pipelines, wins, strict=True):
        if (of.list.len() != shape[1]).any():
            raise DataError(pipeline.name, "its `wins` are not one a control.", "Evaluate the pipeline again.")
    return _Study(
        pipelines,
        y,
        subject_codes(first["subject"].to_numpy(), y.size),
        np.stack([of.explode().to_numpy().astype(np.float64).reshape(shape) for of in wins]),
        np.stack([tables[pipeline.name]["y_prob"].to_numpy() for pipeline in pipelines]),
    )


def _compared(study: _Study, auroc: Shared) -> Columns:
    """Every pipeline against the best of them, and against its own with ground truth in the place of methods.

    By DeLong's paired variance: 1000 resamples give no p below 0.002, which adjusted for 440 is never below 0.05.
    """
    names, oracle = study.names, study.oracle
    families: dict[str, list[tuple[int, int]]] = {"best": [], "reference": []}
    if not oracle.all():
        best = corrected_winner(auroc, oracle).pipeline
        families["best"] = [(i, j) for i, j in against(best, len(names)) if not oracle[i]]
    place = {name: i for i, name in enumerate(names)}
    families["reference"] = [
        (i, place[pipeline.reference])
        for i, pipeline in enumerate(study.pipelines)
        if pipeline.reference in place and pipeline.reference != pipeline.name
    ]
    found = [
        (family, paired_delong(study.kernels, study.y, pairs, study.subject)) for family, pairs in families.items()
    ]
    rows = [(family, *row) for family, differences in found for row in zip(*differences, strict=True)]
    fields = list(zip(*rows, strict=True)) if rows else [()] * 9
    family, first, second, value, lower, upper, p_value, p_holm, p_bh = fields
    return {
        "family": pl.Series(family, dtype=pl.String),
        "first": pl.Series([names[i] for i in first], dtype=pl.String),
        "second": pl.Series([names[j] for j in second], dtype=pl.String),
        "first_oracle": pl.Series([bool(oracle[i]) for i in first], dtype=pl.Boolean),
        "difference": _floats(value),
        "difference_lower": _floats(lower),
        "difference_upper": _floats(upper),
        "p_value": _floats(p_value),
        "p_holm": _floats(p_holm),
        "p_bh": _floats(p_bh),
        "reason": pl.Series([ALIKE if np.isnan(p) else None for p in p_value], dtype=pl.String),
    }


def _floats(values: Sequence[float]) -> pl.Series:
    return pl.Series(np.asarray(values, dtype=np.float64))


def _sign(metric: str) -> float:
    """Scores are higher for the better; a Brier score is lower."""
    return -1.0 if metric == "brier" else 1.0


def _winners(study: _Study, signed: Mapping[str, Shared]) -> Columns:
    rows = [_winner(study, metric, scores) for metric, scores in signed.items()]
    return {name: [row[name] for row in rows] for name in rows[0]}


def _winner(study: _Study, metric: str, scores: Shared) -> dict[str, Any]:
    oracle, sign, nan = study.oracle, _sign(metric), float("nan")
    counts = {"n_pipelines": int((~oracle).sum()), "n_oracles": int(oracle.sum())}
    if oracle.all():
        empty = dict.fromkeys(
            ("apparent", "corrected", "corrected_lower", "corrected_upper", "optimism", "probability_best"), nan
        )
        return {"metric": metric, "pipeline": None, **empty, **counts, "reason": ONLY_ORACLES}
    won = corrected_winner(scores, oracle)
    ends = sorted((sign * won.corrected.lower, sign * won.corrected.upper))
    return {
        "metric": metric,
        "pipeline": study.names[won.pipeline],
        "apparent": sign * won.apparent,
        "corrected": sign * won.corrected.value,
        "corrected_lower": ends[0],
        "corrected_upper": ends[1],
        "optimism": won.optimism,
        "probability_best": float(ranks(scores, oracle).probability_best[won.pipeline]),
        **counts,
        "reason": won.corrected.reason or None,
    }


def _ranked(study: _Study, signed: Mapping[str, Shared]) -> Columns:
    oracle, nothing = study.oracle, np.full((4, len(study.pipelines)), np.nan)
    parts: list[Columns] = []
    for metric, scores in signed.items():
        of = nothing if oracle.all() else ranks(scores, oracle)
        parts.append(
            {
                "pipeline": study.names,
                "metric": [metric] * len(oracle),
                "oracle": oracle,
                "score": _sign(metric) * scores.drawn[:, 0],
                **dict(zip(("rank", "rank_lower", "rank_upper", "probability_best"), of, strict=True)),
                "reason": np.array([ORACLE if mark else None for mark in oracle], dtype=object),
            }
        )
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _decomposed(judged: Sequence[Mapping[str, str]], scores: Matrix, n_subjects: int) -> Columns:
    """Of all pipelines; of a part of the grid without empty cells, with interactions of two stages, which are not to be
    told apart elsewhere; and of the pipelines with one classifier."""
    classifiers = list(dict.fromkeys(methods["classification"] for methods in judged))
    axes = list(judged[0]) if judged else []
    whole = {axis: [methods[axis] for methods in judged] for axis in axes}
    models = {ALL: list(range(len(judged))), CROSSED: crossed(whole).tolist()}
    if len(classifiers) > 1:
        models |= {name: [i for i, m in enumerate(judged) if m["classification"] == name] for name in classifiers}
    rows: list[dict[str, Any]] = []
    for model, places in models.items():
        factors = {axis: [judged[i][axis] for i in places] for axis in axes}
        varied = sum(len(set(levels)) > 1 for levels in factors.values())
        if varied > (model == CROSSED):  # with one stage there is no interaction
            found = variance_decomposition(
                factors, scores[places], interactions=model == CROSSED, n_subjects=n_subjects
            )
            rows += [{"model": model, **row} for row in _terms(found)]
    table = schemas.VARIANCE_DECOMPOSITION
    types = {"string": pl.String, "int64": pl.Int64, "float64": pl.Float64}
    return {c.name: pl.Series([row[c.name] for row in rows], dtype=types[c.dtype]) for c in table.columns}


def _terms(found: Decomposition) -> list[dict[str, Any]]:
    rows = [_term(effect, found.cells) for effect in found.effects]
    last = dict.fromkeys(rows[0], float("nan")) | {
        "term": "residual",
        "df": found.residual_df,
        "sum_of_squares": found.residual_sum_of_squares,
        "eta_squared": found.residual_eta_squared,
        "n_pipelines": found.cells,
        "reason": RESIDUAL,
    }
    return [*rows, last]


def _term(effect: Effect, cells: int) -> dict[str, Any]:
    row: dict[str, Any] = {"term": ":".join(effect.term), "df": effect.df, "sum_of_squares": effect.sum_of_squares}
    reasons = []
    for name in ("eta_squared", "partial_eta_squared", "partial_omega_squared"):
        estimate = getattr(effect, name)
        row |= {name: estimate.value, f"{name}_lower": estimate.lower, f"{name}_upper": estimate.upper}
        reasons.append(estimate.reason)
    return {**row, "n_pipelines": cells, "reason": next(filter(None, reasons), None)}
