"""Roles go by subject and by diagnosis, and an experiment without a development set is refused."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from plr_assets import schemas
from plr_assets.errors import DataError
from plr_assets.recordings.roles import assign_roles
from plr_assets.recordings.table import Recordings


def recordings(*labelled: tuple[str, str | None]) -> pl.DataFrame:
    n = len(labelled)
    flat = np.zeros((n, 3), dtype=np.float32)
    return Recordings(
        recording=tuple(f"{subject}-{index}" for index, (subject, _) in enumerate(labelled)),
        subject=tuple(subject for subject, _ in labelled),
        rate_hz=30,
        pupil=flat,
        light={"red": flat, "blue": flat},
        stimuli=((),) * n,
        baseline=np.ones(n),
        baseline_unit="px",
        synthetic=True,
        label=tuple(label for _, label in labelled),
    ).to_frame()


def test_one_labelled_recording_evaluates_all_of_its_subject() -> None:
    roles = assign_roles(recordings(("S001", None), ("S001", "control"), ("S002", None)))
    schemas.validate(roles, schemas.ROLES)
    assert roles["role"].to_list() == ["evaluated", "evaluated", "development"]
    assert roles["label"].to_list() == ["control", "control", None]


def test_without_labels_all_develop() -> None:
    assert set(assign_roles(recordings(("S001", None), ("S002", None)))["role"]) == {"development"}


def test_two_diagnoses_of_one_subject_are_refused() -> None:
    with pytest.raises(DataError, match="S001: one subject is both control and glaucoma"):
        assign_roles(recordings(("S001", "control"), ("S001", "glaucoma"), ("S002", None)))


def test_all_labelled_leaves_none_to_develop_on() -> None:
    with pytest.raises(DataError, match="none is left to develop"):
        assign_roles(recordings(("S001", "control"), ("S002", "glaucoma")))
