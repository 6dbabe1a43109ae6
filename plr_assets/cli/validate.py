"""`plr validate`: what import would make of files, before they are put into a study.

Belongs here: the files meant, and the table of verdicts. Does not belong here: any rule (`recordings`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from plr_assets.platform.duckdb_recordings import all_readers
from plr_assets.recordings.importer import Verdict, check_unit, judge_sources
from plr_assets.recordings.sources import Source, code_of, subjects_table, truth_files
from plr_assets.recordings.subjects import UNKNOWN, Subject
from plr_assets.study import Study, load_study


def validate_files(paths: Sequence[Path], study_name: str, console: Console) -> bool:
    """Print one row a recording. Returns whether any was refused."""
    study = load_study(study_name)
    check_unit(study)
    there = study.recordings.subjects is not None and study.resolve(study.recordings.subjects).is_file()
    subjects = subjects_table(study) if there else None
    truths = _truths(study)
    if truths is None:
        # files are often checked before ground truth is there; that it is missing is not the recording's fault
        files = study.recordings.model_copy(update={"ground_truth": None})
        study = study.model_copy(update={"recordings": files})
    verdicts = judge_sources(_sources(paths, subjects, truths), study, all_readers(), subjects)
    table = Table(title=f"as the study {study.name!r} would import them")
    for column in ("file", "reader", "verdict", "why", "what to do"):
        table.add_column(column, overflow="fold")
    for verdict in verdicts:
        table.add_row(*_row(verdict))
    (console if console.is_terminal else Console(width=160)).print(table)
    refused = sum(verdict.error is not None for verdict in verdicts)
    console.print(f"{len(verdicts) - refused} accepted, {refused} refused")
    return refused > 0 or not verdicts


def _truths(study: Study) -> dict[str, Path] | None:
    folder = study.recordings.ground_truth
    return truth_files(study) if folder is not None and study.resolve(folder).is_dir() else None


def _sources(
    paths: Sequence[Path], subjects: Mapping[str, Subject] | None, truths: Mapping[str, Path] | None
) -> list[Source]:
    found: dict[Path, None] = {}
    for path in paths:
        below = sorted(path.rglob("*")) if path.is_dir() else [path]
        found.update({file: None for file in below if file.is_file() and not file.name.startswith((".", "~$"))})
    return [
        Source(
            path,
            code,
            (subjects or {}).get(code, UNKNOWN).at(path.stem) or UNKNOWN,
            (truths or {}).get(path.stem, (truths or {}).get(code)),
        )
        for path, code in ((path, code_of(path)) for path in found)
    ]


def _row(verdict: Verdict) -> tuple[str, str, str, str, str]:
    where, reader = escape(verdict.where), verdict.reader or "-"
    if verdict.error is not None:
        row = "" if verdict.error.row is None else f"row {verdict.error.row}: "
        return where, reader, "[red]refused[/red]", escape(row + verdict.error.problem), escape(verdict.error.remedy)
    notes = [finding.reason for finding in verdict.flags]
    if verdict.listed is False:
        notes.append("the subjects table has no row for its subject: it will be unlabelled.")
    word = "[yellow]accepted with flags[/yellow]" if verdict.flags else "[green]accepted[/green]"
    return where, reader, word, escape(" ".join(notes)), escape(" ".join(f.remedy for f in verdict.flags))
