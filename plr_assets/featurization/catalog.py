"""What each feature is, and what its values look like in development recordings.

Belongs here: a featurizer's dictionary as a table, distributions over published features. Does not belong here: labels,
ground truth or evaluated recordings: a distribution that is looked at while features are chosen must not be of them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from plr_assets.featurization.base import DESCRIBED, Featurizer
from plr_assets.recordings.table import Recordings
from plr_assets.schemas import FEATURE_DICTIONARY
from plr_assets.schemas.table import polars_schema

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
# Enough to see two humps in 299 recordings, few enough for none to be noise.
_BINS = 24

Values = NDArray[np.float64]
_TOLD = polars_schema(FEATURE_DICTIONARY)
_SPREAD = {
    "name": pl.String,
    "combinations": pl.Int64,
    "n": pl.Int64,
    "missing": pl.Float64,
    **{f"q{round(100 * share):02d}": pl.Float64 for share in QUANTILES},
}


def feature_dictionary(featurizer: Featurizer, recordings: Recordings) -> pl.DataFrame:
    """Table `schemas.FEATURE_DICTIONARY`: what each column is, and the runs of samples that it is made of.

    Runs are medians over the recordings that have them, s on the common grid, both ends included.
    """
    windows = featurizer.windows(recordings)
    runs: dict[str, tuple[list[float], list[float]]] = {}
    for name, pieces in windows.items():
        starts, ends = [], []
        for start, stop in pieces:
            if (some := stop > start).any():
                starts.append(float(np.median(start[some])) / recordings.rate_hz)
                ends.append(float(np.median(stop[some] - 1)) / recordings.rate_hz)
        runs[name] = starts, ends
    entries = featurizer.describe()
    return pl.DataFrame(
        {
            **{key: [entry[key] for entry in entries] for key in DESCRIBED},
            "run_starts_s": pl.Series([runs[entry["name"]][0] for entry in entries], dtype=pl.List(pl.Float32)),
            "run_ends_s": pl.Series([runs[entry["name"]][1] for entry in entries], dtype=pl.List(pl.Float32)),
        }
    )


def feature_catalog(
    features: Mapping[str, Sequence[pl.DataFrame]],
    dictionaries: Mapping[str, Sequence[pl.DataFrame]],
    development: Collection[str],
) -> pl.DataFrame:
    """Table `schemas.FEATURE_CATALOG`: a row a featurization and feature.

    features       featurization -> its tables `schemas.FEATURES`, one a combination of methods before it.
    dictionaries   featurization -> what those tables say of themselves; the first that knows a feature is believed.
    development    the recordings whose values count.
    Quantiles are over the values of all combinations together.
    """
    parts = []
    for featurization, tables in features.items():
        spread = pl.DataFrame(
            [_spread(name, columns) for name, columns in _values(tables, development).items()],
            schema=_SPREAD,
            orient="row",
        )
        known = pl.concat([pl.DataFrame(schema=_TOLD), *dictionaries.get(featurization, ())])
        known = known.unique("name", keep="first", maintain_order=True)
        row = spread.join(known, on="name", how="left", maintain_order="left")
        parts.append(row.select(pl.lit(featurization).alias("featurization"), *_TOLD, *list(_SPREAD)[1:]))
    return pl.concat(parts)


def histograms(tables: Sequence[pl.DataFrame], development: Collection[str]) -> pl.DataFrame:
    """A row a feature and bin: name, bin_start, bin_end, n; 24 bins over the inner 98 % of all combinations' values.

    What lies beyond is in the first and the last bin. A feature with one value has one bin.
    """
    rows: list[tuple[str, float, float, int]] = []
    for name, columns in _values(tables, development).items():
        values = np.concatenate(columns)
        values = values[~np.isnan(values)]
        if not values.size:
            continue
        low, high = np.quantile(values, [0.01, 0.99])
        if high > low:
            edges = np.linspace(low, high, _BINS + 1)
            counts = np.histogram(np.clip(values, low, high), edges)[0]
            rows += [(name, edges[i], edges[i + 1], int(count)) for i, count in enumerate(counts)]
        else:
            rows.append((name, float(low), float(low), values.size))
    schema = {"name": pl.String, "bin_start": pl.Float64, "bin_end": pl.Float64, "n": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _values(tables: Sequence[pl.DataFrame], development: Collection[str]) -> dict[str, list[Values]]:
    """Feature -> its values in development recordings, a table that has it each, NaN where missing."""
    found: dict[str, list[Values]] = {}
    for table in tables:
        own = table.filter(pl.col("recording").is_in(list(development)))
        for name in own.columns[2:]:
            found.setdefault(name, []).append(own[name].fill_null(float("nan")).to_numpy())
    return found


def _spread(name: str, columns: Sequence[Values]) -> tuple[str | int | float | None, ...]:
    """A row of `_SPREAD`."""
    values = np.concatenate(columns)
    there = values[~np.isnan(values)]
    quantiles = [float(q) for q in np.quantile(there, QUANTILES)] if there.size else [None] * len(QUANTILES)
    missing = 1 - there.size / values.size if values.size else None
    return (name, len(columns), int(there.size), missing, *quantiles)
