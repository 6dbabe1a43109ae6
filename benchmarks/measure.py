"""How a thing is measured: both sides in turn, in one process, several times.

Ratios are the median over repeats. Amounts are from the fastest repeat: other work on the machine can only add to it.

Belongs here: the clock and what a result is. Does not belong here: what is measured, or printing (`__main__`).
"""

from __future__ import annotations

import gc
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

    def fastest(self, side: str) -> float:
        return min(self.seconds[side])

    def ratio(self, side: str, peer: str) -> float:
        """What slows a shared machine down slows both sides of a repeat."""
        return median(a / b for a, b in zip(self.seconds[side], self.seconds[peer], strict=True))

    def beyond(self, side: str, peer: str) -> float:
        """Seconds beyond the peer's."""
        return self.fastest(side) - self.fastest(peer)


def interleave(repeats: int, *, clock: Callable[[], float] = time.perf_counter, **sides: Side) -> Times:
    """Time every side `repeats` times, in turn, in an order that is turned round each time.

    A side is called with the number of the repeat. Repeat 0 is not counted: it pays for imports and caches.
    `clock` is the wall's, or one of CPU time where both sides only compute: other
    processes are not counted then.
    """
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    # A garbage collection over all that is imported takes 0.3 s and hits whichever side is at work: what is there
    # already is left out of collections, and each side starts without the garbage of the one before.
    gc.collect()
    gc.freeze()
    for repeat in range(repeats + 1):
        for name in list(sides) if repeat % 2 else list(reversed(sides)):
            gc.collect()
            started = clock()
            sides[name](repeat)
            took = clock() - started
            if repeat:
                seconds[name].append(took)
    gc.unfreeze()
    return Times(seconds)
