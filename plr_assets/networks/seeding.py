"""Random numbers and threads of torch, without a trace in the process.

Belongs here: the one way to run torch reproducibly. Does not belong here: seeds themselves (`seeds`).
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np


@contextmanager
def reproducible(seed: int) -> Iterator[None]:
    """Libraries that draw from global generators draw from `seed`, on one thread; both are put back afterwards.

    One thread, because the order of a parallel sum changes its last bits with the number of cores; pools of
    processes are the parallelism (`platform.mapper`).
    """
    import torch

    threads, python, numpy = torch.get_num_threads(), random.getstate(), np.random.get_state()  # noqa: NPY002
    torch.set_num_threads(1)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002 - pypots draws from the global generator
        try:
            yield
        finally:
            torch.set_num_threads(threads)
            random.setstate(python)
            np.random.set_state(numpy)  # noqa: NPY002


def device() -> str:
    """Where networks run: `cuda` where there is one, else `cpu`."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"
