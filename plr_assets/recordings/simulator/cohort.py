"""A simulated cohort: who is recorded, and each one's trace frame by frame.

Belongs here: drawing subjects and assembling device, response and artefacts. Does not belong here: files (`files`).
Disease enters as a severity between 0 and 1 that changes the response to light, and through nothing else but age.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plr_assets.recordings.simulator.artefacts import damage
from plr_assets.recordings.simulator.device import Protocol, draw_frame_times, draw_protocol
from plr_assets.recordings.simulator.parameters import PHYSIOLOGY, Colour, ColourResponse
from plr_assets.recordings.simulator.response import ResponseParameters, constriction, fluctuation
from plr_assets.seeds import generator
from plr_assets.study.recordings import Simulation

# Twice the frame rate: the response is smooth at this scale, and is interpolated at the frames.
_STEP_S = 1 / 60
_COLOURS: tuple[Colour, ...] = ("blue", "red")


@dataclass(frozen=True, slots=True)
class SimulatedSubject:
    """One person. `label` is None where no diagnosis was made; `severity` is 0 without glaucoma."""

    code: str
    label: str | None
    severity: float
    age: float
    eye: str
    size_px: float
    latency_s: float
    response: dict[Colour, dict[str, float]]


@dataclass(frozen=True, eq=False)
class SimulatedRecording:
    """One recording of `m` frames.

    time_s   (m,) s, 2 decimals.   pupil (m,) px as the device writes it, <= 0 where no pupil was found.
    clean    (m,) px, response, hippus and drift without camera noise and artefacts.
    rejected (m,) bool, artefacts that a human would reject.   slot (m,) bool.   red, blue (m,) codes.
    june_2018   the file has one more value in every row, as the device writes since June 2018.
    """

    subject: SimulatedSubject
    time_s: NDArray[np.float64]
    pupil: NDArray[np.float64]
    clean: NDArray[np.float64]
    rejected: NDArray[np.bool_]
    slot: NDArray[np.bool_]
    red: NDArray[np.int64]
    blue: NDArray[np.int64]
    june_2018: bool


def simulate_cohort(simulation: Simulation, seed: int) -> tuple[SimulatedRecording, ...]:
    """One recording a subject, in order of the codes, which is random with respect to the diagnosis.

    Equal arguments give equal recordings, bit for bit on one machine.
    """
    subjects = _draw_subjects(simulation, seed)
    streams = [generator(seed, "simulator", subject.code, "device") for subject in subjects]
    protocols = [draw_protocol(rng) for rng in streams]
    frames = [draw_frame_times(rng, protocol) for rng, protocol in zip(streams, protocols, strict=True)]
    fine: NDArray[np.float64] = np.arange(int(max(f[-1] for f in frames) / _STEP_S) + 2, dtype=np.float64) * _STEP_S
    open_pupil = np.ones((len(subjects), len(fine)))
    for colour in _COLOURS:
        code = np.stack([protocol.code(fine, colour) for protocol in protocols])
        open_pupil *= 1 - constriction(code, _STEP_S, _response(subjects, colour))
    return tuple(
        _record(subject, protocol, time_s, fine, row, simulation=simulation, seed=seed)
        for subject, protocol, time_s, row in zip(subjects, protocols, frames, open_pupil, strict=True)
    )


def _draw_subjects(simulation: Simulation, seed: int) -> list[SimulatedSubject]:
    counts = {"control": simulation.control, "glaucoma": simulation.glaucoma, None: simulation.unlabelled}
    labels = [label for label, count in counts.items() for _ in range(count)]
    order = generator(seed, "simulator", "order").permutation(len(labels))
    return [
        _draw_subject(f"PLR{1001 + place}", labels[index], match_age=simulation.match_age, seed=seed)
        for place, index in enumerate(order)
    ]


def _draw_subject(code: str, label: str | None, *, match_age: bool, seed: int) -> SimulatedSubject:
    rng = generator(seed, "simulator", code, "subject")
    hidden = "glaucoma" if rng.random() < PHYSIOLOGY.unlabelled_glaucoma else "control"
    truth = label or hidden
    drawn = PHYSIOLOGY.severity.sample(rng)
    severity = drawn if truth == "glaucoma" else 0.0
    age = round(PHYSIOLOGY.age["glaucoma" if match_age else truth].sample_within(rng))
    size_mm = PHYSIOLOGY.size_at_20_mm.sample(rng) + PHYSIOLOGY.size_per_year_mm * (age - 20)
    latency = (
        PHYSIOLOGY.latency_s.sample(rng)
        + PHYSIOLOGY.latency_per_year_over_50_s * max(age - 50, 0)
        + PHYSIOLOGY.latency_at_severity_1_s * severity
    )
    shared = {
        "half_saturation_code": PHYSIOLOGY.half_saturation_code.sample(rng),
        "onset_share": PHYSIOLOGY.onset_share.sample(rng),
        "late_share": PHYSIOLOGY.late_share.sample(rng),
        "late_tau_s": PHYSIOLOGY.late_tau_s.sample(rng),
        "fast_tau_s": PHYSIOLOGY.fast_redilation_tau_s.sample(rng),
        "slow_tau_s": PHYSIOLOGY.slow_redilation_tau_s.sample(rng),
    }
    strength = float(rng.standard_normal())
    return SimulatedSubject(
        code=code,
        label=label,
        severity=severity,
        age=float(age),
        eye="left" if rng.random() < 0.5 else "right",
        size_px=max(size_mm, PHYSIOLOGY.min_size_mm) * PHYSIOLOGY.px_per_mm.sample(rng),
        latency_s=latency,
        response={c: shared | _draw_response(PHYSIOLOGY.colours[c], strength, severity, rng) for c in _COLOURS},
    )


def _draw_response(
    colour: ColourResponse, strength: float, severity: float, rng: np.random.Generator
) -> dict[str, float]:
    share = PHYSIOLOGY.colour_correlation
    maximum = colour.max_constriction
    own = float(rng.standard_normal())
    healthy = maximum.control.at(share**0.5 * strength + (1 - share) ** 0.5 * own)
    size = healthy * (1 - maximum.loss * severity)
    return {
        "max_constriction": size,
        "sustained": colour.sustained.control.sample(rng) * (1 - colour.sustained.loss * severity),
        "slow_weight": colour.slow_weight.control.sample(rng) * (1 - colour.slow_weight.loss * severity),
        "threshold_code": colour.threshold_code.sample(rng),
        "onset_delay_s": colour.onset_delay_s.sample(rng),
        "quick_share": colour.quick_share,
        "quick_tau_s": colour.quick_tau_s.sample(rng) * (size / PHYSIOLOGY.quick_tau_at) ** PHYSIOLOGY.quick_tau_power,
    }


def _response(subjects: list[SimulatedSubject], colour: Colour) -> ResponseParameters:
    names = ResponseParameters.__dataclass_fields__
    return ResponseParameters(**{name: np.array([s.response[colour][name] for s in subjects]) for name in names})


def _record(
    subject: SimulatedSubject,
    protocol: Protocol,
    time_s: NDArray[np.float64],
    fine_s: NDArray[np.float64],
    open_pupil: NDArray[np.float64],
    *,
    simulation: Simulation,
    seed: int,
) -> SimulatedRecording:
    rng = generator(seed, "simulator", subject.code, "trace")
    rest = fluctuation(rng, len(fine_s), _STEP_S, PHYSIOLOGY.hippus.sample(rng), PHYSIOLOGY.wander.sample(rng))
    rest *= 1 - 2 * (1 - PHYSIOLOGY.rest_at_half_size) * (1 - open_pupil)
    trend = PHYSIOLOGY.trend.sample(rng) * fine_s / fine_s[-1]
    fine = np.interp(fine_s - subject.latency_s, fine_s, open_pupil) * (1 + rest + trend) * subject.size_px
    clean = np.interp(time_s, fine_s, fine)
    noise = PHYSIOLOGY.noise_of_noisy if rng.random() < PHYSIOLOGY.noisy_probability else PHYSIOLOGY.noise
    noise_share = noise.sample(rng) * (1 + PHYSIOLOGY.noise_per_year_over_57 * (subject.age - 57))
    noisy = clean + noise_share * subject.size_px * rng.standard_normal(len(time_s))
    damaged = damage(noisy, time_s, protocol, subject.age, generator(seed, "simulator", subject.code, "artefacts"))
    return SimulatedRecording(
        subject=subject,
        time_s=time_s,
        pupil=np.round(damaged.pupil, 2),
        clean=clean,
        rejected=damaged.rejected,
        slot=protocol.in_slot(time_s, "blue") | protocol.in_slot(time_s, "red"),
        red=protocol.code(time_s, "red"),
        blue=protocol.code(time_s, "blue"),
        # a stream of its own: the format of a file changes nothing else about it
        june_2018=bool(generator(seed, "simulator", subject.code, "format").random() < simulation.june_2018_share),
    )
