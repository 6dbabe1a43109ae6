"""Readers of files that hold many recordings, the subjects workbook, and the verdicts that `plr validate` prints."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import duckdb
import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from plr_assets.cli.app import app
from plr_assets.errors import DataError
from plr_assets.platform.duckdb_recordings import all_readers
from plr_assets.recordings.importer import Imported, import_recordings
from plr_assets.recordings.table import Recordings
from plr_assets.study import Study

COLUMNS = ("time", "pupil_orig", "pupil_gt", "outlier_mask", "Red", "Blue", "subject_code", "class_label", "Age")


def long_table(recordings: Recordings, index: int, code: str) -> pl.DataFrame:
    assert recordings.truth is not None
    assert recordings.artefact is not None
    n = recordings.n_samples
    return pl.DataFrame(
        {
            "time": recordings.time,
            "pupil_orig": pl.Series(recordings.pupil[index].astype(float)).fill_nan(None),
            "pupil_gt": recordings.truth[index].astype(float),
            "outlier_mask": recordings.artefact[index].astype(int),
            "Red": recordings.light["red"][index].astype(float),
            "Blue": recordings.light["blue"][index].astype(float),
            "subject_code": pl.Series([code] * n),
            "class_label": pl.Series([recordings.label[index]] * n, dtype=pl.String),
            "Age": pl.Series([float(recordings.age[index])] * n),
        }
    )


@pytest.fixture
def cohort(simulated: Study, tmp_path: Path) -> Recordings:
    return import_recordings(simulated, tmp_path / "first.json").recordings


def write_database(path: Path, kind: str, tables: dict[str, pl.DataFrame]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    types = ("REAL",) * 6 + ("TEXT", "TEXT", "REAL")
    connection: Any = sqlite3.connect(path) if kind == "sqlite" else duckdb.connect(str(path))
    for name, frame in tables.items():
        if kind == "duckdb":
            connection.register("frame", frame.to_arrow())
            connection.execute(f"CREATE TABLE {name} AS SELECT * FROM frame")  # noqa: S608
        else:
            columns = ", ".join(f'"{column}" {kind}' for column, kind in zip(frame.columns, types, strict=True))
            connection.execute(f"CREATE TABLE {name} ({columns})")
            connection.executemany(f"INSERT INTO {name} VALUES ({', '.join('?' * 9)})", frame.rows())  # noqa: S608
    if kind == "sqlite":
        connection.commit()
    connection.close()


def from_files(make_study: Callable[..., Study], tmp_path: Path, **recordings: Any) -> Imported:
    study = make_study(
        recordings={"path": "many", "ground_truth_in_files": True, **recordings},
        simulation=None,
        labels=("control", "glaucoma") if recordings.get("reader", "auto") != "auto" else None,
    )
    return import_recordings(study, tmp_path / "second.json", all_readers())


@pytest.mark.parametrize("kind", ["duckdb", "sqlite"])
def test_a_database_gives_its_recordings_and_loses_only_the_broken_one(
    cohort: Recordings, simulated: Study, make_study: Callable[..., Study], tmp_path: Path, kind: str
) -> None:
    tables = [long_table(cohort, index, f"PLR20{index:02d}") for index in range(4)]
    tables[2] = tables[2].with_columns(pl.lit(None, dtype=pl.Float64).alias("pupil_gt"))
    path = simulated.data_dir / "many" / "cohort.bin"
    write_database(path, kind, {"train": pl.concat(tables[:3]), "test": tables[3]})
    before = path.read_bytes()
    imported = from_files(make_study, tmp_path, reader="seri_db", unit="%")
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]
    found = imported.recordings
    assert len(found) == 3
    [refused] = imported.quarantine.to_dicts()
    assert refused["reason"] == "table train, recording 3: ground truth `pupil_gt` has a gap."
    assert "PLR" not in imported.quarantine.write_json()
    for index in range(3):
        match = [k for k in range(4) if found.age[index] == cohort.age[k] and found.label[index] == cohort.label[k]]
        assert any(np.array_equal(found.pupil[index], cohort.pupil[k], equal_nan=True) for k in match)
    assert found.truth is not None
    assert found.artefact is not None


@pytest.mark.parametrize("kind", ["duckdb", "sqlite"])
@pytest.mark.parametrize("cut", [100, 5000, 40_000])
def test_a_damaged_database_is_refused(
    cohort: Recordings, simulated: Study, make_study: Callable[..., Study], tmp_path: Path, *, kind: str, cut: int
) -> None:
    path = simulated.data_dir / "many" / "cohort.db"
    table = long_table(cohort, 0, "PLR2000")
    write_database(path, kind, {"train": table, "test": long_table(cohort, 1, "PLR2001")})
    content = path.read_bytes()
    path.write_bytes(content[:cut] + b"\x00\xff" * 2000 + content[cut + 4000 : len(content) // 2])
    with pytest.raises(DataError, match="none of 1 files"):
        from_files(make_study, tmp_path, reader="seri_db", unit="%")


def test_our_own_table_comes_back_as_it_was(
    cohort: Recordings, simulated: Study, make_study: Callable[..., Study], tmp_path: Path
) -> None:
    path = simulated.data_dir / "many" / "published"
    path.parent.mkdir()
    frame = cohort.to_frame()
    frame.write_parquet(path)
    imported = from_files(make_study, tmp_path, reader="recordings_parquet")
    assert imported.quarantine.is_empty()
    again = imported.recordings.to_frame()
    by_baseline = pl.exclude("recording", "subject")
    assert again.sort("baseline").select(by_baseline).equals(frame.sort("baseline").select(by_baseline))


def test_a_human_mask_of_some_recordings_is_kept_for_those(
    cohort: Recordings, simulated: Study, make_study: Callable[..., Study], tmp_path: Path
) -> None:
    path = simulated.data_dir / "many" / "published"
    path.parent.mkdir()
    frame = cohort.to_frame()
    looked = pl.int_range(pl.len()) % 3 == 0
    frame = frame.with_columns(artefact=pl.when(looked).then("artefact"))
    frame.write_parquet(path)
    imported = from_files(make_study, tmp_path, reader="recordings_parquet")
    assert imported.quarantine.is_empty()
    found = imported.recordings.to_frame().sort("baseline")
    assert found["artefact"].equals(frame.sort("baseline")["artefact"])
    assert imported.recordings.reviewed.sum() == 3


def test_one_wrong_row_of_our_own_table_is_refused_alone(
    cohort: Recordings, simulated: Study, make_study: Callable[..., Study], tmp_path: Path
) -> None:
    path = simulated.data_dir / "many" / "published.parquet"
    path.parent.mkdir()
    number = pl.int_range(pl.len())
    frame = cohort.to_frame().with_columns(
        synthetic=number != 0, baseline_unit=pl.when(number == 1).then(pl.lit("mm")).otherwise("baseline_unit")
    )
    frame.write_parquet(path)
    imported = from_files(make_study, tmp_path)
    assert len(imported.recordings) == len(cohort) - 2
    reasons = " ".join(imported.quarantine["reason"])
    assert "simulated and clinical recordings can never meet" in reasons
    assert "its baseline is in mm, the study's in px" in reasons


def test_a_cut_parquet_file_is_refused(
    cohort: Recordings, simulated: Study, make_study: Callable[..., Study], tmp_path: Path
) -> None:
    path = simulated.data_dir / "many" / "published.parquet"
    path.parent.mkdir()
    cohort.to_frame().write_parquet(path)
    content = path.read_bytes()
    for broken in (content[: len(content) // 2], content[:50_000] + b"\xff" * 5000 + content[55_000:]):
        path.write_bytes(broken)
        with pytest.raises(
            DataError, match="none of 1 files could be imported; the first: the Parquet file is damaged"
        ):
            from_files(make_study, tmp_path)


def test_readers_go_by_content_and_not_by_name(
    simulated: Study, make_study: Callable[..., Study], tmp_path: Path
) -> None:
    raw = simulated.resolve(simulated.recordings.path)
    for path in raw.iterdir():
        path.rename(path.with_suffix(".parquet"))
    study = make_study(recordings={**simulated.recordings.model_dump(), "reader": "auto"})
    assert len(import_recordings(study, tmp_path / "x.json").recordings) == 8


def write_workbook(path: Path, rows: Sequence[Sequence[Any]]) -> None:
    """The least that is a workbook of one sheet."""
    cells = "".join(
        "<row>"
        + "".join(
            f"<c><v>{cell}</v></c>" if isinstance(cell, int) else f'<c t="inlineStr"><is><t>{cell or ""}</t></is></c>'
            for cell in row
        )
        + "</row>"
        for row in rows
    )
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types"><Default Extension="rels" ContentType='
        '"application/vnd.openxmlformats-package.relationships+xml"/><Override PartName="/xl/workbook.xml" '
        f'ContentType="{kind}.sheet.main+xml"/><Override PartName="/xl/worksheets/sheet1.xml" '
        f'ContentType="{kind}.worksheet+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" '
        f'Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets><sheet name="a" sheetId="1" '
        'r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" '
        f'Type="{office}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData>{cells}</sheetData></worksheet>',
    }
    with ZipFile(path, "w") as archive:
        for name, text in parts.items():
            archive.writestr(name, text)


def test_a_workbook_of_subjects_says_what_the_csv_says(
    simulated: Study, make_study: Callable[..., Study], tmp_path: Path
) -> None:
    table = pl.read_csv(simulated.data_dir / "subjects.csv")
    expected = import_recordings(simulated, tmp_path / "x.json").recordings
    write_workbook(simulated.data_dir / "people.xlsx", [table.columns, *table.rows()])
    study = make_study(recordings={**simulated.recordings.model_dump(), "subjects": "people.xlsx"})
    found = import_recordings(study, tmp_path / "x.json").recordings
    assert found.label == expected.label
    assert found.eye == expected.eye
    np.testing.assert_array_equal(found.age, expected.age)


def test_recordings_without_a_row_are_named(simulated: Study, tmp_path: Path) -> None:
    (simulated.data_dir / "subjects.csv").write_text("subject_code,class_label,age,eye\nPLR1001,control,50,\n")
    imported = import_recordings(simulated, tmp_path / "lookup.json")
    assert len(imported.unlisted) == 7
    assert set(imported.unlisted) < set(imported.recordings.recording)


def test_validate_prints_a_verdict_a_file_and_fails_if_one_is_refused(simulated: Study, tmp_path: Path) -> None:
    good = simulated.resolve(simulated.recordings.path) / "PLR1001_BR.csv"
    bad = tmp_path / "PLR9999_BR.csv"
    bad.write_bytes(good.read_bytes()[:90_000])
    runner = CliRunner()
    passed = runner.invoke(app, ["validate", str(good), "--study", "paper"])
    assert passed.exit_code == 0, passed.output
    assert "1 accepted, 0 refused" in passed.output
    failed = runner.invoke(app, ["validate", str(good), str(bad), "--study", "paper"])
    assert failed.exit_code == 1
    assert "1 accepted, 1 refused" in failed.output
    assert "refused" in failed.output
