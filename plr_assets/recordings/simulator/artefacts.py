"""What stands between the pupil and the file: blinks, dropouts, spikes, occlusions, a bad start, a bogus end.

Belongs here: damage to a measured trace, and which of it a human would reject. Does not belong here: the pupil itself.
Nothing here knows the diagnosis.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plr_assets.recordings.device_csv import END_TRANSIENT_FRAMES
from plr_assets.recordings.simulator.device import Protocol
from plr_assets.recordings.simulator.parameters import ARTEFACTS, DEVICE

NO_PUPIL = -1.0


@dataclass(frozen=True, eq=False)
class Damaged:
    """pupil (m,) px as the device writes it, -1 where lost; rejected (m,) bool, samples a human would reject."""

    pupil: NDArray[np.float64]
    rejected: NDArray[np.bool_]


def damage(
    pupil: NDArray[np.float64],
    time_s: NDArray[np.float64],
    protocol: Protocol,
    age: float,
    rng: np.random.Generator,
) -> Damaged:
    """`pupil` (m,) px with artefacts, drawn again until enough of the 5 s before blue is seen."""
    onset = float(time_s[np.argmax(protocol.code(time_s, "blue") > 0)])
    before_blue = (time_s >= onset - 5.0) & (time_s <= onset)
    while True:
        lost, edge = _lost_frames(time_s, protocol, age, rng)
        if np.mean(~lost[before_blue]) >= ARTEFACTS.baseline_seen:
            break
    values, rejected = pupil.copy(), np.zeros(len(pupil), dtype=bool)
    _degenerate_start(values, rejected, time_s, rng)
    _runs(values, rejected, rng)
    for index in np.flatnonzero(edge):
        values[index] *= ARTEFACTS.edge_factor.sample(rng)
    rejected |= edge
    values[lost] = NO_PUPIL
    rejected &= values > 0
    _end_transient(values, rng)
    return Damaged(values, rejected)


def _lost_frames(
    time_s: NDArray[np.float64], protocol: Protocol, age: float, rng: np.random.Generator
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(m,) frames without a pupil, and (m,) partly covered frames at the edges of blinks."""
    lost, edge = np.zeros(len(time_s), dtype=bool), np.zeros(len(time_s), dtype=bool)
    for start in _blink_times(time_s, protocol, age, rng):
        first = int(np.searchsorted(time_s, start))
        end = first + int(rng.integers(*ARTEFACTS.blink_frames, endpoint=True))
        lost[first:end] = True
        for index, partial in zip((first - 1, end), rng.random(2) < ARTEFACTS.edge_probability, strict=True):
            if partial and 0 <= index < len(edge):
                edge[index] = True
    if rng.random() < ARTEFACTS.long_dropout_probability:
        first = int(rng.integers(0, len(time_s)))
        lost[first : first + int(rng.integers(*ARTEFACTS.long_dropout_frames, endpoint=True))] = True
    return lost, edge & ~lost


def _blink_times(time_s: NDArray[np.float64], protocol: Protocol, age: float, rng: np.random.Generator) -> list[float]:
    per_minute = ARTEFACTS.blink_rate.sample(rng) * (1 + ARTEFACTS.blink_rate_per_year_over_57 * (age - 57))
    times: list[float] = []
    # every cluster holds 1 / (1 - p) blinks on average
    clusters = per_minute * time_s[-1] / 60 * (1 - ARTEFACTS.blink_cluster_probability)
    for first in rng.uniform(time_s[0], time_s[-1], rng.poisson(clusters)):
        times.append(float(first))
        while rng.random() < ARTEFACTS.blink_cluster_probability:
            times.append(times[-1] + ARTEFACTS.blink_cluster_gap_s.sample(rng))
    onsets = [float(time_s[np.argmax(protocol.code(time_s, colour) > 0)]) for colour in protocol.slots]
    return [
        time
        for time in times
        if not any(0 <= time - onset < ARTEFACTS.blink_suppression_s for onset in onsets)
        or rng.random() > ARTEFACTS.blink_suppression
    ]


def _degenerate_start(
    values: NDArray[np.float64],
    rejected: NDArray[np.bool_],
    time_s: NDArray[np.float64],
    rng: np.random.Generator,
) -> None:
    if rng.random() >= ARTEFACTS.degenerate_start_probability:
        return
    bad = np.flatnonzero(time_s < ARTEFACTS.degenerate_start_s.sample(rng))
    values[bad] = [0.0 if rng.random() < 0.3 else ARTEFACTS.degenerate_px.sample(rng) for _ in bad]
    rejected[bad] = values[bad] > 0


def _runs(values: NDArray[np.float64], rejected: NDArray[np.bool_], rng: np.random.Generator) -> None:
    """Rejected runs up to the subject's share of frames, few of them single-frame spikes and dips."""
    wanted = int(ARTEFACTS.rejected_share.sample(rng) * len(values)) + int(rejected.sum())
    for index in rng.integers(0, len(values), rng.poisson(ARTEFACTS.spike_share * wanted)):
        high = rng.random() < ARTEFACTS.spike_rises
        values[index] = values[index] + ARTEFACTS.spike_px.sample(rng) if high else (
            values[index] * ARTEFACTS.dip_factor.sample(rng)
        )  # fmt: skip
        rejected[index] = True
    while (missing := wanted - int(rejected.sum())) > 0:
        length = min(max(round(ARTEFACTS.run_frames.sample(rng)), 1), missing)
        first = int(rng.integers(0, len(values) - length))
        run = slice(first, first + length)
        values[run] *= _run_factor(length, rng)
        rejected[run] = True


def _run_factor(length: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """(length,) what a run multiplies the diameter by: a lid passing, an edge mislocked, or a flickering detection."""
    depth = ARTEFACTS.run_depth.sample(rng)
    kind = rng.random()
    if kind < 0.5:
        factor = 1 - depth * np.sin(np.pi * (np.arange(length) + 0.5) / length) ** 0.5
    elif kind < 0.8 or length > ARTEFACTS.flicker_frames:
        factor = np.full(length, 1 + depth * rng.choice([-1.0, 1.0], p=[0.7, 0.3]))
    else:
        factor = 1 + depth * rng.standard_normal(length)
    # the detector is unsteady while it is wrong
    return np.asarray(np.clip(factor + 0.15 * depth * rng.standard_normal(length), 0.2, 1.8))


def _end_transient(values: NDArray[np.float64], rng: np.random.Generator) -> None:
    """The last 3-4 frames of every file: 48.00 px in most, else a large constant."""
    frames = int(rng.integers(END_TRANSIENT_FRAMES - 1, END_TRANSIENT_FRAMES, endpoint=True))
    usual = rng.random() < 0.75
    values[-frames:] = DEVICE.end_transient_px if usual else DEVICE.end_transient_other_px.sample(rng)
