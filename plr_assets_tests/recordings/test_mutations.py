"""Damaged files: imported right, or refused with the rule; never a crash, and no other recording lost."""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from plr_assets.recordings.file_errors import MAX_TEXT_BYTES
from plr_assets.recordings.gridded import GriddedTrace
from plr_assets.recordings.importer import Verdict, import_recordings, judge_sources
from plr_assets.recordings.sources import Source, find_sources
from plr_assets.recordings.subjects import UNKNOWN
from plr_assets.study import Study
from plr_assets_tests.recordings.mutations import MUTATIONS, OF_DEVICE_FILES

CODE = "PLR4242"
UNITS = {"device_csv": "px", "processed_csv": "%", "headered_csv": "mm"}
COLUMNS = {"processed_csv": ("time", "pupil_raw"), "headered_csv": ("seconds", "left mm")}
LAST_CELL = (("processed_csv", "truncated_rows"), ("headered_csv", "truncated_rows"))


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A sound file of each text format."""
    from plr_assets.recordings.simulator.files import write_study_files
    from plr_assets_tests.recordings.conftest import study_of

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PLR_DATA_DIR", str(tmp_path_factory.mktemp("seeds")))
        study = study_of(simulation={"control": 1, "glaucoma": 0, "unlabelled": 0})
        write_study_files(study)
        device = (study.resolve(study.recordings.path) / "PLR1001_BR.csv").read_bytes()
        [verdict] = judge_sources(find_sources(study), study)
    trace = verdict.trace
    assert trace is not None
    assert trace.truth is not None
    assert trace.artefact is not None
    frame = pl.DataFrame(
        {
            "time": np.arange(1981) / 30,
            "pupil_raw": pl.Series(trace.pupil).fill_nan(None),
            "outlier_labels": trace.artefact.astype(int),
            "pupil_toBeImputed": pl.Series(np.where(trace.artefact, np.nan, trace.pupil)).fill_nan(None),
            "denoised": trace.truth,
            "R": trace.light["red"],
            "B": trace.light["blue"],
        }
    )
    mapped = frame.select(
        pl.col("time").alias("seconds"),
        ((pl.col("pupil_raw") / 100 + 1) * 4.5).alias("left mm"),
        ((pl.col("denoised") / 100 + 1) * 4.5).alias("clean"),
        pl.col("outlier_labels").alias("bad"),
        pl.lit(7).alias("other"),
    )
    return {
        "device_csv": device,
        "processed_csv": frame.write_csv(float_precision=4).encode(),
        "headered_csv": mapped.write_csv(float_precision=4).encode(),
    }


def study_for(make_study: Callable[..., Study], kind: str, reader: str) -> Study:
    files: dict[str, Any] = {"path": "raw", "reader": reader, "unit": UNITS[kind]}
    if kind != "headered_csv":
        return make_study(recordings=files, labels=None)
    files["columns"] = {"time": "seconds", "pupil": "left mm", "truth": "clean", "artefact": "bad"}
    lights = [
        {"colour": "blue", "onset_s": 15.5, "offset_s": 24.5},
        {"colour": "red", "onset_s": 46.5, "offset_s": 55.5},
    ]
    return make_study(recordings=files, stimuli=lights, simulation=None, labels=None)


def slow_device(content: bytes) -> tuple[list[float], list[float]]:
    """Time and pupil by the plainest means there are."""
    rows = [row.split(b",") for row in content.rstrip().split(b"\n")][:-4]
    return [float(row[1]) for row in rows], [float(row[2]) for row in rows]


def slow_table(content: bytes, kind: str) -> tuple[list[float], list[float]]:
    """Time and pupil of a file with a header, cell by cell."""
    rows = [row for row in csv.reader(io.StringIO(content.decode("utf-8-sig", "replace"))) if row]
    header = [name.strip() for name in rows[0]]
    columns = [header.index(name) for name in COLUMNS[kind]]
    return tuple([number(row[column]) for row in rows[1:]] for column in columns)  # type: ignore[return-value]


def number(cell: str) -> float:
    return float("nan") if cell.strip() in ("", "NA", "NaN", "nan") else float(cell)


def diameters(trace: GriddedTrace) -> NDArray[np.float64]:
    """(T,) in the file's unit."""
    return trace.pupil if trace.unit == "%" else trace.pupil / 100 * trace.baseline + trace.baseline


def check(verdict: Verdict, sound: Verdict, content: bytes, kind: str, mutation: str) -> None:
    if verdict.error is not None:
        assert verdict.error.problem, mutation
        assert verdict.error.remedy, mutation
        assert verdict.error.where.startswith(f"{CODE}_BR.csv"), mutation
        assert CODE not in verdict.error.problem + verdict.error.remedy
        assert verdict.error.row is None or 1 <= verdict.error.row <= content.count(b"\n") + 2, mutation
        return
    trace = verdict.trace
    assert trace is not None
    assert trace.baseline > 0
    times, pupils = slow_device(content) if kind == "device_csv" else slow_table(content, kind)
    diameter = diameters(trace)
    for point in np.flatnonzero(~np.isnan(diameter))[::211]:
        near = int(np.argmin(np.abs(np.array(times) - trace.time_s[point])))
        assert abs(times[near] - trace.time_s[point]) < 0.02, mutation
        assert diameter[point] == pytest.approx(pupils[near], abs=1e-6), mutation
    # nothing but these can leave a sound recording behind
    harmless = {"noise", "digits", "windows_line_ends", "other_encoding", "missing_rows", "half", "truncated_rows"}
    by_kind = {
        # a processed file finds its columns by name, in any order, and may have more; its grid may have gaps
        "processed_csv": {"swapped_columns", "added_column", "other_separator", "missing_column", "header_present"},
        # one with a column map has a column more than is read
        "headered_csv": {"swapped_columns", "added_column", "other_separator", "missing_column", "header_present"},
        # columns beyond the first lights repeat them; blanks at the end of a separator are the device's own
        "device_csv": {"added_column", "swapped_columns", "other_separator", "header_present", "truncated_rows"},
    }
    harmless |= by_kind[kind]
    assert mutation in harmless, f"{mutation} went unnoticed"
    # the last cell of a row that was cut off may be a number still: of a processed file that is the blue drive
    if mutation not in ("noise", "digits") and (kind, mutation) not in LAST_CELL:
        assert sound.trace is not None
        assert abs(trace.time_s[0] - sound.trace.time_s[0]) < 0.02, mutation
        both = ~np.isnan(trace.pupil) & ~np.isnan(sound.trace.pupil)
        # diameters, not %: rows that are missing before the light move the baseline by a trifle
        expected = diameters(sound.trace)
        np.testing.assert_allclose(diameter[both], expected[both], atol=1e-6, err_msg=mutation)
        blue, sound_blue = trace.light["blue"][both], sound.trace.light["blue"][both]
        np.testing.assert_array_equal(blue, sound_blue, err_msg=mutation)


def judge(folder: Path, study: Study, content: bytes) -> list[Verdict]:
    path = folder / f"{CODE}_BR.csv"
    path.write_bytes(content)
    return judge_sources([Source(path, CODE, UNKNOWN, None)], study)


def run(count: int, seed: int, folder: Path, seeds: dict[str, bytes], make_study: Callable[..., Study]) -> None:
    studies = {(kind, reader): study_for(make_study, kind, reader) for kind in seeds for reader in ("auto", kind)}
    sound = {key: judge(folder, study, seeds[key[0]])[0] for key, study in studies.items()}
    for number in range(count):
        random = Random(f"{seed}-{number}")  # noqa: S311 - no secret
        (kind, reader), mutate = random.choice(list(studies)), MUTATIONS[number % len(MUTATIONS)]
        if mutate in OF_DEVICE_FILES:
            kind, reader = "device_csv", random.choice(("auto", "device_csv"))
        content = mutate(seeds[kind], random)
        verdicts = judge(folder, studies[kind, reader], content)
        [verdict] = verdicts
        if content != seeds[kind]:
            check(verdict, sound[kind, reader], content, kind, mutate.__name__)


def test_sound_files_of_every_format_are_recognised_and_accepted(
    seeds: dict[str, bytes], tmp_path: Path, make_study: Callable[..., Study]
) -> None:
    for kind, content in seeds.items():
        [verdict] = judge(tmp_path, study_for(make_study, kind, "auto"), content)
        assert verdict.error is None
        assert verdict.reader == kind


def test_a_few_hundred_damaged_files(seeds: dict[str, bytes], tmp_path: Path, make_study: Callable[..., Study]) -> None:
    run(308, 1, tmp_path, seeds, make_study)


@pytest.mark.slow
def test_ten_thousand_damaged_files(seeds: dict[str, bytes], tmp_path: Path, make_study: Callable[..., Study]) -> None:
    run(10_000, 2, tmp_path, seeds, make_study)


def test_a_file_beyond_the_limit_is_refused_without_being_read(
    seeds: dict[str, bytes], tmp_path: Path, make_study: Callable[..., Study]
) -> None:
    path = tmp_path / f"{CODE}_BR.csv"
    for start, size, rule in (
        (seeds["device_csv"], MAX_TEXT_BYTES + 1, "at most 64 MB"),
        (b"PAR1", 8 * 2**30, "GB are read"),
    ):
        path.write_bytes(start)
        os.truncate(path, size)  # a sparse file: nothing is written
        [verdict] = judge_sources([Source(path, CODE, UNKNOWN, None)], study_for(make_study, "device_csv", "auto"))
        assert verdict.error is not None
        assert rule in verdict.error.problem


def test_damaged_files_cost_no_other_recording(simulated: Study, tmp_path: Path) -> None:
    raw = simulated.resolve(simulated.recordings.path)
    sound = (raw / "PLR1001_BR.csv").read_bytes()
    random = Random(5)  # noqa: S311 - no secret
    for number, mutate in enumerate(MUTATIONS):
        if mutate.__name__ not in ("noise", "digits", "windows_line_ends"):
            (raw / f"PLR7{number:03d}_BR.csv").write_bytes(mutate(sound, random))
    imported = import_recordings(simulated, tmp_path / "lookup.json")
    assert len(imported.recordings) == 8
    text = imported.quarantine.write_json()
    assert re.search(r"PLR\d", text) is None
