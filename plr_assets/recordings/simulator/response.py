"""The pupil's answer to light: a fast adapting path and a slow melanopsin path, per colour.

Belongs here: constriction as a function of drive. Does not belong here: who has which parameters (`cohort`).

Model: drive code u -> fast drive a(u), steep at the threshold (the first codes are light after a quarter of a minute of
dark) and Naka-Rushton above; fast path a - k * lowpass(a), k solved so that the drive of the iris at the end of the
light is the wanted share of its maximum; the iris closes within half a second and opens with a quick and a slower
part; the melanopsin path follows the Naka-Rushton drive alone, rises with 3 s and decays with tau_slow, which carries
blue's residual into the red baseline. The ramp passes the threshold late, so constriction starts 0.6-1 s after the
first visible code, although the delay itself is 0.26 s.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plr_assets.recordings.simulator.parameters import DEVICE, PHYSIOLOGY

Signal = NDArray[np.float64]
_GAINS = np.linspace(0.0, 0.98, 50)
# The gain is solved on every sixth sample, 0.1 s apart: adaptation takes seconds.
_EVERY = 6


@dataclass(frozen=True, eq=False)
class ResponseParameters:
    """One colour's response for `n` subjects, each (n,): fractions and seconds."""

    max_constriction: Signal
    sustained: Signal
    slow_weight: Signal
    threshold_code: Signal
    onset_delay_s: Signal
    quick_share: Signal
    half_saturation_code: Signal
    onset_share: Signal
    late_share: Signal
    late_tau_s: Signal
    quick_tau_s: Signal
    fast_tau_s: Signal
    slow_tau_s: Signal


def constriction(code: NDArray[np.int64], step_s: float, subject: ResponseParameters) -> Signal:
    """(n, T) constriction, a fraction of the diameter, without latency, of drive `code` (n, T), one every `step_s`."""
    graded = _saturation(code, subject.half_saturation_code, PHYSIOLOGY.exponent)
    late = np.round(subject.onset_delay_s / step_s).astype(np.int64)
    # in the dark before the light `code` is 0, and so is what is taken from before the start
    earlier = np.take_along_axis(code, np.maximum(np.arange(code.shape[1]) - late[:, None], 0), axis=1)
    onset = _saturation(np.where(code > 0, earlier, 0), subject.threshold_code, PHYSIOLOGY.threshold_exponent)
    share = subject.onset_share[:, None]
    drive = share * onset + (1 - share) * graded
    slow = follow(graded, step_s, PHYSIOLOGY.slow_on_tau_s, subject.slow_tau_s)
    slow = slow / slow.max(axis=1, keepdims=True)
    adaptation = follow(drive, step_s, PHYSIOLOGY.adaptation_tau_s, PHYSIOLOGY.adaptation_tau_s)
    weight = subject.slow_weight[:, None]
    coarse = [signal[:, ::_EVERY] for signal in (drive, adaptation, slow)]
    gain = _adaptation_gain(coarse[0], coarse[1], coarse[2], weight, subject.sustained)
    wanted = np.clip(drive - gain[:, None] * adaptation, 0.0, None)
    # part of the iris follows a rise late, and lets go at once: the first constriction ends in a bend, not in a corner
    late_share = subject.late_share[:, None]
    closing = (1 - late_share) * wanted + late_share * follow(wanted, step_s, subject.late_tau_s, step_s)
    closing = _held(closing, round(PHYSIOLOGY.release_delay_s / step_s))
    quick = follow(closing, step_s, PHYSIOLOGY.constriction_tau_s, subject.quick_tau_s)
    lasting = follow(closing, step_s, PHYSIOLOGY.constriction_tau_s, subject.fast_tau_s)
    quick_share = subject.quick_share[:, None]
    fast = quick_share * quick + (1 - quick_share) * lasting
    shape = (1 - weight) * fast / fast.max(axis=1, keepdims=True) + weight * slow
    shape = follow(shape, step_s, PHYSIOLOGY.muscle_tau_s, PHYSIOLOGY.muscle_tau_s)
    return np.asarray(subject.max_constriction[:, None] * shape / shape.max(axis=1, keepdims=True))


def _held(closing: Signal, samples: int) -> Signal:
    """`closing` (n, T), a rise as it is and a fall `samples` later."""
    before = np.zeros((len(closing), samples))
    return np.maximum(closing, np.concatenate((before, closing[:, : closing.shape[1] - samples]), axis=1))


def _saturation(code: NDArray[np.int64], half: Signal, exponent: float) -> Signal:
    """(n, T) Naka-Rushton of `code`, 1 at the ramp's end."""
    powers = np.arange(np.ceil(DEVICE.ramp_code) + 1) ** exponent  # codes are few: look them up
    table = powers / (powers + half[:, None] ** exponent)
    table = table / table[:, -1:]
    return np.take_along_axis(table, code, axis=1)


def _adaptation_gain(drive: Signal, adaptation: Signal, slow: Signal, weight: Signal, sustained: Signal) -> Signal:
    """(n,) gain k at which the response at the end of the light is `sustained` of its maximum."""
    last = drive.shape[1] - 1 - np.argmax(drive[:, ::-1] > 0, axis=1)
    rows = np.arange(len(drive))
    shares = np.empty((len(_GAINS), len(drive)))
    for index, gain in enumerate(_GAINS):
        fast = np.clip(drive - gain * adaptation, 0.0, None)
        total = (1 - weight) * fast / fast.max(axis=1, keepdims=True) + weight * slow
        shares[index] = total[rows, last] / total.max(axis=1)
    # The share falls as the gain grows: take the last gain that still sustains enough.
    return np.asarray(_GAINS[np.maximum((shares >= sustained).sum(axis=0) - 1, 0)])


def follow(target: Signal, step_s: float, rise_tau_s: float | Signal, fall_tau_s: float | Signal) -> Signal:
    """(n, T) first-order follower of `target` (n, T) from 0; time constants while below and while above the target."""
    rise = 1 - np.exp(-step_s / np.broadcast_to(rise_tau_s, len(target)))
    fall = 1 - np.exp(-step_s / np.broadcast_to(fall_tau_s, len(target)))
    columns = np.ascontiguousarray(target.T)
    result = np.empty_like(columns)
    state = np.zeros(len(target))
    for index, wanted in enumerate(columns):
        state = state + np.where(wanted > state, rise, fall) * (wanted - state)
        result[index] = state
    return np.ascontiguousarray(result.T)


def fluctuation(rng: np.random.Generator, samples: int, step_s: float, hippus: float, wander: float) -> Signal:
    """(samples,) rest fluctuation as a fraction of the diameter: hippus of rms `hippus`, slow wander of rms `wander`.

    Hippus: flat 0.1-0.4 Hz, above that power ~ f^-3 up to 4 Hz; wander: power ~ f^-2 below 0.1 Hz.
    """
    frequency = np.fft.rfftfreq(samples, step_s)[1:]
    fast = np.where((frequency >= 0.1) & (frequency <= 4.0), 1 / np.sqrt(1 + (frequency / 0.3) ** 3), 0.0)
    slow = np.where(frequency < 0.1, 1 / frequency, 0.0)
    total = np.zeros(samples)
    for amplitude, rms in ((fast, hippus), (slow, wander)):
        phases = rng.standard_normal(len(frequency)) + 1j * rng.standard_normal(len(frequency))
        noise = np.fft.irfft(np.concatenate(([0], amplitude * phases)), samples)
        total += rms * noise / noise.std()
    return total
