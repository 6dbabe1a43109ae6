"""The folder incoming/: half-written files wait, known content is nothing new, and refused files lie in quarantine/."""

from __future__ import annotations

import shutil
import stat
from pathlib import Path

import pytest

from plr_assets.errors import DataError
from plr_assets.recordings.incoming import (
    arrival_digest,
    arrived,
    incoming_folder,
    join,
    joining,
    judge_arrived,
    look,
    put_in_place,
    quarantine_folder,
    takes_new_files,
)
from plr_assets.recordings.incoming import settle as settle_now
from plr_assets.study import Study
from plr_assets_tests.recordings.conftest import study_of


@pytest.fixture
def clinic(simulated: Study) -> Study:
    """The simulated files as a lab's own, the last two of them not in the study but beside it."""
    study = study_of(simulation=None)
    beside(study).mkdir()
    for path in sorted((study.data_dir / "raw").iterdir())[-2:]:
        path.rename(beside(study) / path.name)
    incoming_folder(study).mkdir()
    return study


def beside(study: Study) -> Path:
    return study.data_dir.parent / "beside"


def new_files(study: Study) -> list[Path]:
    return sorted(beside(study).iterdir())


def drop(study: Study, path: Path, name: str | None = None) -> Path:
    return Path(shutil.copy(path, incoming_folder(study) / (name or path.name)))


def settle(study: Study) -> None:
    look(study)
    look(study)


def names(study: Study) -> list[str]:
    return [arrival.source.path.name for arrival in arrived(study)]


def in_quarantine(study: Study) -> list[str]:
    return sorted(path.name for path in quarantine_folder(study).rglob("*") if path.is_file())


def test_a_file_counts_once_two_looks_found_it_alike(clinic: Study) -> None:
    new = new_files(clinic)[0]
    before = arrival_digest(clinic)
    look(clinic)
    half = drop(clinic, new)
    half.write_bytes(new.read_bytes()[:1000])
    look(clinic)
    half.write_bytes(new.read_bytes()[:2000])
    look(clinic)
    assert names(clinic) == []
    shutil.copy(new, half)
    look(clinic)
    assert names(clinic) == []
    assert arrival_digest(clinic) == before
    look(clinic)
    assert names(clinic) == [new.name]
    assert arrival_digest(clinic) != before


def test_a_file_of_the_same_size_that_is_still_changed_waits(clinic: Study) -> None:
    """A device that preallocates: the size stands, the content does not."""
    file = drop(clinic, new_files(clinic)[0])
    look(clinic)
    content = bytearray(file.read_bytes())
    content[500] ^= 1
    file.write_bytes(content)
    look(clinic)
    assert names(clinic) == []


def test_the_same_file_twice_and_what_the_study_has_already_are_nothing_new(clinic: Study) -> None:
    new, old = new_files(clinic)[0], sorted((clinic.data_dir / "raw").iterdir())[0]
    drop(clinic, new)
    settle(clinic)
    digest = arrival_digest(clinic)
    drop(clinic, new)  # replaced by an identical one
    drop(clinic, new, "ZZ1_copy.csv")
    drop(clinic, old)
    drop(clinic, old, "ZZ2_copy.csv")
    settle(clinic)
    assert names(clinic) == [new.name]
    assert arrival_digest(clinic) == digest
    put_in_place(clinic, judge_arrived(clinic))
    assert len(list(incoming_folder(clinic).iterdir())) == 4, "what says nothing new is left where it lies"


def test_whoever_does_not_wait_for_a_sensor_looks_twice(clinic: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plr_assets.recordings.incoming._PAUSE_S", 0.0)
    new = new_files(clinic)[0]
    drop(clinic, new)
    settle_now(clinic)
    assert names(clinic) == [new.name]


def test_a_good_file_is_accepted_and_a_bad_one_is_kept_in_quarantine_with_its_reason(clinic: Study) -> None:
    good, other = new_files(clinic)
    drop(clinic, good)
    drop(clinic, other).write_text("this is no recording\n")
    settle(clinic)
    verdicts = {verdict.where: verdict for verdict in judge_arrived(clinic)}
    assert verdicts[good.name].error is None
    assert verdicts[other.name].error is not None
    digest = arrival_digest(clinic)
    put_in_place(clinic, list(verdicts.values()))
    assert [path.name for path in incoming_folder(clinic).iterdir()] == [good.name]
    assert in_quarantine(clinic) == [other.name, f"{other.name}.reason.txt"]
    assert (quarantine_folder(clinic) / other.name).read_text() == "this is no recording\n"
    reason = (quarantine_folder(clinic) / f"{other.name}.reason.txt").read_text()
    assert verdicts[other.name].error.problem in reason
    assert verdicts[other.name].error.remedy in reason
    assert arrival_digest(clinic) == digest, "a file that was moved is not another file"
    look(clinic)
    assert arrival_digest(clinic) == digest
    assert [path.name for path in joining(clinic)] == [good.name]


def test_a_mended_file_leaves_the_quarantine(clinic: Study) -> None:
    """Its ground truth came late."""
    new = new_files(clinic)[0]
    truth = clinic.data_dir / "ground_truth" / f"{new.stem.partition('_')[0]}.csv"
    late = truth.rename(clinic.data_dir.parent / "late.csv")
    drop(clinic, new)
    settle(clinic)
    put_in_place(clinic, judge_arrived(clinic))
    assert new.name in in_quarantine(clinic)
    before = arrival_digest(clinic)
    late.rename(truth)
    assert arrival_digest(clinic) != before
    put_in_place(clinic, judge_arrived(clinic))
    assert in_quarantine(clinic) == []
    assert [path.name for path in joining(clinic)] == [new.name]


def test_two_refused_files_of_one_name_are_both_kept(clinic: Study) -> None:
    for number in (1, 2):
        (incoming_folder(clinic) / "P1_x.csv").write_text(f"no recording {number}\n")
        settle(clinic)
        put_in_place(clinic, judge_arrived(clinic))
    kept = [path.read_text() for path in quarantine_folder(clinic).rglob("P1_x.csv")]
    assert sorted(kept) == ["no recording 1\n", "no recording 2\n"]


def test_another_recording_of_a_name_that_the_study_has_is_refused(clinic: Study) -> None:
    old = sorted((clinic.data_dir / "raw").iterdir())[0]
    drop(clinic, new_files(clinic)[0], old.name)
    settle(clinic)
    (verdict,) = judge_arrived(clinic)
    assert verdict.error is not None
    assert "another recording of this name" in verdict.error.problem


def test_what_changes_between_look_and_import_is_not_judged(clinic: Study) -> None:
    file = drop(clinic, new_files(clinic)[0])
    settle(clinic)
    file.write_bytes(file.read_bytes()[:5000])
    assert judge_arrived(clinic) == []
    put_in_place(clinic, [])
    assert file.exists()


def test_accepted_files_join_the_recordings_or_none_does(clinic: Study) -> None:
    for path in new_files(clinic):
        drop(clinic, path)
    settle(clinic)
    paths = joining(clinic)
    raw = clinic.data_dir / "raw"
    blocker = raw / paths[1].name
    blocker.write_text("somebody was faster")
    with pytest.raises(DataError, match="would replace"):
        join(clinic, paths)
    assert all(path.exists() for path in paths)
    blocker.unlink()
    join(clinic, paths)
    assert not list(incoming_folder(clinic).iterdir())
    assert {path.name for path in new_files(clinic)} <= {path.name for path in raw.iterdir()}
    settle(clinic)
    assert names(clinic) == []


def test_names_are_remembered_where_only_the_owner_reads(clinic: Study) -> None:
    drop(clinic, new_files(clinic)[0])
    settle(clinic)
    memory = clinic.data_dir / "private" / "incoming.json"
    assert stat.S_IMODE(memory.stat().st_mode) == 0o600
    memory.write_text("damaged")
    assert names(clinic) == []
    settle(clinic)
    assert names(clinic) == [new_files(clinic)[0].name]


def test_a_study_whose_files_could_not_join_takes_none(clinic: Study, simulated: Study) -> None:
    assert takes_new_files(clinic)
    assert not takes_new_files(simulated)
    for path in (".", "..", "incoming"):
        files = clinic.recordings.model_copy(update={"path": Path(path)})
        assert not takes_new_files(clinic.model_copy(update={"recordings": files}))
