"""Statistics of motion against scipy and plain loops, recording by recording, and on signals that do not move."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.signal import savgol_filter

from plr_assets.featurization.dynamics import Cut
from plr_assets.featurization.statistics import STATISTICS
from plr_assets_tests.builders import make_recordings

STEP_S = 1 / 30
FIRST_S = np.array([0.0, 0.02, 0.031, 0.004, 0.017, 0.03, 0.0, 0.01])
Row = NDArray[np.float64]


def windows(width: int = 271, seed: int = 0) -> Row:
    """Noisy responses to a light at the window's start: 8 rows."""
    recordings = make_recordings(8, seed=seed)
    assert recordings.truth is not None
    noise = np.random.default_rng(seed).normal(0, 0.7, (8, width))
    return recordings.truth[:, 465 : 465 + width].astype(np.float64) + noise


def computed(name: str, values: Row, first_s: Row = FIRST_S, **options: float) -> Row:
    statistic = STATISTICS[name]
    return statistic.compute(Cut(values, STEP_S, first_s[: len(values)]), **{**statistic.options, **options})


def smoothed(row: Row, smooth_s: float, order: int) -> Row:
    taken = {0.3: 9, 0.5: 15}[smooth_s]
    return np.asarray(savgol_filter(row, taken, 2, deriv=order, delta=STEP_S, mode="interp"))


# -- the same, one recording after the other, with other tools ---------------------------------------------------------


def _median(row: Row, _: float) -> float:
    ordered = sorted(row)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def _auc(row: Row, _: float) -> float:
    return sum((a + b) / 2 * STEP_S for a, b in pairwise(row))


def _slope(row: Row, _: float) -> float:
    return float(np.polyfit(np.arange(len(row)) * STEP_S, row, 1)[0])


def _time_of_min(row: Row, first_s: float) -> float:
    return first_s + min(range(len(row)), key=lambda i: row[i]) * STEP_S


def _mean_speed(row: Row, _: float) -> float:
    smooth = smoothed(row, 0.3, 0)
    lowest = int(np.argmin(smooth))
    return float((smooth[lowest] - smooth[0]) / (lowest * STEP_S)) if lowest else 0.0


def _crossing(row: Row, first_s: float) -> float:
    smooth = smoothed(row, 0.3, 0)
    place = int(np.argmin(smooth))
    if smooth[place] > -5:
        return first_s + (len(row) - 1) * STEP_S
    while place and smooth[place] <= -5:
        place -= 1
    if smooth[place] <= -5:
        return first_s
    return first_s + (place + (smooth[place] + 5) / (smooth[place] - smooth[place + 1])) * STEP_S


def _bend(row: Row, first_s: float) -> float:
    until = int(np.argmin(smoothed(row, 0.5, 1)))
    whole = smoothed(row, 0.5, 2)[7 : max(until, 7) + 1]  # 7 samples of 15 lie before the first
    return first_s + (7 + int(np.argmin(whole))) * STEP_S


LOOPS: dict[str, Any] = {
    "min": lambda row, _: min(row),
    "max": lambda row, _: max(row),
    "mean": lambda row, _: sum(row) / len(row),
    "median": _median,
    "sd": lambda row, _: (sum((v - sum(row) / len(row)) ** 2 for v in row) / (len(row) - 1)) ** 0.5,
    "range": lambda row, _: max(row) - min(row),
    "auc": _auc,
    "slope": _slope,
    "time_of_min": _time_of_min,
    "speed_min": lambda row, _: min(smoothed(row, 0.3, 1)),
    "speed_max": lambda row, _: max(smoothed(row, 0.3, 1)),
    "mean_speed_to_min": _mean_speed,
    "latency_threshold": _crossing,
    "latency_acceleration": _bend,
}
OPTIONS = {"latency_acceleration": {"smooth_s": 0.5}}


@pytest.mark.parametrize("width", [270, 271])
@pytest.mark.parametrize("name", [*LOOPS])
def test_a_statistic_is_that_of_a_loop_over_recordings(name: str, width: int) -> None:
    values = windows(width)
    expected = [LOOPS[name](row, float(first)) for row, first in zip(values, FIRST_S, strict=True)]
    assert np.allclose(computed(name, values, **OPTIONS.get(name, {})), expected, rtol=1e-9, atol=1e-9)


def test_every_statistic_is_verified() -> None:
    assert {*LOOPS, "time_constant"} == set(STATISTICS)


@pytest.mark.parametrize("name", sorted(set(LOOPS) - {"median"}))
def test_a_window_shorter_than_what_is_smoothed_has_the_value_of_one_parabola(name: str) -> None:
    values = windows(7)
    found = computed(name, values, **OPTIONS.get(name, {}))
    assert np.isfinite(found).all()
    if name == "speed_min":
        fits = [np.polynomial.Polynomial.fit(np.arange(7) * STEP_S, row, 2).deriv() for row in values]
        assert np.allclose(found, [min(fit(0), fit(6 * STEP_S)) for fit in fits])


# -- moments -----------------------------------------------------------------------------------------------------------


def test_no_response_is_a_latency_as_long_as_the_window() -> None:
    flat = np.full((2, 151), 0.3)
    for name in ("latency_threshold", "latency_acceleration"):
        assert computed(name, flat) == pytest.approx(FIRST_S[:2] + 5.0)


def test_a_pupil_that_is_below_the_threshold_from_the_start_has_the_latency_of_the_first_sample() -> None:
    ramp = np.linspace(-10, -30, 151)[None]
    assert computed("latency_threshold", ramp, np.array([0.02])) == pytest.approx([0.02])


def test_a_blink_before_the_response_is_not_taken_for_it() -> None:
    time = np.arange(151) * STEP_S
    response = -40 * np.clip((time - 0.8) / 1.5, 0, 1)
    blink = response - 20 * ((time > 0.2) & (time < 0.35))
    clean, hit = computed("latency_threshold", np.stack([response, blink]), np.zeros(2))
    # 5 of 40 % are an eighth of 1.5 s
    assert clean == pytest.approx(0.8 + 1.5 / 8, abs=0.02)
    assert hit == pytest.approx(clean, abs=1e-9)


def test_a_dilation_in_the_place_of_a_constriction_has_no_speed_of_constriction_and_no_latency() -> None:
    rise = np.linspace(0, 30, 151)[None]
    assert computed("speed_min", rise) == pytest.approx([6.0])
    assert computed("mean_speed_to_min", rise).tolist() == [0.0]
    assert computed("latency_threshold", rise, np.zeros(1)) == pytest.approx([5.0])
    assert computed("latency_acceleration", rise, np.zeros(1)) == pytest.approx([5.0])


def test_parabolas_keep_the_speed_of_a_parabola() -> None:
    time = np.arange(100) * STEP_S
    assert computed("speed_max", (3 * time**2)[None]) == pytest.approx([6 * time[-1]])


# -- the time constant -------------------------------------------------------------------------------------------------


def returning(tau: float, width: int = 271) -> Row:
    return -2 - 30 * np.exp(-np.arange(width) * STEP_S / tau)


@pytest.mark.parametrize("tau", [0.25, 0.5, 1.3, 1.9, 2.3, 4.3, 9.0, 18.0])
def test_the_time_constant_of_an_exponential_is_found(tau: float) -> None:
    assert computed("time_constant", returning(tau)[None]) == pytest.approx([tau], rel=0.003)


def test_it_is_that_of_huber_weights_and_a_search_recording_by_recording() -> None:
    """scipy's bounded search over tau, a weighted line by lstsq inside, the same three rounds of weights."""
    rng = np.random.default_rng(1)
    rows = np.stack([returning(tau) for tau in (0.8, 1.5, 2.2, 4.0)]) + rng.normal(0, 0.7, (4, 271))
    rows[1, 40:46] -= 25  # a blink that was left in
    found = computed("time_constant", rows)
    for row, value in zip(rows, found, strict=True):
        assert value == pytest.approx(_huber(row), rel=0.01)


def _huber(row: Row) -> float:
    time, weights = np.arange(len(row)) * STEP_S, np.ones(len(row))

    def line(log_tau: float) -> tuple[float, Row]:
        design = np.stack([np.ones(len(row)), np.exp(-time / np.exp(log_tau))], axis=1)
        root = np.sqrt(weights)
        coefficients = np.linalg.lstsq(design * root[:, None], row * root, rcond=None)[0]
        residual = row - design @ coefficients
        return float((weights * residual**2).sum()), residual

    best = 0.0
    for _ in range(4):
        best = minimize_scalar(
            lambda x: line(x)[0], bounds=(np.log(0.2), np.log(20)), method="bounded", options={"xatol": 1e-6}
        ).x
        size = np.abs(line(best)[1])
        weights = np.minimum(1, 1.345 * 1.4826 * np.median(size) / size)
    return float(np.exp(best))


def test_a_blink_that_was_left_in_moves_the_time_constant_less_than_it_moves_least_squares() -> None:
    rng = np.random.default_rng(2)
    clean = returning(2.0)[None] + rng.normal(0, 0.7, (1, 271))
    hit = clean.copy()
    hit[0, 60:66] -= 40
    time = np.arange(271) * STEP_S

    def squares(log_tau: float) -> float:
        design = np.stack([np.ones(271), np.exp(-time / np.exp(log_tau))], axis=1)
        return float(np.linalg.lstsq(design, hit[0], rcond=None)[1][0])

    plain = np.exp(minimize_scalar(squares, bounds=(np.log(0.2), np.log(20)), method="bounded").x)
    robust, usual = computed("time_constant", hit)[0], computed("time_constant", clean)[0]
    assert abs(robust - usual) < 0.2 * abs(plain - usual)


@pytest.mark.parametrize("row", [np.full(271, -5.0), np.linspace(0, -20, 271), -20 + returning(2.0)[::-1]])
def test_a_pupil_that_does_not_return_has_the_longest_time_constant(row: Row) -> None:
    """Flat, or constricting on: no exponential of positive size fits better than none."""
    found = computed("time_constant", row[None])
    assert found == pytest.approx([20.0]), found


def test_the_time_constant_stays_within_its_options() -> None:
    rows = np.stack([returning(0.05), returning(60.0)])
    assert computed("time_constant", rows, shortest_s=0.3, longest_s=10.0) == pytest.approx([0.3, 10.0], rel=0.05)
