"""Which samples are hidden from a network: at random while it learns, each exactly once while it is used.

Belongs here: patterns of hidden samples. Does not belong here: masks of a detector.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from plr_assets.recordings.table import Mask

# Run lengths of human-rejected samples on simulated recordings: median 11 frames at 30 Hz, middle 90 % 2 to 40
# (docs/simulator.md). Log-normal with that median and spread, in samples.
_MEDIAN_RUN, _LOG_SPREAD, _LONGEST_RUN = 10.0, 0.9, 90


def random_runs(shape: tuple[int, int], share: float, rng: np.random.Generator) -> Mask:
    """(windows, length) bool: runs of samples as long as artefacts are, until each window has its `share`."""
    hidden = np.zeros(shape, dtype=np.bool_)
    wanted, longest = share * shape[1], min(_LONGEST_RUN, max(shape[1] // 2, 1))
    for row in hidden:
        while row.sum() < wanted:
            length = int(np.clip(rng.lognormal(np.log(_MEDIAN_RUN), _LOG_SPREAD), 1, longest))
            first = int(rng.integers(1 - length, shape[1]))
            row[max(first, 0) : first + length] = True
    return hidden


# What a mask of an imputer consists of, as shares of the runs: blinks' edges and single bad frames (3 to 6 samples at
# 30 Hz), artefacts (about 10), and losses of the pupil (30 to 90, 1 to 3 s). On simulated recordings the 95th and 99th
# percentile of the human's runs and dropouts are 32 and 56 samples; the last kind is drawn more often than it falls,
# because long gaps are where a line is wrong.
_KINDS = ((0.5, 3, 6), (0.35, 7, 14), (0.15, 30, 90))


def gaps(shape: tuple[int, int], share: float, rng: np.random.Generator) -> Mask:
    """(windows, length) bool: short, middle and long runs, until each window has its `share`; never half a window."""
    hidden = np.zeros(shape, dtype=np.bool_)
    odds = np.array([kind[0] for kind in _KINDS])
    for row in hidden:
        while row.sum() < share * shape[1]:
            _, shortest, longest = _KINDS[rng.choice(len(_KINDS), p=odds)]
            length = min(int(rng.integers(shortest, longest + 1)), max(shape[1] // 2, 1))
            first = int(rng.integers(1 - length, shape[1]))
            row[max(first, 0) : first + length] = True
    return hidden


def every_sample_once(shape: tuple[int, int], passes: int, block: int) -> Iterator[Mask]:
    """`passes` patterns (windows, length) of blocks of `block` samples; together they hide each sample exactly once.

    A pattern hides every `passes`-th block, so that both neighbours of a hidden block are seen.
    """
    blocks = np.arange(shape[0] * shape[1]).reshape(shape) // block
    for turn in range(passes):
        yield np.asarray(blocks % passes == turn)
