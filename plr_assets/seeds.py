"""Random streams: every random draw in the project descends from a study's seed and a name.

Belongs here: the one way to make a generator. Does not belong here: drawing. Python's `hash()` is salted per
process, so names enter through SHA-256.
"""

from __future__ import annotations

import hashlib

import numpy as np


def seed_sequence(seed: int, *names: str) -> np.random.SeedSequence:
    """The stream of `names` under `seed`: equal arguments give equal draws on every machine."""
    words = np.frombuffer(hashlib.sha256("\x1f".join(names).encode()).digest(), dtype="<u4")
    return np.random.SeedSequence([seed, *(int(word) for word in words)])


def generator(seed: int, *names: str) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed_sequence(seed, *names)))


def integer_seed(seed: int, *names: str) -> int:
    """A seed for libraries that take one non-negative 31-bit integer."""
    return int(seed_sequence(seed, *names).generate_state(1)[0] & 0x7FFFFFFF)
