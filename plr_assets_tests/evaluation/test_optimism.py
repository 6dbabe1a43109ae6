""".632, .632+ and Harrell's correction: cases worked by hand, and what holds of any."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plr_assets.evaluation.optimism import bootstrap_632, no_information_brier, optimism_corrected

ERROR = st.floats(0, 1)


def test_a_case_worked_by_hand() -> None:
    # e = .1, E = .3, g = .5: R = .2 / .4 = .5; weight .632 / (1 - .368 * .5) = .774510
    found = bootstrap_632(0.1, 0.3, 0.5)
    assert found.overfitting == pytest.approx(0.5)
    assert found.plain == pytest.approx(0.368 * 0.1 + 0.632 * 0.3)
    assert found.plus == pytest.approx(0.1 + 0.2 * 0.632 / (1 - 0.368 * 0.5))


def test_without_overfitting_both_are_the_same() -> None:
    for found in (bootstrap_632(0.2, 0.2, 0.5), bootstrap_632(0.2, 0.15, 0.5)):
        assert found.overfitting == 0
        assert found.plus == found.plain


def test_a_model_that_learned_by_heart_gets_its_out_of_bag_error() -> None:
    """e = 0 and E = g, as a nearest neighbour has on pure noise: .632 would say .316, .632+ says .5."""
    found = bootstrap_632(0.0, 0.5, 0.5)
    assert (found.plain, found.plus, found.overfitting) == pytest.approx((0.316, 0.5, 1.0))


def test_a_perfect_model_stays_perfect() -> None:
    assert bootstrap_632(0.0, 0.0, 0.5) == (0, 0, 0)


def test_an_out_of_bag_error_above_that_of_no_information_overfits_by_one() -> None:
    found = bootstrap_632(0.1, 0.7, 0.5)
    assert found.overfitting == 1
    # equation 32 of the paper: .632 of the raw error, and the surcharge of the bounded one
    assert found.plus == pytest.approx(0.368 * 0.1 + 0.632 * 0.7 + 0.4 * 0.368)


def test_an_apparent_error_above_that_of_no_information_is_not_divided_by() -> None:
    assert bootstrap_632(0.6, 0.7, 0.5).overfitting == 0
    assert bootstrap_632(0.5, 0.7, 0.5).overfitting == 0


@given(ERROR, ERROR, ERROR)
def test_plus_lies_between_plain_and_out_of_bag(apparent: float, out_of_bag: float, no_information: float) -> None:
    found = bootstrap_632(apparent, out_of_bag, no_information)
    assert 0 <= found.overfitting <= 1
    assert found.plain - 1e-12 <= found.plus <= max(found.plain, out_of_bag) + 1e-12


@pytest.mark.parametrize("missing", range(3))
def test_what_is_not_defined_stays_undefined(missing: int) -> None:
    errors = [0.1, 0.2, 0.5]
    errors[missing] = np.nan
    assert np.isnan(bootstrap_632(*errors)).all()


def test_the_brier_score_without_information_is_that_of_shuffled_outcomes() -> None:
    rng = np.random.default_rng(0)
    y, p = rng.integers(0, 2, 30), rng.random(30)
    assert no_information_brier(y, p) == pytest.approx(np.mean((y[:, None] - p[None, :]) ** 2))


def test_harrells_correction_takes_off_what_replicates_lose_on_all_subjects() -> None:
    found = optimism_corrected(0.9, [0.95, 0.93, 0.97], [0.85, 0.87, 0.86])
    differences = np.array([0.10, 0.06, 0.11])
    assert found.optimism == pytest.approx(differences.mean())
    assert found.value == pytest.approx(0.9 - differences.mean())
    assert found.standard_error == pytest.approx(differences.std(ddof=1) / np.sqrt(3))


def test_replicates_without_a_value_are_left_out_and_none_gives_none() -> None:
    assert optimism_corrected(0.9, [0.95, np.nan], [0.85, 0.8]).optimism == pytest.approx(0.1)
    assert np.isnan(optimism_corrected(0.9, [0.95, np.nan], [0.85, 0.8]).standard_error)
    assert np.isnan(optimism_corrected(0.9, [], [])).all()
