"""Learning to fill gaps: straight lines to start from, what is hidden of development recordings, what is asked.

Belongs here: the `Objective` of networks that impute, and what they are shown. Does not belong here: a network, or an
imputer (`imputation`).

Networks are shown straight lines where samples are hidden, beside the flags that say so, and what they rebuild is
counted as a correction of those lines, as in PriSTI (Liu et al. 2023, arXiv 2302.09746): a network that has learned
nothing then fills as `linear` does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from plr_assets.networks.hiding import gaps
from plr_assets.networks.training import Examples
from plr_assets.recordings.table import Mask, Signal

if TYPE_CHECKING:
    import torch


def straight_lines(signal: Signal, visible: Mask) -> Signal:
    """(rows, length) float32: `signal` where `visible`, straight lines between, the nearest visible value at the ends.

    Rows without a visible sample are 0. What stands in `signal` elsewhere cannot matter.
    """
    rows, length = signal.shape
    index = np.broadcast_to(np.arange(length), (rows, length))
    before = np.maximum.accumulate(np.where(visible, index, -1), axis=1)
    after = np.minimum.accumulate(np.where(visible, index, length)[:, ::-1], axis=1)[:, ::-1]
    first, last = before < 0, after >= length
    before, after = np.where(first, after, before), np.where(last, before, after)
    known = np.where(visible, signal, np.float32(0)).astype(np.float64)
    blank = ~visible.any(axis=1, keepdims=True)
    before, after = np.where(blank, 0, before), np.where(blank, 0, after)
    left, right = np.take_along_axis(known, before, axis=1), np.take_along_axis(known, after, axis=1)
    part = (index - before) / np.maximum(after - before, 1)
    return np.where(visible, known, left + part * (right - left)).astype(np.float32)


def fill(network: torch.nn.Module, signal: Signal, inside: Mask, visible: Mask) -> torch.Tensor:
    """`network` as a `Reconstructor` of windows (B, L) with straight lines where they are hidden."""
    return network(*shown(network, signal, inside, visible))  # type: ignore[no-any-return]


def shown(
    network: torch.nn.Module, signal: Signal, inside: Mask, visible: Mask
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """What a network is shown of windows (B, L): lines, 1 within the recording, 1 where the signal is visible."""
    import torch

    place = next(network.parameters()).device
    return (
        torch.from_numpy(straight_lines(signal, visible)).to(place),
        torch.from_numpy(inside.astype(np.float32)).to(place),
        torch.from_numpy(visible.astype(np.float32)).to(place),
    )


@dataclass(frozen=True, slots=True)
class FillGaps:
    """Hides samples as masks fall, and asks for the ground truth there; judged by the mean absolute error.

    A window loses what a human rejected and the device lost of it, always; what another recording lost in the same
    seconds, so that gaps fall by light phase as they do in the cohort; and `gaps` of its own.

    count         windows of a recording.
    hidden_share  of the gaps.
    seen_weight   weight of the error at visible samples (SAITS's observed reconstruction task); 0: not asked.
    """

    count: int
    hidden_share: float
    seen_weight: float = 1.0

    def hide(self, examples: Examples, rows: NDArray[np.intp], rng: np.random.Generator) -> Mask:
        recordings = len(examples) // self.count
        others = rng.integers(recordings, size=len(rows)) * self.count + rows % self.count
        lost = examples.valid[others] & ~examples.observed[others]
        return np.asarray(lost | gaps((len(rows), examples.signal.shape[1]), self.hidden_share, rng))

    def loss(
        self, network: torch.nn.Module, examples: Examples, rows: NDArray[np.intp], hidden: Mask
    ) -> torch.Tensor | None:
        visible, asked = self._asked(examples, rows, hidden)
        if not asked.any():
            return None
        *early, last = _stages(network, examples, rows, visible)
        loss = _error(last, examples, rows, asked)
        if self.seen_weight and visible.any():
            stages = [*early, last]
            seen = [_error(stage, examples, rows, visible) for stage in stages]
            loss = loss + self.seen_weight * sum(seen[1:], seen[0]) / len(stages)
        return loss

    def holdout_error(self, network: torch.nn.Module, examples: Examples, hidden: Mask, batch_size: int) -> float:
        import torch

        network.eval()
        total, count = 0.0, 0
        with torch.no_grad():
            for first in range(0, len(examples), batch_size):
                rows = np.arange(first, min(first + batch_size, len(examples)))
                visible, asked = self._asked(examples, rows, hidden[rows])
                if asked.any():
                    rebuilt = self._rebuilt(network, examples, rows, visible)
                    total += float(_error(rebuilt, examples, rows, asked)) * int(asked.sum())
                    count += int(asked.sum())
        return total / max(count, 1)

    def _rebuilt(
        self, network: torch.nn.Module, examples: Examples, rows: NDArray[np.intp], visible: Mask
    ) -> torch.Tensor:
        """(rows, length): what is judged."""
        return _stages(network, examples, rows, visible)[-1]

    def _asked(self, examples: Examples, rows: NDArray[np.intp], hidden: Mask) -> tuple[Mask, Mask]:
        """Samples that are visible, and those that are asked for; of windows with nothing visible, none."""
        visible = examples.observed[rows] & ~hidden
        return visible, examples.valid[rows] & ~visible & visible.any(axis=1, keepdims=True)


def _stages(
    network: torch.nn.Module, examples: Examples, rows: NDArray[np.intp], visible: Mask
) -> tuple[torch.Tensor, ...]:
    """What the network rebuilds, and before it what its earlier stages do."""
    inputs = shown(network, examples.signal[rows], examples.valid[rows], visible)
    stages = getattr(network, "stages", None)
    return (network(*inputs),) if stages is None else tuple(stages(*inputs))


def _error(rebuilt: torch.Tensor, examples: Examples, rows: NDArray[np.intp], asked: Mask) -> torch.Tensor:
    import torch

    there = torch.from_numpy(asked).to(rebuilt.device)
    wanted = torch.from_numpy(examples.target[rows]).to(rebuilt.device)
    return (rebuilt - wanted)[there].abs().mean()
