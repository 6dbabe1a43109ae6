"""Pseudonyms: stable, in order of content, private."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plr_assets.errors import DataError
from plr_assets.recordings.anonymise import FileIdentity, Pseudonym, assign_pseudonyms, without_names
from plr_assets.recordings.file_errors import FileError, unreadable

FILES = [FileIdentity("A", "A_1", "ff"), FileIdentity("B", "B_1", "22"), FileIdentity("A", "A_2", "33")]


def test_numbers_follow_the_content_hash(tmp_path: Path) -> None:
    assert assign_pseudonyms(FILES, tmp_path / "lookup.json") == {
        "B_1": Pseudonym("S001", "S001-1"),
        "A_2": Pseudonym("S002", "S002-1"),
        "A_1": Pseudonym("S002", "S002-2"),
    }


@settings(max_examples=25, deadline=None)
@given(order=st.permutations(FILES))
def test_order_of_files_does_not_matter(order: list[FileIdentity], tmp_path_factory: pytest.TempPathFactory) -> None:
    lookup = tmp_path_factory.mktemp("x") / "lookup.json"
    assert assign_pseudonyms(order, lookup) == assign_pseudonyms(FILES, lookup.with_name("other.json"))


def test_assignments_are_kept_and_new_ones_appended(tmp_path: Path) -> None:
    lookup = tmp_path / "lookup.json"
    before = assign_pseudonyms(FILES, lookup)
    added = [FileIdentity("C", "C_1", "00"), FileIdentity("B", "B_0", "11")]
    after = assign_pseudonyms([*FILES, *added], lookup)
    assert after | before == after
    assert after["C_1"] == Pseudonym("S003", "S003-1")
    assert after["B_0"] == Pseudonym("S001", "S001-2")
    # a file that is away for a while finds its id again
    assert assign_pseudonyms([FILES[0]], lookup) == {"A_1": before["A_1"]}
    assert assign_pseudonyms([*FILES, *added], lookup) == after


def test_unchanged_lookup_is_not_rewritten_and_a_public_one_made_private(tmp_path: Path) -> None:
    lookup = tmp_path / "lookup.json"
    assign_pseudonyms(FILES, lookup)
    inode = lookup.stat().st_ino
    assign_pseudonyms(FILES, lookup)
    assert lookup.stat().st_ino == inode
    lookup.chmod(0o644)
    assign_pseudonyms(FILES, lookup)
    assert lookup.stat().st_mode & 0o777 == 0o600


def shown(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("A_2.csv", "S002-1"),
        ("A.csv", "S002"),
        ("Q_1.csv", "a file that was never imported"),
        ("subjects.csv", "subjects.csv"),
    ],
)
def test_errors_name_a_file_by_its_pseudonym_and_hide_their_cause(tmp_path: Path, name: str, where: str) -> None:
    lookup = tmp_path / "lookup.json"
    assign_pseudonyms(FILES, lookup)
    cause = PermissionError(13, "Permission denied", f"/data/secret/{name}")
    with pytest.raises(FileError) as raised, without_names(lookup, ["subjects.csv"]):
        raise unreadable(Path(name), cause) from cause
    assert raised.value.where == where
    assert "Permission denied" in raised.value.problem
    text = shown(raised.value)
    assert "/data/secret" not in text
    assert where == name or name not in text


def test_errors_of_the_file_system_show_no_path(tmp_path: Path) -> None:
    with pytest.raises(FileError) as raised, without_names(tmp_path / "lookup.json"):
        raise PermissionError(13, "Permission denied", "/data/secret/A_1.csv")
    assert "Permission denied" in raised.value.problem
    assert "secret" not in shown(raised.value)
    assert "A_1" not in shown(raised.value)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"subjects": 3}',
        '{"subjects": {"A": {"id": "S001"}}}',
        '{"subjects": {"A": {"id": "S001", "recordings": {}}, "B": {"id": "S001", "recordings": {}}}}',
    ],
)
def test_damaged_lookup_is_refused_and_left_alone(tmp_path: Path, content: str) -> None:
    lookup = tmp_path / "lookup.json"
    lookup.write_text(content)
    with pytest.raises(DataError, match="damaged"):
        assign_pseudonyms(FILES, lookup)
    assert lookup.read_text() == content
