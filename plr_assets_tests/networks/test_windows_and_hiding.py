"""Windows come apart and together without loss; hidden samples are as many, and as often hidden, as they should."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plr_assets.networks.hiding import every_sample_once, random_runs
from plr_assets.networks.windows import Windows


@given(st.integers(1, 4), st.integers(1, 70), st.integers(1, 40))
def test_joining_undoes_cutting_and_padding_stands_only_at_the_ends(n: int, samples: int, length: int) -> None:
    signals = np.arange(1, n * samples + 1, dtype=np.float32).reshape(n, samples)
    windows = Windows(length)
    cut = windows.cut(signals, -1.0)
    assert cut.shape == (n * windows.count(samples), length)
    assert cut.dtype == signals.dtype
    assert np.array_equal(windows.join(cut, samples), signals)
    for row in cut.reshape(n, -1):
        real = np.flatnonzero(row != -1)
        before, after = real[0], row.size - 1 - real[-1]
        assert real.size == samples == real[-1] - real[0] + 1
        assert before + after < length
        assert after - before in (0, 1)


@pytest.mark.parametrize(("length", "count", "before", "after"), [(512, 4, 33, 34), (100, 20, 9, 10)])
def test_a_published_recording_is_padded_as_published(length: int, count: int, before: int, after: int) -> None:
    observed = Windows(length).cut(np.ones((1, 1981), dtype=np.bool_), False)
    assert observed.shape == (count, length)
    (real,) = np.nonzero(observed.ravel())
    assert (real[0], observed.size - 1 - real[-1]) == (before, after)


@given(st.integers(1, 5), st.integers(1, 60), st.integers(2, 6), st.integers(1, 20))
def test_the_passes_together_hide_each_sample_exactly_once(rows: int, length: int, passes: int, block: int) -> None:
    patterns = list(every_sample_once((rows, length), passes, block))
    assert len(patterns) == passes
    assert all(pattern.shape == (rows, length) for pattern in patterns)
    assert np.array_equal(sum(pattern.astype(int) for pattern in patterns), np.ones((rows, length)))


@given(st.integers(2, 6), st.integers(1, 12))
def test_a_hidden_block_has_a_seen_block_on_either_side(passes: int, block: int) -> None:
    for pattern in every_sample_once((1, passes * block * 3), passes, block):
        blocks = pattern[0].reshape(-1, block)
        assert np.array_equal(blocks.all(axis=1), blocks.any(axis=1))
        hidden = blocks[:, 0]
        assert not (hidden[1:] & hidden[:-1]).any()


@given(st.integers(1, 600), st.floats(0.01, 0.95), st.integers(0, 9))
def test_runs_hide_at_least_the_share_and_no_more_than_a_run_above_it(length: int, share: float, seed: int) -> None:
    hidden = random_runs((3, length), share, np.random.default_rng(seed))
    assert hidden.shape == (3, length)
    count, longest = hidden.sum(axis=1), min(90, max(length // 2, 1))
    assert (count >= share * length).all()
    assert (count < share * length + longest).all()


def test_runs_are_as_long_as_artefacts_anywhere_in_the_window_and_repeat_with_the_seed() -> None:
    hidden = random_runs((4000, 512), 0.05, np.random.default_rng(0))
    assert np.array_equal(hidden, random_runs((4000, 512), 0.05, np.random.default_rng(0)))
    assert not np.array_equal(hidden, random_runs((4000, 512), 0.05, np.random.default_rng(1)))
    edges = np.diff(np.pad(hidden, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    lengths = np.flatnonzero((edges == -1).ravel()) - np.flatnonzero((edges == 1).ravel())
    assert 8 <= np.median(lengths) <= 14  # 10 as drawn; runs that meet are longer
    often = hidden.reshape(4000, 32, 16).mean(axis=(0, 2))  # by place in the window; edges are no exception
    assert often.max() < 1.3 * often.min()
