"""Imputers that fill gaps window by window: what SAITS, CSDI, TimesNet and MOMENT have in common.

Belongs here: windows of development recordings to learn from, blending, limits. Does not belong here: a network
(`networks`, `pretrained`), or what is hidden while it learns (`networks.filling`).

A gap longer than half a window has no room in one and is filled by a straight line; so is the part of a gap that only a
window with hardly a visible sample holds.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plr_assets.imputation.base import NORMAL_90, Imputer, Reconstruction
from plr_assets.networks.filling import FillGaps, fill, straight_lines
from plr_assets.networks.method import NetworkMethod
from plr_assets.networks.overlap import OverlappingWindows
from plr_assets.networks.seeding import device, reproducible
from plr_assets.networks.training import Examples, Objective, train
from plr_assets.recordings.gaps import gap_lengths
from plr_assets.recordings.table import Mask, Recordings, Signal
from plr_assets.seeds import generator

# A window with fewer visible samples than this share says next to nothing about what it hides.
_LEAST_VISIBLE = 0.1
# Draws that agree better than this share of the cohort's spread are not thereby right.
_LEAST_SPREAD = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class Gapped:
    """One recording as windows (count, L), standardised; `used` are those a network is to fill.

    signal    any value where not visible.    inside   within the recording.    lines   straight ones, of the recording.
    """

    signal: Signal
    inside: Mask
    visible: Mask
    lines: Signal
    used: NDArray[np.intp]


@dataclass(eq=False, kw_only=True)
class WindowedImputer(NetworkMethod, Imputer):
    """Learns on development recordings to fill gaps with ground truth; the hold-out stops it and sizes the limits.

    window          even: windows overlap by half.
    hidden_share    of a window, besides what the human and the device (and another recording's) hide of it.
    draws           fillings that limits are taken from; 0: no limits.
    """

    batch_size: int = 32
    hidden_share: float = 0.1
    draws: int = 0
    line_error_: float = field(init=False)
    error_: float = field(init=False)
    stretch_: float = field(init=False)

    def _objective(self, count: int) -> Objective:
        """What it is trained for; `count` windows make a recording."""
        return FillGaps(count, self.hidden_share)

    def _fill_and_draw(self, gapped: Gapped, limits: bool) -> tuple[Signal, Signal | None]:  # noqa: ARG002
        """As `_fill`, and `draws` such fillings (draws, len(used), L) where `limits` are asked for and the method has
        some; random as torch's generator is set."""
        return self._fill(gapped), None

    def _fill(self, gapped: Gapped) -> Signal:
        """(len(used), L) the windows a network is to fill, rebuilt, standardised."""
        import torch

        used = gapped.used
        with torch.no_grad():
            rebuilt = fill(self.network_, gapped.signal[used], gapped.inside[used], gapped.visible[used])
        return np.asarray(rebuilt.cpu().numpy(), dtype=np.float32)

    def _fit(self, development: Recordings) -> None:
        self._check()
        self._require_truth(development)
        self._learn_scale(development.pupil)
        self.line_error_, self.epoch_, self.error_, self.stretch_ = 1.0, 0, 0.0, 1.0
        with reproducible(self._seed_for("train")):
            if self.epochs:
                self._train(*(development.take(rows) for rows in self._split(development)))
            else:
                self.network_ = self._build().to(device())
        self.network_.eval()

    def _train(self, training: Recordings, holdout: Recordings) -> None:
        count = OverlappingWindows(self.window).count(training.n_samples)
        examples = self._examples(training)
        self.line_error_ = _error_of_lines(examples)
        self.network_ = self._build().to(device())
        held, order = self._examples(holdout), self._seed_for("order")
        fitted = train(self.network_, examples, held, self._schedule, order, objective=self._objective(count))
        self.epoch_, self.error_ = fitted.epoch, fitted.error * self.spread_
        if self.draws:
            self.stretch_ = self._stretch(holdout)

    def _stretch(self, holdout: Recordings) -> float:
        """What limits have to be stretched by so that 90 % of the hold-out's hidden samples lie within."""
        assert holdout.truth is not None  # noqa: S101 - `_fit` has checked
        objective = FillGaps(1, self.hidden_share)
        mask = holdout.dropout | (False if holdout.artefact is None else holdout.artefact)
        examples = Examples(holdout.pupil, ~mask, holdout.truth, np.ones_like(mask))
        rng = generator(self.seed, type(self).__name__, "limits")
        mask |= objective.hide(examples, np.arange(len(holdout)), rng)
        found = self.reconstruct_with_limits(holdout, mask)
        assert found.upper is not None  # noqa: S101 - it has draws
        error = np.abs(holdout.truth - found.signal)[mask]
        return float(np.quantile(error / (found.upper - found.signal)[mask], 0.9))

    def _check(self) -> None:
        super()._check()
        self._require("window", self.window % 2 == 0, "must be even: windows overlap by half")
        self._require("draws", self.draws == 0 or self.draws >= 2, "0, or at least 2: one draw has no spread")

    def _examples(self, recordings: Recordings) -> Examples:
        """Windows of recordings; what a human rejected is not observed."""
        assert recordings.truth is not None  # noqa: S101 - `_fit` has checked
        seen = ~recordings.dropout & (True if recordings.artefact is None else ~recordings.artefact)

        def cut(array: NDArray[Any]) -> NDArray[Any]:
            return OverlappingWindows(self.window).cut(array, 0).reshape(-1, self.window)

        return Examples(
            cut(np.nan_to_num(self._standardised(recordings.pupil))),
            cut(seen),
            cut(self._standardised(recordings.truth)),
            cut(np.ones_like(seen)),
        )

    def _reconstruct(self, hidden: Recordings) -> Signal:
        values = np.empty(hidden.pupil.shape, dtype=np.float32)
        for row, pupil in enumerate(hidden.pupil):
            values[row] = self._one(pupil, limits=False)[0]
        return values

    def _reconstruct_with_limits(self, hidden: Recordings) -> Reconstruction:
        if not self.draws:
            return Reconstruction(self._reconstruct(hidden))
        signal, half = np.empty(hidden.pupil.shape, np.float32), np.empty(hidden.pupil.shape, np.float32)
        for row, pupil in enumerate(hidden.pupil):
            signal[row], half[row] = self._one(pupil, limits=True)
        return Reconstruction(signal, signal - half, signal + half)

    def _one(self, pupil: Signal, limits: bool) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(T,) one recording, filled, and half the length of its intervals (0 without), both in %.

        What comes out depends on nothing but the recording.
        """
        gapped = self._gapped(pupil)
        half = np.full(pupil.shape, NORMAL_90 * self.line_error_ * self.spread_)
        if not gapped.used.size:
            return self._in_percent(gapped, gapped.lines, pupil), half
        with reproducible(self._seed_for(hashlib.sha256(pupil.tobytes()).hexdigest())):
            filled, draws = self._fill_and_draw(gapped, limits)
        signal = self._in_percent(gapped, self._with(gapped, filled), pupil)
        if draws is not None:
            drawn = [self._in_percent(gapped, self._with(gapped, draw), pupil) for draw in draws]
            spread = np.std(drawn, axis=0, ddof=1)
            # where no network has filled, draws do not differ: the usual error of a line is what is known
            spread = np.maximum(spread, _LEAST_SPREAD * self.spread_)
            half = np.where(np.ptp(drawn, axis=0) > 0, NORMAL_90 * self.stretch_ * spread, half)
        return signal, half

    def _gapped(self, pupil: Signal) -> Gapped:
        windows = OverlappingWindows(self.window)
        visible = ~np.isnan(pupil)[np.newaxis]
        signal = np.nan_to_num(self._standardised(pupil[np.newaxis]))
        asked = ~visible & ~_long_gaps(visible[0], self.window // 2)
        cut = {
            "signal": windows.cut(signal, 0)[0],
            "inside": windows.cut(np.ones_like(visible), False)[0],
            "visible": windows.cut(visible, False)[0],
            "lines": windows.cut(straight_lines(signal, visible), 0)[0],
        }
        enough = cut["visible"].sum(axis=1) >= _LEAST_VISIBLE * self.window
        return Gapped(**cut, used=np.flatnonzero(windows.cut(asked, False)[0].any(axis=1) & enough))

    def _with(self, gapped: Gapped, filled: Signal) -> Signal:
        windows = gapped.lines.copy()
        windows[gapped.used] = filled
        return windows

    def _in_percent(self, gapped: Gapped, windows: Signal, pupil: Signal) -> NDArray[np.float64]:
        blended = OverlappingWindows(self.window).blend(windows[np.newaxis], pupil.size)[0]
        long = _long_gaps(~np.isnan(pupil), self.window // 2)
        if long.any():
            blended[long] = OverlappingWindows(self.window).blend(gapped.lines[np.newaxis], pupil.size)[0, long]
        return np.asarray(blended * self.spread_ + self.centre_)


def _long_gaps(visible: NDArray[np.bool_], longest: int) -> NDArray[np.bool_]:
    """(T,) samples of gaps that are longer than `longest`."""
    long = ~visible
    long[long] = gap_lengths(long[np.newaxis]) > longest
    return long


def _error_of_lines(examples: Examples) -> float:
    """Root mean square of what straight lines miss where development recordings have gaps; 1 where they have none."""
    missed = (examples.target - straight_lines(examples.signal, examples.observed))[
        examples.valid & ~examples.observed & examples.observed.any(axis=1, keepdims=True)
    ]
    return float(np.sqrt(np.square(missed, dtype=np.float64).mean())) if missed.size else 1.0
