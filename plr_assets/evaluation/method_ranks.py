"""Mean ranks of the methods of each stage over the grid of a study: the table `method_ranks`.

Belongs here: which pipelines form a block. Does not belong here: Friedman's test and Nemenyi's difference
(`critical_difference`), or ranks of pipelines (`winner`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from string import ascii_lowercase
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from plr_assets import schemas
from plr_assets.evaluation.critical_difference import critical_difference

Matrix = NDArray[np.float64]

NO_BLOCK = "no combination of the other stages' methods has all of them"


def method_rank_columns(pipelines: Sequence[Mapping[str, str]], scores: Matrix) -> Mapping[str, Any]:
    """Columns of `schemas.METHOD_RANKS`.

    pipelines   (J,) axis -> method, no oracle among them.
    scores      (J, 1 + R) higher is better: of the cohort, and of resamples of its subjects.
    A block is a combination of the other stages' methods in which all methods of the stage are published; others are
    left out. Stages with one method have no row.
    """
    rows: list[dict[str, Any]] = []
    for axis in pipelines[0] if pipelines else ():
        rows += _of_axis(axis, pipelines, scores)
    types = {"string": pl.String, "int64": pl.Int64, "float64": pl.Float64}
    return {
        column.name: pl.Series([row[column.name] for row in rows], dtype=types[column.dtype])
        for column in schemas.METHOD_RANKS.columns
    }


def _of_axis(axis: str, pipelines: Sequence[Mapping[str, str]], scores: Matrix) -> list[dict[str, Any]]:
    methods = list(dict.fromkeys(pipeline[axis] for pipeline in pipelines))
    if len(methods) < 2:
        return []
    blocks: dict[tuple[str, ...], dict[str, int]] = {}
    for place, pipeline in enumerate(pipelines):
        rest = tuple(method for name, method in pipeline.items() if name != axis)
        blocks.setdefault(rest, {})[pipeline[axis]] = place
    whole = [[block[method] for method in methods] for block in blocks.values() if len(block) == len(methods)]
    others = [name for name in pipelines[0] if name != axis and len({p[name] for p in pipelines}) > 1]
    replicates = f"{' x '.join(others) or 'one combination'} of methods, all judged on the same subjects"
    described = {"axis": axis, "blocks": len(whole), "replicates": replicates}
    numbers = (
        "mean_rank", "mean_rank_lower", "mean_rank_upper", "critical_difference", "p_friedman", "p_iman_davenport",
    )  # fmt: skip
    if not whole:
        empty = dict.fromkeys(numbers, float("nan")) | {"groups": None, "reason": NO_BLOCK}
        return [{**described, **empty, "method": method} for method in methods]
    table = scores[np.array(whole)]
    resampled = np.moveaxis(table[:, :, 1:], 2, 0) if scores.shape[1] > 1 else None
    found = critical_difference(table[:, :, 0], replicates=replicates, resampled=resampled)
    together = {"critical_difference": found.critical_difference, "reason": found.reason or None}
    together |= {"p_friedman": found.p_value, "p_iman_davenport": found.p_iman_davenport}
    return [
        {
            **described,
            **together,
            "method": method,
            "mean_rank": found.mean_rank[i],
            "mean_rank_lower": found.lower[i],
            "mean_rank_upper": found.upper[i],
            "groups": "".join(ascii_lowercase[g] for g, group in enumerate(found.groups) if i in group) or None,
        }
        for i, method in enumerate(methods)
    ]
