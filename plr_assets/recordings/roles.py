"""Roles: which recordings signal methods learn from, and which pipelines are judged on.

Belongs here: the rule. Does not belong here: resampling within the evaluated subjects (`classification`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from plr_assets.errors import DataError


def assign_roles(cohort: pl.DataFrame) -> pl.DataFrame:
    """`schemas.ROLES`: subjects with a diagnosis are `evaluated`, those without are `development`.

    cohort   columns recording, subject, label.
    The rule goes by subject: one labelled recording puts all of its subject's recordings among the evaluated, with that
    label. Raises DataError if a subject has two labels, or if no recording is left to develop on.
    """
    label_of = labels_of_subjects(cohort)
    labels = [label_of.get(subject) for subject in cohort["subject"]]
    if all(label is not None for label in labels):
        raise DataError(
            "roles",
            f"all {len(labels)} recordings have a diagnosis, so none is left to develop signal methods on.",
            "Add recordings without class_label, or leave class_label empty for some subjects.",
        )
    return pl.DataFrame(
        {
            "recording": cohort["recording"],
            "subject": cohort["subject"],
            "role": pl.Series(["development" if label is None else "evaluated" for label in labels], dtype=pl.String),
            "label": pl.Series(labels, dtype=pl.String),
        }
    )


def labels_of_subjects(cohort: pl.DataFrame) -> dict[str, str]:
    """Subject -> diagnosis, of those that have one. Raises DataError if a subject has two."""
    label_of: dict[str, str] = {}
    for subject, label in cohort.select("subject", "label").iter_rows():
        if label is not None and label_of.setdefault(subject, label) != label:
            raise DataError(
                subject,
                f"one subject is both {label_of[subject]} and {label}.",
                "Mend class_label in the subjects table.",
            )
    return label_of


def scored_rows(roles: pl.DataFrame, recording: Sequence[str]) -> tuple[NDArray[np.intp], str]:
    """Which of `recording` a signal method's own score is taken on, and what to put before the names of its metrics.

    The evaluated ones, and nothing. Where none is evaluated (a study without labels), the development recordings and
    `development_`: those numbers are of recordings that the method learned from, and say so. Never pending ones.
    """
    evaluated = rows_of(roles, recording, "evaluated")
    return (evaluated, "") if evaluated.size else (rows_of(roles, recording, "development"), "development_")


def rows_of(roles: pl.DataFrame, recording: Sequence[str], wanted: str) -> NDArray[np.intp]:
    """Which of `recording` have the role `wanted`."""
    role = dict(zip(roles["recording"], roles["role"], strict=True))
    return np.flatnonzero([role[name] == wanted for name in recording])
