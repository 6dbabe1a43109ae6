"""Csv with a header: columns by name, dropouts, and errors that name the row."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plr_assets.errors import DataError
from plr_assets.recordings.headered_csv import parse_headered_csv
from plr_assets.study.recordings import ColumnMap

MAP = ColumnMap(time="t", pupil="d")
FULL = ColumnMap(time="t", pupil="d", truth="gt", artefact="bad")


@pytest.mark.parametrize("blank", ["", "NA", "NaN", "0", "-1", " "])
def test_dropouts_are_nan(blank: str) -> None:
    trace = parse_headered_csv(f"d, t\n5.5, 0\n{blank}, 0.5\n6, 1.0\n".encode(), "x.csv", MAP)
    np.testing.assert_array_equal(trace.pupil, [5.5, np.nan, 6.0])
    np.testing.assert_array_equal(trace.time_s, [0, 0.5, 1.0])


def test_in_percent_constriction_is_no_dropout() -> None:
    trace = parse_headered_csv(b"t,d\n0,0\n1,-30\n2,\n", "x.csv", MAP, unit="%")
    np.testing.assert_array_equal(trace.pupil, [0.0, -30.0, np.nan])


def test_truth_and_artefacts_are_read_where_named() -> None:
    trace = parse_headered_csv(b"t,d,gt,bad\n0,5,5.1,0\n1,9,5.2,1\n", "x.csv", FULL)
    assert trace.truth is not None
    assert trace.artefact is not None
    np.testing.assert_array_equal(trace.truth, [5.1, 5.2])
    np.testing.assert_array_equal(trace.artefact, [False, True])


@pytest.mark.parametrize(
    ("content", "columns", "rule", "row"),
    [
        (b"", MAP, "empty", None),
        (b"t,d\n", MAP, "no row", None),
        (b"t,dd\n0,1\n", MAP, "no column 'd'", 1),
        (b"t;d\n0;1\n", MAP, "no column 't'", 1),
        (b"t,d\n0,1\n1,five\n", MAP, "'d' is no number", 3),
        (b"t,d\n0,1\n1,inf\n", MAP, "'d' is no number", 3),
        (b"t,d\n0,1\n,2\n", MAP, "time is blank", 3),
        (b"t,d\n0,1\n0,2\n", MAP, "not later", 3),
        (b"t,d\n1,1\n0,2\n", MAP, "not later", 3),
        (b"t,d\n0,1\n1,2\n2,3,4,5\n", MAP, "differ in length", 4),
        ("t,d\n0,1\n1,\u00e4\n".encode("latin-1"), MAP, "UTF-8", 3),
        (b"t,d\n0,1\n1,\0\n", MAP, "plain text", 3),
        (b"t,d,gt,bad\n0,1,1,0\n1,2,,0\n", FULL, "gap", 3),
        (b"t,d,gt,bad\n0,1,1,0\n1,2,2,7\n", FULL, "neither 0 nor 1", 3),
    ],
)
def test_broken_file_is_refused_naming_file_row_and_rule(
    content: bytes, columns: ColumnMap, rule: str, row: int | None
) -> None:
    with pytest.raises(DataError) as raised:
        parse_headered_csv(content, "broken.csv", columns)
    assert rule in raised.value.problem
    assert raised.value.where == ("broken.csv" if row is None else f"broken.csv: row {row}")


def test_misspelt_column_is_met_with_the_nearest() -> None:
    with pytest.raises(DataError, match="Did you mean 'left_pupil'"):
        parse_headered_csv(b"time,left_pupil\n0,1\n", "x.csv", ColumnMap(time="time", pupil="leftpupil"))


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_mutated_files_are_read_or_refused_but_never_crash(data: st.DataObject) -> None:
    content = bytearray(b"t,d,gt,bad\n" + b"".join(b"%d.5,4.25,4.2,0\n" % i for i in range(8)))
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(content)))
        content[start : start + data.draw(st.integers(0, 20))] = data.draw(
            st.binary(max_size=6) | st.sampled_from([b"\n", b",", b'"', b"\0", b"\r", b"-"])
        )
    try:
        trace = parse_headered_csv(bytes(content), "mutated.csv", FULL)
    except DataError:
        return
    assert (np.diff(trace.time_s) > 0).all()
