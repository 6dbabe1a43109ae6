"""Signals as windows of one length, and back.

Belongs here: cutting, padding, joining. Does not belong here: what a window is filled with by a network.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Scalar = TypeVar("Scalar", bound=np.generic)


@dataclass(frozen=True, slots=True)
class Windows:
    """Windows of `length` samples, side by side; what is missing is padded, half at either end.

    1981 samples are padded by 33 and 34 to four windows of 512, by 9 and 10 to twenty of 100, as published.
    """

    length: int

    def count(self, n_samples: int) -> int:
        """Windows of a signal of `n_samples`."""
        return -(-n_samples // self.length)

    def cut(self, signals: NDArray[Scalar], padding: Scalar | float) -> NDArray[Scalar]:
        """(n, T) -> (n * count(T), length): a signal's windows follow each other."""
        n, samples = signals.shape
        padded = np.full((n, self.count(samples) * self.length), padding, dtype=signals.dtype)
        first = self._first(samples)
        padded[:, first : first + samples] = signals
        return padded.reshape(-1, self.length)

    def join(self, windows: NDArray[Scalar], n_samples: int) -> NDArray[Scalar]:
        """The inverse of `cut`: (n * count(T), length) -> (n, T)."""
        first = self._first(n_samples)
        rows = windows.reshape(-1, self.count(n_samples) * self.length)
        return rows[:, first : first + n_samples]

    def _first(self, n_samples: int) -> int:
        return (self.count(n_samples) * self.length - n_samples) // 2
