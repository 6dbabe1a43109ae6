"""The subjects table: who was recorded, how old, with which diagnosis.

Belongs here: reading and checking it. Does not belong here: pseudonyms (`anonymise`) or roles.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from plr_assets.errors import did_you_mean
from plr_assets.recordings.file_errors import FileError, read_bytes
from plr_assets.recordings.text_csv import first_row, numbers, parse_text_csv, parse_xlsx

_COLUMNS = ("subject_code", "class_label", "age", "eye")
_RECORDING = "recording"
_EYES = ("left", "right")
_MAX_AGE = 120.0
_XLSX_MAGIC = b"PK\x03\x04"


@dataclass(frozen=True, slots=True)
class Subject:
    """One subject. `age` is NaN where it is not known.

    recordings   (name, age, eye) of the recordings that have a row of their own.
    complete     whether these are all of its recordings: the table has no row for the others.
    """

    label: str | None
    age: float
    eye: str | None
    recordings: tuple[tuple[str, float, str | None], ...] = ()
    complete: bool = False

    def at(self, recording: str) -> Subject | None:
        """What the table says for one recording (its file's name without ending); None where it has no row for it."""
        for name, age, eye in self.recordings:
            if name == recording:
                return Subject(self.label, age, eye)
        return None if self.complete else Subject(self.label, self.age, self.eye)


def checked_subject(label: object, age: object, eye: object, where: str, labels: tuple[str, str] | None) -> Subject:
    """What a recording's own file says of its subject. Raises FileError at an unknown label or eye, or a wrong age."""
    if labels is not None and label is not None and label not in labels:
        raise FileError(where, f"class_label is none of {', '.join(labels)}.", "Mend it, or the study's `labels`.")
    if eye is not None and eye not in _EYES:
        raise FileError(where, f"eye is none of {', '.join(_EYES)}.", "Mend the eye.")
    years = float("nan") if age is None else age
    if not isinstance(years, int | float) or years < 0 or years > _MAX_AGE:
        raise FileError(where, f"age is not between 0 and {_MAX_AGE:g} years.", "Mend the age.")
    return Subject(
        None if labels is None or label is None else str(label), float(years), None if eye is None else str(eye)
    )


UNKNOWN = Subject(label=None, age=float("nan"), eye=None)


def read_subjects(path: Path, labels: tuple[str, str] | None) -> Mapping[str, Subject]:
    """Original subject code -> its row. Empty class_label = unlabelled; without `labels` all are.

    With the optional column `recording` (a file's name), a subject may have a row for each recording, with an age and
    an eye of its own; the row in which it is blank is for the others.
    Raises DataError naming file and row: missing column, blank or repeated code, unknown label or eye, impossible age,
    two labels of one subject.
    """
    if not path.is_file():
        raise FileError(
            path.name, "the subjects table is missing.", "Create it, or mend recordings.subjects in the study."
        )
    name = path.name
    content = read_bytes(path)
    frame = (
        parse_xlsx(content, name, _COLUMNS, (_RECORDING,))
        if content.startswith(_XLSX_MAGIC)
        else parse_text_csv(content, name, _COLUMNS, (_RECORDING,))
    )
    codes = frame["subject_code"]
    if (blank := codes.is_null()).any():
        raise FileError(name, "subject_code is blank.", "Fill it, or remove the row.", first_row(blank))
    stems = _stems(frame)
    keys = pl.DataFrame({"code": codes, "stem": stems}).to_struct("key")
    if (again := ~keys.is_first_distinct()).any():
        row = first_row(again)
        earlier = first_row((codes == codes[row - 2]) & stems.eq_missing(stems[row - 2]))
        raise FileError(
            name,
            f"row {earlier} has the same subject_code{'' if stems[row - 2] is None else ' and recording'}.",
            "Keep one row a subject, or name each row's file in a column `recording`.",
            row,
        )
    ages = numbers(frame["age"], name)
    if (wrong := (ages < 0) | (ages > _MAX_AGE)).any():
        raise FileError(name, f"age is not between 0 and {_MAX_AGE:g} years.", "Mend the age.", first_row(wrong))
    _check_allowed(frame["eye"], _EYES, name)
    if labels is not None:
        _check_allowed(frame["class_label"], labels, name)
    given = frame["class_label"].to_list() if labels is not None else [None] * len(frame)
    rows: dict[str, list[_Row]] = defaultdict(list)
    cells = zip(codes.to_list(), stems.to_list(), given, np.asarray(ages), frame["eye"].to_list(), strict=True)
    for number, (code, stem, label, age, eye) in enumerate(cells, 2):
        if rows[code] and rows[code][0].label != label:
            raise FileError(name, "class_label is another than in a row above of this subject.", "Mend it.", number)
        rows[code].append(_Row(stem, label, float(age), eye))
    return {code: _subject(own) for code, own in rows.items()}


@dataclass(frozen=True, slots=True)
class _Row:
    stem: str | None
    label: str | None
    age: float
    eye: str | None


def _subject(rows: list[_Row]) -> Subject:
    others = next((row for row in rows if row.stem is None), None)
    named = tuple(sorted((row.stem, row.age, row.eye) for row in rows if row.stem is not None))
    age, eye = (float("nan"), None) if others is None else (others.age, others.eye)
    return Subject(rows[0].label, age, eye, named, complete=others is None)


def _stems(frame: pl.DataFrame) -> pl.Series:
    """Column `recording` without endings, as files are known by; null where it is blank or the table has none."""
    if _RECORDING not in frame.columns:
        return pl.Series(_RECORDING, [None] * len(frame), dtype=pl.String)
    return frame[_RECORDING].str.replace(r"\.[A-Za-z]\w{1,6}$", "")


def _check_allowed(column: pl.Series, allowed: tuple[str, ...], name: str) -> None:
    wrong = column.is_not_null() & ~column.is_in(allowed).fill_null(value=False)
    if wrong.any():
        row = first_row(wrong)
        raise FileError(
            name, f"{column.name} is none of {', '.join(allowed)}.", did_you_mean(str(column[row - 2]), allowed), row
        )
