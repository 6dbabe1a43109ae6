"""`reproducible`: equal seeds draw alike, whatever was drawn before, and the process does not notice."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
import torch

from plr_assets.networks.seeding import reproducible


def draws() -> tuple[Any, ...]:
    return torch.rand(3).tolist(), np.random.random(3).tolist(), random.random()  # noqa: NPY002, S311


def states() -> tuple[Any, ...]:
    name, keys, *rest = np.random.get_state()  # noqa: NPY002
    return (
        torch.get_rng_state().tolist(),
        (name, keys.tolist(), *rest),
        random.getstate(),
        torch.get_num_threads(),
    )


def test_equal_seeds_draw_alike_from_every_generator_and_other_seeds_do_not() -> None:
    with reproducible(3):
        first = draws()
    draws()
    with reproducible(3):
        assert draws() == first
    with reproducible(4):
        other = draws()
    assert all(mine != its for mine, its in zip(first, other, strict=True))


@pytest.mark.parametrize("threads", [1, 2])
def test_states_and_threads_are_left_as_they_were(threads: int) -> None:
    torch.set_num_threads(threads)
    before = states()
    with reproducible(1):
        assert torch.get_num_threads() == 1
        draws()
        assert states() != before
    assert states() == before


def test_they_are_put_back_after_an_error_and_after_one_within_another() -> None:
    torch.set_num_threads(2)
    before = states()

    def break_off() -> None:
        with reproducible(1):
            draws()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        break_off()
    assert states() == before
    with reproducible(1):
        draws()
        inside = states()
        with reproducible(2):
            draws()
        assert states() == inside
    assert states() == before
