"""What networks that fill gaps are shown, what is hidden from them, and what they are asked."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from plr_assets.networks.filling import FillGaps, straight_lines
from plr_assets.networks.hiding import gaps
from plr_assets.networks.training import Examples

RNG = np.random.default_rng(0)


@given(st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_lines_are_those_of_interpolation(seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    signal, visible = rng.normal(size=(4, 30)).astype(np.float32), rng.random((4, 30)) > share
    lines = straight_lines(np.where(visible, signal, np.nan).astype(np.float32), visible)
    for row in range(4):
        if not visible[row].any():
            assert (lines[row] == 0).all()
            continue
        assert np.array_equal(lines[row, visible[row]], signal[row, visible[row]])
        expected = np.interp(np.arange(30), np.flatnonzero(visible[row]), signal[row, visible[row]])
        assert np.allclose(lines[row], expected, atol=1e-5)


def test_gaps_hold_blinks_and_losses_of_seconds_and_leave_half_a_window() -> None:
    runs = []
    for row in gaps((400, 200), 0.1, np.random.default_rng(1)):
        edges = np.diff(np.concatenate(([0], row.astype(int), [0])))
        runs.extend(np.flatnonzero(edges < 0) - np.flatnonzero(edges > 0))
        assert row.mean() >= 0.1
    assert np.mean(np.array(runs) <= 6) > 0.2
    assert np.mean(np.array(runs) >= 30) > 0.1
    alone = [row.sum() for row in gaps((400, 40), 0.01, np.random.default_rng(2))]
    assert max(alone) <= 20


def examples(recordings: int = 6, count: int = 3, length: int = 60) -> Examples:
    shape = (recordings * count, length)
    observed = np.ones(shape, dtype=np.bool_)
    # recording r lost samples 5 r .. 5 r + 4 of its window 1, and nothing else
    for r in range(recordings):
        observed[r * count + 1, 5 * r : 5 * r + 5] = False
    signal = RNG.normal(size=shape).astype(np.float32)
    return Examples(signal, observed, signal * 0, np.ones(shape, dtype=np.bool_))


def test_a_window_loses_what_another_recording_lost_in_the_same_seconds() -> None:
    cohort, objective = examples(), FillGaps(3, 1e-9)
    rows = np.tile(np.arange(len(cohort)), 40)
    hidden = objective.hide(cohort, rows, np.random.default_rng(0))
    extra = gaps(hidden.shape, 1e-9, np.random.default_rng(0)).any()
    assert extra  # one gap of its own at least, whatever the share
    lost = np.zeros((6, 60), dtype=np.bool_)
    for r in range(6):
        lost[r, 5 * r : 5 * r + 5] = True
    middle = hidden[rows % 3 == 1]
    assert all(any((window & donor).sum() == 5 for donor in lost) for window in middle)
    assert middle[:, :30].mean() > hidden[rows % 3 != 1][:, :30].mean() + 0.05


class Spy(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))

    def forward(self, signal: torch.Tensor, inside: torch.Tensor, visible: torch.Tensor) -> torch.Tensor:
        self.seen = (signal.detach(), inside, visible)
        return signal * self.weight


def test_values_that_are_hidden_or_were_rejected_are_not_shown() -> None:
    cohort, objective, rows = examples(), FillGaps(3, 0.2), np.arange(18)
    hidden = objective.hide(cohort, rows, np.random.default_rng(0))
    spy, other = Spy(), Spy()
    objective.loss(spy, cohort, rows, hidden)
    masked = hidden | ~cohort.observed
    changed = np.where(masked, np.float32(1e6), cohort.signal)
    objective.loss(other, Examples(changed, cohort.observed, cohort.target, cohort.valid), rows, hidden)
    for one, two in zip(spy.seen, other.seen, strict=True):
        assert torch.equal(one, two)
    assert np.array_equal(spy.seen[2].numpy() == 0, masked)


def test_the_hold_out_is_judged_by_the_absolute_error_of_what_is_hidden() -> None:
    cohort, objective, rows = examples(), FillGaps(3, 0.2), np.arange(18)
    hidden = objective.hide(cohort, rows, np.random.default_rng(0))
    visible = cohort.observed & ~hidden
    lines = straight_lines(cohort.signal, visible)
    expected = np.abs(lines - cohort.target)[~visible & visible.any(axis=1, keepdims=True)].mean()
    for batch_size in (4, 18):
        assert abs(objective.holdout_error(Spy(), cohort, hidden, batch_size) - expected) < 1e-5
