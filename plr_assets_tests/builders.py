"""Small recordings for tests: PLR-like signals with blinks, artefacts, dropouts and the truth behind them.

Belongs here: data that a test can state in one line. Does not belong here: realism (`plr_assets.recordings.simulator`).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from plr_assets.recordings.table import Recordings, Stimulus

RATE_HZ = 30.0
# The published grid: 66 s at 30 frames a second, blue then red.
N_SAMPLES = 1981
BLUE, RED = Stimulus("blue", 15.5, 24.5), Stimulus("red", 46.5, 55.5)


def make_recordings(
    n: int = 4, *, seed: int = 0, n_samples: int = N_SAMPLES, with_truth: bool = True, prefix: str = "R"
) -> Recordings:
    """`n` recordings, every second of class "glaucoma" with a weaker response; about 3 % artefacts, 1 % dropouts."""
    rng = np.random.default_rng(seed)
    time = np.arange(n_samples) / RATE_HZ
    label = tuple("glaucoma" if i % 2 else "control" for i in range(n))
    truth = np.stack([_response(time, depth=rng.normal(30 if i % 2 else 42, 4)) for i in range(n)])
    truth += np.stack([2 * np.sin(2 * np.pi * rng.uniform(0.1, 0.3) * time + rng.uniform(0, 6)) for _ in range(n)])
    pupil = truth + rng.normal(0, 0.7, truth.shape)
    artefact = _runs(rng, truth.shape, share=0.03)
    pupil = np.where(artefact, pupil - rng.uniform(15, 60, truth.shape), pupil)
    dropout = _runs(rng, truth.shape, share=0.01)
    names = tuple(f"{prefix}{i:03d}" for i in range(n))
    return Recordings(
        recording=names,
        subject=tuple(f"S{name}" for name in names),
        rate_hz=RATE_HZ,
        pupil=np.where(dropout, np.nan, pupil).astype(np.float32),
        light={
            s.colour: np.tile(((s.onset_s <= time) & (time <= s.offset_s)), (n, 1)).astype("f4") for s in (BLUE, RED)
        },
        stimuli=((BLUE, RED),) * n,
        baseline=np.full(n, 40.0),
        baseline_unit="px",
        synthetic=True,
        truth=truth.astype(np.float32) if with_truth else None,
        artefact=(artefact & ~dropout) if with_truth else None,
        label=label if with_truth else (),
    )


def with_pupil(recordings: Recordings, row: int, values: NDArray[np.floating] | float) -> Recordings:
    """The recordings with another signal in `row`, which then has neither artefacts nor a different truth."""
    pupil = recordings.pupil.copy()
    pupil[row] = values
    return replace(recordings, pupil=pupil)


def assert_same(left: Recordings, right: Recordings) -> None:
    """Bitwise equality of everything a method could have written to."""
    assert left.to_frame().equals(right.to_frame(), null_equal=True)


def make_features(n: int = 60, *, seed: int = 0, shift: float = 1.0) -> tuple[pl.DataFrame, pl.DataFrame]:
    """`schemas.FEATURES` and `schemas.BOOTSTRAP_CASES` of `n` subjects, a third of them positive, 4 features."""
    rng = np.random.default_rng(seed)
    y = (np.arange(n) % 3 == 0).astype(np.int64)
    X = rng.normal(size=(n, 4)) + shift * y[:, None] * np.array([1.0, 0.5, 0.0, 0.0])
    ids = [f"R{i:03d}" for i in range(n)]
    owner = {"recording": ids, "subject": [f"S{name}" for name in ids]}
    features = pl.DataFrame({**owner, **{f"F{j}": X[:, j] for j in range(4)}})
    return features, pl.DataFrame({"case": np.arange(n), **owner, "y_true": y})


def _response(time: NDArray[np.float64], depth: float) -> NDArray[np.float64]:
    """Constriction with the lights, exponential redilation after them."""
    signal = np.zeros(time.size)
    for light in (BLUE, RED):
        on = np.clip((time - light.onset_s - 0.3) / 2.0, 0, 1)
        off = np.where(time > light.offset_s, np.exp(-np.clip(time - light.offset_s, 0, None) / 3.0), 1.0)
        signal -= depth * on * off
    return signal


def _runs(rng: np.random.Generator, shape: tuple[int, int], share: float) -> NDArray[np.bool_]:
    """Runs of 3 to 8 samples that cover about `share`."""
    marked = np.zeros(shape, dtype=np.bool_)
    for row in marked:
        for start in rng.integers(0, row.size, size=max(1, round(share * row.size / 5))):
            row[start : start + rng.integers(3, 9)] = True
    return marked
