"""Import: from a study's files to one validated table, and a report of the files that were refused.

Belongs here: reading every file, linking subject and ground truth, pseudonyms, quarantine. Does not belong here:
formats (`device_csv`, `headered_csv`, `ground_truth`), or the roles that recordings play (`roles`).
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl

from plr_assets.errors import ConfigError, DataError
from plr_assets.recordings.anonymise import FileIdentity, assign_pseudonyms
from plr_assets.recordings.device_csv import DeviceTrace, parse_device_csv
from plr_assets.recordings.file_errors import FileError, read_bytes
from plr_assets.recordings.gridded import GriddedTrace, grid_trace
from plr_assets.recordings.ground_truth import parse_ground_truth
from plr_assets.recordings.headered_csv import HeaderedTrace, parse_headered_csv
from plr_assets.recordings.quality import Finding, flags_text, judge
from plr_assets.recordings.sources import Source, content_hash, find_sources
from plr_assets.recordings.table import COLOURS, Recordings
from plr_assets.study import Study

_HASH_DIGITS = 12


@dataclass(frozen=True, eq=False)
class Imported:
    """What import gives: recordings in order of their id, and `schemas.QUARANTINE`."""

    recordings: Recordings
    quarantine: pl.DataFrame


@dataclass(frozen=True, eq=False)
class _Accepted:
    source: Source
    content: str
    trace: GriddedTrace
    flags: str | None


def import_recordings(study: Study, lookup: Path) -> Imported:
    """Read every recording of `study`. Pseudonyms are kept in the private file `lookup`.

    A file that cannot be read, lacks its ground truth, or repeats another is quarantined, and the rest imported. Raises
    DataError if folders or the subjects table are missing or wrong, or if no recording could be imported.
    """
    if study.recordings.reader == "device_csv" and study.recordings.unit != "px":
        raise ConfigError(f"{study.name}: recordings.unit", "device_csv files are in px.", "Write `unit: px`.")
    accepted: list[_Accepted] = []
    refused: list[tuple[str, int | None, str, str]] = []
    sources = find_sources(study)
    contents = {source.path: content_hash(read_bytes(source.path)) for source in sources}
    repeated = _repeated(sources, contents)
    for source in sources:
        content = contents[source.path]
        try:
            trace, flags = _read(source, study)
            if source.path in repeated:
                raise repeated[source.path]
            accepted.append(_Accepted(source, content, trace, flags))
        except FileError as error:
            refused.append(_quarantine_row(source, content, error))
    quarantine = pl.DataFrame(
        sorted(set(refused), key=lambda row: (row[0], row[2])),
        schema={"content": pl.String, "row": pl.Int64, "reason": pl.String, "remedy": pl.String},
        orient="row",
    )
    if not accepted:
        raise DataError(
            f"{study.name}: recordings",
            f"none of {len(sources)} files could be imported; the first: {quarantine['reason'][0]}",
            quarantine["remedy"][0],
        )
    return Imported(_table(accepted, study, lookup), quarantine)


def _read(source: Source, study: Study) -> tuple[GriddedTrace, str | None]:
    """The recording on the grid, and its flags."""
    name = source.path.name
    if not source.code:
        raise FileError(name, "the file's name does not begin with a subject code.", "Name it <code>_<anything>.csv.")
    trace = _parse(source.path, study)
    gridded = grid_trace(trace, study, name)
    flags = flags_text(_judge(trace, gridded, study, name))
    if study.recordings.ground_truth is None:
        return gridded, flags
    if source.truth is None:
        raise FileError(name, "the recording has no ground truth.", "Add it, or leave out recordings.ground_truth.")
    try:
        truth, artefact = parse_ground_truth(read_bytes(source.truth), source.truth.name, study.sampling)
    except FileError as error:
        # The report names recordings; the reason says that it is the other file's fault.
        raise FileError(source.truth.name, f"ground truth: {error.problem}", error.remedy, error.row) from error
    return replace(gridded, truth=truth, artefact=artefact & ~np.isnan(gridded.pupil)), flags


def _judge(trace: DeviceTrace | HeaderedTrace, gridded: GriddedTrace, study: Study, name: str) -> tuple[Finding, ...]:
    """The recording's flags. Raises FileError with all reasons if it is to be refused."""
    findings = judge(trace, gridded, study.quality)
    refusals = [finding for finding in findings if finding.severity == "refuse"]
    if refusals:
        reasons = " ".join(dict.fromkeys(finding.reason for finding in refusals))
        raise FileError(name, reasons, " ".join(dict.fromkeys(finding.remedy for finding in refusals)))
    return findings


def _parse(path: Path, study: Study) -> DeviceTrace | HeaderedTrace:
    content = read_bytes(path)
    columns = study.recordings.columns
    if columns is None:
        return parse_device_csv(content, path.name)
    return parse_headered_csv(content, path.name, columns, study.recordings.unit)


def _repeated(sources: list[Source], contents: dict[Path, str]) -> dict[Path, FileError]:
    """Files that hold the same recording as another: all but one within a subject, all of them across subjects."""
    same: dict[str, list[Source]] = defaultdict(list)
    for source in sources:
        same[contents[source.path]].append(source)
    errors = {}
    for copies in same.values():
        across = len({source.code for source in copies}) > 1
        for source in copies if across else copies[1:]:
            errors[source.path] = FileError(
                source.path.name,
                "the same recording lies under two subject codes."
                if across
                else "the same recording lies in another file.",
                "Remove the wrong copy.",
            )
    return errors


def _quarantine_row(source: Source, content: str, error: FileError) -> tuple[str, int | None, str, str]:
    """Hash, row, reason, remedy. A remedy may list a file's columns, so the code is struck out wherever it stands."""
    code = re.compile(rf"(?<!\w){re.escape(source.code)}(?!\w)")
    reason, remedy = (code.sub("<code>", text) if source.code else text for text in (error.problem, error.remedy))
    return content[:_HASH_DIGITS], error.row, reason, remedy


def _table(accepted: list[_Accepted], study: Study, lookup: Path) -> Recordings:
    names = assign_pseudonyms([FileIdentity(a.source.code, a.source.path.stem, a.content) for a in accepted], lookup)
    order = sorted(accepted, key=lambda a: names[a.source.path.stem].recording)
    pseudonyms = [names[a.source.path.stem] for a in order]
    traces = [a.trace for a in order]
    subjects = [a.source.subject for a in order]
    truths = [trace.truth for trace in traces if trace.truth is not None]
    artefacts = [trace.artefact for trace in traces if trace.artefact is not None]
    return Recordings(
        recording=tuple(p.recording for p in pseudonyms),
        subject=tuple(p.subject for p in pseudonyms),
        rate_hz=study.sampling.rate_hz,
        pupil=np.stack([trace.pupil for trace in traces]).astype(np.float32),
        light={c: np.stack([trace.light[c] for trace in traces]).astype(np.float32) for c in COLOURS},
        stimuli=tuple(trace.stimuli for trace in traces),
        baseline=np.array([trace.baseline for trace in traces]),
        baseline_unit=study.recordings.unit,
        synthetic=study.synthetic,
        truth=np.stack(truths).astype(np.float32) if truths else None,
        artefact=np.stack(artefacts) if artefacts else None,
        label=tuple(subject.label for subject in subjects),
        age=np.array([subject.age for subject in subjects]),
        eye=tuple(subject.eye or study.recordings.eye for subject in subjects),
        flags=tuple(a.flags for a in order),
    )
