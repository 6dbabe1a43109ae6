"""Features of a cohort of the published size, and the same windows one recording after the other.

Belongs here: how long features take. Does not belong here: whether they are right (tests compare every statistic with
a loop and with scipy).
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from benchmarks.measure import Result, interleave
from plr_assets.featurization.windowed import WindowedFeatures
from plr_assets.recordings.table import Recordings, Signal, Stimulus
from plr_assets.registry import load_registry

# methods.md 1.1: recordings and samples of the published cohort.
PUBLISHED, SAMPLES, RATE_HZ = 507, 1981, 30.0
REPEATS = 15
# What issue 7 asks for. ms
GOALS = {"simple": 10.0, "extended": 150.0}
SEED = 20261121


def run() -> Iterator[Result]:
    recordings, signal = _cohort()
    for name, goal in GOALS.items():
        parameters = load_registry().methods["featurization"][name].parameters
        featurizer = WindowedFeatures(**parameters)
        few = recordings.take(range(20))

        def ours(_: int, featurizer: WindowedFeatures = featurizer) -> None:
            featurizer.transform(recordings, signal)

        def one_by_one(
            _: int, featurizer: WindowedFeatures = featurizer, few: Recordings = few
        ) -> None:  # the same code, without its arrays over recordings
            for row in range(len(few)):
                featurizer.transform(few.take([row]), signal[[row]])

        times = interleave(REPEATS, clock=time.process_time, ours=ours, one_by_one=one_by_one)
        loop = 1000 * times.fastest("one_by_one") / len(few) * PUBLISHED
        yield Result(
            f"features {name} of {PUBLISHED} x {SAMPLES}",
            1000 * times.fastest("ours"),
            goal,
            "ms",
            f"recording by recording: {loop:.0f} ms",
        )


def _cohort() -> tuple[Recordings, Signal]:
    """Responses with noise; lights jitter by some samples, as the device's do, so that windows are not one block."""
    rng = np.random.default_rng(SEED)
    grid = np.arange(SAMPLES) / RATE_HZ
    signal = rng.normal(0, 0.7, (PUBLISHED, SAMPLES))
    lit = []
    for row, late in enumerate(rng.uniform(-0.15, 0.15, PUBLISHED)):
        lights = (Stimulus("blue", 15.5, 24.5), Stimulus("red", 46.5 + late, 55.5 + late))
        for light in lights:
            on = np.clip((grid - light.onset_s - 0.6) / 2, 0, 1)
            off = np.exp(-np.clip(grid - light.offset_s - 0.5, 0, None) / rng.uniform(1, 4))
            signal[row] -= rng.uniform(25, 50) * on * off
        lit.append(lights)
    names = tuple(f"R{row:03d}" for row in range(PUBLISHED))
    pupil = signal.astype(np.float32)
    recordings = Recordings(
        recording=names,
        subject=names,
        rate_hz=RATE_HZ,
        pupil=pupil,
        light={colour: np.zeros_like(pupil) for colour in ("red", "blue")},
        stimuli=tuple(lit),
        baseline=np.full(PUBLISHED, 40.0),
        baseline_unit="px",
        synthetic=True,
    )
    return recordings, pupil
