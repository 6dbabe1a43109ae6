"""The samples that a feature is made of, as runs.

Belongs here: uniting windows into runs that neither overlap nor touch. Does not belong here: placing a window.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# First sample and the one after the last, each (n,) int64; equal where there is none.
Window = tuple[NDArray[np.int64], NDArray[np.int64]]
# Windows of one feature. In one recording they neither overlap nor touch.
Pieces = tuple[Window, ...]

_NOWHERE = np.iinfo(np.int64).max


def united(windows: Sequence[Window], defined: NDArray[np.bool_]) -> Pieces:
    """The same samples as runs that neither overlap nor touch; none in rows that are not `defined` (n,)."""
    starts, stops = (np.stack(edges) for edges in zip(*windows, strict=True))
    empty = (stops <= starts) | ~defined
    starts, stops = np.where(empty, _NOWHERE, starts), np.where(empty, _NOWHERE, stops)
    order = np.argsort(starts, axis=0, kind="stable")
    starts, stops = np.take_along_axis(starts, order, axis=0), np.take_along_axis(stops, order, axis=0)
    pieces: list[Window] = []
    start, stop = starts[0], stops[0]
    for further, end in zip(starts[1:], stops[1:], strict=True):
        apart = further > stop
        pieces.append((np.where(apart, start, _NOWHERE), np.where(apart, stop, _NOWHERE)))
        start, stop = np.where(apart, further, start), np.where(apart, end, np.maximum(stop, end))
    pieces.append((start, stop))
    some = [piece for piece in pieces if (piece[0] < _NOWHERE).any()] or pieces[:1]
    return tuple((np.where(start < _NOWHERE, start, 0), np.where(start < _NOWHERE, stop, 0)) for start, stop in some)


def have_samples(pieces: Pieces) -> NDArray[np.bool_]:
    """(n,) whether there is any."""
    return np.asarray(np.any([stop > start for start, stop in pieces], axis=0))
