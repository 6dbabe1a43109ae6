"""The device format: read strictly, written byte-true."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plr_assets.errors import DataError
from plr_assets.recordings.device_csv import parse_device_csv, read_device_csv, write_device_csv
from plr_assets.recordings.device_rows import Heads, Rows

# Nine rows by hand, from the description of the March-May 2018 files: the 76th value flags the stimulus slot.
PUPILS = ("40.25", "-1.00", "0.00", "3.10", "41.00", "48.00", "48.00", "48.00", "48.00")


def hand_written(line_end: str = "\n") -> bytes:
    rows = []
    for frame, pupil in enumerate(PUPILS):
        blue, slot = (8, ", 0") if frame in (2, 3) else (0, "")
        row = f"{frame}, {0.07 + frame / 30:.2f}, {pupil}, 0, 0, 30, 3, 0, 0" + f", 0, 0, {blue}" * 22 + slot + ", "
        rows.append(row + line_end)
    return "".join(rows).encode()


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_hand_written_file_is_read_as_described(line_end: str) -> None:
    trace = parse_device_csv(hand_written(line_end), "hand.csv")
    np.testing.assert_array_equal(trace.time_s, [0.07, 0.10, 0.14, 0.17, 0.20])
    np.testing.assert_array_equal(trace.pupil, [40.25, np.nan, np.nan, 3.10, 41.00])
    np.testing.assert_array_equal(trace.slot, [False, False, True, True, False])
    np.testing.assert_array_equal(trace.blue, [0, 0, 8, 8, 0])
    assert not trace.red.any()


def test_written_bytes_are_the_device_s(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    inside = np.isin(np.arange(9), (2, 3))
    write_device_csv(
        path,
        time_s=np.round(0.07 + np.arange(9) / 30, 2),
        pupil=np.array([40.25, np.nan, 0.0, 3.1, 41.0, 48.0, 48.0, 48.0, 48.0]),
        red=np.zeros(9, dtype=np.int64),
        blue=np.where(inside, 8, 0),
        slot=inside,
    )
    assert path.read_bytes() == hand_written()


def test_simulated_file_equals_a_plain_csv_reader(device_file: Path) -> None:
    rows = list(csv.reader(io.StringIO(device_file.read_text()), skipinitialspace=True))[:-4]
    trace = read_device_csv(device_file)
    assert {len(row) - 1 for row in rows} == {75, 76}
    np.testing.assert_array_equal(trace.time_s, [float(row[1]) for row in rows])
    pupil = np.array([float(row[2]) for row in rows])
    np.testing.assert_array_equal(trace.pupil, np.where(pupil > 0, pupil, np.nan))
    np.testing.assert_array_equal(trace.red, [float(row[9]) for row in rows])
    np.testing.assert_array_equal(trace.blue, [float(row[11]) for row in rows])
    np.testing.assert_array_equal(trace.slot, [len(row) == 77 for row in rows])


def _without_last_value(lines: list[bytes]) -> bytes:
    lines[4] = lines[4].rsplit(b", ", 2)[0] + b", \n"
    return b"".join(lines)


def _replace(row: int, old: bytes, new: bytes) -> Callable[[list[bytes]], bytes]:
    def change(lines: list[bytes]) -> bytes:
        assert old in lines[row - 1]
        lines[row - 1] = lines[row - 1].replace(old, new, 1)
        return b"".join(lines)

    return change


POISONS: dict[str, tuple[Callable[[list[bytes]], bytes], str, int | None]] = {
    "empty": (lambda _: b"", "empty", None),
    "only blanks": (lambda _: b" \r\n\n", "empty", None),
    "header": (lambda lines: b"frame, time, pupil\n" + b"".join(lines), "header", 1),
    "semicolons": (lambda lines: b"".join(lines).replace(b", ", b"; "), "separated", 1),
    "tabs": (lambda lines: b"".join(lines).replace(b", ", b"\t"), "separated", 1),
    "blanks as separator": (lambda lines: b"".join(lines).replace(b", ", b" "), "at least 12", 1),
    "short row": (_without_last_value, "74 values where 75", 5),
    "last row cut off": (lambda lines: b"".join(lines)[:-90], "values where 75", 9),
    "few columns": (lambda _: b"1, 2, 3, \n" * 9, "at least 12", 1),
    "blank line": (lambda lines: b"".join([*lines[:3], b"\n", *lines[3:]]), "at least 12", 4),
    "text in a number": (_replace(6, b"48.00", b"4x.00"), "not a number", 6),
    "two signs": (_replace(6, b"48.00", b"--48"), "column 2 is not a number", 6),
    "blank value": (_replace(6, b"30, 3,", b"30, , 3,"), "column 6 is not a number", 6),
    "blank value far right": (_replace(6, b"0, 0, 0, \n", b"0, , 0, \n"), "blank", 6),
    "time stands still": (_replace(6, b"0.24", b"0.20"), "not later", 6),
    "time runs backwards": (_replace(6, b"0.24", b"0.01"), "not later", 6),
    "zero byte": (_replace(6, b"48.00", b"48\x00.0"), "plain text", 6),
    "UTF-16": (lambda lines: b"".join(lines).decode().encode("utf-16"), "plain text", 1),
    "no light": (lambda lines: b"".join(lines).replace(b" 8,", b" 0,"), "no light", None),
    "no slot": (lambda lines: b"".join([*lines[:2], *lines[4:]]), "stimulus slot", None),
    "huge number": (_replace(6, b"48.00", b"9" * 400), "too large", 6),
}


@pytest.mark.parametrize("poison", POISONS)
def test_broken_file_is_refused_naming_file_row_and_rule(poison: str) -> None:
    change, rule, row = POISONS[poison]
    with pytest.raises(DataError) as raised:
        parse_device_csv(change(hand_written().splitlines(keepends=True)), "broken.csv")
    assert rule in raised.value.problem
    assert raised.value.where == ("broken.csv" if row is None else f"broken.csv: row {row}")
    assert raised.value.remedy


def test_missing_file_is_a_data_error_that_names_no_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError) as raised:
        read_device_csv(tmp_path / "gone.csv")
    assert "gone.csv" in str(raised.value)
    assert str(tmp_path) not in str(raised.value)


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_mutated_files_are_read_or_refused_but_never_crash(data: st.DataObject) -> None:
    content = bytearray(hand_written())
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(content)))
        end = min(start + data.draw(st.integers(0, 60)), len(content))
        content[start:end] = data.draw(st.binary(max_size=8) | st.sampled_from([b"\n", b",", b"-", b".", b"\0", b""]))
    try:
        trace = parse_device_csv(bytes(content), "mutated.csv")
    except DataError:
        return
    assert (np.diff(trace.time_s) > 0).all()
    assert np.isnan(trace.pupil[~(trace.pupil > 0)]).all()


@settings(max_examples=200, deadline=None)
@given(content=st.binary(max_size=400))
def test_random_bytes_are_a_data_error(content: bytes) -> None:
    with pytest.raises(DataError):
        parse_device_csv(content, "noise.csv")


@settings(max_examples=300, deadline=None)
@given(
    pieces=st.lists(st.sampled_from([b"\n", b",", b", ", b" ", b"\r", b"\r\n", b"0", b"-1.00", b"7" * 70]), max_size=60)
)
def test_rows_are_those_of_splitting_at_line_ends_and_stripping(pieces: list[bytes]) -> None:
    content = b"".join(pieces)
    plain = [row.strip() for row in content.split(b"\n")]
    while plain and not plain[-1]:
        plain.pop()
    if not plain:
        return
    rows = Rows(content)
    assert [content[a:b] for a, b in zip(rows.starts.tolist(), rows.ends.tolist(), strict=True)] == plain
    assert rows.lengths().tolist() == [row.count(b",") + (not row.endswith(b",")) for row in plain]


@settings(max_examples=100, deadline=None)
@given(
    table=st.lists(
        st.lists(st.sampled_from(["0", "-1", "40.25", "255", "1999"]), min_size=75, max_size=75), min_size=1
    ),
    separator=st.sampled_from([",", ", "]),
)
def test_leading_values_are_those_between_commas(table: list[list[str]], separator: str) -> None:
    content = "".join(separator.join(row) + ", \n" for row in table).encode()
    heads = Heads(Rows(content))
    assert heads.complete
    for column in range(12):
        found = [
            heads.bytes[a:b].tobytes().decode() for a, b in zip(heads.start[column], heads.end[column], strict=True)
        ]
        assert found == [row[column] for row in table]
