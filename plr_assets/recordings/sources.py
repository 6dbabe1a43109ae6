"""The files of a study, by content.

Belongs here: finding files, linking each to its subject and ground truth, and one digest of them all. Does not belong
here: parsing recordings. The digest is taken at every plan, so it only hashes bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from plr_assets.errors import DataError
from plr_assets.recordings.readers.base import file_digest
from plr_assets.recordings.subjects import UNKNOWN, Subject, read_subjects
from plr_assets.study import Study

# Readers whose files begin with their subject's code.
ONE_RECORDING_A_FILE = ("device_csv", "headered_csv", "processed_csv")


@dataclass(frozen=True, slots=True)
class Source:
    """One recording's file: its subject's original code, and its ground truth where there is one."""

    path: Path
    code: str
    subject: Subject
    truth: Path | None


def find_sources(study: Study) -> list[Source]:
    """Every file of the study, in order of its name. What it holds is found out by whoever reads it.

    The code is the file's name up to the first `_`. Files without a row in the subjects table are unlabelled.
    Raises DataError if a folder, the subjects table, or every file is missing.
    """
    root = study.resolve(study.recordings.path)
    if not root.exists():
        remedy = "Simulate the study first." if study.simulation else "Put the recordings there, or mend the path."
        raise DataError(f"{study.name}: recordings.path", f"there is no {study.recordings.path}.", remedy)
    paths = [root] if root.is_file() else _files_below(root, study)
    if not paths:
        raise DataError(
            f"{study.name}: recordings.path", f"{study.recordings.path} holds no file.", "Put recordings there."
        )
    subjects = subjects_table(study) or {}
    truths = truth_files(study)
    sources = []
    for path in sorted(paths, key=lambda p: (p.name, p.as_posix())):
        code = code_of(path)
        truth = None if truths is None else truths.get(path.stem, truths.get(code))
        sources.append(Source(path, code, subjects.get(code, UNKNOWN).at(path.stem) or UNKNOWN, truth))
    return sources


def code_of(path: Path) -> str:
    """The subject's original code: the file's name up to the first `_`."""
    return path.stem.split("_", 1)[0]


def subjects_table(study: Study) -> Mapping[str, Subject] | None:
    """Original subject code -> its row; None where the study names no table."""
    table = study.recordings.subjects
    return None if table is None else read_subjects(study.resolve(table), study.labels)


def _files_below(root: Path, study: Study) -> list[Path]:
    """All files but hidden ones, locks of open workbooks, and what the study says is something else."""
    files = study.recordings
    not_recordings = [study.data_dir / "private", study.data_dir / "simulated.json"]
    not_recordings += [study.resolve(path) for path in (files.subjects, files.ground_truth) if path is not None]
    return [
        path
        for path in root.rglob("*")
        if path.is_file()
        and not any(part.startswith((".", "~$")) for part in path.relative_to(root).parts)
        and not any(path == other or other in path.parents for other in not_recordings)
    ]


def _is_csv(path: Path) -> bool:
    return path.suffix.lower() == ".csv" and path.is_file()


def truth_files(study: Study) -> dict[str, Path] | None:
    """Name without ending -> ground truth file; None where the study names no folder."""
    if study.recordings.ground_truth is None:
        return None
    folder = study.resolve(study.recordings.ground_truth)
    if not folder.is_dir():
        raise DataError(
            f"{study.name}: recordings.ground_truth",
            f"there is no folder {study.recordings.ground_truth}.",
            "Put the ground truth there, or leave the key out.",
        )
    return {path.stem: path for path in folder.iterdir() if _is_csv(path)}


def content_hash(content: bytes) -> str:
    """SHA-256, hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def _row(subject: Subject) -> tuple[str | None, str, str | None, list[tuple[str, str, str | None]], bool]:
    """What the subjects table says of one subject, as JSON takes it (an unknown age is NaN)."""
    recordings = [(name, repr(age), eye) for name, age, eye in subject.recordings]
    return subject.label, repr(subject.age), subject.eye, recordings, subject.complete


def source_digest(study: Study) -> str:
    """SHA-256 of everything that import reads: recordings, ground truth and the rows of their subjects.

    Independent of folders, file order and modification times; a relabelled subject changes it. Raises DataError as
    `find_sources` does.
    """
    by_code: dict[str, list[tuple[str, str, str]]] = defaultdict(list)
    table = subjects_table(study) or {}
    for source in find_sources(study):
        truth = "" if source.truth is None else file_digest(source.truth)
        # a name counts only for the row that it picks
        row = table.get(source.code, UNKNOWN).at(source.path.stem)
        picked = "none" if row is None else f"{row.age!r} {row.eye}"
        by_code[source.code].append((file_digest(source.path), truth, picked))
    if study.recordings.reader not in ONE_RECORDING_A_FILE:
        # codes may stand inside the files; with any row, any recording may change
        for code in table:
            by_code.setdefault(code, [])
    entries = sorted(
        [[code, *_row(table.get(code, UNKNOWN)), sorted(files)] for code, files in by_code.items()], key=json.dumps
    )
    return hashlib.sha256(json.dumps(entries).encode()).hexdigest()
