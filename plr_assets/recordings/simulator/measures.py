"""What can be measured of one recording of the device's own protocol, as it was measured on real files.

Belongs here: times of the device, the response to each light, rest, blinks and noise of one recording. Does not belong
here: what real files show (`fidelity`).
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from plr_assets.recordings.device_csv import END_TRANSIENT_FRAMES
from plr_assets.recordings.gaps import runs
from plr_assets.recordings.simulator.artefacts import NO_PUPIL
from plr_assets.recordings.simulator.cohort import SimulatedRecording

Values = NDArray[np.float64]

_RATE_HZ = 30.0
_REST_S = ((2.0, 14.0), (33.0, 45.0))
_TAUS_S = np.geomspace(0.2, 12.0, 60)
# Longer runs without a pupil are dropouts: the shortest that was measured is 58 frames, a long blink 0.5 s.
_LONGEST_BLINK_FRAMES = 15
_CLEAN_ONSET_PERCENT = 3.0
# Frame noise of six of the seven files is at most this. White noise of 2.8 %, as in the seventh, has 2.6 % between 2
# and 15 Hz, so the 0.5-1.2 % measured there are those of the six.
_USUAL_NOISE_PERCENT = 1.2
# No pupil has so few pixels; and a spike or dip is further than this from its neighbours.
_DEGENERATE_PX = 10.0
_SPIKE_PERCENT = 10.0
_SPIKE_FRAMES = 9


def measure_recording(recording: SimulatedRecording) -> dict[str, list[float]]:
    """Every quantity by name; NaN where a trace does not show it. Samples that a human would reject are left out."""
    kept = slice(None, -END_TRANSIENT_FRAMES)
    time_s, raw = recording.time_s[kept], recording.pupil[kept]
    found = raw > 0
    good = found & ~recording.rejected[kept]
    onset_s = {c: float(recording.time_s[np.argmax(_code(recording, c) > 0)]) for c in ("blue", "red")}
    base = _median(raw, good & (time_s >= onset_s["blue"] - 5) & (time_s < onset_s["blue"]))
    percent = np.interp(time_s, time_s[good], raw[good]) / base * 100
    before_red = _median(raw, good & (time_s >= onset_s["red"] - 5) & (time_s < onset_s["red"]))
    lost = [last - first + 1 for first, last in runs(raw == NO_PUPIL)]
    blinks = [frames for frames in lost if frames < _LONGEST_BLINK_FRAMES]
    result = _timing(recording, onset_s)
    result |= {
        "baseline": base,
        "blink runs a minute": len(blinks) * 60 / (time_s[-1] - time_s[0]),
        "samples without pupil": float(np.mean(~found)) * 100,
        "baseline before red / before blue": before_red / base * 100,
        "samples without pupil or in spikes": float(np.mean(~found | _spikes(raw, found, base))) * 100,
        "frame noise": _frame_noise(raw, good) / base * 100,
    }
    result |= _rest(time_s, percent, usual_noise=result["frame noise"] <= _USUAL_NOISE_PERCENT)
    for colour, on in onset_s.items():
        off = float(recording.time_s[_code(recording, colour) > 0][-1])
        result |= {f"{k}, {colour}": v for k, v in _response(time_s, percent, on, off).items()}
    return {name: [value] for name, value in result.items()} | {"frames in a blink": [float(n) for n in blinks]}


def _code(recording: SimulatedRecording, colour: str) -> NDArray[np.int64]:
    return recording.blue if colour == "blue" else recording.red


def _median(values: Values, where: NDArray[np.bool_]) -> float:
    return float(np.median(values[where])) if where.any() else float("nan")


def _timing(recording: SimulatedRecording, onset_s: Mapping[str, float]) -> dict[str, float]:
    time_s, steps = recording.time_s, np.diff(recording.time_s)
    (blue_first, blue_last), (red_first, red_last) = runs(recording.slot)
    return {
        "rows": float(len(time_s)),
        "first time stamp": float(time_s[0]),
        "last time stamp": float(time_s[-1]),
        "mean interval": float(np.mean(steps)) * 1000,
        "gaps > 55 ms": float(np.sum(steps > 0.055)),
        "longest gap": float(steps.max()),
        "slot on, blue": float(time_s[blue_first]),
        "slot off, blue": float(time_s[blue_last + 1]),
        "slot on, red": float(time_s[red_first]),
        "slot off, red": float(time_s[red_last + 1]),
        "rows inside slots": float(np.sum(recording.slot)),
        "last light, blue": float(time_s[recording.blue > 0][-1]),
        "last light, red": float(time_s[recording.red > 0][-1]),
        "recorded after red": float(time_s[-1] - time_s[recording.red > 0][-1]),
        "first light, blue": onset_s["blue"],
        "first light, red": onset_s["red"],
        "red onset after blue onset": onset_s["red"] - onset_s["blue"],
        "lit frames, blue": float(np.sum(recording.blue > 0)),
        "lit frames, red": float(np.sum(recording.red > 0)),
        "highest code": float(max(recording.blue.max(), recording.red.max())),
    }


def _frame_noise(raw: Values, good: NDArray[np.bool_]) -> float:
    """Robust SD of the second difference, scaled to that of one frame."""
    second = np.diff(raw, 2)[good[:-2] & good[1:-1] & good[2:]]
    return float(1.4826 * np.median(np.abs(second - np.median(second))) / np.sqrt(6))


def _spikes(raw: Values, found: NDArray[np.bool_], base: float) -> NDArray[np.bool_]:
    """(m,) found samples far from the median of the frames around them, and degenerate detections."""
    index = np.flatnonzero(found)
    half = _SPIKE_FRAMES // 2
    around = np.lib.stride_tricks.sliding_window_view(np.pad(raw[index], half, mode="edge"), _SPIKE_FRAMES)
    spikes = np.zeros(len(raw), dtype=bool)
    spikes[index] = np.abs(raw[index] - np.median(around, axis=1)) > base * _SPIKE_PERCENT / 100
    return np.asarray(spikes | (found & (raw < _DEGENERATE_PX)))


def _response(time_s: Values, percent: Values, on: float, off: float) -> dict[str, float]:
    """`percent`: of the baseline before blue, gaps bridged."""
    even_s = np.arange(time_s[0], time_s[-1], 1 / _RATE_HZ)
    even = np.convolve(np.interp(even_s, time_s, percent), np.ones(9) / 9, mode="same")  # 0.3 s
    speed = np.gradient(even, 1 / _RATE_HZ)
    before = np.median(even[(even_s >= on - 1) & (even_s < on)])
    lit = (even_s >= on) & (even_s <= off + 1)
    lowest = int(np.flatnonzero(lit)[np.argmin(even[lit])])
    max_s = float(even_s[lowest])
    # as on the real files, only onsets that can be told from hippus
    waiting = even[(even_s >= on - 1) & (even_s < on + 0.3)]
    clean = bool(np.abs(waiting - before).max() < _CLEAN_ONSET_PERCENT)
    # hippus may cross -5 % before the light is answered: the last crossing before half of the constriction counts
    half = int(np.flatnonzero((even_s > on) & (even < (before + even[lowest]) / 2))[0])
    above = np.flatnonzero((even_s > on) & (even >= before - 5) & (np.arange(len(even)) < half))
    after = (even_s > off) & (even_s <= off + 4)
    turn = int(np.flatnonzero((even_s >= off) & (even_s <= off + 1))[0])
    turn += int(np.argmin(even[turn : turn + 30]))
    fitted = (even_s >= even_s[turn]) & (even_s <= off + 10)
    return {
        "lag from first light to -5 %": float(even_s[above[-1] + 1] - on) if above.size and clean else float("nan"),
        "maximal constriction": float(100 - even[lowest]),
        "time of the maximum after first light": max_s - on,
        "maximum after the last light, if it comes so late": max_s - off if max_s > off else float("nan"),
        "peak constriction speed": float(-speed[(even_s > on) & (even_s <= off)].min()),
        "peak redilation speed": float(speed[after].max()),
        "redilation tau": _tau(even_s[fitted] - even_s[turn], even[fitted]),
        "constriction left 6 s after light": float(100 - np.median(even[np.abs(even_s - off - 6) < 0.25])),
    }


def _tau(since_s: Values, percent: Values) -> float:
    """tau of the least-squares fit of P - S exp(-t / tau): for every tau of a fine grid, P and S are linear."""
    basis = np.exp(-since_s[None, :] / _TAUS_S[:, None])
    basis -= basis.mean(axis=1, keepdims=True)
    centred = percent - percent.mean()
    explained = (basis @ centred) ** 2 / (basis**2).sum(axis=1)
    return float(_TAUS_S[np.argmax(explained)])


def _rest(time_s: Values, percent: Values, *, usual_noise: bool) -> dict[str, float]:
    """Over the two stretches in the dark. Bands and slope: Hann periodogram of the detrended stretch."""
    deviations, powers = [], []
    for start, end in _REST_S:
        even_s = np.arange(start, end, 1 / _RATE_HZ)
        values = np.interp(even_s, time_s, percent)
        values = values - np.polyval(np.polyfit(even_s, values, 1), even_s)
        deviations.append(float(values.std()))
        window = np.hanning(len(values))
        powers.append(np.abs(np.fft.rfft(values * window)) ** 2 * 2 / (_RATE_HZ * np.sum(window**2)))
    frequency, power = np.fft.rfftfreq(len(values), 1 / _RATE_HZ), np.mean(powers, axis=0)

    def rms(low: float, high: float) -> float:
        return float(np.sqrt(power[(frequency >= low) & (frequency < high)].sum() * frequency[1]))

    # one point for each third of an octave, so that the many high frequencies do not decide alone
    edges = np.geomspace(0.15, 3.0, 14)
    middles = np.sqrt(edges[1:] * edges[:-1])
    binned = [power[(frequency >= low) & (frequency < high)] for low, high in pairwise(edges)]
    used = [index for index, part in enumerate(binned) if part.size]
    level = np.array([np.log(binned[index].mean()) for index in used])
    return {
        "rest: SD": float(np.mean(deviations)),
        "rest: rms 0.08-0.5 Hz": rms(0.08, 0.5),
        "rest: rms 0.5-2 Hz": rms(0.5, 2.0),
        "rest: rms 2-15 Hz, frame noise at most 1.2 %": rms(2.0, 15.0) if usual_noise else float("nan"),
        "rest: PSD slope below 3 Hz": float(np.polyfit(np.log(middles[used]), level, 1)[0]),
    }
