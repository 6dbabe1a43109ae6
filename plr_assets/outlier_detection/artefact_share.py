"""How many samples are artefacts: the one thing the transductive detectors learn from development recordings.

Belongs here: that share and where it came from. Does not belong here: thresholds on scores.
"""

from __future__ import annotations

from typing import Literal

from plr_assets.recordings.table import Recordings

FROM_DEVELOPMENT = "from-development"

Source = Literal["development", "declared"]


def artefact_share(development: Recordings) -> float | None:
    """Share of the samples with a pupil that a human rejected, in what a human reviewed; None where no human did."""
    if development.artefact is None:
        return None
    observed = ~development.dropout & development.reviewed[:, None]
    total = int(observed.sum())
    return int((development.artefact & observed).sum()) / total if total else None


def resolve_share(declared: float | str, without_truth: float, development: Recordings) -> tuple[float, Source]:
    """The share to use and its source: `declared` if it is a number, else the development recordings' own, else
    `without_truth`."""
    if not isinstance(declared, str):
        return float(declared), "declared"
    share = artefact_share(development)
    return (float(without_truth), "declared") if share is None else (share, "development")


def is_share(value: float | str) -> bool:
    """Whether `value` may stand in a registry entry: `from-development` or a number above 0, at most 0.5.

    More than half of a recording cannot be the unusual part of it.
    """
    return value == FROM_DEVELOPMENT if isinstance(value, str) else 0 < value <= 0.5
