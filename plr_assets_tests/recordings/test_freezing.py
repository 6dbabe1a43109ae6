"""Roles stay as they were given: what comes later is pending, what vanished is an error."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plr_assets import schemas
from plr_assets.errors import DataError
from plr_assets.recordings.freezing import (
    changes,
    freeze_digest,
    freeze_file,
    read_freeze,
    roles_in_force,
    write_freeze,
)
from plr_assets.recordings.roles import assign_roles, scored_rows
from plr_assets.study import Study
from plr_assets_tests.recordings.conftest import study_of

FIRST = [("S001-1", "S001", "control"), ("S002-1", "S002", "glaucoma"), ("S003-1", "S003", None)]
LATER = [*FIRST, ("S001-2", "S001", None), ("S004-1", "S004", None), ("S005-1", "S005", "control")]


def cohort(rows: list[tuple[str, str, str | None]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=dict.fromkeys(("recording", "subject", "label"), pl.String), orient="row")


@pytest.fixture
def clinic(data_dir: Path) -> Study:
    """A study whose recordings come from people."""
    return study_of(simulation=None, origin="clinical")


@pytest.fixture
def frozen(clinic: Study) -> Study:
    write_freeze(clinic, assign_roles(cohort(FIRST)))
    return clinic


def roles_of(study: Study, rows: list[tuple[str, str, str | None]]) -> dict[str, str]:
    roles = schemas.validate(roles_in_force(study, cohort(rows)), schemas.ROLES)
    return dict(zip(roles["recording"], roles["role"], strict=True))


def test_before_the_first_freeze_all_recordings_get_roles(clinic: Study) -> None:
    assert "pending" not in roles_of(clinic, LATER).values()
    assert read_freeze(clinic) is None


def test_recordings_that_come_later_are_pending_even_those_of_a_known_subject(frozen: Study) -> None:
    assert roles_of(frozen, LATER) == {
        "S001-1": "evaluated",
        "S002-1": "evaluated",
        "S003-1": "development",
        "S001-2": "pending",
        "S004-1": "pending",
        "S005-1": "pending",
    }


def test_a_diagnosis_made_later_moves_no_recording(frozen: Study) -> None:
    """A recording that methods learned from would otherwise be judged on."""
    relabelled = [*FIRST[:2], ("S003-1", "S003", "glaucoma")]
    assert roles_of(frozen, relabelled)["S003-1"] == "development"


def test_a_frozen_recording_that_vanished_is_an_error_that_names_it_and_the_way_out(frozen: Study) -> None:
    with pytest.raises(DataError) as raised:
        roles_in_force(frozen, cohort(LATER[1:]))
    assert "1 recording(s) of the frozen cohort are gone or refused: S001-1." in raised.value.problem
    assert "plr refreeze trial" in raised.value.remedy


def test_the_first_freeze_does_not_put_its_own_result_out_of_date(clinic: Study) -> None:
    before = freeze_digest(clinic, cohort(FIRST))
    write_freeze(clinic, assign_roles(cohort(FIRST)))
    assert freeze_digest(clinic, cohort(FIRST)) == before
    assert freeze_digest(clinic, cohort(LATER)) == before
    freeze_file(clinic).unlink()
    assert freeze_digest(clinic, cohort(LATER)) != before


def test_a_new_freeze_gives_every_recording_a_role_and_another_digest(frozen: Study) -> None:
    before = freeze_digest(frozen, cohort(LATER))
    write_freeze(frozen, assign_roles(cohort(LATER)))
    assert freeze_digest(frozen, cohort(LATER)) != before
    assert roles_of(frozen, LATER)["S001-2"] == "evaluated", "roles go by subject"
    assert "pending" not in roles_of(frozen, LATER).values()


def test_changes_count_who_joins_moves_and_leaves() -> None:
    old = {"S001-1": "evaluated", "S002-1": "development", "S009-1": "development"}
    moves = changes(old, assign_roles(cohort(LATER)))
    assert set(moves.rows()) == {
        ("evaluated", "evaluated", 1),
        ("development", "evaluated", 1),
        ("development", None, 1),
        ("pending", "development", 2),
        ("pending", "evaluated", 2),
    }


@pytest.mark.parametrize("content", ["", "{}", '{"roles": {}}', '{"roles": {"S001-1": "judge"}}', "[1]"])
def test_a_damaged_file_is_refused_and_never_taken_for_no_freeze(frozen: Study, content: str) -> None:
    freeze_file(frozen).write_text(content)
    with pytest.raises(DataError, match="damaged"):
        roles_in_force(frozen, cohort(FIRST))
    assert freeze_digest(frozen, cohort(FIRST)) == "unusable"


def test_a_simulated_cohort_has_no_pending_recordings(data_dir: Path) -> None:
    study = study_of()
    write_freeze(study, assign_roles(cohort(FIRST)))  # left by a study of the same name that was not simulated
    assert "pending" not in roles_of(study, LATER).values()


@settings(max_examples=50, deadline=None)
@given(order=st.permutations(LATER))
def test_roles_and_their_digest_do_not_depend_on_the_order_of_recordings(
    order: list[tuple[str, str, str | None]],
) -> None:
    study = study_of(name="nowhere", simulation=None)
    assert roles_of(study, order) == roles_of(study, LATER)
    assert freeze_digest(study, cohort(order)) == freeze_digest(study, cohort(LATER))


@pytest.mark.parametrize(("rows", "prefix"), [(FIRST, ""), ([FIRST[2], LATER[4]], "development_")])
def test_methods_are_never_scored_on_pending_recordings(
    clinic: Study, rows: list[tuple[str, str, str | None]], prefix: str
) -> None:
    write_freeze(clinic, assign_roles(cohort(rows)))
    everything = list({row[0]: row for row in [*rows, *LATER]}.values())
    roles = roles_in_force(clinic, cohort(everything))
    scored, found = scored_rows(roles, [row[0] for row in everything])
    assert found == prefix
    assert "pending" not in {roles["role"][int(row)] for row in scored}
    assert len(scored) == 2
