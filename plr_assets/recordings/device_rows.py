"""The text of a device file as positions of rows and values in its bytes.

Belongs here: finding them, for all rows at once. Does not belong here: what the values mean, or any refusal
(`device_csv`).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

# Values at the beginning of a row that are looked at one by one.
LEADING = 12
# They take some 50 bytes.
HEAD = 96
# ", " ends a row, and some files have a carriage return.
_USUAL_BLANKS = 2


class Rows:
    """The rows of a file, without the blanks around each, as positions in its bytes; blank ones at its end left out.

    A file has some 150 000 values in 2000 rows, so each step looks at all rows at once, and at no value by itself. Of
    the characters that the reader lets pass, the blank and the carriage return are blank.

    starts, ends   (n,) first byte of each row, and the one after its last.
    is_comma       (bytes,).
    """

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.bytes = np.frombuffer(content, dtype=np.uint8)
        self.is_comma = self.bytes == ord(",")
        ends = np.append(np.flatnonzero(self.bytes == ord("\n")), len(content))
        self.starts = np.concatenate(([0], ends[:-1] + 1))
        self.ends = self._without_blanks(ends)
        n = int(np.flatnonzero(self.ends > self.starts)[-1]) + 1
        self.starts, self.ends = self.starts[:n], self.ends[:n]

    def __len__(self) -> int:
        return len(self.starts)

    def _without_blanks(self, ends: NDArray[np.intp]) -> NDArray[np.intp]:
        """Every row of a device file ends in ", " and perhaps a carriage return; other blanks are taken row by row."""
        for _ in range(_USUAL_BLANKS):
            ends = ends - ((ends > self.starts) & self._blank(ends - 1))
        more = (ends > self.starts) & (self._blank(ends - 1) | self._blank(self.starts))
        if more.any():
            spans = zip(self.starts[more].tolist(), ends[more].tolist(), strict=True)
            texts = [self.content[start:end] for start, end in spans]
            self.starts[more] += [len(text) - len(text.lstrip()) for text in texts]
            ends[more] = self.starts[more] + [len(text.strip()) for text in texts]
        return ends

    def _blank(self, at: NDArray[np.intp]) -> NDArray[np.bool_]:
        byte = self.bytes[np.minimum(at, len(self.bytes) - 1)]
        return np.asarray((byte == ord(" ")) | (byte == ord("\r")))

    def lengths(self) -> NDArray[np.int64]:
        """(n,) values in each row, the blank that follows the last comma not counted."""
        before = _counter(self.is_comma)
        comma_last = self.is_comma[self.ends - 1] & (self.ends > self.starts)
        return np.asarray(before(self.ends) - before(self.starts) + ~comma_last, dtype=np.int64)


def _counter(mask: NDArray[np.bool_]) -> Callable[[NDArray[np.intp]], NDArray[np.int64]]:
    """A function of positions: how many are true before each. Bits are counted 64 at a time, no true one is listed."""
    packed = np.packbits(mask, bitorder="little")
    # one word more, so that the position after the last has one, too
    words = np.append(packed, np.zeros(16 - len(packed) % 8, dtype=np.uint8)).view("<u8")
    upto = np.concatenate(([0], np.cumsum(np.bitwise_count(words), dtype=np.int64)))

    def before(positions: NDArray[np.intp]) -> NDArray[np.int64]:
        word, bit = positions >> 6, (positions & 63).astype(np.uint64)
        below = (np.uint64(1) << bit) - np.uint64(1)
        return np.asarray(upto[word] + np.bitwise_count(words[word] & below))

    return before


class Heads:
    """The beginnings of all rows, one after another, and the leading values in them.

    bytes        (n * HEAD,).
    start, end   (LEADING, n) of each value, one leading blank left out; None where a row's values take more.
    """

    def __init__(self, rows: Rows) -> None:
        """`rows` are as long as the reader asks: their 75 values have more than `HEAD` bytes."""
        heads = sliding_window_view(rows.bytes, HEAD)[rows.starts]
        self.bytes = heads.ravel()
        commas = np.flatnonzero(self.bytes == ord(","))
        starts = np.arange(len(rows)) * HEAD
        first = np.searchsorted(commas, starts)
        self.complete = bool((np.diff(first, append=len(commas)) >= LEADING).all())
        if self.complete:
            self.end = commas[first + np.arange(LEADING)[:, None]]
            start = np.concatenate((starts[None], self.end[:-1] + 1))
            self.start = start + ((self.bytes[start] == ord(" ")) & (start < self.end))
