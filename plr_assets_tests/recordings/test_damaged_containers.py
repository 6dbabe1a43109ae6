"""Damaged databases and Parquet files: each recording is imported right, or refused with file, key and rule."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np
import polars as pl
import pytest

from plr_assets.platform.duckdb_recordings import all_readers
from plr_assets.recordings.importer import Verdict, import_recordings, judge_sources
from plr_assets.recordings.simulator.files import write_study_files
from plr_assets.recordings.sources import Source
from plr_assets.recordings.subjects import UNKNOWN
from plr_assets.recordings.table import Recordings
from plr_assets_tests.recordings.conftest import study_of
from plr_assets_tests.recordings.test_readers import long_table, write_database

KINDS = ("duckdb", "sqlite", "parquet")
CODE = "PLR4242"
Tables = dict[str, pl.DataFrame]
Change = Callable[[pl.DataFrame], pl.DataFrame]


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Recordings:
    folder = tmp_path_factory.mktemp("containers")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PLR_DATA_DIR", str(folder))
        study = study_of(simulation={"control": 1, "glaucoma": 1, "unlabelled": 1})
        write_study_files(study)
        return import_recordings(study, folder / "lookup.json").recordings


def tables_of(cohort: Recordings, kind: str) -> Tables:
    """Three recordings; in a database two of them in `train`."""
    if kind == "parquet":
        names = [f"{CODE}{index}" for index in range(3)]
        return {"recordings": cohort.to_frame().with_columns(subject=pl.Series(names), recording=pl.Series(names))}
    own = [long_table(cohort, index, f"{CODE}{index}") for index in range(3)]
    return {"train": pl.concat(own[:2]), "test": own[2]}


def write(path: Path, kind: str, tables: Tables) -> None:
    path.unlink(missing_ok=True)
    if kind == "parquet":
        tables["recordings"].write_parquet(path)
    else:
        write_database(path, kind, tables)


def judged(path: Path, kind: str) -> list[Verdict]:
    seri = kind != "parquet"
    study = study_of(
        recordings={
            "path": "raw",
            "reader": "seri_db" if seri else "recordings_parquet",
            "unit": "%" if seri else "px",
            "ground_truth_in_files": True,
        }
    )
    return judge_sources([Source(path, path.stem, UNKNOWN, None)], study, all_readers())


def refused(verdicts: list[Verdict], path: Path) -> dict[str, str]:
    """Place in the file -> rule, after looking at how each refusal is told."""
    found = {}
    for verdict in verdicts:
        if verdict.error is not None:
            error = verdict.error
            assert error.problem
            assert error.remedy
            assert error.where.startswith(path.name)
            assert CODE not in error.problem + error.remedy
            found[error.where] = error.problem
    return found


def assert_right(verdicts: list[Verdict], cohort: Recordings) -> None:
    """What was accepted is what was written."""
    for verdict in verdicts:
        if verdict.trace is not None:
            index = int(verdict.code.removeprefix(CODE))
            expected = cohort.pupil[index].astype(float)
            np.testing.assert_allclose(verdict.trace.pupil, expected, atol=1e-5, equal_nan=True)


def with_cell(column: str, value: float | None) -> Change:
    """Row 100, which is the first recording's."""
    return lambda frame: frame.with_columns(
        pl.when(pl.int_range(pl.len()) == 100).then(pl.lit(value, dtype=pl.Float64)).otherwise(column).alias(column)
    )


def cast(column: str, dtype: type[pl.DataType]) -> Change:
    return lambda frame: frame.with_columns(pl.col(column).cast(dtype))


def text(column: str) -> Change:
    return lambda frame: frame.with_columns(pl.lit("much").alias(column))


# What was done to table `train`, how many of the three recordings are left, and the rule that is named.
SERI: dict[str, tuple[Change, int, str]] = {
    "no such column": (lambda frame: frame.rename({"pupil_orig": "pupil"}), 0, "has no column 'pupil_orig'"),
    "text for a number": (text("pupil_orig"), 1, "recording 1: a cell in column 'pupil_orig' is no number"),
    "text for time": (text("time"), 1, "a cell in column 'time' is no number"),
    "text for age": (text("Age"), 1, "age is not between"),
    "infinite": (with_cell("pupil_orig", float("inf")), 2, "recording 1: a cell in column 'pupil_orig' is no finite"),
    "no truth": (with_cell("pupil_gt", None), 2, "recording 1: ground truth `pupil_gt` has a gap"),
    "impossible": (with_cell("pupil_orig", -25_000.0), 2, "impossible diameter: -2.5e+04 %"),
    "another scale": (
        lambda frame: frame.with_columns(pl.col("pupil_orig", "pupil_gt") * 1000),
        1,
        "wrong unit or scale",
    ),
    "flag of two": (with_cell("outlier_mask", 2.0), 2, "recording 1: `outlier_mask` is neither 0 nor 1"),
    "a time twice": (with_cell("time", 0.0), 2, "recording 1: two samples have the same time"),
    "no code": (
        lambda frame: frame.with_columns(pl.lit(None, dtype=pl.String).alias("subject_code")),
        1,
        "subject_code is blank",
    ),
    "half of the rows": (lambda frame: frame.head(1000), 1, "before the common grid does"),
    "other label": (
        lambda frame: frame.with_columns(pl.lit("healthy").alias("class_label")),
        1,
        "class_label is none of control, glaucoma",
    ),
}
PARQUET: dict[str, tuple[Change, int, str]] = {
    "no such column": (lambda frame: frame.rename({"pupil": "diameter"}), 0, "there is no column 'pupil'"),
    "no row": (lambda frame: frame.head(0), 0, "the table has no row"),
    "text for a signal": (text("pupil"), 0, "a cell is not what the table `recordings` holds"),
    "text for a number": (text("baseline"), 0, "a cell is not what the table `recordings` holds"),
    "other length": (
        lambda frame: frame.with_columns(pl.col("pupil").arr.to_list().list.head(900)),
        0,
        "`pupil` has 900 samples, the common grid 1981",
    ),
    "no pupil": (
        lambda frame: frame.with_columns(pupil=pl.when(pl.int_range(pl.len()) != 1).then("pupil")),
        2,
        "recording 2: `pupil` has 0 samples",
    ),
    "no truth": (
        lambda frame: frame.with_columns(truth=pl.when(pl.int_range(pl.len()) != 1).then("truth")),
        2,
        "the recording has no ground truth",
    ),
    "another scale": (
        lambda frame: frame.with_columns(
            pl.col("pupil").arr.to_list().list.eval(pl.element() * 1000).cast(frame.schema["pupil"])
        ),
        0,
        "wrong unit or scale",
    ),
    "negative baseline": (lambda frame: frame.with_columns(baseline=-pl.col("baseline")), 0, "no finite number"),
    "other rate": (lambda frame: frame.with_columns(rate_hz=pl.lit(60.0)), 0, "another rate than 30 Hz"),
    "doubles": (lambda frame: frame.with_columns(pl.col("pupil").cast(pl.Array(pl.Float64, 1981))), 3, ""),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_sound_file_is_accepted_whole(cohort: Recordings, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "many.bin"
    write(path, kind, tables_of(cohort, kind))
    verdicts = judged(path, kind)
    assert [verdict.error for verdict in verdicts] == [None] * 3
    assert_right(verdicts, cohort)


@pytest.mark.parametrize(("kind", "damage"), [(kind, name) for kind in ("duckdb", "sqlite") for name in SERI])
def test_a_database_with_a_wrong_table_loses_what_is_wrong(
    cohort: Recordings, tmp_path: Path, kind: str, damage: str
) -> None:
    change, left, rule = SERI[damage]
    tables, path = tables_of(cohort, kind), tmp_path / "many.bin"
    write(path, kind, {**tables, "train": change(tables["train"])})
    verdicts = judged(path, kind)
    assert sum(verdict.trace is not None for verdict in verdicts) == left
    assert any(rule in problem for problem in refused(verdicts, path).values()), refused(verdicts, path)
    assert_right(verdicts, cohort)


@pytest.mark.parametrize("kind", ["duckdb", "sqlite"])
@pytest.mark.parametrize("table", ["train", "test"])
def test_a_database_without_a_table_is_refused(cohort: Recordings, tmp_path: Path, kind: str, table: str) -> None:
    tables, path = tables_of(cohort, kind), tmp_path / "many.bin"
    del tables[table]
    write(path, kind, tables)
    assert refused(judged(path, kind), path) == {path.name: f"there is no table {table!r}."}


@pytest.mark.parametrize("damage", PARQUET)
def test_a_table_of_ours_with_a_wrong_column_loses_what_is_wrong(
    cohort: Recordings, tmp_path: Path, damage: str
) -> None:
    change, left, rule = PARQUET[damage]
    path = tmp_path / "many.bin"
    write(path, "parquet", {"recordings": change(tables_of(cohort, "parquet")["recordings"])})
    verdicts = judged(path, "parquet")
    assert sum(verdict.trace is not None for verdict in verdicts) == left
    assert left == 3 or any(rule in problem for problem in refused(verdicts, path).values()), refused(verdicts, path)
    assert_right(verdicts, cohort)


def cut(content: bytes, random: Random) -> bytes:
    return content[: random.randrange(len(content))]


def flipped_header(content: bytes, random: Random) -> bytes:
    changed = bytearray(content)
    for _ in range(random.randint(1, 4)):
        changed[random.randrange(128)] ^= 1 << random.randrange(8)
    return bytes(changed)


def flipped_anywhere(content: bytes, random: Random) -> bytes:
    changed = bytearray(content)
    for _ in range(random.randint(1, 20)):
        changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    return bytes(changed)


def zeroed(content: bytes, random: Random) -> bytes:
    at = random.randrange(len(content))
    return content[:at] + bytes(min(4096, len(content) - at)) + content[at + 4096 :]


def moved(content: bytes, random: Random) -> bytes:
    """A block where another was, as a failing disk writes."""
    first, second = (random.randrange(len(content)) // 512 * 512 for _ in range(2))
    return content[:first] + content[second : second + 512] + content[first + 512 :]


def shortened_end(content: bytes, random: Random) -> bytes:
    return content[: -random.randint(1, 64)]


DAMAGE = (cut, flipped_header, flipped_anywhere, zeroed, moved, shortened_end)


def damage_files(cohort: Recordings, folder: Path, kind: str, count: int, seed: int) -> None:
    """Bytes changed at random: what is accepted passed the gate; where the format has checksums, it is unchanged."""
    path = folder / "many.bin"
    write(path, kind, tables_of(cohort, kind))
    sound = path.read_bytes()
    lost = 0
    for number in range(count):
        random = Random(f"{seed}-{number}")  # noqa: S311 - no secret
        content = DAMAGE[number % len(DAMAGE)](sound, random)
        path.write_bytes(content)
        verdicts = judged(path, kind)
        assert verdicts, "a file without a verdict is lost without a word"
        lost += bool(refused(verdicts, path))
        for verdict in verdicts:
            trace = verdict.trace
            assert (trace is None) == (verdict.error is not None)
            if trace is not None:
                assert trace.pupil.shape == (1981,)
                assert np.nanmin(trace.pupil) >= -105
                assert np.nanmax(trace.pupil) <= 900
                assert trace.truth is not None
                assert np.isfinite(trace.truth).all()
        if kind == "duckdb":  # its blocks carry checksums; those of SQLite and of our Parquet do not
            assert_right(verdicts, cohort)
    assert lost > count / 4


@pytest.mark.parametrize("kind", KINDS)
def test_a_few_damaged_containers(cohort: Recordings, tmp_path: Path, kind: str) -> None:
    damage_files(cohort, tmp_path, kind, 24, 1)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_thousand_damaged_containers(cohort: Recordings, tmp_path: Path, kind: str) -> None:
    damage_files(cohort, tmp_path, kind, 1000, 2)
