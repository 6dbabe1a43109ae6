"""The training loop of every network that rebuilds a signal.

Belongs here: shuffling, optimising, stopping early on a hold-out, progress. Does not belong here: a network, or what
its rebuilt signal is good for.
"""

from __future__ import annotations

import copy
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from plr_assets.networks.hiding import random_runs
from plr_assets.recordings.table import Mask, Signal

if TYPE_CHECKING:
    import torch

_log = logging.getLogger(__name__)

# Gradients longer than this are cut: a window of nothing but artefacts would else undo an epoch (MOMENT's value).
_CLIP = 5.0
# Share of the steps over which the learning rate rises before it falls (MOMENT's value).
_WARM_UP = 0.3


class Reconstructor(Protocol):
    """A network that rebuilds windows of L samples: three tensors (B, L) -> (B, L).

    signal     float32, 0 wherever the network may not see it.
    observed   float32, 1 where the device found a pupil, 0 at dropouts and padding.
    visible    float32, 1 where the network may see the signal: observed, and not hidden to be asked for.
    """

    def __call__(self, signal: torch.Tensor, observed: torch.Tensor, visible: torch.Tensor) -> torch.Tensor: ...


def forward(network: torch.nn.Module, signal: Signal, observed: Mask, visible: Mask) -> torch.Tensor:
    """`network` as a `Reconstructor` of arrays (B, L). What stands in `signal` where it is not visible cannot matter:
    it is put to 0 here."""
    import torch

    place = next(network.parameters()).device
    rebuilt: torch.Tensor = network(
        torch.from_numpy(np.where(visible, signal, np.float32(0))).to(place),
        torch.from_numpy(observed.astype(np.float32)).to(place),
        torch.from_numpy(visible.astype(np.float32)).to(place),
    )
    return rebuilt


@dataclass(frozen=True, eq=False)
class Examples:
    """Windows to learn from, all (windows, length).

    signal    standardised, any value where not observed.    observed  samples with a value.
    target    what the network shall rebuild.                valid     samples that have a target (padding has none).
    """

    signal: Signal
    observed: Mask
    target: Signal
    valid: Mask

    def __len__(self) -> int:
        return len(self.signal)


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how fast. At least `hidden_share` of each window is hidden while it learns (whole runs).

    hidden_only   what is seen does not count: the task is to fill (pretraining), not to tell signal from artefact.
    """

    epochs: int
    patience: int
    batch_size: int
    learning_rate: float
    weight_decay: float = 0.0
    hidden_share: float = 0.15
    hidden_only: bool = False


@dataclass(frozen=True, slots=True)
class Fitted:
    """The epoch whose weights were kept (1-based; 0: the weights at the start), its hold-out error, and how many
    epochs it took to know."""

    epoch: int
    error: float
    epochs_run: int


class Objective(Protocol):
    """What is hidden of a network while it learns, what it is asked for, and what picks the epoch that is kept."""

    def hide(self, examples: Examples, rows: NDArray[np.intp], rng: np.random.Generator) -> Mask:
        """(rows, length): samples to hide of those windows."""

    def loss(
        self, network: torch.nn.Module, examples: Examples, rows: NDArray[np.intp], hidden: Mask
    ) -> torch.Tensor | None:
        """A number to make smaller; none if nothing is asked of these windows."""

    def holdout_error(self, network: torch.nn.Module, examples: Examples, hidden: Mask, batch_size: int) -> float:
        """How wrong the network is where `hidden` (windows, length) is hidden; the smallest decides."""


@dataclass(frozen=True, slots=True)
class SquareError:
    """Random runs are hidden; the mean square over samples with a target, or over the hidden ones of those."""

    hidden_share: float
    hidden_only: bool

    def hide(self, examples: Examples, rows: NDArray[np.intp], rng: np.random.Generator) -> Mask:
        return random_runs((len(rows), examples.signal.shape[1]), self.hidden_share, rng)

    def loss(
        self, network: torch.nn.Module, examples: Examples, rows: NDArray[np.intp], hidden: Mask
    ) -> torch.Tensor | None:
        asked = examples.valid[rows] & hidden if self.hidden_only else examples.valid[rows]
        if not asked.any():
            return None  # nothing but padding or dropouts was hidden
        return _square_error(network, examples, rows, hidden, asked).mean()

    def holdout_error(self, network: torch.nn.Module, examples: Examples, hidden: Mask, batch_size: int) -> float:
        judged = hidden & examples.valid if self.hidden_only else examples.valid
        return holdout_error(network, examples, hidden, judged, batch_size)


def train(
    network: torch.nn.Module,
    training: Examples,
    holdout: Examples,
    schedule: Schedule,
    seed: int,
    *,
    objective: Objective | None = None,
) -> Fitted:
    """Fit the network's free parameters, in place; the weights of the best hold-out epoch are kept.

    `objective` is `SquareError` of the schedule where none is given; on the hold-out always the same samples are
    hidden. Ends after `patience` epochs without a better one, counted once the learning rate falls. Call it inside
    `seeding.reproducible`.
    """
    import torch

    goal = objective or SquareError(schedule.hidden_share, schedule.hidden_only)

    rng = np.random.default_rng(seed)
    free = [parameter for parameter in network.parameters() if parameter.requires_grad]
    steps = schedule.epochs * -(-len(training) // schedule.batch_size)
    optimizer = torch.optim.AdamW(free, lr=schedule.learning_rate, weight_decay=schedule.weight_decay)
    rate = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, schedule.learning_rate, total_steps=max(steps, 2), pct_start=_WARM_UP
    )
    questions = goal.hide(holdout, np.arange(len(holdout)), rng)
    best = Fitted(0, goal.holdout_error(network, holdout, questions, schedule.batch_size), 0)
    kept = copy.deepcopy(network.state_dict())
    started = time.monotonic()
    for epoch in range(1, schedule.epochs + 1):
        network.train()
        order = rng.permutation(len(training))
        for first in range(0, len(order), schedule.batch_size):
            rows = order[first : first + schedule.batch_size]
            loss = goal.loss(network, training, rows, goal.hide(training, rows, rng))
            if loss is None:
                continue
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(free, _CLIP)
            optimizer.step()
            rate.step()
        error = goal.holdout_error(network, holdout, questions, schedule.batch_size)
        _log.info(
            "epoch %d of %d: hold-out error %.4g (best %.4g), %.0f s",
            epoch,
            schedule.epochs,
            error,
            min(error, best.error),
            time.monotonic() - started,
        )
        if error < best.error:
            best, kept = Fitted(epoch, error, epoch), copy.deepcopy(network.state_dict())
        else:
            best = Fitted(best.epoch, best.error, epoch)
        # while the rate still rises, an epoch that is no better says nothing of what will follow when it falls
        if epoch - max(best.epoch, round(_WARM_UP * schedule.epochs)) >= schedule.patience:
            break
    network.load_state_dict(kept)
    network.eval()
    return best


def holdout_error(network: torch.nn.Module, examples: Examples, hidden: Mask, judged: Mask, batch_size: int) -> float:
    """Mean square error over the `judged` samples while the `hidden` ones are hidden, both (windows, length)."""
    import torch

    network.eval()
    total = 0.0
    with torch.no_grad():
        for first in range(0, len(examples), batch_size):
            rows = np.arange(first, min(first + batch_size, len(examples)))
            if judged[rows].any():
                total += float(_square_error(network, examples, rows, hidden[rows], judged[rows]).sum())
    return total / max(int(judged.sum()), 1)


def _square_error(
    network: torch.nn.Module, examples: Examples, rows: NDArray[np.intp], hidden: Mask, asked: Mask
) -> torch.Tensor:
    """Square errors of the samples that are `asked`, as one row."""
    import torch

    observed = examples.observed[rows]
    rebuilt = forward(network, examples.signal[rows], observed, observed & ~hidden)
    wanted = torch.from_numpy(examples.target[rows]).to(rebuilt.device)
    errors: torch.Tensor = (rebuilt - wanted)[torch.from_numpy(asked).to(rebuilt.device)] ** 2
    return errors
