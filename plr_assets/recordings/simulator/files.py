"""The files of a synthetic study, as a lab would deliver them: device csv, ground truth, subjects table.

Belongs here: writing them whole or not at all. Does not belong here: drawing anything.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl

from plr_assets.errors import ConfigError, DataError
from plr_assets.recordings.baseline import percent_change
from plr_assets.recordings.device_csv import read_device_csv, write_device_csv
from plr_assets.recordings.gridded import grid_trace
from plr_assets.recordings.ground_truth import TRUTH_COLUMNS
from plr_assets.recordings.resample import pick_nearest
from plr_assets.recordings.simulator.cohort import SimulatedRecording, simulate_cohort
from plr_assets.recordings.sources import content_hash
from plr_assets.schemas import SIMULATED_FILES
from plr_assets.schemas.table import polars_schema
from plr_assets.study import Study

# Names of the recordings that the simulator wrote: nothing else is ever replaced.
MARKER = "simulated.json"
_NEW = ".simulation-"


def write_study_files(study: Study) -> pl.DataFrame:
    """Simulate the study's cohort into its data folder, in place of what an earlier simulation left there.

    Files are written beside their place and moved there when all are complete; ground truth comes last, so that a
    killed run is seen as missing ground truth, not as a mixed cohort. Equal study and seed give equal bytes.
    Returns one row a file, in order of its hash: `content` (SHA-256), `bytes`.
    Raises ConfigError if the study is not simulated; DataError if the folder holds recordings of other origin.
    """
    raw, truth, subjects = _places(study)
    _refuse_foreign_files(raw, study)
    if study.simulation is None:
        raise ConfigError(f"{study.name}: simulation", "the study is not simulated.", "Add `simulation`.")
    cohort = simulate_cohort(study.simulation, study.seed)
    study.data_dir.mkdir(parents=True, exist_ok=True)
    for left_by_a_killed_run in study.data_dir.glob(f"{_NEW}*"):
        rmtree(left_by_a_killed_run)
    with TemporaryDirectory(dir=study.data_dir, prefix=_NEW) as folder:
        new = Path(folder)
        (new / "raw").mkdir()
        (new / "truth").mkdir()
        for recording in cohort:
            _write_recording(recording, study, new / "raw", new / "truth")
        _subjects_table(cohort).write_csv(new / "subjects")
        names = sorted(path.name for path in (new / "raw").iterdir())
        (new / "marker").write_text(json.dumps({"recordings": names}), encoding="utf-8")
        manifest = _manifest([*(new / "raw").iterdir(), *(new / "truth").iterdir(), new / "subjects"])
        for old, place in (("old-truth", truth), ("old-raw", raw)):
            if place.exists():
                place.replace(new / old)
        moves = {"marker": study.data_dir / MARKER, "raw": raw, "subjects": subjects, "truth": truth}
        for name, place in moves.items():
            place.parent.mkdir(parents=True, exist_ok=True)
            (new / name).replace(place)
    return manifest


def are_written(study: Study) -> bool:
    """Whether the files that the simulator last wrote still stand, none missing and none added.

    By name; a file that was edited shows in `source_digest`.
    """
    marker, (raw, truth, subjects) = study.data_dir / MARKER, _places(study)
    if not (marker.is_file() and raw.is_dir() and truth.is_dir() and subjects.is_file()):
        return False
    ours = set(json.loads(marker.read_text(encoding="utf-8"))["recordings"])
    return ours == {path.name for path in raw.iterdir()} and len(ours) == len(list(truth.iterdir()))


def _places(study: Study) -> tuple[Path, Path, Path]:
    """Folders of recordings and ground truth, and the subjects table; all below the study's data folder."""
    files = study.recordings
    where = f"{study.name}: recordings"
    if files.reader != "device_csv":
        raise ConfigError(f"{where}.reader", "the simulator writes device files.", "Write `reader: device_csv`.")
    places = []
    for key, path in (("path", files.path), ("ground_truth", files.ground_truth), ("subjects", files.subjects)):
        if path is None:
            raise ConfigError(f"{where}.{key}", "a simulated study needs this key.", "Add it, as in demo.yaml.")
        inside = study.resolve(path).resolve()
        if path.is_absolute() or study.data_dir not in inside.parents:
            raise ConfigError(
                f"{where}.{key}",
                "the simulator replaces this path, so it must lie inside the study's data folder.",
                "Give a relative path without `..`.",
            )
        places.append(inside)
    return places[0], places[1], places[2]


def _refuse_foreign_files(raw: Path, study: Study) -> None:
    """Simulated and clinical recordings can never meet, and nobody's recordings are overwritten."""
    marker = study.data_dir / MARKER
    ours = set(json.loads(marker.read_text(encoding="utf-8"))["recordings"]) if marker.is_file() else set()
    found = {path.name for path in raw.iterdir()} if raw.is_dir() else set()
    if found - ours:
        raise DataError(
            f"{study.name}: recordings.path",
            f"{study.recordings.path} holds {len(found - ours)} file(s) that the simulator did not write.",
            "Move them to a study of their own; simulated and other recordings are never mixed.",
        )


def _write_recording(recording: SimulatedRecording, study: Study, raw: Path, truth: Path) -> None:
    code = recording.subject.code
    path = raw / f"{code}_BR.csv"
    write_device_csv(
        path,
        time_s=recording.time_s,
        pupil=recording.pupil,
        red=recording.red,
        blue=recording.blue,
        slot=recording.slot,
    )
    if recording.june_2018:
        # the later files carry one more 0 in every row, in the dark and in a slot
        path.write_bytes(path.read_bytes().replace(b"\n", b"0, \n"))
    # % of the baseline that import will measure on this very file, artefacts and all
    gridded = grid_trace(read_device_csv(path), study, path.name)
    clean = np.interp(gridded.time_s, recording.time_s, recording.clean)
    rejected = pick_nearest(
        recording.time_s, recording.rejected.astype(np.float64), gridded.time_s, study.sampling.rate_hz
    )
    time, flags, denoised = TRUTH_COLUMNS
    pl.DataFrame(
        {
            time: np.arange(study.sampling.n_samples) / study.sampling.rate_hz,
            flags: ((rejected == 1.0) & ~np.isnan(gridded.pupil)).astype(np.int64),
            denoised: percent_change(clean, gridded.baseline),
        }
    ).write_csv(truth / f"{code}.csv", float_precision=5)


def _subjects_table(cohort: Sequence[SimulatedRecording]) -> pl.DataFrame:
    subjects = [recording.subject for recording in cohort]
    return pl.DataFrame(
        {
            "subject_code": [subject.code for subject in subjects],
            "class_label": pl.Series([subject.label for subject in subjects], dtype=pl.String),
            "age": [int(subject.age) for subject in subjects],
            "eye": [subject.eye for subject in subjects],
        }
    )


def _manifest(paths: Sequence[Path]) -> pl.DataFrame:
    rows = sorted((content_hash(path.read_bytes()), path.stat().st_size) for path in paths)
    return pl.DataFrame(rows, schema=polars_schema(SIMULATED_FILES), orient="row")
