"""Pseudonyms: original subject codes -> `S001`, their recordings -> `S001-1`.

Belongs here: assigning them, and the private lookup file that keeps them (mode 0600). Nothing else in the project sees
an original code next to its pseudonym, and `without_names` keeps the codes in file names out of logged errors. Does not
belong here: any other use of the codes.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkstemp
from typing import Any

from plr_assets.recordings.file_errors import FileError, read_bytes

_PRIVATE = 0o600
_WHICH = "`plr validate` of the study's folder names the file."


@dataclass(frozen=True, slots=True)
class FileIdentity:
    """One file that is to be named: its subject's code, its own name without ending, the SHA-256 of its content."""

    code: str
    stem: str
    content: str


@dataclass(frozen=True, slots=True)
class Pseudonym:
    subject: str
    recording: str


def assign_pseudonyms(files: Iterable[FileIdentity], lookup: Path) -> dict[str, Pseudonym]:
    """File stem -> pseudonym. Assignments in `lookup` are kept, new ones appended and written.

    New subjects are numbered in the order of the smallest content hash among their files, new recordings of a subject
    by their own hash: the same files get the same ids on every machine, and ids tell nothing of the codes' order.
    Raises DataError if `lookup` is not what this function wrote.
    """
    kept = _read(lookup)
    by_code: dict[str, list[FileIdentity]] = defaultdict(list)
    for file in sorted(files, key=lambda f: (f.content, f.stem)):
        by_code[file.code].append(file)
    subjects = {code: (entry["id"], dict(entry["recordings"])) for code, entry in kept.items()}
    named: dict[str, Pseudonym] = {}
    # Dictionaries keep insertion order, so the codes come in the order of their smallest hash.
    for code, own in by_code.items():
        subject, recordings = subjects.setdefault(code, (f"S{len(subjects) + 1:03d}", {}))
        for file in own:
            recordings.setdefault(file.stem, f"{subject}-{len(recordings) + 1}")
            named[file.stem] = Pseudonym(subject, recordings[file.stem])
    table = {code: {"id": subject, "recordings": recordings} for code, (subject, recordings) in subjects.items()}
    if table != kept or lookup.stat().st_mode & 0o777 != _PRIVATE:
        _write(lookup, table)
    return named


@contextmanager
def without_names(lookup: Path, public: Collection[str] = ()) -> Iterator[None]:
    """Errors of single files that leave this block name the file as `lookup` does, and show nothing of their cause.

    For whatever is logged where others read it. public: names that may stand, such as the subjects table's.
    """
    try:
        yield
    except FileError as error:
        if error.file in {lookup.name, *public}:
            raise FileError(error.file, error.problem, error.remedy, error.row) from None
        where = _known_as(Path(error.file).stem, lookup)
        raise FileError(where, error.problem, f"{error.remedy} {_WHICH}", error.row) from None
    except OSError as error:
        problem = f"a file or folder of the study cannot be read ({error.strerror})."
        raise FileError("recordings", problem, f"Check that all of them are readable. {_WHICH}") from None


def _known_as(stem: str, lookup: Path) -> str:
    """The pseudonym of a recording's file, or of a subject."""
    try:
        kept = _read(lookup)
    except FileError:
        kept = {}
    for code, entry in kept.items():
        if stem in entry["recordings"]:
            return str(entry["recordings"][stem])
        if stem == code:
            return str(entry["id"])
    return "a file that was never imported"


def _read(lookup: Path) -> dict[str, Any]:
    if not lookup.exists():
        return {}
    try:
        table = json.loads(read_bytes(lookup))["subjects"]
        ids = [entry["id"] for entry in table.values()]
        recordings = [number for entry in table.values() for number in entry["recordings"].values()]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(lookup) from error
    if len({*ids}) != len(ids) or len({*recordings}) != len(recordings):
        raise _damaged(lookup)
    return dict(table)


def _damaged(lookup: Path) -> FileError:
    return FileError(
        lookup.name,
        "the lookup of subject codes is damaged.",
        "Restore it from a backup; deleting it numbers the subjects anew.",
    )


def _write(lookup: Path, table: dict[str, Any]) -> None:
    """Atomically, and never readable by others, not even for a moment (mkstemp opens with 0600)."""
    lookup.parent.mkdir(parents=True, exist_ok=True)
    descriptor, partial = mkstemp(dir=lookup.parent, prefix=f".{lookup.name}-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump({"subjects": table}, file, indent=1, sort_keys=True)
        Path(partial).replace(lookup)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise
