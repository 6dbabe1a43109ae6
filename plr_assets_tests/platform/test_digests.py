"""Digests: equal content, equal digest; any other content, another."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from datetime import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plr_assets.platform.digests import (
    canonical_json,
    digest_folder,
    digest_frame,
    digest_json,
    digest_of,
    sha256_file,
)

# Few values, so that two tables drawn apart are often nearly equal: "a", "b" beside "ab", "".
_INTS = st.sampled_from([None, 0, 1, 2])
_FLOATS = st.sampled_from([None, 0.0, 1.0, -1.5, float("nan")])
_TEXTS = st.sampled_from([None, "", "a", "b", "ab", "\x00", "é"])
_BOOLS = st.sampled_from([None, True, False])
_STIMULUS = pl.Struct({"colour": pl.String, "onset_s": pl.Float64})

# Every kind of column that a schema declares, and nestings of them.
_COLUMNS: list[tuple[pl.DataType, st.SearchStrategy[Any]]] = [
    (pl.Int64(), _INTS),
    (pl.Float64(), _FLOATS),
    (pl.Float32(), _FLOATS),
    (pl.String(), _TEXTS),
    (pl.Boolean(), _BOOLS),
    (pl.List(pl.UInt16), st.none() | st.lists(_INTS, max_size=2)),
    (pl.List(pl.String), st.none() | st.lists(_TEXTS, max_size=2)),
    (pl.List(pl.List(pl.Int64)), st.none() | st.lists(st.none() | st.lists(_INTS, max_size=2), max_size=2)),
    (pl.Array(pl.Float32, 2), st.none() | st.lists(_FLOATS, min_size=2, max_size=2)),
    (pl.Array(pl.Boolean, 2), st.none() | st.lists(_BOOLS, min_size=2, max_size=2)),
    (_STIMULUS, st.none() | st.fixed_dictionaries({"colour": _TEXTS, "onset_s": _FLOATS})),
    (
        pl.List(_STIMULUS),
        st.none() | st.lists(st.none() | st.fixed_dictionaries({"colour": _TEXTS, "onset_s": _FLOATS}), max_size=2),
    ),
]


@st.composite
def frames(draw: st.DrawFn, min_rows: int = 0) -> pl.DataFrame:
    chosen = draw(st.lists(st.sampled_from(_COLUMNS), min_size=1, max_size=3))
    height = draw(st.integers(min_rows, 4))
    return pl.DataFrame(
        [
            pl.Series(f"c{i}", draw(st.lists(values, min_size=height, max_size=height)), dtype=dtype)
            for i, (dtype, values) in enumerate(chosen)
        ]
    )


@st.composite
def pairs(draw: st.DrawFn) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Two tables of one column each, of one type and height."""
    dtype, values = draw(st.sampled_from(_COLUMNS))
    columns = st.integers(0, 3).flatmap(lambda n: st.tuples(*[st.lists(values, min_size=n, max_size=n)] * 2))
    left, right = draw(columns)
    return pl.DataFrame([pl.Series("c", left, dtype=dtype)]), pl.DataFrame([pl.Series("c", right, dtype=dtype)])


def says(frame: pl.DataFrame) -> str:
    """All that a table says, as text, in which every NaN is `nan`."""
    return repr((frame.schema, frame.rows()))


@given(pairs())
def test_two_tables_have_one_digest_exactly_if_they_say_the_same(pair: tuple[pl.DataFrame, pl.DataFrame]) -> None:
    left, right = pair
    assert (digest_frame(left) == digest_frame(right)) == (says(left) == says(right))


@given(frames(), st.data())
def test_chunks_do_not_matter(frame: pl.DataFrame, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, frame.height))
    chunked = pl.concat([frame[:cut], frame[cut:]], rechunk=False)
    assert digest_frame(chunked) == digest_frame(frame)


@given(frames(min_rows=1))
def test_a_part_of_a_larger_table_is_a_table(frame: pl.DataFrame) -> None:
    part = pl.concat([frame, frame, frame], rechunk=True)[frame.height : 2 * frame.height]
    assert digest_frame(part) == digest_frame(frame)


@given(frames(), st.sampled_from(["zstd", "snappy", "uncompressed"]), st.sampled_from([None, 1, 2]))
def test_a_table_survives_parquet(
    tmp_path_factory: pytest.TempPathFactory, frame: pl.DataFrame, compression: Any, row_group_size: int | None
) -> None:
    path = tmp_path_factory.getbasetemp() / "table.parquet"
    frame.write_parquet(path, compression=compression, row_group_size=row_group_size)
    assert digest_frame(pl.read_parquet(path)) == digest_frame(frame)


@given(frames())
def test_a_table_survives_arrow(frame: pl.DataFrame) -> None:
    back = pl.from_arrow(frame.to_arrow())
    assert isinstance(back, pl.DataFrame)
    assert digest_frame(back.cast(dict(frame.schema))) == digest_frame(frame)


@given(frames(min_rows=1), st.data())
def test_a_row_more_or_less_is_another_table(frame: pl.DataFrame, data: st.DataObject) -> None:
    repeated = data.draw(st.integers(0, frame.height - 1))
    assert digest_frame(pl.concat([frame, frame[repeated]])) != digest_frame(frame)


@given(frames(min_rows=2), st.randoms())
def test_the_order_of_rows_matters(frame: pl.DataFrame, random: Any) -> None:
    order = list(range(frame.height))
    random.shuffle(order)
    shuffled = frame[order]
    assert (digest_frame(shuffled) == digest_frame(frame)) == (says(shuffled) == says(frame))


@given(frames())
def test_a_column_is_known_by_its_name_and_place(frame: pl.DataFrame) -> None:
    first = frame.columns[0]
    assert digest_frame(frame.rename({first: "other"})) != digest_frame(frame)
    if frame.width > 1:
        assert digest_frame(frame.select(reversed(frame.columns))) != digest_frame(frame)
        assert digest_frame(frame.drop(first)) != digest_frame(frame)


@pytest.mark.parametrize(
    ("left", "right", "dtype"),
    [
        pytest.param(["a", "b"], ["ab", ""], pl.String, id="where a text ends"),
        pytest.param([["a", "b"]], [["ab", ""]], pl.List(pl.String), id="where a text in a list ends"),
        pytest.param([[1], [2, 3]], [[1, 2], [3]], pl.List(pl.Int64), id="where a list ends"),
        pytest.param([[[1], [2]]], [[[1, 2]]], pl.List(pl.List(pl.Int64)), id="where an inner list ends"),
        pytest.param(["", "a"], [None, "a"], pl.String, id="empty text or none"),
        pytest.param([[], [1]], [None, [1]], pl.List(pl.Int64), id="empty list or none"),
        pytest.param([float("nan")], [None], pl.Float64, id="NaN or none"),
        pytest.param([1, None], [None, 1], pl.Int64, id="which value is missing"),
        pytest.param([{"x": None}], [None], pl.Struct({"x": pl.Int64}), id="which level is missing"),
        pytest.param([[1.0, 2.0]], [[2.0, 1.0]], pl.Array(pl.Float32, 2), id="order of samples"),
    ],
)
def test_values_that_look_alike_in_a_row_are_told_apart(left: list[Any], right: list[Any], dtype: Any) -> None:
    one, other = (digest_frame(pl.DataFrame([pl.Series("c", values, dtype=dtype)])) for values in (left, right))
    assert one != other


@pytest.mark.parametrize(
    ("values", "one", "other"),
    [
        ([1, 2], pl.Int64, pl.Int32),
        ([1, 2], pl.Int64, pl.UInt64),
        ([1.0, 2.0], pl.Float64, pl.Float32),
        ([None, None], pl.Float64, pl.Int64),
        ([], pl.Float64, pl.Float32),
        ([[1, 2]], pl.List(pl.Int64), pl.Array(pl.Int64, 2)),
        ([[1, 2]], pl.List(pl.UInt16), pl.List(pl.UInt8)),
        ([], pl.Array(pl.Float32, 2), pl.Array(pl.Float32, 3)),
        ([], pl.Struct({"a": pl.Int64}), pl.Struct({"b": pl.Int64})),
    ],
)
def test_the_same_values_of_another_type_are_another_table(values: list[Any], one: Any, other: Any) -> None:
    def of(dtype: Any) -> str:
        return digest_frame(pl.DataFrame([pl.Series("c", values, dtype=dtype)]))

    assert of(one) != of(other)


@pytest.mark.parametrize(("floats", "bits"), [(np.float32, np.uint32), (np.float64, np.uint64)])
@pytest.mark.parametrize("nest", [lambda s: s, lambda s: s.reshape((1, 2)), lambda s: s.implode()])
def test_a_nan_is_a_nan_whatever_its_payload_and_sign(
    floats: type[np.floating], bits: type[np.unsignedinteger], nest: Callable[[pl.Series], pl.Series]
) -> None:
    quiet = np.array([np.nan, 1.0], floats)
    patterns = [quiet.view(bits)[0] + payload for payload in (0, 1, 77)]
    patterns.append(quiet.view(bits)[0] | bits(1) << bits(8 * quiet.itemsize - 1))
    digests = set()
    for pattern in patterns:
        values = quiet.copy()
        values.view(bits)[0] = pattern
        assert np.isnan(values[0])
        digests.add(digest_frame(nest(pl.Series("c", values)).to_frame("c")))
    assert len(digests) == 1


def test_a_missing_value_is_nothing_whatever_lies_beneath_it() -> None:
    hidden = pl.DataFrame({"n": [1, 9], "t": ["a", "hidden"], "l": [[1], [7, 8, 9]], "s": [{"x": 1}, {"x": 9}]})
    masked = hidden.select(pl.when(pl.Series([True, False])).then(pl.all()))
    plain = pl.DataFrame(
        {"n": [1, None], "t": ["a", None], "l": [[1], None], "s": [{"x": 1}, None]}, schema=hidden.schema
    )
    assert digest_frame(masked) == digest_frame(plain)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        pytest.param([[[1, 2], [3, 4]]], [[[1, 2], [3, 5]]], id="value"),
        pytest.param(
            [[None, [1, 2]]],
            [[[None, None], [1, 2]]],
            id="missing",
        ),
    ],
)
def test_arrays_of_arrays_are_told_apart(left: list[Any], right: list[Any]) -> None:
    dtype = pl.Array(pl.Array(pl.Int64, 2), 2)
    assert digest_frame(pl.DataFrame([pl.Series("c", left, dtype=dtype)])) != digest_frame(
        pl.DataFrame([pl.Series("c", right, dtype=dtype)])
    )


def test_a_column_name_cannot_imitate_a_column() -> None:
    two = pl.DataFrame({"a": [5], "b": [6]}, schema={"a": pl.Int8, "b": pl.Int8})
    one = pl.DataFrame({"a\x1fInt8\x1f\x00\x05\x1eb": [6]}, schema={"a\x1fInt8\x1f\x00\x05\x1eb": pl.Int8})
    assert digest_frame(two) != digest_frame(one)


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: pl.Series("c", [b"some bytes", b"other bytes"]), id="binary"),
        pytest.param(lambda: pl.Series("c", [time(10), time(11)]), id="time"),
        pytest.param(lambda: pl.Series("c", ["one level", "another"], dtype=pl.Categorical), id="categorical"),
    ],
)
def test_a_type_is_digested_by_content_or_refused(make: Callable[[], pl.Series]) -> None:
    held, digests = [], set()
    for _ in range(10):
        try:
            digests.add(digest_frame(make().to_frame()))
        except TypeError:
            return
        held.append(make().to_numpy())  # occupies the addresses, so that the next objects get others
    assert len(digests) == 1


def test_every_digit_of_a_decimal_counts() -> None:
    numbers = [pl.Series("c", [f"1234567890123456789.0{n}"]).cast(pl.Decimal(30, 2)) for n in (1, 2)]
    assert numbers[0].to_list() != numbers[1].to_list()
    assert digest_frame(numbers[0].to_frame()) != digest_frame(numbers[1].to_frame())


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text("ab\u00e9 "),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=2), inner, max_size=3),
    max_leaves=8,
)


def _reversed_keys(document: Any) -> Any:
    if isinstance(document, dict):
        return {key: _reversed_keys(value) for key, value in reversed(document.items())}
    return [_reversed_keys(item) for item in document] if isinstance(document, list) else document


@given(_JSON)
def test_the_order_of_json_keys_does_not_matter(document: Any) -> None:
    assert digest_json(_reversed_keys(document)) == digest_json(document)


@given(_JSON)
def test_a_document_survives_its_file(document: Any) -> None:
    assert digest_json(json.loads(canonical_json(document))) == digest_json(document)


@given(_JSON, _JSON)
def test_two_documents_have_one_digest_exactly_if_they_say_the_same(left: Any, right: Any) -> None:
    same = json.dumps(left, sort_keys=True) == json.dumps(right, sort_keys=True)
    assert (digest_json(left) == digest_json(right)) == same


@pytest.mark.parametrize(("left", "right"), [([1, 2], [2, 1]), (1, 1.0), (1, True), (1, "1"), (None, "null")])
def test_documents_that_python_finds_alike_are_told_apart(left: Any, right: Any) -> None:
    assert digest_json(left) != digest_json(right)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_that_json_lacks_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        digest_json({"value": value})


def test_several_digests_make_one_whatever_their_order() -> None:
    assert digest_of({"a": "1", "b": "2"}) == digest_of({"b": "2", "a": "1"})
    assert digest_of({"a": "1", "b": "2"}) != digest_of({"a": "2", "b": "1"})


def test_the_digest_of_a_file_is_its_sha256(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    assert sha256_file(tmp_path / "file") == hashlib.sha256(b"content").hexdigest()


def _fill(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def test_a_folder_is_its_files_wherever_and_whenever_they_were_written(tmp_path: Path) -> None:
    files = {"model.json": "1", "parts/weights": "2"}
    here = _fill(tmp_path / "here", files)
    there = _fill(tmp_path / "else" / "there", dict(reversed(files.items())))
    os.utime(there / "model.json", (0, 0))
    assert digest_folder(here) == digest_folder(there)


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({"model.json": "1", "parts/weights": "3"}, id="other content"),
        pytest.param({"model.json": "2", "parts/weights": "1"}, id="contents swapped"),
        pytest.param({"model.json": "1", "weights": "2"}, id="other place"),
        pytest.param({"model.json": "1"}, id="one less"),
        pytest.param({"model.json": "1", "parts/weights": "2", "empty": ""}, id="one more"),
    ],
)
def test_other_files_are_another_folder(tmp_path: Path, files: dict[str, str]) -> None:
    original = _fill(tmp_path / "a", {"model.json": "1", "parts/weights": "2"})
    assert digest_folder(_fill(tmp_path / "b", files)) != digest_folder(original)
