"""Recordings as csv with a header: any device, any rate, one sample a row, columns named by the study.

Belongs here: reading such a file into arrays. Does not belong here: its lights (the study declares them) or the grid.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from plr_assets.recordings.file_errors import FileError, read_bytes
from plr_assets.recordings.text_csv import first_row, increasing_time, numeric_columns
from plr_assets.study.recordings import ColumnMap

# The columns of a processed recording that are read; such files have about 94.
PROCESSED_COLUMNS = ("time", "pupil_raw", "outlier_labels", "pupil_toBeImputed", "denoised", "R", "B")
# In % change most samples of a recording with two lights are below its baseline; a diameter never is negative.
_MAX_NEGATIVE_SHARE = 0.2


@dataclass(frozen=True, eq=False)
class HeaderedTrace:
    """One recording of `m` samples.

    time_s   (m,) float64, s, strictly increasing.
    pupil    (m,) float64 in the file's unit; NaN at dropouts.
    truth    (m,) float64 in the same unit, never NaN, or None.
    artefact (m,) bool, rejected by a human, or None.
    red, blue   (m,) float64 drive of the lights, or None where the file holds none.
    """

    time_s: NDArray[np.float64]
    pupil: NDArray[np.float64]
    truth: NDArray[np.float64] | None = None
    artefact: NDArray[np.bool_] | None = None
    red: NDArray[np.float64] | None = None
    blue: NDArray[np.float64] | None = None


def read_headered_csv(path: Path, columns: ColumnMap, unit: str = "px") -> HeaderedTrace:
    """Read one file. Dropouts are blanks and, unless `unit` is "%" (where constriction is negative), values <= 0.

    Raises DataError naming file, row, rule and remedy.
    """
    return parse_headered_csv(read_bytes(path), path.name, columns, unit)


def parse_headered_csv(content: bytes, name: str, columns: ColumnMap, unit: str = "px") -> HeaderedTrace:
    """As `read_headered_csv`, of bytes already read. `name` is used in errors only."""
    wanted = [column for column in (columns.time, columns.pupil, columns.truth, columns.artefact) if column is not None]
    values = numeric_columns(content, name, wanted)
    pupil = values[columns.pupil]
    if unit != "%":
        pupil = np.where(pupil > 0, pupil, np.nan)
    truth = artefact = None
    if columns.truth is not None:
        truth = values[columns.truth]
        if (blank := np.isnan(truth)).any():
            raise FileError(name, "ground truth has a gap.", "Fill it, or leave out columns.truth.", first_row(blank))
    if columns.artefact is not None:
        artefact = parse_flags(values[columns.artefact], name)
    return HeaderedTrace(increasing_time(values[columns.time], name), pupil, truth, artefact)


def parse_processed_csv(content: bytes, name: str, unit: str) -> HeaderedTrace:
    """A recording that a human processed: its device signal, its ground truth, what was rejected, and its own lights.

    A sample is rejected where `outlier_labels` is 1, or where `pupil_toBeImputed` lacks what `pupil_raw` has.
    """
    column = numeric_columns(content, name, PROCESSED_COLUMNS)
    pupil, truth = column["pupil_raw"], column["denoised"]
    seen = pupil[~np.isnan(pupil)]
    if unit != "%":
        if seen.size and (seen < 0).mean() > _MAX_NEGATIVE_SHARE:
            raise FileError(
                name, f"diameters in {unit} are negative: they look like % change.", "Write `unit: '%'` in the study."
            )
        pupil = np.where(pupil > 0, pupil, np.nan)
    if (blank := np.isnan(truth)).any():
        raise FileError(name, "`denoised` has a gap.", "Fill it.", first_row(blank))
    for light in ("R", "B"):
        if (wrong := np.nan_to_num(column[light]) < 0).any():
            raise FileError(name, f"the drive in column {light!r} is negative.", "Export it again.", first_row(wrong))
    labels = parse_flags(column["outlier_labels"], name)
    return HeaderedTrace(
        time_s=increasing_time(column["time"], name),
        pupil=pupil,
        truth=truth,
        artefact=(labels | np.isnan(column["pupil_toBeImputed"])) & ~np.isnan(pupil),
        red=filled_drive(column["R"]),
        blue=filled_drive(column["B"]),
    )


def filled_drive(codes: NDArray[np.float64]) -> NDArray[np.float64]:
    """(m,) `codes` with gaps interpolated, as the lights do not jump; 0 if nothing was measured."""
    missing = np.isnan(codes)
    if not missing.any():
        return codes
    if missing.all():
        return np.zeros_like(codes)
    at = np.arange(len(codes))
    return np.interp(at, at[~missing], codes[~missing])


def parse_flags(values: NDArray[np.float64], name: str) -> NDArray[np.bool_]:
    """(m,) a 0/1 column as bool; blank is 0. Raises DataError at any other value."""
    flags = np.nan_to_num(values, nan=0.0)
    if (wrong := ~np.isin(flags, (0.0, 1.0))).any():
        raise FileError(
            name, "an artefact flag is neither 0 nor 1.", "Write 1 where rejected, else 0.", first_row(wrong)
        )
    return np.asarray(flags == 1.0)
