"""Recordings as csv with a header: any device, any rate, one sample a row, columns named by the study.

Belongs here: reading such a file into arrays. Does not belong here: its lights (the study declares them) or the grid.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from plr_assets.recordings.file_errors import FileError, read_bytes
from plr_assets.recordings.text_csv import first_row, increasing_time, numbers, parse_text_csv
from plr_assets.study import ColumnMap


@dataclass(frozen=True, eq=False)
class HeaderedTrace:
    """One recording of `m` samples.

    time_s   (m,) float64, s, strictly increasing.
    pupil    (m,) float64 in the file's unit; NaN at dropouts.
    truth    (m,) float64 in the same unit, never NaN, or None.
    artefact (m,) bool, rejected by a human, or None.
    """

    time_s: NDArray[np.float64]
    pupil: NDArray[np.float64]
    truth: NDArray[np.float64] | None = None
    artefact: NDArray[np.bool_] | None = None


def read_headered_csv(path: Path, columns: ColumnMap, unit: str = "px") -> HeaderedTrace:
    """Read one file. Dropouts are blanks and, unless `unit` is "%" (where constriction is negative), values <= 0.

    Raises DataError naming file, row, rule and remedy.
    """
    return parse_headered_csv(read_bytes(path), path.name, columns, unit)


def parse_headered_csv(content: bytes, name: str, columns: ColumnMap, unit: str = "px") -> HeaderedTrace:
    """As `read_headered_csv`, of bytes already read. `name` is used in errors only."""
    wanted = [column for column in (columns.time, columns.pupil, columns.truth, columns.artefact) if column is not None]
    frame = parse_text_csv(content, name, list(dict.fromkeys(wanted)))
    pupil = numbers(frame[columns.pupil], name)
    if unit != "%":
        pupil = np.where(pupil > 0, pupil, np.nan)
    truth = artefact = None
    if columns.truth is not None:
        truth = numbers(frame[columns.truth], name)
        if (blank := np.isnan(truth)).any():
            raise FileError(name, "ground truth has a gap.", "Fill it, or leave out columns.truth.", first_row(blank))
    if columns.artefact is not None:
        artefact = parse_flags(numbers(frame[columns.artefact], name), name)
    return HeaderedTrace(increasing_time(frame[columns.time], name), pupil, truth, artefact)


def parse_flags(values: NDArray[np.float64], name: str) -> NDArray[np.bool_]:
    """(m,) a 0/1 column as bool; blank is 0. Raises DataError at any other value."""
    flags = np.nan_to_num(values, nan=0.0)
    if (wrong := ~np.isin(flags, (0.0, 1.0))).any():
        raise FileError(
            name, "an artefact flag is neither 0 nor 1.", "Write 1 where rejected, else 0.", first_row(wrong)
        )
    return np.asarray(flags == 1.0)
