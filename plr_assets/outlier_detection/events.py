"""Events: runs of artefacts and of flagged samples, and what kind of artefact a run is.

Belongs here: finding runs on the common grid; their kinds are told by shape alone, so that they exist for clinical
recordings as for simulated ones. Does not belong here: counting agreement (`agreement`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plr_assets.recordings.table import Mask

Counts = NDArray[np.int64]

KINDS = ("dropout_edge", "spike", "short", "long")
# One or two samples at the 30 frames a second of the published recordings: nothing an eyelid does is that brief.
SPIKE_S = 2 / 30
# Three to six samples there. Spontaneous blinks hide the pupil for 0.1 to 0.2 s; longer runs are several blinks, a
# squint, a lost track or a head that moved.
SHORT_S = 6 / 30


@dataclass(frozen=True, eq=False)
class Events:
    """`E` events; every field is (E,) int64, in order of recording and time.

    row       the recording.
    length    samples from first to last, dropouts included.
    samples   those of the samples that the event is made of: artefacts, or flagged ones.
    dropouts  those in which there was no pupil.
    hits      those that are artefact and flagged.
    """

    row: Counts
    length: Counts
    samples: Counts
    dropouts: Counts
    hits: Counts


def find_events(core: Mask, dropout: Mask, hit: Mask) -> Events:
    """Maximal runs of `core | dropout` within a recording that hold at least one sample of `core`.

    core, dropout, hit   (n, T); `core` and `dropout` share no sample, `hit` is part of `core`.
    A dropout joins what touches it: lids that close leave artefacts, then no pupil, then artefacts, and are one event.
    """
    member = core | dropout
    first = member.copy()
    first[:, 1:] &= ~member[:, :-1]
    run = (np.cumsum(first.ravel()) - 1)[member.ravel()]
    total = int(first.sum())

    def count(which: Mask) -> Counts:
        return np.bincount(run[which[member]], minlength=total).astype(np.int64)

    samples = count(core)
    held = samples > 0
    return Events(
        row=np.nonzero(first)[0].astype(np.int64)[held],
        length=np.bincount(run, minlength=total).astype(np.int64)[held],
        samples=samples[held],
        dropouts=count(dropout)[held],
        hits=count(hit)[held],
    )


def kinds(events: Events, rate_hz: float) -> NDArray[np.intp]:
    """(E,) index into `KINDS`: `dropout_edge` where the run touches a dropout, else by its duration."""
    spike, short = (np.floor(limit * rate_hz + 1e-9) for limit in (SPIKE_S, SHORT_S))
    by_length = np.where(events.length <= spike, 1, np.where(events.length <= short, 2, 3))
    return np.where(events.dropouts > 0, 0, by_length).astype(np.intp)
