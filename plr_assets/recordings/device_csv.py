"""The raw csv of the handheld pupillometer (2018): no header, about 2000 rows of 75-77 values at 30 frames a second.

Belongs here: the format, read strictly and written byte-true. Does not belong here: the common time grid (`resample`),
or any judgement of samples other than the device's own "no pupil found".

What the columns mean was measured on eight files of two protocols:
0 frame, 1 time (s), 2 pupil diameter (camera px), 3-4 position, 5 constant 30, 6-8 fixation light (constant 3, 0, 0),
9-11 drive code of the first ring light (R, G, B), then 21 more RGB triplets. Rows inside a stimulus slot carry one
extra value: the row length is a flag, not damage.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from plr_assets.recordings.file_errors import FileError, read_bytes

# The last 3-4 frames of every measured file are bogus (48.00 px in six of eight, 69-83 px in two).
END_TRANSIENT_FRAMES = 4
MIN_FIELDS = 12
N_RING_LIGHTS = 22
_TIME, _PUPIL, _RED, _BLUE = 1, 2, 9, 11
_ALLOWED = b"0123456789.,- \r\n"
_EXPORT_AGAIN = "Export the recording from the device again."


@dataclass(frozen=True, eq=False)
class DeviceTrace:
    """One recording as the device sampled it, `m` frames.

    time_s   (m,) float64, s since the start, strictly increasing, 2 decimals.
    pupil    (m,) float64, diameter in camera px; NaN where the device found no pupil (it writes -1 or 0).
    slot     (m,) bool, inside a stimulus slot (which begins 2 s before its light is visible).
    red, blue   (m,) float64, drive code 0-255; uncalibrated.
    """

    time_s: NDArray[np.float64]
    pupil: NDArray[np.float64]
    slot: NDArray[np.bool_]
    red: NDArray[np.float64]
    blue: NDArray[np.float64]


def read_device_csv(path: Path) -> DeviceTrace:
    """Read one device file, without its end transient. Raises DataError naming file, row, rule and remedy."""
    return parse_device_csv(read_bytes(path), path.name)


def parse_device_csv(content: bytes, name: str) -> DeviceTrace:
    """As `read_device_csv`, of bytes already read. `name` is used in errors only."""
    if not content.strip():
        raise FileError(name, "the file is empty.", _EXPORT_AGAIN)
    rows = [row.strip() for row in content.rstrip().split(b"\n")]
    _check_characters(content, rows, name)
    lengths = _row_lengths(rows, name)
    values = _leading_values(rows, name)
    if b",," in content or b", ," in content:
        row = next(index for index, text in enumerate(rows, 1) if b",," in text or b", ," in text)
        raise FileError(name, "a value is blank.", _EXPORT_AGAIN, row)
    time_s = values[:, _TIME]
    if (backwards := np.flatnonzero(np.diff(time_s) <= 0)).size:
        raise FileError(name, "time is not later than in the row before.", _EXPORT_AGAIN, int(backwards[0]) + 2)
    if not (values[:, [_RED, _BLUE]] > 0).any():
        raise FileError(
            name, "no light is on in the whole recording.", "Remove the file, or check the stimulus protocol."
        )
    if len(rows) <= END_TRANSIENT_FRAMES:
        raise FileError(name, f"{len(rows)} rows are no recording.", _EXPORT_AGAIN)
    keep = slice(None, -END_TRANSIENT_FRAMES)
    pupil = values[keep, _PUPIL]
    return DeviceTrace(
        time_s=time_s[keep].copy(),
        pupil=np.where(pupil > 0, pupil, np.nan),
        slot=lengths[keep] > lengths.min(),
        red=values[keep, _RED].copy(),
        blue=values[keep, _BLUE].copy(),
    )


def _check_characters(content: bytes, rows: list[bytes], name: str) -> None:
    """Digits, points, minus signs, commas, blanks and line ends; one pass over the bytes, slow only to explain."""
    if not content.translate(None, _ALLOWED):
        return
    row = next(index for index, text in enumerate(rows, 1) if text.translate(None, _ALLOWED))
    text = rows[row - 1]
    if b"\0" in content or content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise FileError(name, "the file is no plain text (zero bytes or UTF-16).", _EXPORT_AGAIN, row)
    if re.search(rb"[;\t]", text):
        raise FileError(name, "values are not separated by commas.", "Export with ', ' between values.", row)
    if row == 1:
        raise FileError(
            name,
            "the first row is not all numbers; a device file has no header.",
            "Remove the header, or read the file with `reader: headered_csv`.",
            row,
        )
    raise FileError(name, "a value is not a number.", _EXPORT_AGAIN, row)


def _row_lengths(rows: list[bytes], name: str) -> NDArray[np.int64]:
    """(n,) values in each row, the blank that follows the last comma not counted; exactly {k, k + 1} occur."""
    lengths = np.array([row.count(b",") + (not row.endswith(b",")) for row in rows], dtype=np.int64)
    if (short := np.flatnonzero(lengths < MIN_FIELDS)).size:
        row = int(short[0])
        problem = f"the row has {lengths[row]} comma-separated values, at least {MIN_FIELDS} are needed."
        raise FileError(name, problem, _EXPORT_AGAIN, row + 1)
    found = sorted(Counter(lengths.tolist()))
    if len(found) == 2 and found[1] == found[0] + 1:
        return lengths
    if len(found) == 1:
        raise FileError(
            name,
            f"every row has {found[0]} values, so none is marked as inside a stimulus slot.",
            "Remove the file if no light was shown; else export it again.",
        )
    # Two thirds of a recording are dark, so the commonest length is the dark one.
    dark = Counter(lengths.tolist()).most_common(1)[0][0]
    row = int(np.flatnonzero((lengths != dark) & (lengths != dark + 1))[0])
    problem = f"the row has {lengths[row]} values where {dark} (dark) or {dark + 1} (light) belong."
    raise FileError(name, problem, _EXPORT_AGAIN, row + 1)


def _leading_values(rows: list[bytes], name: str) -> NDArray[np.float64]:
    """(n, 12) the first fields of every row; the other fields repeat them and must only not be blank."""
    try:
        values = np.array([row.split(b",", MIN_FIELDS)[:MIN_FIELDS] for row in rows]).astype(np.float64)
    except ValueError:
        _raise_at_first_bad_number(rows, name)
    if not np.isfinite(values).all():
        row = int(np.flatnonzero(~np.isfinite(values).all(axis=1))[0])
        raise FileError(name, "a value is too large to be a number.", _EXPORT_AGAIN, row + 1)
    return values


def _raise_at_first_bad_number(rows: list[bytes], name: str) -> NoReturn:
    for index, row in enumerate(rows, 1):
        for column, field in enumerate(row.split(b",", MIN_FIELDS)[:MIN_FIELDS]):
            try:
                float(field)
            except ValueError:
                raise FileError(name, f"the value in column {column} is not a number.", _EXPORT_AGAIN, index) from None
    raise AssertionError("numpy refused a number that Python reads")


def write_device_csv(
    path: Path,
    *,
    time_s: NDArray[np.float64],
    pupil: NDArray[np.float64],
    red: NDArray[np.int64],
    blue: NDArray[np.int64],
    slot: NDArray[np.bool_],
    position: tuple[int, int] = (0, 0),
) -> None:
    """Write the format of March-May 2018: 75 values in the dark, 76 in a slot, every row ending in ", ", LF.

    time_s, pupil   (m,) written with 2 decimals; NaN is written as the device's -1.00.
    red, blue   (m,) codes 0-255, green 0, the same for all ring lights.
    position   the two pupil-position columns, constant as in most measured files.
    """
    x, y = position
    rows = []
    columns = (time_s.tolist(), np.where(np.isnan(pupil), -1.0, pupil).tolist(), red.tolist(), blue.tolist())
    for frame, (time, diameter, r, b, inside) in enumerate(zip(*columns, slot.tolist(), strict=True)):
        lights = f"{r}, 0, {b}, " * N_RING_LIGHTS
        flag = "0, " if inside else ""
        rows.append(f"{frame}, {time:.2f}, {diameter:.2f}, {x}, {y}, 30, 3, 0, 0, {lights}{flag}\n")
    path.write_bytes("".join(rows).encode("ascii"))
