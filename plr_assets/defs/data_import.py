"""Assets of the data_import stage: files on disk -> recordings -> who develops and who is evaluated.

Belongs here: the declarations. Does not belong here: reading files, simulating, or the rule of roles (`recordings`).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from plr_assets.defs.stages import DATA_IMPORT
from plr_assets.platform.artifacts import Product
from plr_assets.platform.previews import markdown_table
from plr_assets.platform.stages import Task, reads, stage_asset
from plr_assets.schemas import QUARANTINE, RECORDINGS, ROLES, SIMULATED_FILES
from plr_assets.study import Study

if TYPE_CHECKING:
    from plr_assets.recordings.table import Recordings


def _source(study: Study) -> str:
    from plr_assets.recordings.sources import source_digest

    return source_digest(study)


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
    tables={"recordings": RECORDINGS, "quarantine": QUARANTINE},
    settings=("recordings", "sampling", "stimuli", "baseline", "labels"),
    source=_source,
)
def recordings(task: Task) -> Product:
    """Every recording of the study on one time grid, in % change from its own baseline, under a pseudonym.

    Files that cannot be used are in the quarantine table with the reason. The lookup from pseudonyms to original codes
    stays in a private file of the data folder and is published nowhere.
    """
    from plr_assets.platform.duckdb_recordings import all_readers
    from plr_assets.recordings.importer import import_recordings

    found = import_recordings(task.study, lookup_file(task.study), all_readers())
    cohort = found.recordings
    return Product(
        tables={"recordings": cohort.to_frame(), "quarantine": found.quarantine},
        metrics={
            "recordings": len(cohort),
            "subjects": len(set(cohort.subject)),
            "quarantined": found.quarantine.height,
            "not_in_subjects_table": len(found.unlisted),
            "dropout_share": float(cohort.dropout.mean()),
        },
        notes={"cohort": _by_label(cohort), "quarantine": markdown_table(found.quarantine)}
        | ({"not in the subjects table": ", ".join(found.unlisted)} if found.unlisted else {}),
    )


@stage_asset(DATA_IMPORT, reads=[reads(recordings)], tables={"roles": ROLES, "development": RECORDINGS})
def cohort_split(task: Task) -> Product:
    """Which recordings signal methods may learn from (`development`), and which pipelines are judged on (`evaluated`).

    By subject: those with a diagnosis are evaluated, the others develop. The development recordings are an artifact of
    their own, so that a changed evaluated recording never refits a detector or an imputer.
    """
    import polars as pl

    from plr_assets.recordings.roles import assign_roles
    from plr_assets.recordings.table import Recordings

    frame = task.table("recordings")
    roles = assign_roles(Recordings.from_frame(frame))
    develops = roles.filter(pl.col("role") == "development")["recording"].to_list()
    counts = roles.group_by("role", "label").len("recordings").sort("role", "label")
    return Product(
        tables={"roles": roles, "development": frame.filter(pl.col("recording").is_in(develops))},
        metrics={"development": len(develops), "evaluated": roles.height - len(develops)},
        notes={"roles": markdown_table(counts)},
    )


def lookup_file(study: Study) -> Path:
    """The private file (mode 0600) that holds original subject codes."""
    return study.data_dir / "private" / "lookup.json"


def _by_label(cohort: Recordings) -> str:
    import polars as pl

    labels = pl.Series("label", cohort.label, dtype=pl.String).fill_null("(none)")
    return markdown_table(labels.value_counts(name="recordings").sort("label"))
