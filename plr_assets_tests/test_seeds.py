"""Random streams follow from seed and names alone."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plr_assets.seeds import generator, integer_seed, seed_sequence


def test_equal_names_give_equal_draws_in_another_process() -> None:
    """Python salts `hash()` by process; streams must not depend on it."""
    code = "from plr_assets.seeds import generator; print(generator(7, 'LOF', 'fit').integers(2**62, size=4).tolist())"
    command = [sys.executable, "-c", code]
    elsewhere = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    assert elsewhere == str(generator(7, "LOF", "fit").integers(2**62, size=4).tolist())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((7, "a"), (8, "a")),
        ((7, "a"), (7, "b")),
        ((7, "a", "b"), (7, "b", "a")),
        ((7, "ab", "c"), (7, "a", "bc")),
        ((7, "a"), (7, "a", "")),
    ],
)
def test_seed_names_their_order_and_their_borders_all_matter(one: tuple, other: tuple) -> None:
    assert generator(*one).integers(2**62) != generator(*other).integers(2**62)
    assert integer_seed(*one) != integer_seed(*other)


@given(seed=st.integers(0, 2**32 - 1), names=st.lists(st.text(), max_size=3))
def test_integer_seeds_fit_every_library(seed: int, names: list[str]) -> None:
    """31 bits without sign: what CatBoost, XGBoost and scikit-learn all take."""
    value = integer_seed(seed, *names)
    assert 0 <= value < 2**31
    assert value == integer_seed(seed, *names)
    assert value == int(seed_sequence(seed, *names).generate_state(1)[0]) % 2**31
