"""Windows that overlap: whole signals come back, and no seam is seen."""

from __future__ import annotations

import numpy as np
import pytest

from plr_assets.networks.overlap import OverlappingWindows

LENGTHS = [(200, 1981), (512, 1981), (160, 1981), (200, 40), (200, 200), (200, 201), (2, 7)]


@pytest.mark.parametrize(("length", "samples"), LENGTHS)
def test_every_sample_lies_in_two_windows_except_half_a_window_at_either_end(length: int, samples: int) -> None:
    windows = OverlappingWindows(length)
    there = windows.cut(np.tile(np.arange(1, samples + 1), (1, 1)), 0)[0]
    assert there.shape == (windows.count(samples), length)
    times = np.bincount(there[there > 0], minlength=samples + 1)[1:]
    assert times.min() >= 1
    assert times.max() <= 2
    single = np.flatnonzero(times == 1)
    if samples > length:
        assert ((single < length // 2) | (single >= samples - length // 2)).all()


@pytest.mark.parametrize(("length", "samples"), LENGTHS)
def test_what_is_rebuilt_perfectly_comes_back_bit_for_bit(length: int, samples: int) -> None:
    signal = np.random.default_rng(0).normal(0, 30, (3, samples)).astype(np.float32)
    windows = OverlappingWindows(length)
    back = windows.blend(windows.cut(signal, np.nan), samples)
    assert np.array_equal(back.astype(np.float32), signal)


def test_windows_that_differ_pass_into_each_other_without_a_step() -> None:
    """Constant windows far apart: no two neighbours differ by more than the bell's steepest slope allows."""
    windows, samples = OverlappingWindows(200), 1981
    apart = np.random.default_rng(1).choice([-1.0, 1.0], (1, windows.count(samples), 1)) * np.ones((1, 1, 200))
    blended = windows.blend(apart, samples)[0]
    assert blended.min() == pytest.approx(-1)
    assert blended.max() == pytest.approx(1)
    assert np.abs(np.diff(blended)).max() <= 2 * np.pi / 200


def test_a_window_counts_for_nothing_where_it_begins_and_ends() -> None:
    windows, samples = OverlappingWindows(100), 500
    one = np.zeros((1, windows.count(samples), 100))
    one[0, 3] = 1
    share = windows.blend(one, samples)[0]
    inside = np.flatnonzero(share)
    assert inside[-1] - inside[0] + 1 == 100
    assert share[inside[[0, -1]]].max() < 0.001
    assert share[inside[50]] > 0.999
