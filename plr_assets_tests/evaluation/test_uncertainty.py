"""Entropy decomposition: closed forms, and what holds of any predictions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import entropy

from plr_assets.evaluation.uncertainty import binary_entropy, decompose

LN2 = np.log(2)


@st.composite
def out_of_bag(draw: st.DrawFn) -> np.ndarray:
    shape = draw(st.tuples(st.integers(1, 12), st.integers(1, 6)))
    p = draw(arrays(np.float64, shape, elements=st.floats(0, 1)))
    return np.where(draw(arrays(np.bool_, shape)), p, np.nan)


def test_entropy_is_that_of_both_classes_in_nats() -> None:
    p = np.array([0.0, 0.1, 0.5, 0.97, 1.0])
    assert binary_entropy(p) == pytest.approx([entropy([q, 1 - q]) for q in p], abs=1e-12)
    assert binary_entropy(np.array([0.5])) == pytest.approx([LN2])


def test_models_that_agree_have_no_mutual_information() -> None:
    found = decompose(np.full((5, 3), [0.0, 0.3, 1.0]))
    assert found.mutual_information == pytest.approx([0, 0, 0], abs=1e-12)
    assert found.entropy_of_expected == pytest.approx([0, entropy([0.3, 0.7]), 0])
    assert found.confidence == pytest.approx([1, 0.7, 1])


def test_models_that_are_sure_of_opposites_disagree_by_one_bit() -> None:
    found = decompose(np.array([[0.0], [1.0]]))
    assert found.expected_entropy == pytest.approx([0])
    assert found.mutual_information == pytest.approx([LN2])
    assert found.confidence == pytest.approx([0.5])


def test_only_out_of_bag_predictions_count() -> None:
    full = np.array([[0.2, 0.9], [0.4, np.nan], [0.6, np.nan]])
    alone = decompose(full[:, :1])
    assert [field[0] for field in decompose(full)] == pytest.approx([field[0] for field in alone])
    assert decompose(full).mutual_information[1] == pytest.approx(0)


def test_a_recording_that_was_never_out_of_bag_has_no_uncertainty() -> None:
    assert all(np.isnan(field[0]) and np.isfinite(field[1]) for field in decompose(np.array([[np.nan, 0.5]])))


@given(out_of_bag())
def test_parts_are_not_negative_and_add_up(p: np.ndarray) -> None:
    found = decompose(p)
    known = ~np.isnan(p).all(axis=0)
    total, aleatoric, epistemic = (field[known] for field in found[1:])
    assert (epistemic >= 0).all()
    assert (aleatoric >= 0).all()
    assert total == pytest.approx(aleatoric + epistemic, abs=1e-12)
    assert (total <= LN2 + 1e-12).all()
    assert ((found.confidence[known] >= 0.5) & (found.confidence[known] <= 1)).all()


def test_what_is_no_probability_is_refused() -> None:
    with pytest.raises(ValueError, match=r"0\.\.1"):
        decompose(np.array([[1.2]]))
