"""Imputers that fill gaps window by window: what SAITS, CSDI, TimesNet and MOMENT have in common.

Belongs here: windows of development recordings to learn from, blending, limits. Does not belong here: a network
(`networks`, `pretrained`), or what is hidden while it learns (`networks.filling`).

A gap longer than half a window has no room in one and is filled by a straight line; so is the part of a gap that only a
window with hardly a visible sample holds.
"""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from plr_assets.errors import DataError
from plr_assets.estimator import IN_ITS_OWN_FILE
from plr_assets.imputation.base import Imputer, Reconstruction
from plr_assets.networks.files import load_network, save_network
from plr_assets.networks.filling import FillGaps, fill, straight_lines
from plr_assets.networks.holdout import split_by_subject
from plr_assets.networks.overlap import OverlappingWindows
from plr_assets.networks.seeding import device, reproducible
from plr_assets.networks.training import Examples, Objective, Schedule, train
from plr_assets.recordings.table import Mask, Recordings, Signal
from plr_assets.seeds import generator, integer_seed

if TYPE_CHECKING:
    import torch

# A window with fewer visible samples than this share says next to nothing about what it hides.
_LEAST_VISIBLE = 0.1
# 5 % and 95 % of a normal distribution lie this many standard deviations from its mean.
_NORMAL_90 = 1.6449
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
class WindowedImputer(Imputer):
    """Learns on development recordings to fill gaps with ground truth.

    window          samples; even. Windows overlap by half.
    epochs, patience, batch_size, learning_rate, weight_decay   see `networks.training.Schedule`.
    hidden_share    of a window, besides what the human and the device (and another recording's) hide of it.
    holdout_share   share of the development subjects that only stop the training and size the limits.
    draws           fillings that limits are taken from; 0: no limits.
    """

    window: int
    epochs: int = 10
    patience: int = 3
    batch_size: int = 32
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    hidden_share: float = 0.1
    holdout_share: float = 0.2
    draws: int = 0
    seed: int = 0
    centre_: float = field(init=False)
    spread_: float = field(init=False)
    line_error_: float = field(init=False)
    epoch_: int = field(init=False)
    error_: float = field(init=False)
    stretch_: float = field(init=False)
    network_: Any = field(init=False, metadata=IN_ITS_OWN_FILE)

    @abstractmethod
    def _build(self) -> torch.nn.Module:
        """The network, untrained; `line_error_` is known."""

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
        if self.epochs and development.truth is None:
            raise DataError(
                "development recordings",
                f"{type(self).__name__} learns from ground truth, and they have none.",
                "Leave the method out of the study, or import recordings with ground truth.",
            )
        name = type(self).__name__
        self.centre_ = float(np.nanmean(development.pupil, dtype="f8"))
        self.spread_ = float(np.nanstd(development.pupil, dtype="f8"))
        self.line_error_, self.epoch_, self.error_, self.stretch_ = 1.0, 0, 0.0, 1.0
        with reproducible(integer_seed(self.seed, name, "train")):
            if self.epochs:
                split = split_by_subject(
                    development.subject, self.holdout_share, generator(self.seed, name, "holdout"), name
                )
                self._train(*(development.take(rows) for rows in split))
            else:
                self.network_ = self._build().to(device())
        self.network_.eval()

    def _train(self, training: Recordings, holdout: Recordings) -> None:
        count = OverlappingWindows(self.window).count(training.n_samples)
        examples = self._examples(training)
        self.line_error_ = _error_of_lines(examples)
        self.network_ = self._build().to(device())
        schedule = Schedule(
            self.epochs, self.patience, self.batch_size, self.learning_rate, weight_decay=self.weight_decay
        )
        order = integer_seed(self.seed, type(self).__name__, "order")
        held = self._examples(holdout)
        fitted = train(self.network_, examples, held, schedule, order, objective=self._objective(count))
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
        self._require("window", self.window >= 2 and self.window % 2 == 0, "must be even: windows overlap by half")
        self._require("batch_size", self.batch_size >= 1, "must be 1 or more")
        self._require("epochs", self.epochs >= 0, "must be 0 (use the weights as they come) or more")
        self._require("patience", self.patience >= 1, "at least one epoch without a better one has to be allowed")
        self._require("holdout_share", 0 < self.holdout_share < 1, "must be between 0 and 1")
        self._require("hidden_share", 0 < self.hidden_share < 1, "must be between 0 and 1")
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

    def _standardised(self, signal: Signal) -> Signal:
        return np.asarray((signal - np.float32(self.centre_)) / np.float32(self.spread_), dtype=np.float32)

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
        half = np.full(pupil.shape, _NORMAL_90 * self.line_error_ * self.spread_)
        if not gapped.used.size:
            return self._in_percent(gapped, gapped.lines, pupil), half
        with reproducible(self._seed_of(pupil)):
            filled, draws = self._fill_and_draw(gapped, limits)
        signal = self._in_percent(gapped, self._with(gapped, filled), pupil)
        if draws is not None:
            drawn = [self._in_percent(gapped, self._with(gapped, draw), pupil) for draw in draws]
            spread = np.std(drawn, axis=0, ddof=1)
            # where no network has filled, draws do not differ: the usual error of a line is what is known
            spread = np.maximum(spread, _LEAST_SPREAD * self.spread_)
            half = np.where(np.ptp(drawn, axis=0) > 0, _NORMAL_90 * self.stretch_ * spread, half)
        return signal, half

    def _seed_of(self, pupil: Signal) -> int:
        return integer_seed(self.seed, type(self).__name__, hashlib.sha256(pupil.tobytes()).hexdigest())

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

    def save(self, folder: Path) -> None:
        super().save(folder)
        save_network(self.network_, folder)

    @classmethod
    def _read(cls, folder: Path) -> Self:
        """All but the network."""
        return super().load(folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        imputer = cls._read(folder)
        imputer.network_ = load_network(imputer._build().to(device()), folder)
        return imputer


def _long_gaps(visible: NDArray[np.bool_], longest: int) -> NDArray[np.bool_]:
    """(T,) samples of gaps that are longer than `longest`."""
    edges = np.diff(np.concatenate(([True], visible, [True])).astype(np.int8))
    long = np.zeros_like(visible)
    for first, end in zip(np.flatnonzero(edges < 0), np.flatnonzero(edges > 0), strict=True):
        long[first:end] = end - first > longest
    return long


def _error_of_lines(examples: Examples) -> float:
    """Root mean square of what straight lines miss where development recordings have gaps; 1 where they have none."""
    missed = (examples.target - straight_lines(examples.signal, examples.observed))[
        examples.valid & ~examples.observed & examples.observed.any(axis=1, keepdims=True)
    ]
    return float(np.sqrt(np.square(missed, dtype=np.float64).mean())) if missed.size else 1.0
