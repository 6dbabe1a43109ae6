"""The folder `incoming/`: files that a device or a person drops there, before they are part of a study.

Belongs here: which files are whole, which say anything new, where refused ones lie, and how accepted ones join. Does
not belong here: the rules of import (`importer`), roles (`freezing`), or when anyone looks (`platform`).

A file counts once two looks in a row found the same size and content, so one that is still being written waits. What
was found is kept in `private/incoming.json` (mode 0600): names may hold subject codes.

A file lies in `quarantine/` exactly as long as it is refused: once its ground truth is there, or its row in the
subjects table, it is back in `incoming/`.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import mkstemp
from typing import Any

from plr_assets.errors import DataError
from plr_assets.recordings.file_errors import FileError
from plr_assets.recordings.importer import Verdict, check_unit, judge_sources
from plr_assets.recordings.readers.base import file_digest
from plr_assets.recordings.readers.registry import READERS
from plr_assets.recordings.sources import (
    ONE_RECORDING_A_FILE,
    Source,
    code_of,
    find_sources,
    subjects_table,
    truth_files,
)
from plr_assets.recordings.subjects import UNKNOWN
from plr_assets.study import Study

_REASON = ".reason.txt"
# a copy that goes on shows within it
_PAUSE_S = 1.0
_NAMESAKE = "the study has another recording of this name."


@dataclass(frozen=True)
class Seen:
    """What looks found: place below the data folder -> size and SHA-256.

    last     the last look.
    settled  files that the last two looks found alike.
    """

    last: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    settled: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Arrival:
    """A settled file: where it lies, its SHA-256, and whether the study has another recording of its name."""

    source: Source
    content: str
    namesake: bool


def takes_new_files(study: Study) -> bool:
    """Whether files may be dropped.

    Not where the cohort is simulated, where one database holds all recordings, or where recordings lie in the data
    folder itself, so that what is dropped would be among them.
    """
    incoming = incoming_folder(study).resolve()
    return (
        study.simulation is None
        and study.recordings.reader in ("auto", *ONE_RECORDING_A_FILE)
        and study.resolve(study.recordings.path).resolve() not in (incoming, *incoming.parents)
    )


def incoming_folder(study: Study) -> Path:
    return study.data_dir / "incoming"


def quarantine_folder(study: Study) -> Path:
    return study.data_dir / "quarantine"


def look(study: Study) -> Seen:
    """Look at the folders, and remember what was found. A file that cannot be read does not count yet."""
    with _remembered(study) as memory:
        found: dict[str, tuple[int, str]] = {}
        for path in _files(study):
            try:
                found[_place(path, study)] = (path.stat().st_size, file_digest(path))
            except (FileError, OSError):
                continue  # it went away or is locked while it is written: the next look decides
        settled = {place: entry[1] for place, entry in found.items() if memory.seen.last.get(place) == entry}
        memory.seen = Seen(found, settled)
        return memory.seen


def settle(study: Study) -> None:
    """Two looks, for whoever does not wait for a sensor's; nothing where nothing was dropped."""
    if takes_new_files(study) and incoming_folder(study).is_dir() and (seen := look(study)).last:
        if len(seen.settled) < len(seen.last):
            time.sleep(_PAUSE_S)
        look(study)


def arrived(study: Study) -> list[Arrival]:
    """The settled files that hold what the study does not, in order of their names; each content once.

    Raises DataError if the subjects table or the folder of ground truth cannot be read.
    """
    settled = _read(_memory_file(study)).settled
    there = [place for place in settled if (study.data_dir / place).is_file()]
    if not there:
        return []
    in_study = _in_study(study)
    names = {path.stem for path in in_study}
    sizes = {(study.data_dir / place).stat().st_size for place in there}
    known = {file_digest(path) for path in in_study if path.stat().st_size in sizes}
    subjects = subjects_table(study) or {}
    truths = truth_files(study)
    found = []
    for place in sorted(there, key=lambda text: (Path(text).name, text)):
        if settled[place] in known:
            continue
        known.add(settled[place])
        path, code = study.data_dir / place, code_of(study.data_dir / place)
        truth = None if truths is None else truths.get(path.stem, truths.get(code))
        source = Source(path, code, subjects.get(code, UNKNOWN).at(path.stem) or UNKNOWN, truth)
        found.append(Arrival(source, settled[place], path.stem in names))
    return found


def arrival_digest(study: Study) -> str:
    """SHA-256 of all that the verdicts on arrived files depend on, wherever they lie. Raises DataError as `arrived`."""
    table = subjects_table(study) if incoming_folder(study).is_dir() else None
    entries = []
    for arrival in arrived(study):
        source, name = arrival.source, arrival.source.path.stem
        row = None if table is None else table.get(source.code, UNKNOWN).at(name)
        told = None if row is None else [row.label, repr(row.age), row.eye, source.code in (table or {})]
        truth = "" if source.truth is None else file_digest(source.truth)
        entries.append([source.code, name, arrival.content, truth, told, arrival.namesake])
    return hashlib.sha256(json.dumps(sorted(entries, key=json.dumps)).encode()).hexdigest()


def judge_arrived(study: Study) -> list[Verdict]:
    """What import says of every arrived file; see `put_in_place`. One of a name that the study has is refused.

    A file that changed since it was looked at is left out. Raises DataError as `arrived`.
    """
    check_unit(study)
    arrivals = arrived(study)
    readers = [reader for reader in READERS if reader.name in ONE_RECORDING_A_FILE]
    verdicts = judge_sources([arrival.source for arrival in arrivals], study, readers, subjects_table(study))
    judged = []
    for arrival, verdict in zip(arrivals, verdicts, strict=True):
        if verdict.content != arrival.content:
            continue
        if arrival.namesake and verdict.error is None:
            error = FileError(verdict.where, _NAMESAKE, "Rename the file; to replace a recording, put it in its place.")
            judged.append(replace(verdict, error=error, trace=None))
        else:
            judged.append(verdict)
    return judged


def put_in_place(study: Study, verdicts: Sequence[Verdict]) -> None:
    """Move refused files into the quarantine folder, each with its reason beside it, and mended ones out of it."""
    judged = {verdict.content: verdict for verdict in verdicts}
    moves = [(arrival, verdict) for arrival in arrived(study) if (verdict := judged.get(arrival.content)) is not None]
    with _remembered(study) as memory:
        last, settled = dict(memory.seen.last), dict(memory.seen.settled)
        for arrival, verdict in moves:
            path = arrival.source.path
            folder = incoming_folder(study) if verdict.error is None else quarantine_folder(study)
            before = _place(path, study)
            if folder not in path.parents and settled.get(before) == arrival.content:
                target = folder / path.name
                if target.exists():  # another file of this name
                    target = folder / arrival.content[:12] / path.name
                target.parent.mkdir(parents=True, exist_ok=True)
                path.replace(target)
                path.with_name(path.name + _REASON).unlink(missing_ok=True)
                after, path = _place(target, study), target
                last[after], settled[after] = last.pop(before), settled.pop(before)
            if verdict.error is not None:
                row = "" if verdict.error.row is None else f"row {verdict.error.row}: "
                reason = f"{row}{verdict.error.problem}\n{verdict.error.remedy}\n"
                path.with_name(path.name + _REASON).write_text(reason, encoding="utf-8")
        memory.seen = Seen(last, settled)


def joining(study: Study) -> list[Path]:
    """The accepted files that wait in `incoming/`, where verdicts were given for all that arrived."""
    return [a.source.path for a in arrived(study) if incoming_folder(study) in a.source.path.parents]


def join(study: Study, paths: Sequence[Path]) -> None:
    """Move `paths` to the study's recordings. Raises DataError, before any is moved, where one cannot be."""
    root = study.resolve(study.recordings.path)
    if paths and not root.is_dir():
        raise DataError(
            f"{study.name}: recordings.path",
            f"{study.recordings.path} is no folder, so no file can join it.",
            "Name a folder in the study.",
        )
    if taken := [path for path in paths if (root / path.name).exists()]:
        raise DataError(
            f"{study.name}: incoming",
            f"{len(taken)} file(s) would replace others of {study.recordings.path}.",
            "Wait until they were looked at again, or rename them.",
        )
    for path in paths:
        path.replace(root / path.name)


def _files(study: Study) -> Iterator[Path]:
    """All files of both folders but hidden ones, locks of open workbooks, and our own reasons."""
    for folder in (incoming_folder(study), quarantine_folder(study)):
        for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
            hidden = any(part.startswith((".", "~$")) for part in path.relative_to(folder).parts)
            if not hidden and not path.name.endswith(_REASON) and path.is_file():
                yield path


def _in_study(study: Study) -> list[Path]:
    root = study.resolve(study.recordings.path)
    empty = not root.exists() or (root.is_dir() and not any(root.iterdir()))
    return [] if empty else [source.path for source in find_sources(study)]


def _place(path: Path, study: Study) -> str:
    return path.relative_to(study.data_dir).as_posix()


def _memory_file(study: Study) -> Path:
    return study.data_dir / "private" / "incoming.json"


@dataclass
class _Memory:
    seen: Seen


@contextmanager
def _remembered(study: Study) -> Iterator[_Memory]:
    """The state file, locked: a look and an import may meet. Written back if it changed, whole or not at all."""
    path = _memory_file(study)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_suffix(".lock").open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        before = _read(path)
        memory = _Memory(before)
        yield memory
        if memory.seen != before:
            descriptor, partial = mkstemp(dir=path.parent, prefix=f".{path.name}-")  # mode 0600 from the start
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump({"last": dict(memory.seen.last), "settled": dict(memory.seen.settled)}, file)
            Path(partial).replace(path)


def _read(path: Path) -> Seen:
    """What was kept; nothing where it is damaged: two looks bring it back."""
    try:
        kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        last = {str(place): (int(size), str(digest)) for place, (size, digest) in kept["last"].items()}
        return Seen(last, {str(place): str(digest) for place, digest in kept["settled"].items()})
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        return Seen()
