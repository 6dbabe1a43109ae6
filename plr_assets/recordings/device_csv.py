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
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from plr_assets.recordings.device_rows import LEADING, Heads, Rows
from plr_assets.recordings.file_errors import FileError, read_bytes

# The last 3-4 frames of every measured file are bogus (48.00 px in six of eight, 69-83 px in two).
END_TRANSIENT_FRAMES = 4
MIN_FIELDS = LEADING
N_RING_LIGHTS = 22
# 9 leading columns and 22 lights are 75 values; files since June 2018 carry one more.
DARK_LENGTHS = (75, 76)
# 16 times the length of the longest measured file.
MAX_BYTES = 8 * 2**20
# Measured baselines are 29-65 px. No pupil has 10 mm, so a smaller median is in mm.
MIN_MEDIAN_PX = 10.0
_FRAME, _TIME, _PUPIL, _RATE, _LAST_FIXATION, _RED, _GREEN, _BLUE = 0, 1, 2, 5, 8, 9, 10, 11
# Column -> decimals that the device writes. Tells swapped columns apart, where their values could pass.
_WRITTEN = {_FRAME: 0, _TIME: 2, _PUPIL: 2, 3: 0, 4: 0, _RED: 0, _GREEN: 0, _BLUE: 0}
_MAX_DIGITS = 12
_POINT = np.uint8((ord(".") - ord("0")) % 256)
_LARGEST_DIGIT = 9
_MAX_CODE = 255
# Measured: 29.72-29.99.
_RATES_HZ = (25.0, 35.0)
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
    if not content or content.isspace():
        raise FileError(name, "the file is empty.", _EXPORT_AGAIN)
    if len(content) > MAX_BYTES:
        problem = f"the file has {len(content) / 2**20:.0f} MB; a device file has less than {MAX_BYTES // 2**20}."
        raise FileError(name, problem, "Remove it if it is no recording.")
    _check_characters(content, name)
    rows = Rows(content)
    lengths = _row_lengths(rows, name)
    values = _leading_values(rows, name)
    _check_blanks(rows, name)
    _check_counters(values, name)
    time_s = values[_TIME]
    if not ((values[_RED] > 0) | (values[_BLUE] > 0)).any():
        raise FileError(
            name, "no light is on in the whole recording.", "Remove the file, or check the stimulus protocol."
        )
    keep = slice(None, -END_TRANSIENT_FRAMES)
    pupil = np.where(values[_PUPIL] > 0, values[_PUPIL], np.nan)[keep]
    seen = pupil[~np.isnan(pupil)]
    if seen.size and (seen < MIN_MEDIAN_PX).mean() > 0.5:
        problem = f"most diameters are below {MIN_MEDIAN_PX:g}: they look like mm, and the device writes camera pixels."
        raise FileError(name, problem, "Export the recording in pixels, or read it with a column map.")
    return DeviceTrace(
        time_s=time_s[keep].copy(),
        pupil=pupil,
        slot=lengths[keep] > lengths.min(),
        red=values[_RED][keep].copy(),
        blue=values[_BLUE][keep].copy(),
    )


def _check_characters(content: bytes, name: str) -> None:
    """Digits, points, minus signs, commas, blanks and line ends; one pass over the bytes, slow only to explain."""
    if not (foreign := content.translate(None, _ALLOWED)):
        return
    position = content.index(foreign[:1])
    row = content.count(b"\n", 0, position) + 1
    text = content[content.rfind(b"\n", 0, position) + 1 : position + 200].split(b"\n", 1)[0]
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


def _row_lengths(rows: Rows, name: str) -> NDArray[np.int64]:
    """(n,) values in each row, the blank that follows the last comma not counted; {75, 76} or {76, 77} occur."""
    lengths = rows.lengths()
    if (short := np.flatnonzero(lengths < MIN_FIELDS)).size:
        row = int(short[0])
        problem = f"the row has {lengths[row]} comma-separated values, at least {MIN_FIELDS} are needed."
        raise FileError(name, problem, _EXPORT_AGAIN, row + 1)
    rows_of_length = np.bincount(lengths)
    found = np.flatnonzero(rows_of_length).tolist()
    # Two thirds of a recording are dark, so the commonest length is the dark one.
    dark = int(rows_of_length.argmax())
    if dark - 1 in found and len(found) == 2:
        dark -= 1
    wrong = np.flatnonzero((lengths != dark) & (lengths != dark + 1))
    if wrong.size:
        row = int(wrong[0])
        problem = f"the row has {lengths[row]} values where {dark} (dark) or {dark + 1} (light) belong."
        raise FileError(name, problem, _EXPORT_AGAIN, row + 1)
    if len(found) == 1:
        raise FileError(
            name,
            f"every row has {dark} values, so none is marked as inside a stimulus slot.",
            "Remove the file if no light was shown; else export it again.",
        )
    if dark not in DARK_LENGTHS:
        wanted = " or ".join(str(length) for length in DARK_LENGTHS)
        problem = f"rows in the dark have {dark} values, and not {wanted}: columns are missing or were added."
        raise FileError(name, problem, _EXPORT_AGAIN, 1)
    return lengths


def _leading_values(rows: Rows, name: str) -> dict[int, NDArray[np.float64]]:
    """Column -> (n,) of the values that are used, the others checked to be what the device writes there."""
    values: dict[int, NDArray[np.float64]] = {}
    heads = Heads(rows)
    if not heads.complete:
        raise _bad_number(rows, name)
    for decimals in sorted(set(_WRITTEN.values())):
        columns = [column for column, written in _WRITTEN.items() if written == decimals]
        parsed = _parse(heads, columns, decimals)
        if parsed is None:
            raise _bad_number(rows, name)
        values.update(zip(columns, parsed, strict=True))
    start, end = heads.start[_RATE], heads.end[_LAST_FIXATION]
    width = end - start
    same = width == width[0]
    inside = start[:, None] + np.arange(width[0])
    same &= (heads.bytes[np.minimum(inside, len(heads.bytes) - 1)] == heads.bytes[inside[0]]).all(axis=1)
    if not same.all() or not re.fullmatch(rb"\d+(, ?\d+){3}", heads.bytes[start[0] : end[0]].tobytes()):
        _explain_bad_number(rows, name)
        raise FileError(
            name,
            f"columns {_RATE} to {_LAST_FIXATION} (rate, fixation light) are not constant: columns are swapped.",
            _EXPORT_AGAIN,
            int(np.flatnonzero(~same)[0]) + 1 if not same.all() else 1,
        )
    return values


def _parse(heads: Heads, columns: list[int], decimals: int) -> NDArray[np.float64] | None:
    """(columns, n) the numbers there, or None unless each has exactly `decimals` digits after its point."""
    end = heads.end[columns]
    negative = heads.bytes[heads.start[columns]] == ord("-")
    width = end - heads.start[columns] - negative
    narrowest, widest = int(width.min()), int(width.max())
    if narrowest < (decimals + 2 if decimals else 1) or widest > _MAX_DIGITS:
        return None
    total = np.zeros(width.shape, dtype=np.int64)
    scale = 1
    for place in range(widest):
        # unsigned, so that what comes before "0" is above 9, too
        digit = heads.bytes[end - (1 + place)] - np.uint8(ord("0"))
        if decimals and place == decimals:
            if (digit != _POINT).any():
                return None
            continue
        if place >= narrowest:
            digit *= place < width
        if digit.max() > _LARGEST_DIGIT:
            return None
        total += digit * np.int64(scale)
        scale *= 10
    return np.asarray(np.where(negative, -total, total) / 10.0**decimals)


def _bad_number(rows: Rows, name: str) -> FileError:
    _explain_bad_number(rows, name)
    return FileError(name, "a value is not written as the device writes it.", _EXPORT_AGAIN)


def _explain_bad_number(rows: Rows, name: str) -> None:
    """Row by row, only to explain; returns where every number by itself is as the device writes it."""
    for index, row in enumerate(rows.content.split(b"\n")[: len(rows)], 1):
        for column, field in enumerate(row.strip().split(b",", MIN_FIELDS)[:MIN_FIELDS]):
            problem = _wrong_with(field, column)
            if problem is not None:
                raise FileError(name, problem, _EXPORT_AGAIN, index)


def _wrong_with(field: bytes, column: int) -> str | None:
    text = field.strip()
    decimals = _WRITTEN.get(column, 0)
    if re.fullmatch(rb"-?\d+(\.\d+)?", text) is None:
        return f"the value in column {column} is not a number."
    if len(text) > _MAX_DIGITS:
        return f"the value in column {column} is too large."
    if re.fullmatch(rb"-?\d+\.\d\d" if decimals else rb"-?\d+", text) is None:
        written = "two decimals" if decimals else "no decimals"
        return f"the device writes column {column} with {written}: columns are swapped, or the file was edited."
    if field.startswith(b"  ") or field != field.rstrip():
        return f"there are more blanks around column {column} than the device writes."
    return None


def _check_blanks(rows: Rows, name: str) -> None:
    """No value beyond the leading ones is used, but a blank one says that the file was damaged."""
    comma = rows.is_comma
    touching, near = comma[:-1] & comma[1:], comma[:-2] & comma[2:]
    if not (touching.any() or near.any()):
        return
    blank = np.flatnonzero(near)
    blank = np.concatenate((np.flatnonzero(touching), blank[rows.bytes[blank + 1] == ord(" ")]))
    if blank.size:
        row = rows.content.count(b"\n", 0, int(blank.min())) + 1
        raise FileError(name, "a value is blank.", _EXPORT_AGAIN, row)


def _check_counters(values: dict[int, NDArray[np.float64]], name: str) -> None:
    """Frames are counted without a gap, time runs at about 30 frames a second, drive codes have 8 bits."""
    time_s = values[_TIME]
    n = len(time_s)
    if n <= END_TRANSIENT_FRAMES:
        raise FileError(name, f"{n} rows are no recording.", _EXPORT_AGAIN)
    if (backwards := np.flatnonzero(np.diff(time_s) <= 0)).size:
        raise FileError(name, "time is not later than in the row before.", _EXPORT_AGAIN, int(backwards[0]) + 2)
    if (uncounted := np.flatnonzero(values[_FRAME] != np.arange(n))).size:
        problem = "frames are not counted 0, 1, 2, ...: rows are missing, or columns are swapped."
        raise FileError(name, problem, _EXPORT_AGAIN, int(uncounted[0]) + 1)
    rate_hz = (n - 1) / (time_s[-1] - time_s[0])
    if not _RATES_HZ[0] <= rate_hz <= _RATES_HZ[1]:
        problem = f"there are {rate_hz:.3g} frames a second, and the device takes 30: time is not in seconds?"
        raise FileError(name, problem, _EXPORT_AGAIN)
    for column in (_RED, _GREEN, _BLUE):
        if (wrong := np.flatnonzero((values[column] < 0) | (values[column] > _MAX_CODE))).size:
            problem = f"the drive code in column {column} is not between 0 and {_MAX_CODE}."
            raise FileError(name, problem, _EXPORT_AGAIN, int(wrong[0]) + 1)


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
