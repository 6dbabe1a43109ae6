"""Signals as windows that overlap by half, and back without a seam.

Belongs here: cutting and blending. Does not belong here: windows side by side (`windows`), or what fills them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Scalar = TypeVar("Scalar", bound=np.generic)


@dataclass(frozen=True, slots=True)
class OverlappingWindows:
    """Windows of `length` samples (even), one every `length / 2`; what is missing is padded, half at either end."""

    length: int

    @property
    def step(self) -> int:
        return self.length // 2

    def count(self, n_samples: int) -> int:
        """Windows of a signal of `n_samples`: 1981 samples make nineteen of 200, seven of 512."""
        return max(-(-n_samples // self.step) - 1, 1)

    def cut(self, signals: NDArray[Scalar], padding: Scalar | float) -> NDArray[Scalar]:
        """(n, T) -> (n, count(T), length)."""
        n, samples = signals.shape
        padded = np.full((n, (self.count(samples) + 1) * self.step), padding, dtype=signals.dtype)
        first = self._first(samples)
        padded[:, first : first + samples] = signals
        windows = np.lib.stride_tricks.sliding_window_view(padded, self.length, axis=1)[:, :: self.step]
        return np.ascontiguousarray(windows)

    def blend(self, windows: NDArray[np.floating], n_samples: int) -> NDArray[np.float64]:
        """(n, count(T), length) -> (n, T): the mean of a sample's two windows, weighted by a cosine bell.

        The weight of a window is 0 where it begins and ends, so that one window passes into the next without a step.
        The first and last half window have one window only, which counts alone.
        """
        n, count, _ = windows.shape
        bell = np.sin(np.pi * (np.arange(self.length) + 0.5) / self.length) ** 2
        total, weight = np.zeros((n, (count + 1) * self.step)), np.zeros((count + 1) * self.step)
        for index in range(count):
            here = slice(index * self.step, index * self.step + self.length)
            total[:, here] += bell * windows[:, index]
            weight[here] += bell
        first = self._first(n_samples)
        return np.asarray((total / weight)[:, first : first + n_samples])

    def _first(self, n_samples: int) -> int:
        return ((self.count(n_samples) + 1) * self.step - n_samples) // 2
