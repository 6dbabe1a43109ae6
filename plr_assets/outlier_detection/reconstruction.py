"""Detectors that rebuild the pupil and look at what does not fit: what TimesNet, MOMENT and UniTS have in common.

Belongs here: windows of development recordings to learn from, scores from what a network rebuilds, the threshold.
Does not belong here: a network (`networks`, `pretrained`), or the loop that trains one (`networks.training`).

A score is the square of the difference between the recording and what the network rebuilds there, in units of the
recording's own noise. What a network sees it can copy, outliers too: one that was not trained on artefacts rebuilds
each block of samples from the others (`passes`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from plr_assets.networks.hiding import every_sample_once
from plr_assets.networks.method import NetworkMethod
from plr_assets.networks.seeding import device, reproducible
from plr_assets.networks.training import Examples, forward, train
from plr_assets.networks.windows import Windows
from plr_assets.outlier_detection.artefact_share import Source
from plr_assets.outlier_detection.base import Detector
from plr_assets.outlier_detection.thresholds import f1_optimal_threshold, quantile_threshold
from plr_assets.recordings.table import Mask, Recordings, Signal

# A recording's own noise is the median of what does not fit, and at least this share of the development recordings'
# usual one: a recording without noise (repeated values) would else be nothing but outliers.
_LEAST_NOISE = 0.25


@dataclass(eq=False, kw_only=True)
class ReconstructionDetector(NetworkMethod, Detector):
    """Learns to rebuild ground truth from development recordings, and flags what differs from what it rebuilds.

    The hold-out stops the training and sets the threshold.

    learn_from      what the network sees while it learns: the `recording` as the device gave it, or `ground_truth`.
    passes, block   a recording is rebuilt `passes` times; each time every `passes`-th block of `block` samples is
                    hidden, and rebuilt from the rest. 0 passes: once, nothing hidden, as published.
    threshold       `f1-optimal`: the best F1 against the human masks of the hold-out; `quantile`: flags as many.
    artefact_share_without_masks   the share for `quantile` where no human looked at the development recordings.
    """

    learn_from: Literal["recording", "ground_truth"] = "recording"
    passes: int = 4
    block: int = 24
    threshold: Literal["f1-optimal", "quantile"] = "f1-optimal"
    artefact_share_without_masks: float = 0.0766
    noise_: float = field(init=False)
    threshold_: float = field(init=False)
    threshold_source_: Source = field(init=False)

    def _fit(self, development: Recordings) -> None:
        self._check()
        self._require_truth(development)
        training, holdout = self._split(development)
        self._learn_scale(development.pupil[training])
        with reproducible(self._seed_for("train")):
            self.network_ = self._build().to(device())
            self.epoch_ = self._train(development.take(training), development.take(holdout)) if self.epochs else 0
        self.network_.eval()
        self._set_threshold(development.take(holdout))

    def _train(self, training: Recordings, holdout: Recordings) -> int:
        """The epoch whose weights were kept."""
        order = self._seed_for("order")
        return train(self.network_, self._examples(training), self._examples(holdout), self._schedule, order).epoch

    def _check(self) -> None:
        super()._check()
        self._require("block", self.block >= 1, "must be 1 or more")
        self._require("passes", self.passes == 0 or self.passes >= 2, "0, or at least 2: one pass would hide all")
        self._require("artefact_share_without_masks", 0 <= self.artefact_share_without_masks < 1, "must be in [0, 1)")
        for name, words in (("threshold", ("f1-optimal", "quantile")), ("learn_from", ("recording", "ground_truth"))):
            self._require(name, getattr(self, name) in words, f"must be {' or '.join(words)}")

    def _examples(self, recordings: Recordings) -> Examples:
        windows = Windows(self.window)
        assert recordings.truth is not None  # noqa: S101 - `_fit` has checked
        target = windows.cut(self._standardised(recordings.truth), 0.0)
        valid = windows.cut(np.ones(recordings.pupil.shape, dtype=np.bool_), False)
        if self.learn_from == "ground_truth":
            return Examples(target, valid, target, valid)
        signal = windows.cut(self._standardised(recordings.pupil), 0.0)
        return Examples(np.nan_to_num(signal), windows.cut(~recordings.dropout, False), target, valid)

    def _set_threshold(self, holdout: Recordings) -> None:
        residual, observed = self._residuals(holdout), ~holdout.dropout
        self.noise_ = float(np.median([_noise(residual[row, seen]) for row, seen in enumerate(observed) if seen.any()]))
        scores = self._from_residuals(residual, observed)
        looked = holdout.reviewed[:, None] & observed
        if holdout.artefact is None or not (holdout.artefact & looked).any():
            self.threshold_source_ = "declared"
            self.threshold_ = quantile_threshold(scores, observed, self.artefact_share_without_masks)
            return
        self.threshold_source_ = "development"
        if self.threshold == "f1-optimal":
            self.threshold_ = f1_optimal_threshold(scores, holdout.artefact, looked)
        else:
            share = float((holdout.artefact & looked).sum() / looked.sum())
            self.threshold_ = quantile_threshold(scores, looked, share)

    def _scores(self, blind: Recordings) -> NDArray[np.floating[Any]]:
        return self._from_residuals(self._residuals(blind), ~blind.dropout)

    def _residuals(self, recordings: Recordings) -> NDArray[np.float64]:
        """(n, T) recording minus what is rebuilt, in %."""
        return np.asarray(recordings.pupil - self.reconstruct(recordings), dtype=np.float64)

    def _from_residuals(self, residual: NDArray[np.float64], observed: Mask) -> NDArray[np.float64]:
        scores = np.zeros(residual.shape)
        for row, seen in enumerate(observed):
            values = residual[row, seen]
            # one repeated value has nothing that stands out, whatever a network would rather have seen
            if values.size and np.ptp(values) > 0:
                scores[row, seen] = (values / max(_noise(values), _LEAST_NOISE * self.noise_)) ** 2
        return scores

    def reconstruct(self, recordings: Recordings) -> Signal:
        """(n, T) float32, % change: what the network puts at each sample, from the samples it may see there."""
        windows = Windows(self.window)
        rebuilt = np.empty(recordings.pupil.shape, dtype=np.float32)
        with reproducible(0):
            for row in range(len(recordings)):
                # one recording at a time: what comes out depends on nothing but the recording
                signal = windows.cut(np.nan_to_num(self._standardised(recordings.pupil[[row]])), 0.0)
                observed = windows.cut(~recordings.dropout[[row]], False)
                rebuilt[row] = windows.join(self._rebuild(signal, observed), recordings.n_samples)[0]
        return rebuilt * np.float32(self.spread_) + np.float32(self.centre_)

    def _rebuild(self, signal: Signal, observed: Mask) -> Signal:
        """(k, L) standardised windows of one recording, rebuilt."""
        if self.passes == 0:
            return self._forward(signal, observed, observed)
        rebuilt = np.empty(signal.shape, dtype=np.float32)
        for hidden in every_sample_once((signal.shape[0], signal.shape[1]), self.passes, self.block):
            rebuilt[hidden] = self._forward(signal, observed, observed & ~hidden)[hidden]
        return rebuilt

    def _forward(self, signal: Signal, observed: Mask, visible: Mask) -> Signal:
        import torch

        with torch.no_grad():
            return np.asarray(forward(self.network_, signal, observed, visible).cpu().numpy(), dtype=np.float32)

    def _flag(self, scores: NDArray[np.float64]) -> Mask:
        return np.asarray(scores > self.threshold_)


def _noise(residual: NDArray[np.float64]) -> float:
    """Robust spread of what does not fit: artefacts are a small part of a recording that is worth scoring."""
    return float(np.median(np.abs(residual)))
