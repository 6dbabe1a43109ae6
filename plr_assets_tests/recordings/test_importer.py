"""Import of whole studies: round trip with the simulator, quarantine, anonymity, digests."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from plr_assets import schemas
from plr_assets.errors import ConfigError, DataError
from plr_assets.recordings.importer import import_recordings
from plr_assets.recordings.simulator.cohort import simulate_cohort
from plr_assets.recordings.sources import source_digest
from plr_assets.recordings.table import Recordings
from plr_assets.study import Study


def raw(study: Study) -> Path:
    return study.resolve(study.recordings.path)


def codes_of(lookup: Path) -> dict[str, str]:
    """Recording id -> original code."""
    subjects = json.loads(lookup.read_text())["subjects"]
    return {recording: code for code, entry in subjects.items() for recording in entry["recordings"].values()}


def test_import_gives_back_what_was_simulated(simulated: Study, tmp_path: Path) -> None:
    imported = import_recordings(simulated, tmp_path / "lookup.json")
    recordings = imported.recordings
    assert len(recordings) == 8
    assert imported.quarantine.is_empty()
    schemas.validate(recordings.to_frame(), schemas.RECORDINGS)
    schemas.validate(imported.quarantine, schemas.QUARANTINE)
    assert simulated.simulation is not None
    by_code = {r.subject.code: r for r in simulate_cohort(simulated.simulation, simulated.seed)}
    codes = codes_of(tmp_path / "lookup.json")
    assert recordings.truth is not None
    assert recordings.artefact is not None
    for index, recording in enumerate(recordings.recording):
        source = by_code[codes[recording]]
        assert recordings.label[index] == source.subject.label
        assert recordings.age[index] == source.subject.age
        assert recordings.eye[index] == source.subject.eye
        onset_s = source.time_s[np.argmax(source.blue > 0)]
        lit = np.flatnonzero(recordings.light["blue"][index])[0]
        assert abs(recordings.time[lit] - 15.5) <= 1 / 30
        # back to px at the frames nearest to the grid, an independent path
        baseline = recordings.baseline[index]
        diameter = recordings.pupil[index] / 100 * baseline + baseline
        clean = recordings.truth[index] / 100 * baseline + baseline
        for point in np.flatnonzero(~np.isnan(diameter))[::97]:
            moment = onset_s - 15.5 + point / 30
            near = np.argmin(np.abs(source.time_s - moment))
            assert abs(diameter[point] - source.pupil[near]) < 0.006  # px are written with 2 decimals
            assert abs(clean[point] - np.interp(moment, source.time_s, source.clean)) < 0.001


def test_artefacts_and_dropouts_never_overlap(simulated: Study, tmp_path: Path) -> None:
    recordings = import_recordings(simulated, tmp_path / "lookup.json").recordings
    assert recordings.artefact is not None
    assert recordings.artefact.any()
    assert not (recordings.artefact & recordings.dropout).any()


def test_table_survives_storage(simulated: Study, tmp_path: Path) -> None:
    frame = import_recordings(simulated, tmp_path / "lookup.json").recordings.to_frame()
    frame.write_parquet(tmp_path / "x.parquet")
    assert Recordings.from_frame(pl.read_parquet(tmp_path / "x.parquet")).to_frame().equals(frame)


def test_no_original_code_in_any_table_or_error(simulated: Study, tmp_path: Path) -> None:
    (raw(simulated) / "PLR9999_BR.csv").write_text("PLR9999, 1, 2\n")
    imported = import_recordings(simulated, tmp_path / "lookup.json")
    assert len(imported.quarantine) == 1
    for frame in (imported.recordings.to_frame(), imported.quarantine):
        text = frame.select(pl.exclude(pl.Array)).write_json()
        assert "PLR" not in text


def test_lookup_is_private(simulated: Study, tmp_path: Path) -> None:
    lookup = tmp_path / "private" / "lookup.json"
    import_recordings(simulated, lookup)
    assert lookup.stat().st_mode & 0o777 == 0o600
    assert list(lookup.parent.iterdir()) == [lookup]


def test_ids_and_signals_depend_on_content_only(
    simulated: Study, make_study: Callable[..., Study], tmp_path: Path
) -> None:
    first = import_recordings(simulated, tmp_path / "first.json").recordings.to_frame()
    for number, path in enumerate(sorted(raw(simulated).iterdir(), reverse=True)):
        folder = simulated.data_dir / "elsewhere" / str(number)
        folder.mkdir(parents=True)
        shutil.copy(path, folder / path.name)
    moved = make_study(recordings={**simulated.recordings.model_dump(), "path": "elsewhere"})
    second = import_recordings(moved, tmp_path / "second.json").recordings.to_frame()
    assert second.equals(first)


POISONS: dict[str, tuple[Callable[[bytes], bytes], str, int | None]] = {
    "cut off": (lambda content: content[: len(content) // 2], "values where", None),
    "half of the rows": (lambda content: b"".join(content.splitlines(keepends=True)[:1000]), "ends", None),
    "header": (lambda content: b"frame, time\n" + content, "header", 1),
    "empty": (lambda _: b"", "empty", None),
    "zero bytes": (lambda content: content.replace(b"30", b"\0\0", 1), "plain text", 1),
}


@pytest.mark.parametrize("poison", POISONS)
def test_poisoned_file_is_quarantined_and_the_rest_imported(simulated: Study, tmp_path: Path, poison: str) -> None:
    change, reason, row = POISONS[poison]
    victim = raw(simulated) / "PLR1003_BR.csv"
    victim.write_bytes(change(victim.read_bytes()))
    imported = import_recordings(simulated, tmp_path / "lookup.json")
    schemas.validate(imported.quarantine, schemas.QUARANTINE)
    assert len(imported.recordings) == 7
    [entry] = imported.quarantine.to_dicts()
    assert reason in entry["reason"]
    assert entry["remedy"]
    assert row is None or entry["row"] == row


def test_recording_without_or_with_broken_truth_is_quarantined(simulated: Study, tmp_path: Path) -> None:
    truth = simulated.data_dir / "ground_truth"
    (truth / "PLR1001.csv").unlink()
    (truth / "PLR1002.csv").write_text("time,outlier_labels,denoised\n0,0,0\n")
    broken = (truth / "PLR1003.csv").read_text().splitlines()
    broken[5] = "0.133,0,"
    (truth / "PLR1003.csv").write_text("\n".join(broken))
    imported = import_recordings(simulated, tmp_path / "lookup.json")
    assert len(imported.recordings) == 5
    reasons = " ".join(imported.quarantine["reason"])
    assert "no ground truth" in reasons
    assert "ground truth: there are 1 samples, on the common grid 1981" in reasons
    assert "ground truth: `denoised` has a gap" in reasons
    assert 6 in imported.quarantine["row"].to_list()


def test_copies_are_imported_once_and_never_under_two_codes(simulated: Study, tmp_path: Path) -> None:
    folder = raw(simulated)
    shutil.copy(folder / "PLR1001_BR.csv", folder / "PLR1001_2_BR.csv")
    shutil.copy(folder / "PLR1002_BR.csv", folder / "PLR9002_BR.csv")
    truth = simulated.data_dir / "ground_truth"
    shutil.copy(truth / "PLR1002.csv", truth / "PLR9002.csv")
    imported = import_recordings(simulated, tmp_path / "lookup.json")
    assert len(imported.recordings) == 7  # PLR1002 and its double are both refused
    assert sorted(imported.quarantine["reason"]) == [
        "the same recording lies in another file.",
        "the same recording lies under two subject codes.",
    ]


def test_nothing_importable_is_an_error(simulated: Study, tmp_path: Path) -> None:
    for path in raw(simulated).iterdir():
        path.write_bytes(b"")
    with pytest.raises(DataError, match="none of 8 files could be imported; the first: the file is empty"):
        import_recordings(simulated, tmp_path / "lookup.json")
    assert not (tmp_path / "lookup.json").exists()


@pytest.mark.parametrize(("gone", "key"), [("raw", "path"), ("ground_truth", "ground_truth")])
def test_missing_folder_is_an_error_naming_the_key(simulated: Study, tmp_path: Path, gone: str, key: str) -> None:
    shutil.rmtree(simulated.data_dir / gone)
    with pytest.raises(DataError, match=f"recordings.{key}: there is no"):
        import_recordings(simulated, tmp_path / "lookup.json")


def test_device_files_in_mm_are_refused(make_study: Callable[..., Study], data_dir: Path, tmp_path: Path) -> None:
    study = make_study(recordings={"path": "raw", "reader": "device_csv", "unit": "mm", "subjects": "subjects.csv"})
    with pytest.raises(ConfigError, match="unit"):
        import_recordings(study, tmp_path / "lookup.json")


HEADER = "subject_code,class_label,age,eye\n"


@pytest.mark.parametrize(
    ("table", "rule"),
    [
        (HEADER + "PLR1001,control,50,left\nPLR1001,,51,left\n", "row 3: row 2 has the same subject_code"),
        (
            HEADER + "PLR1001,glaucom,50,left\n",
            "row 2: class_label is none of control, glaucoma. Did you mean 'glaucoma'",
        ),
        (HEADER + "PLR1001,control,old,left\n", "row 2: the cell in column 'age' is no number"),
        (HEADER + "PLR1001,control,500,left\n", "row 2: age is not between"),
        (HEADER + "PLR1001,control,50,both\n", "row 2: eye is none of left, right"),
        (HEADER + ",control,50,left\n", "row 2: subject_code is blank"),
        ("code,class_label,age,eye\nPLR1001,control,50,left\n", "row 1: there is no column 'subject_code'"),
        (None, "missing"),
    ],
)
def test_broken_subjects_table_is_an_error_naming_the_row(
    simulated: Study, tmp_path: Path, table: str | None, rule: str
) -> None:
    path = simulated.data_dir / "subjects.csv"
    if table is None:
        path.unlink()
    else:
        path.write_text(table)
    with pytest.raises(DataError) as raised:
        import_recordings(simulated, tmp_path / "lookup.json")
    assert rule in str(raised.value)
    assert "PLR1001" not in str(raised.value)


def second_recording(study: Study) -> None:
    """PLR1001 gets another one, PLR1008's by content."""
    folder, truth = raw(study), study.data_dir / "ground_truth"
    (folder / "PLR1008_BR.csv").rename(folder / "PLR1001_2_BR.csv")
    (truth / "PLR1008.csv").rename(truth / "PLR1001_2_BR.csv")


def eyes_and_ages(study: Study, tmp_path: Path) -> dict[str, tuple[str | None, float]]:
    """Of the recordings of PLR1001, by file name."""
    found = import_recordings(study, tmp_path / "lookup.json").recordings
    [names] = [
        entry["recordings"]
        for code, entry in json.loads((tmp_path / "lookup.json").read_text())["subjects"].items()
        if code == "PLR1001"
    ]
    rows = {name: (found.eye[index], found.age[index]) for index, name in enumerate(found.recording)}
    return {stem: rows[name] for stem, name in names.items() if name in rows}


def test_a_subject_may_have_an_eye_and_an_age_for_each_recording(simulated: Study, tmp_path: Path) -> None:
    second_recording(simulated)
    table = simulated.data_dir / "subjects.csv"
    header = "subject_code,class_label,age,eye,recording\n"
    table.write_text(header + "PLR1001,control,50,left,PLR1001_BR.csv\nPLR1001,control,52,right,\n")
    assert eyes_and_ages(simulated, tmp_path) == {"PLR1001_BR": ("left", 50.0), "PLR1001_2_BR": ("right", 52.0)}
    before = source_digest(simulated)
    table.write_text(header + "PLR1001,control,50,left,PLR1001_2_BR\nPLR1001,control,52,right,PLR1001_BR\n")
    assert eyes_and_ages(simulated, tmp_path) == {"PLR1001_BR": ("right", 52.0), "PLR1001_2_BR": ("left", 50.0)}
    assert source_digest(simulated) != before


def test_a_recording_that_the_rows_of_its_subject_leave_out_is_refused(simulated: Study, tmp_path: Path) -> None:
    second_recording(simulated)
    (simulated.data_dir / "subjects.csv").write_text(
        "subject_code,class_label,age,eye,recording\nPLR1001,control,50,left,PLR1001_BR\n"
    )
    assert set(eyes_and_ages(simulated, tmp_path)) == {"PLR1001_BR"}
    [refused] = import_recordings(simulated, tmp_path / "lookup.json").quarantine.to_dicts()
    assert "rows for other recordings of its subject, and none for this one" in refused["reason"]


@pytest.mark.parametrize(
    ("rows", "rule"),
    [
        ("PLR1001,control,50,left,a\nPLR1001,control,51,left,a.csv\n", "row 2 has the same subject_code and recording"),
        ("PLR1001,control,50,left,a\nPLR1001,glaucoma,51,left,b\n", "row 3: class_label is another than"),
        ("PLR1001,control,50,left,\nPLR1001,control,51,right,\n", "row 3: row 2 has the same subject_code"),
    ],
)
def test_rows_of_recordings_that_contradict_each_other_are_an_error(
    simulated: Study, tmp_path: Path, rows: str, rule: str
) -> None:
    (simulated.data_dir / "subjects.csv").write_text("subject_code,class_label,age,eye,recording\n" + rows)
    with pytest.raises(DataError) as raised:
        import_recordings(simulated, tmp_path / "lookup.json")
    assert rule in str(raised.value)


def test_subjects_without_a_row_are_unlabelled(simulated: Study, tmp_path: Path) -> None:
    (simulated.data_dir / "subjects.csv").write_text(HEADER + "PLR1001,control,50,\n")
    recordings = import_recordings(simulated, tmp_path / "lookup.json").recordings
    assert sorted(label or "" for label in recordings.label) == [""] * 7 + ["control"]
    assert np.isnan(recordings.age).sum() == 7


def test_digest_follows_content_not_place(simulated: Study, make_study: Callable[..., Study]) -> None:
    before = source_digest(simulated)
    victim = raw(simulated) / "PLR1001_BR.csv"
    os.utime(victim, (0, 0))
    (raw(simulated) / "deeper").mkdir()
    shutil.move(victim, raw(simulated) / "deeper" / victim.name)
    table = (simulated.data_dir / "subjects.csv").read_text().splitlines()
    (simulated.data_dir / "subjects.csv").write_text("\n".join([table[0], *reversed(table[1:])]))
    assert source_digest(simulated) == before


@pytest.mark.parametrize("what", ["recording", "truth", "label", "age", "removed"])
def test_digest_changes_with_every_input(simulated: Study, what: str) -> None:
    before = source_digest(simulated)
    recording, truth = raw(simulated) / "PLR1001_BR.csv", simulated.data_dir / "ground_truth" / "PLR1001.csv"
    table = simulated.data_dir / "subjects.csv"
    match what:
        case "recording":
            recording.write_bytes(recording.read_bytes().replace(b"0, ", b"1, ", 1))
        case "truth":
            truth.write_text(truth.read_text() + "\n")
        case "label":
            table.write_text(table.read_text().replace("control", "glaucoma", 1))
        case "age":
            frame = pl.read_csv(table)
            frame.with_columns(pl.col("age") + 1).write_csv(table)
        case "removed":
            recording.unlink()
    assert source_digest(simulated) != before
