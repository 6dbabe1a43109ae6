"""The pupil's answer to light: a fast adapting path and a slow melanopsin path, per colour.

Belongs here: constriction as a function of drive. Does not belong here: who has which parameters (`cohort`).

Model: drive code u -> Naka-Rushton a(u); fast path a - k * lowpass(a), k solved so that the drive of the iris at the
end of the light is the wanted share of its maximum; the iris constricts with 0.3 s, redilates with tau_fast; the
melanopsin path rises with 3 s and decays with tau_slow, which carries blue's residual into the red baseline. The ramp
is slow, so constriction starts 0.6-1 s after the first visible code, although the delay itself is 0.26 s.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plr_assets.recordings.simulator.parameters import DEVICE, PHYSIOLOGY

Signal = NDArray[np.float64]
_GAINS = np.linspace(0.0, 0.98, 50)


@dataclass(frozen=True, eq=False)
class ResponseParameters:
    """One colour's response for `n` subjects, each (n,): fractions and seconds."""

    max_constriction: Signal
    sustained: Signal
    slow_weight: Signal
    half_saturation_code: Signal
    fast_tau_s: Signal
    slow_tau_s: Signal


def constriction(code: NDArray[np.int64], step_s: float, subject: ResponseParameters) -> Signal:
    """(n, T) constriction, a fraction of the diameter, without latency, of drive `code` (n, T), one every `step_s`."""
    power = code.astype(np.float64) ** PHYSIOLOGY.exponent
    half = subject.half_saturation_code[:, None] ** PHYSIOLOGY.exponent
    full = DEVICE.ramp_code**PHYSIOLOGY.exponent
    drive = power / (power + half) * (full + half) / full
    slow = follow(drive, step_s, PHYSIOLOGY.slow_on_tau_s, subject.slow_tau_s)
    slow = slow / slow.max(axis=1, keepdims=True)
    adaptation = follow(drive, step_s, PHYSIOLOGY.adaptation_tau_s, PHYSIOLOGY.adaptation_tau_s)
    weight = subject.slow_weight[:, None]
    gain = _adaptation_gain(drive, adaptation, slow, weight, subject.sustained)
    fast = follow(
        np.clip(drive - gain[:, None] * adaptation, 0.0, None),
        step_s,
        PHYSIOLOGY.constriction_tau_s,
        subject.fast_tau_s,
    )
    shape = (1 - weight) * fast / fast.max(axis=1, keepdims=True) + weight * slow
    return np.asarray(subject.max_constriction[:, None] * shape / shape.max(axis=1, keepdims=True))


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
    fast = np.where((frequency >= 0.1) & (frequency <= 4.0), 1 / np.sqrt(1 + (frequency / 0.4) ** 3), 0.0)
    slow = np.where(frequency < 0.1, 1 / frequency, 0.0)
    total = np.zeros(samples)
    for amplitude, rms in ((fast, hippus), (slow, wander)):
        phases = rng.standard_normal(len(frequency)) + 1j * rng.standard_normal(len(frequency))
        noise = np.fft.irfft(np.concatenate(([0], amplitude * phases)), samples)
        total += rms * noise / noise.std()
    return total
