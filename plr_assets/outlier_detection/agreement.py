"""Agreement of a mask with the human's, recording by recording: the counts that every score is made of.

Belongs here: counts, the table of recordings, and which of them are typical. Does not belong here: pooling recordings
or intervals (`scoring`).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

from plr_assets.outlier_detection.events import KINDS, Counts, find_events, kinds
from plr_assets.recordings.phases import light_phases
from plr_assets.recordings.summary import at_places
from plr_assets.recordings.table import Mask, Recordings, Signal

# stratum -> what is counted -> (n,) per recording
Agreement = Mapping[str, Mapping[str, Counts]]

# The recordings that a figure shows -> their place among recordings ordered by F1.
_SHOWN: Mapping[str, float] = {"upper quartile": 0.75, "median": 0.5, "worst": 0.0}


def count_agreement(mask: Mask, recordings: Recordings) -> Agreement:
    """Counts by stratum: `all`, and where a human rejected samples `kind:...` and `phase:...`.

    mask   (n, T) bool. Dropouts are counted apart (`dropout`) and are neither flagged nor artefacts, whatever it says.

    A true event is `found` if any of its artefacts is flagged; a predicted one is `right` if any of its flagged samples
    is an artefact. Raises ValueError if shapes differ.
    """
    if mask.shape != recordings.pupil.shape:
        raise ValueError(f"mask has shape {mask.shape}, recordings {recordings.pupil.shape}")
    dropout = recordings.dropout
    flagged = mask & ~dropout
    samples = {
        "samples": np.full(len(recordings), recordings.n_samples, dtype=np.int64),
        "dropout": _per_row(dropout),
        "observed": _per_row(~dropout),
        "flagged": _per_row(flagged),
    }
    if recordings.artefact is None:
        return {"all": samples}
    artefact = recordings.artefact & ~dropout
    hit = flagged & artefact
    true, predicted = find_events(artefact, dropout, hit), find_events(flagged, dropout, hit)

    def by_row(row: Counts, weight: NDArray[np.generic]) -> Counts:
        return np.bincount(row, weights=weight, minlength=len(recordings)).astype(np.int64)

    found: dict[str, dict[str, Counts]] = {
        "all": {
            **samples,
            "artefact": _per_row(artefact),
            "hit": _per_row(hit),
            "true_events": by_row(true.row, np.ones_like(true.row)),
            "found_events": by_row(true.row, true.hits > 0),
            "predicted_events": by_row(predicted.row, np.ones_like(predicted.row)),
            "right_events": by_row(predicted.row, predicted.hits > 0),
        }
    }
    kind = kinds(true, recordings.rate_hz)
    for index, name in enumerate(KINDS):
        own = kind == index
        found[f"kind:{name}"] = {
            "artefact": by_row(true.row[own], true.samples[own]),
            "hit": by_row(true.row[own], true.hits[own]),
            "true_events": by_row(true.row[own], np.ones(int(own.sum()))),
            "found_events": by_row(true.row[own], true.hits[own] > 0),
        }
    names, phase = light_phases(recordings)
    for index, name in enumerate(names):
        during = phase == index
        found[f"phase:{name}"] = {
            what: _per_row(which & during)
            for what, which in (("flagged", flagged), ("artefact", artefact), ("hit", hit))
        }
    return found


def pooled_f1(mask: Mask, recordings: Recordings) -> float:
    """Pointwise F1 over all samples that a human reviewed; NaN without any, or with nothing flagged or to find."""
    reviewed = recordings.take(np.flatnonzero(recordings.reviewed))
    if not len(reviewed):
        return float("nan")
    counts = count_agreement(mask[recordings.reviewed], reviewed)["all"]
    total = counts["flagged"].sum() + counts["artefact"].sum()
    return float(2 * counts["hit"].sum() / total) if total else float("nan")


def per_recording(mask: Mask, recordings: Recordings, *, score: Signal | None = None) -> pl.DataFrame:
    """Table `schemas.OUTLIER_AGREEMENT`, a row a recording, in their order.

    score   (n, T) what the mask was made from, for the column `threshold`.
    """
    counts = count_agreement(mask, recordings)["all"]
    n, human = len(recordings), recordings.artefact is not None
    nothing = pl.Series([None] * n, dtype=pl.Int64)

    frame = pl.DataFrame(
        {
            "recording": pl.Series(recordings.recording, dtype=pl.String),
            "subject": pl.Series(recordings.subject, dtype=pl.String),
            "n_observed": counts["observed"],
            "n_dropout": counts["dropout"],
            "n_flagged": counts["flagged"],
            "n_artefact": counts.get("artefact", nothing),
            "tp": counts.get("hit", nothing),
            "fp": counts["flagged"] - counts["hit"] if human else nothing,
            "fn": counts["artefact"] - counts["hit"] if human else nothing,
            "true_events": counts.get("true_events", nothing),
            "found_events": counts.get("found_events", nothing),
            "predicted_events": counts.get("predicted_events", nothing),
            "right_events": counts.get("right_events", nothing),
            "threshold": pl.Series(_thresholds(mask, recordings.dropout, score), dtype=pl.Float64),
        }
    )
    total = pl.col("n_flagged") + pl.col("n_artefact")
    f1 = pl.when(total > 0).then(2 * pl.col("tp") / total).alias("f1")
    place = frame.columns.index("true_events")
    return frame.select(*frame.columns[:place], f1, *frame.columns[place:])


def typical_recordings(agreement: pl.DataFrame) -> dict[str, str]:
    """Upper quartile, median and worst of F1 -> recording. Fewer where there are fewer recordings.

    agreement   `schemas.OUTLIER_AGREEMENT`. Recordings without an artefact have nothing to find, and are only taken if
    there are no others.
    """
    with_artefacts = agreement.filter(pl.col("n_artefact") > 0)
    ordered = (with_artefacts if with_artefacts.height else agreement).sort(["f1", "recording"], nulls_last=False)
    return at_places(ordered["recording"].to_list(), _SHOWN)


def _per_row(which: Mask) -> Counts:
    return np.asarray(which.sum(axis=1, dtype=np.int64))


def _thresholds(mask: Mask, dropout: Mask, score: Signal | None) -> list[float | None]:
    """The middle between the highest score that is kept and the lowest that is flagged, per recording.

    None where there is no score, where all or none is flagged, or where the mask is no threshold on the score.
    """
    found: list[float | None] = []
    for row, gone in enumerate(dropout):
        if score is None:
            found.append(None)
            continue
        flagged, kept = score[row, mask[row] & ~gone], score[row, ~mask[row] & ~gone]
        separates = flagged.size > 0 and kept.size > 0 and kept.max() < flagged.min()
        found.append((float(kept.max()) + float(flagged.min())) / 2 if separates else None)
    return found
