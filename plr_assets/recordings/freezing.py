"""The freeze: which role each recording was given, kept beside the data until someone decides anew.

Belongs here: the file `cohort.json`, the roles it gives, and what a new freeze would change. Does not belong here: the
rule that roles follow when they are given (`roles`), or asking anyone (`cli`).

A recording that arrives after the freeze is `pending`: no method learns from it and no pipeline is judged on it, so
that results do not move while a lab goes on recording. A simulated cohort comes whole from one simulation, which is its
freeze: it keeps no file, and nothing in it is pending.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from tempfile import NamedTemporaryFile

import polars as pl

from plr_assets.errors import DataError
from plr_assets.recordings.file_errors import read_bytes
from plr_assets.recordings.roles import assign_roles, labels_of_subjects
from plr_assets.study import Study

Freeze = Mapping[str, str]
# What roles are given from; the signals are not read.
COHORT_COLUMNS = ("recording", "subject", "label")
PENDING = "pending"
_ROLES = ("development", "evaluated")
_SHOWN = 5


def freeze_file(study: Study) -> Path:
    return study.data_dir / "cohort.json"


def read_freeze(study: Study) -> Freeze | None:
    """Recording -> role; None before the first freeze, and in a simulated study.

    Raises DataError if the file is damaged.
    """
    path = freeze_file(study)
    if study.simulation is not None or not path.exists():
        return None
    try:
        roles = json.loads(read_bytes(path))["roles"]
        good = bool(roles) and all(isinstance(name, str) and role in _ROLES for name, role in roles.items())
    except (ValueError, KeyError, TypeError, AttributeError):
        good = False
    if not good:
        raise DataError(
            f"{study.name}: {path.name}",
            "the file of frozen roles is damaged.",
            f"Restore it from a backup, or give roles anew: plr refreeze {study.name}.",
        )
    return dict(roles)


def is_frozen(study: Study) -> bool:
    return study.simulation is not None or freeze_file(study).is_file()


def write_freeze(study: Study, roles: pl.DataFrame) -> None:
    """Keep `roles` (`schemas.ROLES`, none pending), whole or not at all."""
    path = freeze_file(study)
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"roles": dict(sorted(_as_freeze(roles).items()))}
    with NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}-", delete=False) as file:
        json.dump(content, file, indent=1)
    Path(file.name).replace(path)


def roles_in_force(study: Study, cohort: pl.DataFrame) -> pl.DataFrame:
    """`schemas.ROLES` of the recordings in `cohort` (`COHORT_COLUMNS`): frozen, else `pending`; all given if none are.

    Raises DataError if a frozen recording is not in `cohort`, and as `assign_roles` does.
    """
    freeze = read_freeze(study)
    if freeze is None:
        return assign_roles(cohort)
    if gone := sorted(set(freeze) - set(cohort["recording"])):
        more = f" and {len(gone) - _SHOWN} more" if len(gone) > _SHOWN else ""
        raise DataError(
            f"{study.name}: cohort_split",
            f"{len(gone)} recording(s) of the frozen cohort are gone or refused: {', '.join(gone[:_SHOWN])}{more}.",
            f"Put the files back (the quarantine says what was refused), or go on without: plr refreeze {study.name}.",
        )
    labels = labels_of_subjects(cohort)
    return cohort.select(
        "recording",
        "subject",
        pl.col("recording").replace_strict(freeze, default=PENDING, return_dtype=pl.String).alias("role"),
        pl.col("subject").replace_strict(labels, default=None, return_dtype=pl.String).alias("label"),
    )


def freeze_digest(study: Study, cohort: pl.DataFrame) -> str:
    """SHA-256 of the freeze in force: the kept one, or where none is kept the one that `cohort` would get.

    So the first freeze does not put its own result out of date. `unusable` where no roles can be given; computing
    them says why.
    """
    try:
        freeze = read_freeze(study) or _as_freeze(assign_roles(cohort))
    except DataError:
        return "unusable"
    return hashlib.sha256(json.dumps(sorted(freeze.items())).encode()).hexdigest()


def changes(old: Freeze, new: pl.DataFrame) -> pl.DataFrame:
    """How many recordings go from which role to which: `before`, `after` (None: gone), `recordings`."""
    after = _as_freeze(new)
    moves = [(old.get(name, PENDING), after.get(name)) for name in {*old, *after}]
    frame = pl.DataFrame(moves, schema={"before": pl.String, "after": pl.String}, orient="row")
    return frame.group_by("before", "after").len("recordings").sort("before", "after", nulls_last=True)


def _as_freeze(roles: pl.DataFrame) -> dict[str, str]:
    return dict(zip(roles["recording"], roles["role"], strict=True))
