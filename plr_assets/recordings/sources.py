"""The files of a study, by content.

Belongs here: finding files, linking each to its subject and ground truth, and one digest of them all. Does not belong
here: parsing recordings. The digest is taken at every plan, so it only hashes bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from plr_assets.errors import DataError
from plr_assets.recordings.file_errors import FileError, read_bytes
from plr_assets.recordings.subjects import UNKNOWN, Subject, read_subjects
from plr_assets.study import Study


@dataclass(frozen=True, slots=True)
class Source:
    """One recording's file: its subject's original code, and its ground truth where there is one."""

    path: Path
    code: str
    subject: Subject
    truth: Path | None


def find_sources(study: Study) -> list[Source]:
    """Every csv of the study, in order of its name.

    The code is the file's name up to the first `_`. Files without a row in the subjects table are unlabelled.
    Raises DataError if a folder, the subjects table, or every file is missing.
    """
    root = study.resolve(study.recordings.path)
    if not root.exists():
        remedy = "Simulate the study first." if study.simulation else "Put the recordings there, or mend the path."
        raise DataError(f"{study.name}: recordings.path", f"there is no {study.recordings.path}.", remedy)
    paths = [root] if root.is_file() else [path for path in root.rglob("*") if _is_csv(path)]
    if not paths:
        raise DataError(
            f"{study.name}: recordings.path", f"{study.recordings.path} holds no csv file.", "Put recordings there."
        )
    table = study.recordings.subjects
    subjects = {} if table is None else read_subjects(study.resolve(table), study.labels)
    truths = _truth_folder(study)
    sources = []
    for path in sorted(paths, key=lambda p: (p.name, p.as_posix())):
        code = path.stem.split("_", 1)[0]
        truth = None if truths is None else truths.get(path.stem, truths.get(code))
        sources.append(Source(path, code, subjects.get(code, UNKNOWN), truth))
    _refuse_repeated_names(sources)
    return sources


def _is_csv(path: Path) -> bool:
    return path.suffix.lower() == ".csv" and path.is_file()


def _truth_folder(study: Study) -> dict[str, Path] | None:
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


def _refuse_repeated_names(sources: list[Source]) -> None:
    # A recording's number is kept by its file name (`anonymise`), which therefore must be its own.
    for earlier, later in pairwise(sources):
        if earlier.path.stem == later.path.stem:
            raise FileError(later.path.name, "two folders hold a file of this name.", "Rename one of them.")


def content_hash(content: bytes) -> str:
    """SHA-256, hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def source_digest(study: Study) -> str:
    """SHA-256 of everything that import reads: recordings, ground truth and the rows of their subjects.

    Independent of folders, file order and modification times; a relabelled subject changes it. Raises DataError as
    `find_sources` does.
    """
    by_code: dict[str, list[tuple[str, str]]] = defaultdict(list)
    rows: dict[str, tuple[str | None, str, str | None]] = {}
    for source in find_sources(study):
        truth = "" if source.truth is None else content_hash(read_bytes(source.truth))
        by_code[source.code].append((content_hash(read_bytes(source.path)), truth))
        rows[source.code] = (source.subject.label, repr(source.subject.age), source.subject.eye)
    entries = sorted([[code, *rows[code], sorted(files)] for code, files in by_code.items()], key=json.dumps)
    return hashlib.sha256(json.dumps(entries).encode()).hexdigest()
