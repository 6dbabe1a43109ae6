"""Artifacts: what is read back is what was published, or an error that says where and why it is not."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from plr_assets.errors import ContractError
from plr_assets.platform.artifacts import (
    ArtifactRef,
    Product,
    decode_infos,
    encode_infos,
    file_name,
    folder_path,
    product_digest,
    read_document,
    read_table,
    write_product,
)
from plr_assets.platform.digests import digest_frame
from plr_assets.schemas import Column, Table

VISITS = Table(
    "visits",
    "Every kind of column.",
    (
        Column("visit", "string", "id"),
        Column("eye", "string", "which", nullable=True, allowed=("left", "right")),
        Column("age", "float64", "at the visit", "a", minimum=0, maximum=120),
        Column("count", "int64", "how many", minimum=0),
        Column("synthetic", "boolean", "simulated"),
        Column("pupil", "signal", "diameter", "%"),
        Column("mask", "mask", "rejected"),
        Column("indices", "list[uint16]", "cases"),
        Column("stimuli", "stimuli", "lights"),
    ),
    ("visit",),
)
# The same columns without a rule, to publish what VISITS then refuses.
LENIENT = Table("visits", "No rules.", tuple(Column(c.name, c.dtype, "", nullable=True) for c in VISITS.columns), ())
DOCUMENT = {"b": [1, 2.5, None, "é"], "a": {"nested": True}}


def visits(**columns: Any) -> pl.DataFrame:
    light = {"colour": "blue", "onset_s": 1.0, "offset_s": 2.0}
    values = {
        "visit": ["v1", "v2"],
        "eye": ["left", None],
        "age": [40.0, 50.5],
        "count": [0, 3],
        "synthetic": [True, False],
        "pupil": [[1.0, float("nan"), 3.0], [4.0, 5.0, 6.0]],
        "mask": [[True, False, True], [False, False, False]],
        "indices": [[1, 2], []],
        "stimuli": [[light, light], []],
    }
    dtypes: dict[str, Any] = {
        "pupil": pl.Array(pl.Float32, 3),
        "mask": pl.Array(pl.Boolean, 3),
        "indices": pl.List(pl.UInt16),
        "stimuli": pl.List(pl.Struct({"colour": pl.String, "onset_s": pl.Float64, "offset_s": pl.Float64})),
        "eye": pl.String,
    }
    return pl.DataFrame({**values, **columns}, schema_overrides=dtypes)


def _write_model(folder: Path) -> None:
    (folder / "model.json").write_text("{}")
    (folder / "parts").mkdir()
    (folder / "parts" / "weights").write_bytes(b"\x00\x01")


EVERYTHING = Product(tables={"visits": visits()}, documents={"facts": DOCUMENT}, folders={"model": _write_model})


def publish(folder: Path, product: Product = EVERYTHING, schema: Table = VISITS) -> dict[str, ArtifactRef]:
    folder.mkdir(exist_ok=True)
    infos = write_product(product, {"visits": schema}, folder)
    return {name: ArtifactRef("run7", name, info, folder / file_name(name, info.kind)) for name, info in infos.items()}


@pytest.fixture
def published(tmp_path: Path) -> dict[str, ArtifactRef]:
    return publish(tmp_path / "run")


def read(ref: ArtifactRef) -> Any:
    match ref.info.kind:
        case "table":
            return read_table(ref, VISITS)
        case "document":
            return read_document(ref)
        case "folder":
            return folder_path(ref)


def test_a_table_comes_back_with_its_values_types_and_order(published: dict[str, ArtifactRef]) -> None:
    assert_frame_equal(read_table(published["visits"], VISITS), visits())


def test_a_document_comes_back(published: dict[str, ArtifactRef]) -> None:
    assert read_document(published["facts"]) == DOCUMENT


def test_a_folder_comes_back_with_the_files_that_the_library_wrote(published: dict[str, ArtifactRef]) -> None:
    folder = folder_path(published["model"])
    assert (folder / "model.json").read_text() == "{}"
    assert (folder / "parts" / "weights").read_bytes() == b"\x00\x01"


def test_what_is_said_of_an_artifact_is_true_of_its_file(published: dict[str, ArtifactRef]) -> None:
    table, document, folder = (published[name] for name in ("visits", "facts", "model"))
    assert (table.info.rows, table.info.digest) == (2, digest_frame(visits()))
    assert table.info.bytes == table.path.stat().st_size
    assert document.info.bytes == document.path.stat().st_size
    assert folder.info.bytes == len("{}") + 2


def test_publishing_the_same_twice_gives_the_same_data_version(tmp_path: Path) -> None:
    first, second = publish(tmp_path / "a"), publish(tmp_path / "b")
    assert product_digest({n: r.info for n, r in first.items()}) == product_digest(
        {n: r.info for n, r in second.items()}
    )


@pytest.mark.parametrize(
    "other",
    [
        replace(EVERYTHING, tables={"visits": visits(count=[0, 4])}),
        replace(EVERYTHING, documents={"facts": {}}),
        replace(EVERYTHING, folders={"other": _write_model}),
        replace(EVERYTHING, folders={}),
    ],
    ids=["table", "document", "name", "fewer"],
)
def test_the_data_version_follows_each_artifact(tmp_path: Path, other: Product) -> None:
    versions = {
        product_digest({name: ref.info for name, ref in publish(tmp_path / str(i), product).items()})
        for i, product in enumerate((EVERYTHING, other))
    }
    assert len(versions) == 2


def test_the_data_version_ignores_metrics_and_notes(tmp_path: Path) -> None:
    plain = write_product(Product(documents={"facts": {}}), {}, tmp_path)
    chatty = write_product(Product(documents={"facts": {}}, metrics={"a": 1.0}, notes={"a": "b"}), {}, tmp_path)
    assert product_digest(plain) == product_digest(chatty)


def test_declarations_survive_the_tag_that_holds_them(published: dict[str, ArtifactRef]) -> None:
    infos = {name: ref.info for name, ref in published.items()}
    assert decode_infos(encode_infos(infos)) == infos


def _append(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b" ")


@pytest.mark.parametrize(
    ("name", "tamper"),
    [
        pytest.param("visits", _append, id="table: a byte more"),
        pytest.param("visits", lambda path: visits(count=[0, 4]).write_parquet(path), id="table: another table"),
        pytest.param("visits", Path.unlink, id="table: gone"),
        pytest.param("facts", _append, id="document: a byte more"),
        pytest.param("facts", lambda path: path.write_text(json.dumps({"a": 1})), id="document: another document"),
        pytest.param("facts", Path.unlink, id="document: gone"),
        pytest.param("model", lambda path: _append(path / "parts" / "weights"), id="folder: a byte more"),
        pytest.param("model", lambda path: (path / "model.json").unlink(), id="folder: a file less"),
        pytest.param("model", lambda path: (path / "extra").touch(), id="folder: a file more"),
        pytest.param("model", lambda path: (path / "model.json").rename(path / "m.json"), id="folder: renamed"),
    ],
)
def test_what_was_changed_after_publishing_is_refused_by_run_and_artifact(
    published: dict[str, ArtifactRef], name: str, tamper: Callable[[Path], object]
) -> None:
    ref = published[name]
    assert ref.is_intact()
    tamper(ref.path)
    assert not ref.is_intact()
    with pytest.raises(ContractError, match=rf"run run7, artifact {name}: "):
        read(ref)


VIOLATIONS = [
    pytest.param(visits(age=[40.0, 121.0]), r"'age'.*less_than_or_equal_to.*120", id="maximum"),
    pytest.param(visits(count=[-1, 0]), r"'count'.*greater_than_or_equal_to.*0", id="minimum"),
    pytest.param(visits(eye=["left", "third"]), r"'eye'.*isin.*'left', 'right'", id="allowed"),
    pytest.param(visits(count=[1, None]), r"'count'.*null", id="missing value"),
    pytest.param(visits(age=[40.0, float("nan")]), r"'age'.*(NaN|null)", id="nan"),
    pytest.param(visits(visit=["v1", "v1"]), r"repeats its key.*'visit': 'v1'", id="key"),
]
WRONG_FORM = [
    pytest.param(visits(count=[1.0, 2.0]), r"'count'.*Int64.*Float64", id="type"),
    pytest.param(visits().with_columns(pl.col("pupil").arr.to_list()), r"'pupil'.*array of Float32", id="no array"),
    pytest.param(visits().drop("eye"), r"lacks column\(s\) \['eye'\]", id="lacks a column"),
    pytest.param(visits(extra=[1, 2]), r"unknown column\(s\) \['extra'\]", id="unknown column"),
]


@pytest.mark.parametrize(("frame", "rule"), [*VIOLATIONS, *WRONG_FORM])
def test_a_table_that_breaks_its_schema_is_not_written_and_column_and_rule_are_named(
    tmp_path: Path, frame: pl.DataFrame, rule: str
) -> None:
    with pytest.raises(ValueError, match=rf"(?s)visits.*{rule}"):
        write_product(Product(tables={"visits": frame}), {"visits": VISITS}, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("frame", "rule"), VIOLATIONS)
def test_a_published_table_that_breaks_the_readers_schema_is_refused_by_run_artifact_column_and_rule(
    tmp_path: Path, frame: pl.DataFrame, rule: str
) -> None:
    lenient = Table(LENIENT.name, LENIENT.description, LENIENT.columns, ("visit", "count", "age", "eye"))
    ref = publish(tmp_path / "run", Product(tables={"visits": frame}), lenient)["visits"]
    with pytest.raises(ContractError, match=rf"(?s)run run7, artifact visits.*{rule}"):
        read_table(ref, VISITS)


def test_a_table_without_a_schema_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no schema.*'secret'"):
        write_product(Product(tables={"secret": visits()}), {"visits": VISITS}, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_document_that_json_cannot_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_product(Product(documents={"facts": {"value": float("nan")}}), {}, tmp_path)


def test_two_artifacts_of_one_name_are_refused(tmp_path: Path) -> None:
    product = Product(tables={"visits": visits()}, documents={"visits": {}})
    with pytest.raises(ValueError, match="visits"):
        write_product(product, {"visits": VISITS}, tmp_path)


def test_a_reader_who_changes_a_table_in_place_changes_no_one_elses(published: dict[str, ArtifactRef]) -> None:
    read_table(published["visits"], VISITS).drop_in_place("age")
    assert_frame_equal(read_table(published["visits"], VISITS), visits())
