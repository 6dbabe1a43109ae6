"""Import: from a study's files to one validated table, and a report of the files that were refused.

Belongs here: reading every file, linking subject and ground truth, pseudonyms, quarantine. Does not belong here:
formats (`readers`, `ground_truth`), or the roles that recordings play (`roles`).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl

from plr_assets.errors import ConfigError, DataError
from plr_assets.recordings.anonymise import FileIdentity, Pseudonym, assign_pseudonyms
from plr_assets.recordings.file_errors import FileError, read_bytes
from plr_assets.recordings.gridded import GriddedTrace, grid_trace
from plr_assets.recordings.ground_truth import parse_ground_truth
from plr_assets.recordings.quality import flags_text, judge
from plr_assets.recordings.quality_evidence import Finding
from plr_assets.recordings.readers.base import Parsed, Reader, RecordingFile, Trace
from plr_assets.recordings.readers.registry import READERS, choose_reader
from plr_assets.recordings.sources import Source, find_sources, subjects_table
from plr_assets.recordings.subjects import UNKNOWN, Subject
from plr_assets.recordings.table import COLOURS, Recordings
from plr_assets.schemas import QUARANTINE, RECORDING_VERDICTS
from plr_assets.schemas.table import polars_schema
from plr_assets.study import Study

# Stands for the content of a file that the file system refuses.
_UNREAD = "0" * 64
_HASH_DIGITS = 12


@dataclass(frozen=True, eq=False)
class Imported:
    """What import gives: recordings in order of their id, `schemas.QUARANTINE`, and `schemas.RECORDING_VERDICTS`.

    unlisted   ids of recordings whose subject has no row in the subjects table; empty where the study names none.
    """

    recordings: Recordings
    quarantine: pl.DataFrame
    verdicts: pl.DataFrame
    unlisted: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Verdict:
    """One recording, or a whole file that could not be used, and what became of it.

    where    the file's name, and its place in a file of many: for the terminal only, it may carry a subject code.
    content  SHA-256 of the recording.
    trace    on the study's grid, or None where `error` says why not.
    listed   whether the subjects table has its subject; None where the study names no table.
    """

    where: str
    code: str
    stem: str
    content: str
    reader: str | None
    subject: Subject = UNKNOWN
    listed: bool | None = None
    trace: GriddedTrace | None = None
    flags: tuple[Finding, ...] = ()
    error: FileError | None = None


def import_recordings(study: Study, lookup: Path, readers: Sequence[Reader] = READERS) -> Imported:
    """Read every recording of `study`. Pseudonyms are kept in the private file `lookup`.

    A recording that cannot be read, lacks its ground truth, or repeats another is quarantined, and the rest imported.
    Raises DataError if folders or the subjects table are missing or wrong, or if no recording could be imported.
    """
    check_unit(study)
    sources = find_sources(study)
    verdicts = judge_sources(sources, study, readers, subjects_table(study))
    quarantine = quarantined(verdicts)
    if all(verdict.error is not None for verdict in verdicts):
        raise DataError(
            f"{study.name}: recordings",
            f"none of {len(sources)} files could be imported; the first: {quarantine['reason'][0]}",
            quarantine["remedy"][0],
        )
    return assemble(verdicts, study, lookup)


def assemble(verdicts: Sequence[Verdict], study: Study, lookup: Path) -> Imported:
    """What was accepted as one table, and what was refused. At least one has to be accepted."""
    accepted = [verdict for verdict in verdicts if verdict.error is None]
    identities = [FileIdentity(verdict.code, verdict.stem, verdict.content) for verdict in accepted]
    names = assign_pseudonyms(identities, lookup)
    accepted.sort(key=lambda verdict: names[verdict.stem].recording)
    unlisted = tuple(names[verdict.stem].recording for verdict in accepted if verdict.listed is False)
    table = _table(accepted, [names[verdict.stem] for verdict in accepted], study)
    return Imported(table, quarantined(verdicts), _verdict_table(table.recording, accepted), unlisted)


def quarantined(verdicts: Sequence[Verdict]) -> pl.DataFrame:
    """`schemas.QUARANTINE` of those that were refused."""
    refused = {_quarantine_row(verdict, verdict.error) for verdict in verdicts if verdict.error is not None}
    rows = sorted(refused, key=lambda row: (row[0], row[2]))
    return pl.DataFrame(rows, schema=polars_schema(QUARANTINE), orient="row").unique(
        ["content", "reason"], keep="first", maintain_order=True
    )


def check_unit(study: Study) -> None:
    """Raises ConfigError where the reader that the study insists on gives another unit."""
    files = study.recordings
    wanted = {"device_csv": "px", "seri_db": "%"}.get(files.reader)
    if wanted is not None and files.unit != wanted:
        raise ConfigError(
            f"{study.name}: recordings.unit", f"{files.reader} files are in {wanted}.", f"Write `unit: '{wanted}'`."
        )


def judge_sources(
    sources: Sequence[Source],
    study: Study,
    readers: Sequence[Reader] = READERS,
    table: Mapping[str, Subject] | None = None,
) -> list[Verdict]:
    """Every recording of `sources`, read and judged, in their order. One that is refused leaves the others alone.

    table   the subjects table, or None where there is none to compare with.
    """
    verdicts = [verdict for source in sources for verdict in _verdicts(source, study, readers, table)]
    return _without_repeats(verdicts)


def _verdicts(
    source: Source, study: Study, readers: Sequence[Reader], table: Mapping[str, Subject] | None
) -> Iterator[Verdict]:
    name, content = source.path.name, _UNREAD
    reader: Reader | None = None
    try:
        file = RecordingFile(source.path)
        content = file.digest
        reader = choose_reader(file, study, readers)
        for parsed in reader.read(file, study):
            yield _verdict(parsed, source, study, reader=reader.name, digest=file.digest, table=table)
    except FileError as error:
        # of a file of many, what was read before stands
        yield Verdict(name, source.code, source.path.stem, content, reader.name if reader else None, error=error)


def _verdict(
    parsed: Parsed, source: Source, study: Study, *, reader: str, digest: str, table: Mapping[str, Subject] | None
) -> Verdict:
    where, code, stem = source.path.name, source.code, source.path.stem
    subject = source.subject
    if parsed.code is not None:
        code, stem = parsed.code, parsed.name or parsed.code
        where = f"{where}: {stem}"
        subject = parsed.subject or UNKNOWN
    listed = None if table is None else code in table
    row = None if table is None else table.get(code, UNKNOWN).at(stem)
    if table is not None:
        subject = row or UNKNOWN
    verdict = Verdict(where, code, stem, parsed.content or digest, reader, subject, listed)
    try:
        if table is not None and row is None:
            problem = "the subjects table has rows for other recordings of its subject, and none for this one."
            raise FileError(where, problem, "Add its row, or one in which `recording` is blank, for all others.")
        if isinstance(parsed.trace, FileError):
            raise parsed.trace
        trace = _on_grid(parsed.trace, source, code, study)
        findings = judge(parsed.trace, trace, study.quality)
        if refusals := [finding for finding in findings if finding.severity == "refuse"]:
            reasons, remedies = ([getattr(f, part) for f in refusals] for part in ("reason", "remedy"))
            raise FileError(where, " ".join(dict.fromkeys(reasons)), " ".join(dict.fromkeys(remedies)))
    except FileError as error:
        return replace(verdict, error=error)
    return replace(verdict, trace=trace, flags=findings)


def _on_grid(trace: Trace, source: Source, code: str, study: Study) -> GriddedTrace:
    name = source.path.name
    if not code:
        raise FileError(name, "the file's name does not begin with a subject code.", "Name it <code>_<anything>.csv.")
    gridded = trace if isinstance(trace, GriddedTrace) else grid_trace(trace, study, name)
    if not study.has_ground_truth:
        return replace(gridded, truth=None, artefact=gridded.artefact)
    if study.recordings.ground_truth is None:
        if gridded.truth is None:
            raise FileError(name, "the recording has no ground truth.", "Add it, or leave the study's key out.")
        return gridded
    if source.truth is None:
        raise FileError(name, "the recording has no ground truth.", "Add it, or leave out recordings.ground_truth.")
    try:
        truth, artefact = parse_ground_truth(read_bytes(source.truth), source.truth.name, study.sampling)
    except FileError as error:
        # The report names recordings; the reason says that it is the other file's fault.
        raise FileError(source.truth.name, f"ground truth: {error.problem}", error.remedy, error.row) from error
    return replace(gridded, truth=truth, artefact=artefact & ~np.isnan(gridded.pupil))


def _without_repeats(verdicts: list[Verdict]) -> list[Verdict]:
    """Of equal recordings all but one are refused within a subject, all of them across subjects.

    Two different recordings of one name are both refused: their numbers are kept by it (`anonymise`).
    """
    same: dict[str, list[int]] = defaultdict(list)
    named: dict[str, list[int]] = defaultdict(list)
    for index, verdict in enumerate(verdicts):
        same[verdict.content].append(index)
        named[verdict.stem].append(index)
    judged = list(verdicts)

    def refuse(index: int, problem: str, remedy: str) -> None:
        if judged[index].error is None:
            error = FileError(judged[index].where, problem, remedy)
            judged[index] = replace(judged[index], error=error, trace=None)

    for copies in same.values():
        if len({verdicts[index].code for index in copies}) > 1:
            for index in copies:
                refuse(index, "the same recording lies under two subject codes.", "Remove the wrong copy.")
        for index in copies[1:]:
            refuse(index, "the same recording lies in another file.", "Remove the wrong copy.")
    for namesakes in named.values():
        standing = [index for index in namesakes if judged[index].error is None]
        for index in standing if len(standing) > 1 else []:
            refuse(index, "two files hold a recording of this name.", "Rename one of them.")
    return judged


def _quarantine_row(verdict: Verdict, error: FileError) -> tuple[str, int | None, str, str]:
    """Hash, row, reason, remedy. A remedy may list a file's columns, so the code is struck out wherever it stands."""
    code = re.compile(rf"(?<!\w){re.escape(verdict.code)}(?!\w)")
    reason, remedy = (code.sub("<code>", text) if verdict.code else text for text in (error.problem, error.remedy))
    return verdict.content[:_HASH_DIGITS], error.row, reason, remedy


def _table(accepted: Sequence[Verdict], pseudonyms: Sequence[Pseudonym], study: Study) -> Recordings:
    traces = [verdict.trace for verdict in accepted if verdict.trace is not None]
    subjects = [verdict.subject for verdict in accepted]
    truths = [trace.truth for trace in traces if trace.truth is not None]
    reviewed = np.array([trace.artefact is not None for trace in traces])
    nobody = np.zeros(study.sampling.n_samples, dtype=np.bool_)
    masks = [nobody if trace.artefact is None else trace.artefact for trace in traces]
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
        artefact=np.stack(masks) if reviewed.any() else None,
        reviewed=reviewed,
        label=tuple(subject.label for subject in subjects),
        age=np.array([subject.age for subject in subjects]),
        eye=tuple(subject.eye or study.recordings.eye for subject in subjects),
    )


def _verdict_table(recording: Sequence[str], accepted: Sequence[Verdict]) -> pl.DataFrame:
    def text(parts: Iterable[str]) -> str | None:
        return " ".join(dict.fromkeys(parts)) or None

    rows = [
        (
            name,
            "accepted with flags" if verdict.flags else "accepted",
            flags_text(verdict.flags),
            text(finding.reason for finding in verdict.flags),
            text(finding.remedy for finding in verdict.flags),
        )
        for name, verdict in zip(recording, accepted, strict=True)
    ]
    return pl.DataFrame(rows, schema=polars_schema(RECORDING_VERDICTS), orient="row")
