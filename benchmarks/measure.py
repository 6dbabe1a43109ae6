"""How a thing is measured: both sides in turn, in one process, several times; the median of the ratios.

Belongs here: the clock and what a result is. Does not belong here: what is measured, or printing (`__main__`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

Side = Callable[[int], object]


@dataclass(frozen=True, slots=True)
class Result:
    """One line of the table; lower is better. `peer`: who else did it, and what it took them."""

    name: str
    value: float
    goal: float
    unit: str
    peer: str

    @property
    def met(self) -> bool:
        return self.value <= self.goal


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds of each side, repeat by repeat."""

    seconds: Mapping[str, Sequence[float]]

    def typical(self, side: str) -> float:
        return median(self.seconds[side])

    def ratio(self, side: str, peer: str) -> float:
        """Median over repeats: what slows a shared machine down slows both sides of a repeat."""
        return median(a / b for a, b in zip(self.seconds[side], self.seconds[peer], strict=True))

    def difference(self, side: str, peer: str) -> float:
        """Seconds beyond the peer's; median over repeats."""
        return median(a - b for a, b in zip(self.seconds[side], self.seconds[peer], strict=True))


def interleave(repeats: int, **sides: Side) -> Times:
    """Time every side `repeats` times, in turn, in an order that is turned round each time.

    A side is called with the number of the repeat. Repeat 0 is not counted: it pays for imports and caches.
    """
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for repeat in range(repeats + 1):
        for name in list(sides) if repeat % 2 else list(reversed(sides)):
            started = time.perf_counter()
            sides[name](repeat)
            took = time.perf_counter() - started
            if repeat:
                seconds[name].append(took)
    return Times(seconds)
