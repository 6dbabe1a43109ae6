"""Digests of content: what a table, document or folder says, not how its file was written.

Belongs here: canonical SHA-256 digests. Does not belong here: fingerprints of work to be done (`fingerprints`).
Two tables have one digest if and only if their columns, types, row order and values are equal; Parquet versions,
chunking and compression do not matter.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from hashlib import _Hash


def digest_frame(frame: pl.DataFrame) -> str:
    """SHA-256 of a table's content."""
    state = hashlib.sha256(f"{frame.height}".encode())
    for name, column in zip(frame.columns, frame.get_columns(), strict=True):
        _add_text(state, name)
        _add_text(state, str(column.dtype))
        _add_series(state, column)
    return state.hexdigest()


def digest_json(document: Any) -> str:
    """SHA-256 of a JSON document, whatever the order of its keys."""
    return hashlib.sha256(canonical_json(document).encode()).hexdigest()


def canonical_json(document: Any) -> str:
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest_folder(folder: Path) -> str:
    """SHA-256 over the relative names and bytes of all files below `folder`."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return digest_json({path.relative_to(folder).as_posix(): sha256_file(path) for path in files})


def digest_of(digests: Mapping[str, str]) -> str:
    """One digest for several named ones."""
    return digest_json(dict(digests))


def sha256_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _add_text(state: _Hash, text: str) -> None:
    """With its length before it, so that no text can look like two."""
    encoded = text.encode()
    state.update(f"{len(encoded)}:".encode() + encoded)


def _add_series(state: _Hash, series: pl.Series) -> None:
    """Nulls first, then values by type; nested types by their lengths and their values, one level at a time."""
    state.update(np.packbits(series.is_null().to_numpy()).tobytes())
    values = series.drop_nulls()
    dtype = values.dtype
    if isinstance(dtype, pl.Struct):
        for field in dtype.fields:
            _add_text(state, field.name)
            _add_text(state, str(field.dtype))
            _add_series(state, values.struct.field(field.name))
    elif isinstance(dtype, pl.List):
        state.update(values.list.len().to_numpy().tobytes())
        _add_series(state, values.filter(values.list.len() > 0).explode())
    elif isinstance(dtype, pl.Array):
        _add_series(state, values.explode() if values.len() else pl.Series([], dtype=dtype.inner))
    elif dtype == pl.Binary:
        state.update(np.array([len(value) for value in values], dtype=np.uint64).tobytes())
        state.update(b"".join(values))
    elif dtype == pl.String:
        state.update(values.str.len_bytes().to_numpy().tobytes())
        state.update("".join(values).encode())
    elif isinstance(dtype, pl.Categorical | pl.Enum | pl.Decimal):
        _add_series(state, values.cast(pl.String))
    elif dtype.is_temporal():
        _add_series(state, values.to_physical())
    elif dtype.is_numeric() or dtype in (pl.Boolean, pl.Null):
        array = values.to_numpy()
        if array.dtype.kind == "f":  # one NaN, whatever its payload
            array = np.where(np.isnan(array), array.dtype.type(np.nan), array)
        state.update(np.ascontiguousarray(array).tobytes())
    else:
        raise TypeError(f"a column of {dtype} has no digest")
