"""Assets of the data_import stage: files on disk -> recordings -> who develops and who is evaluated.

Belongs here: the declarations. Does not belong here: reading files, simulating, or the rule of roles (`recordings`).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from plr_assets.defs.stages import DATA_IMPORT
from plr_assets.platform.artifacts import Product
from plr_assets.platform.previews import markdown_table
from plr_assets.platform.stages import Check, Inputs, Task, Verdict, reads, stage_asset
from plr_assets.schemas import QUARANTINE, RECORDING_VERDICTS, RECORDINGS, ROLE_NAMES, ROLES, SIMULATED_FILES
from plr_assets.study import Study

if TYPE_CHECKING:
    import polars as pl

    from plr_assets.recordings.table import Recordings


def _source(study: Study, _inputs: Inputs) -> str:
    from plr_assets.recordings.sources import source_digest

    with unnamed(study):
        return source_digest(study)


def unnamed(study: Study) -> AbstractContextManager[None]:
    """Around whatever reads files: a file's name may hold a subject's code, and errors are logged."""
    from plr_assets.recordings.anonymise import without_names

    table = study.recordings.subjects
    return without_names(lookup_file(study), () if table is None else (table.name,))


def _freeze(study: Study, inputs: Inputs) -> str:
    import polars as pl

    from plr_assets.recordings.freezing import COHORT_COLUMNS, freeze_digest

    (ref,) = inputs["recordings", "recordings"].values()
    return freeze_digest(study, pl.read_parquet(ref.path, columns=list(COHORT_COLUMNS)))


def _freeze_stands(study: Study, _digest: str) -> bool:
    from plr_assets.recordings.freezing import is_frozen

    return is_frozen(study)


def _flagged_share(study: Study, table: Callable[[str], pl.DataFrame]) -> Verdict:
    verdicts, quarantine = table("recording_verdicts"), table("quarantine")
    flagged, refused = verdicts["flags"].count(), quarantine["content"].n_unique()
    total = len(verdicts) + refused
    share, limit = (flagged + refused) / total, study.quality.max_flagged_share
    return Verdict(
        share <= limit,
        f"{flagged} of {total} recordings are flagged and {refused} refused, {share:.1%}; the limit is {limit:.1%} "
        "(quality.max_flagged_share).",
        {"flagged": flagged, "refused": refused, "recordings": total, "share": share, "limit": limit},
    )


def _simulated_files_stand(study: Study, _digest: str) -> bool:
    from plr_assets.recordings.simulator.files import are_written

    return are_written(study)


@stage_asset(
    DATA_IMPORT,
    tables={"device_files": SIMULATED_FILES},
    settings=("simulation", "recordings", "sampling", "stimuli", "baseline"),
    seeded=True,
    offered=lambda study: study.simulation is not None,
    present=_simulated_files_stand,
    kinds=("python", "csv"),
)
def device_files(task: Task) -> Product:
    """Simulated recordings as a lab would deliver them: raw device csv files, ground truth, a table of subjects.

    Only synthetic studies have this asset. It writes into the study's data folder; a study of real recordings starts
    from files that are there already.
    """
    from plr_assets.recordings.simulator.files import write_study_files

    files = write_study_files(task.study)
    return Product(tables={"device_files": files}, metrics={"files": files.height})


@stage_asset(
    DATA_IMPORT,
    reads=[reads(device_files)],
    tables={"recordings": RECORDINGS, "recording_verdicts": RECORDING_VERDICTS, "quarantine": QUARANTINE},
    settings=("recordings", "sampling", "stimuli", "baseline", "labels", "quality"),
    source=_source,
    checks=[
        Check(
            "flagged_share",
            "The share of flagged and refused recordings is at most the study's quality.max_flagged_share.",
            _flagged_share,
        )
    ],
)
def recordings(task: Task) -> Product:
    """Every recording of the study on one time grid, in % change from its own baseline, under a pseudonym.

    What the quality gate says of each is in a table of its own, `recording_verdicts`: changed flags recompute nothing.
    Files that cannot be used are in the quarantine table with the reason. The lookup from pseudonyms to original codes
    stays in a private file of the data folder and is published nowhere.
    """
    from plr_assets.platform.duckdb_recordings import all_readers
    from plr_assets.recordings.importer import import_recordings

    with unnamed(task.study):
        found = import_recordings(task.study, lookup_file(task.study), all_readers())
    cohort = found.recordings
    return Product(
        tables={
            "recordings": cohort.to_frame(),
            "recording_verdicts": found.verdicts,
            "quarantine": found.quarantine,
        },
        metrics={
            "recordings": len(cohort),
            "subjects": len(set(cohort.subject)),
            "flagged": found.verdicts["flags"].count(),
            "quarantined": found.quarantine["content"].n_unique(),
            "not_in_subjects_table": len(found.unlisted),
            "dropout_share": float(cohort.dropout.mean()),
        },
        notes={
            "cohort": _by_label(cohort),
            "flags": _by_rule(found.verdicts),
            "flagged recordings": markdown_table(found.verdicts.drop_nulls("flags").drop("verdict", "remedy")),
            "quarantine": markdown_table(found.quarantine),
            **({"not in the subjects table": ", ".join(found.unlisted)} if found.unlisted else {}),
        },
    )


@stage_asset(
    DATA_IMPORT,
    reads=[reads(recordings)],
    tables={"roles": ROLES, "cases": ROLES, "development": RECORDINGS, "evaluated": RECORDINGS},
    source=_freeze,
    present=_freeze_stands,
)
def cohort_split(task: Task) -> Product:
    """Which recordings signal methods may learn from (`development`), and which pipelines are judged on (`evaluated`).

    By subject: those with a diagnosis are evaluated, the others develop. The first run freezes the roles; recordings
    that come later are `pending`, in neither set, until `plr refreeze`. Each set is an artifact of its own, so that a
    changed evaluated recording never refits a detector or an imputer; `cases` are the roles of the evaluated alone, so
    that a pending recording runs no bootstrap.
    """
    import polars as pl

    from plr_assets.recordings.freezing import is_frozen, roles_in_force, write_freeze

    frame = task.table("recordings")
    roles = roles_in_force(task.study, frame)
    if not is_frozen(task.study):
        write_freeze(task.study, roles)
    named = {role: roles.filter(pl.col("role") == role)["recording"].to_list() for role in ROLE_NAMES}
    sets = {role: frame.filter(pl.col("recording").is_in(named[role])) for role in ("development", "evaluated")}
    counts = roles.group_by("role", "label").len("recordings").sort("role", "label")
    return Product(
        tables={"roles": roles, "cases": roles.filter(pl.col("role") == "evaluated"), **sets},
        metrics={role: len(names) for role, names in named.items()},
        notes={"roles": markdown_table(counts)},
    )


def lookup_file(study: Study) -> Path:
    """The private file (mode 0600) that holds original subject codes."""
    return study.data_dir / "private" / "lookup.json"


def _by_label(cohort: Recordings) -> str:
    import polars as pl

    labels = pl.Series("label", cohort.label, dtype=pl.String).fill_null("(none)")
    return markdown_table(labels.value_counts(name="recordings").sort("label"))


def _by_rule(verdicts: pl.DataFrame) -> str:
    rules = verdicts["flags"].rename("rule").str.split("; ").explode().drop_nulls()
    return markdown_table(rules.value_counts(name="recordings").sort("rule"), rows=30) if len(rules) else "none"
