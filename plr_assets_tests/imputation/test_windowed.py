"""Imputers that work in windows: seams, room, limits."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from plr_assets.errors import ConfigError
from plr_assets.imputation.base import Reconstruction
from plr_assets.imputation.linear import LinearInterpolation
from plr_assets.imputation.mean import mean_of_members, mean_with_limits
from plr_assets.imputation.saits import SAITSImputer
from plr_assets.imputation.windowed import Gapped, WindowedImputer
from plr_assets.recordings.table import Signal
from plr_assets_tests.builders import make_recordings

RECORDINGS = make_recordings(3)
assert RECORDINGS.artefact is not None
MASK = RECORDINGS.dropout | RECORDINGS.artefact


class Lines(torch.nn.Module):
    """A network that has learned nothing."""

    def __init__(self, offset: float) -> None:
        super().__init__()
        self.offset = torch.nn.Parameter(torch.tensor(offset), requires_grad=False)

    def forward(self, signal: torch.Tensor, inside: torch.Tensor, visible: torch.Tensor) -> torch.Tensor:  # noqa: ARG002
        return signal + self.offset


@dataclass(eq=False, kw_only=True)
class Untrained(WindowedImputer):
    window: int = 200
    epochs: int = 0
    offset: float = 0.0

    def _build(self) -> torch.nn.Module:
        return Lines(self.offset)


@dataclass(eq=False, kw_only=True)
class Perfect(Untrained):
    """Rebuilds one given signal: the sine of every window's place."""

    def _fill_and_draw(self, gapped: Gapped, limits: bool) -> tuple[Signal, Signal | None]:  # noqa: ARG002
        return self.answer[gapped.used], None


def test_a_network_that_has_learned_nothing_fills_as_linear_does_within_windows() -> None:
    mask = MASK.copy()
    mask[:, 600:640] = True
    found = Untrained().fit(RECORDINGS).reconstruct(RECORDINGS, mask)
    line = LinearInterpolation().reconstruct(RECORDINGS, mask)
    # a window that ends within a gap holds a line of its own there, so only gaps within both their windows are equal
    assert np.nanmedian(np.abs(found - line)) < 1e-4
    assert np.allclose(found[:, 620], line[:, 620], atol=1e-3)


def test_a_signal_that_is_rebuilt_perfectly_comes_back() -> None:
    from plr_assets.networks.overlap import OverlappingWindows

    imputer = Perfect().fit(RECORDINGS)
    assert RECORDINGS.truth is not None
    wanted = (RECORDINGS.truth[0] - np.float32(imputer.centre_)) / np.float32(imputer.spread_)
    imputer.answer = OverlappingWindows(200).cut(wanted[np.newaxis], 0)[0]
    found = imputer.reconstruct(RECORDINGS.take([0]), MASK[[0]])
    assert np.allclose(found[MASK[[0]]], RECORDINGS.truth[[0]][MASK[[0]]], atol=1e-4)


def test_gaps_without_room_in_a_window_are_straight_lines_and_others_are_not() -> None:
    assert RECORDINGS.truth is not None
    whole, mask = replace(RECORDINGS, pupil=RECORDINGS.truth), np.zeros_like(MASK)
    mask[:, 500:601] = True
    mask[:, 900:1000] = True
    found = Untrained(offset=1.0).fit(whole).reconstruct(whole, mask)
    line = LinearInterpolation().reconstruct(whole, mask)
    assert np.allclose(found[:, 500:601], line[:, 500:601], atol=1e-4)
    assert (np.abs(found - line)[:, 940:960] > 5).all()


def test_the_filling_of_a_gap_has_no_seam_where_windows_meet() -> None:
    """With an offset that every window adds, a gap across a window's end is as smooth as its line."""
    flat = replace(RECORDINGS, pupil=np.full_like(RECORDINGS.pupil, -10.0))
    mask = np.zeros_like(MASK)
    mask[:, 450:540] = True
    found = Untrained(offset=0.5).fit(RECORDINGS).reconstruct(flat, mask)[:, 450:540]
    assert np.ptp(found, axis=1).max() < 1e-4


def test_random_draws_follow_from_the_recording_and_widen_limits_where_lines_are_wrong() -> None:
    small = {"n_layers": 1, "d_model": 8, "n_heads": 2, "d_k": 4, "d_v": 4, "d_ffn": 8}
    imputer = SAITSImputer(window=80, epochs=1, draws=3, dropout=0.3, **small).fit(make_recordings(4, seed=1))
    found = imputer.reconstruct_with_limits(RECORDINGS, MASK)
    torch.manual_seed(5)
    again = imputer.reconstruct_with_limits(RECORDINGS.take([2, 0, 1]), MASK[[2, 0, 1]])
    assert found.upper is not None
    assert again.upper is not None
    assert np.array_equal(again.upper, found.upper[[2, 0, 1]], equal_nan=True)
    assert np.ptp((found.upper - found.signal)[MASK]) > 0


@pytest.mark.parametrize(
    ("parameters", "named"), [({"window": 81}, "window"), ({"draws": 1}, "draws"), ({"epochs": 0}, "epochs")]
)
def test_parameters_that_cannot_be_are_refused_by_name(parameters: dict[str, int], named: str) -> None:
    with pytest.raises(ConfigError, match=f"SAITSImputer: {named}"):
        SAITSImputer(**parameters).fit(RECORDINGS)


def limited(value: float, half: float | None) -> Reconstruction:
    signal = np.full((1, 4), value, dtype=np.float32)
    return Reconstruction(signal) if half is None else Reconstruction(signal, signal - half, signal + half)


def test_limits_of_an_ensemble_hold_the_members_own_and_their_disagreement() -> None:
    agreeing = mean_with_limits([limited(1, 2), limited(1, 2)])
    assert agreeing.upper is not None
    assert np.allclose(agreeing.upper, 3, atol=1e-5)
    apart = mean_with_limits([limited(-1, None), limited(1, None)])
    assert apart.upper is not None
    assert apart.lower is not None
    assert np.allclose(apart.upper, 1.6449, atol=1e-4)
    assert np.allclose(apart.lower, -1.6449, atol=1e-4)
    both = mean_with_limits([limited(-1, 2), limited(1, None)])
    assert both.upper is not None
    assert np.allclose(both.upper, np.hypot(2, 1.6449), atol=1e-4)
    assert np.array_equal(both.signal, mean_of_members([limited(-1, 2).signal, limited(1, None).signal]))


def test_one_member_keeps_its_own_limits_or_none() -> None:
    alone = limited(1, 2)
    assert mean_with_limits([alone]) is alone
    assert mean_with_limits([limited(1, None)]).lower is None
