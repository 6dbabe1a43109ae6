"""Training: keeps the best epoch, stops in time, repeats to the bit, and learns from nothing that has no target."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from plr_assets.networks import training
from plr_assets.networks.hiding import random_runs
from plr_assets.networks.seeding import reproducible
from plr_assets.networks.training import Examples, Fitted, Schedule, holdout_error, train

LENGTH = 32
SCHEDULE = Schedule(epochs=3, patience=3, batch_size=4, learning_rate=1e-2)


class Small(torch.nn.Module):
    """Sees signal and visibility through a hidden layer with dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(2 * LENGTH, 16), torch.nn.GELU(), torch.nn.Dropout(0.2), torch.nn.Linear(16, LENGTH)
        )

    def forward(self, signal: torch.Tensor, observed: torch.Tensor, visible: torch.Tensor) -> torch.Tensor:  # noqa: ARG002
        out: torch.Tensor = self.layers(torch.cat([signal, visible], dim=1))
        return out


def examples(windows: int = 12, seed: int = 0) -> Examples:
    """Slow waves with noise; a tenth dropouts; the last four samples are padding."""
    rng = np.random.default_rng(seed)
    target = np.sin(rng.uniform(0, 6, (windows, 1)) + np.arange(LENGTH) / 5).astype(np.float32)
    valid = np.ones(target.shape, dtype=np.bool_)
    valid[:, -4:] = False
    observed = valid & (rng.random(target.shape) > 0.1)
    signal = np.where(observed, target + rng.normal(0, 0.2, target.shape), 0).astype(np.float32)
    return Examples(signal, observed, target, valid)


def trained(training_: Examples, holdout: Examples, schedule: Schedule = SCHEDULE) -> tuple[Small, Fitted]:
    with reproducible(1):
        network = Small()
        return network, train(network, training_, holdout, schedule, seed=2)


def weights(network: torch.nn.Module) -> list[bytes]:
    return [tensor.numpy().tobytes() for tensor in network.state_dict().values()]


def test_training_learns_and_two_trainings_are_bit_identical() -> None:
    long = replace(SCHEDULE, epochs=25, patience=25)
    first, fitted = trained(examples(), examples(6, 1), long)
    second, again = trained(examples(), examples(6, 1), long)
    assert fitted == again
    assert weights(first) == weights(second)
    with reproducible(1):
        start = train(Small(), examples(), examples(6, 1), replace(SCHEDULE, epochs=0), seed=2)
    assert start.epoch == start.epochs_run == 0
    assert fitted.error < 0.7 * start.error


@pytest.mark.parametrize(
    ("errors", "patience", "expected"),
    [
        ([5, 4, 3, 6, 2], 9, Fitted(4, 2, 4)),
        ([5, 4, 3, 6, 7], 9, Fitted(2, 3, 4)),
        ([5, 4, 6, 7, 1], 2, Fitted(1, 4, 3)),
        # the first epoch of four, in which the learning rate rises, does not count
        ([5, 6, 7, 1, 1], 2, Fitted(3, 1, 4)),
        ([5, 6, 7, 8, 1], 2, Fitted(0, 5, 3)),
        ([5, 4, float("nan"), float("nan"), 1], 2, Fitted(1, 4, 3)),
    ],
)
def test_the_best_epoch_is_kept_and_training_stops_when_patience_ends(
    monkeypatch: pytest.MonkeyPatch, errors: list[float], patience: int, expected: Fitted
) -> None:
    left = iter(errors)
    seen: list[list[bytes]] = []

    def told(network: torch.nn.Module, *_: object) -> float:
        seen.append(weights(network))
        return next(left)

    monkeypatch.setattr(training, "holdout_error", told)
    network, fitted = trained(examples(), examples(6, 1), replace(SCHEDULE, epochs=len(errors) - 1, patience=patience))
    assert fitted == expected
    assert len(seen) == expected.epochs_run + 1
    assert weights(network) == seen[expected.epoch]
    assert len({tuple(epoch) for epoch in seen}) == len(seen)
    assert not network.training


def junk(of: Examples, what: str, value: float) -> Examples:
    if what == "target":
        return replace(of, target=np.where(of.valid, of.target, np.float32(value)))
    return replace(of, signal=np.where(of.observed, of.signal, np.float32(value)))


@pytest.mark.parametrize("value", [-1e6, float("nan"), float("inf")])
@pytest.mark.parametrize("what", ["target", "signal"])
def test_targets_outside_valid_and_signals_that_were_not_observed_do_not_matter(what: str, value: float) -> None:
    plain, fitted = trained(examples(), examples(6, 1))
    changed, again = trained(junk(examples(), what, value), junk(examples(6, 1), what, value))
    assert fitted == again
    assert weights(plain) == weights(changed)


def test_only_hidden_samples_count_where_the_task_is_to_fill() -> None:
    """On the hold-out the hidden samples are always the same: drawn first, from the seed of the training."""
    holdout = examples(6, 1)
    hidden = random_runs(holdout.signal.shape, SCHEDULE.hidden_share, np.random.default_rng(2))
    seen = replace(holdout, target=np.where(hidden, holdout.target, np.float32(50)))
    asked = replace(holdout, target=np.where(hidden, np.float32(50), holdout.target))
    filling = replace(SCHEDULE, hidden_only=True)
    errors = {
        (schedule.hidden_only, name): trained(examples(), other, replace(schedule, epochs=0))[1].error
        for schedule in (SCHEDULE, filling)
        for name, other in (("as is", holdout), ("seen", seen), ("asked", asked))
    }
    assert errors[True, "seen"] == errors[True, "as is"] < errors[True, "asked"]
    assert errors[False, "seen"] > errors[False, "as is"] < errors[False, "asked"]


def test_training_to_fill_never_learns_to_copy() -> None:
    """A network that can only pass on what it sees has nothing to gain: its one weight never moves."""

    class Copy(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gain = torch.nn.Parameter(torch.zeros(()))

        def forward(self, signal: torch.Tensor, observed: torch.Tensor, visible: torch.Tensor) -> torch.Tensor:  # noqa: ARG002
            return self.gain * signal

    gains = {}
    for hidden_only in (False, True):
        network = Copy()
        schedule = replace(SCHEDULE, hidden_only=hidden_only)
        with reproducible(1):
            train(network, examples(), examples(6, 1), schedule, seed=2)
        gains[hidden_only] = network.gain.item()
    assert gains[True] == 0
    assert gains[False] > 0.02


def test_the_hold_out_error_is_the_mean_square_over_what_is_judged_whatever_the_batch() -> None:
    class Constant(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.value = torch.nn.Parameter(torch.tensor(0.5))

        def forward(self, signal: torch.Tensor, observed: torch.Tensor, visible: torch.Tensor) -> torch.Tensor:  # noqa: ARG002
            return self.value.expand_as(signal)

    judged, holdout = examples(7).valid, examples(7)
    judged[2] = False
    hidden = np.zeros(judged.shape, dtype=np.bool_)
    expected = float(((holdout.target[judged] - 0.5) ** 2).mean())
    for batch in (1, 3, 7):
        assert holdout_error(Constant(), holdout, hidden, judged, batch) == pytest.approx(expected, rel=1e-5)
    assert holdout_error(Constant(), holdout, hidden, np.zeros_like(judged), 3) == 0


def test_frozen_weights_stay_and_inputs_are_left_as_they_were() -> None:
    data = examples()
    before = copy.deepcopy(data)
    with reproducible(1):
        network = Small()
        network.layers[0].weight.requires_grad = False
        frozen = network.layers[0].weight.clone()
        train(network, data, examples(6, 1), SCHEDULE, seed=2)
    assert torch.equal(network.layers[0].weight, frozen)
    for name in ("signal", "observed", "target", "valid"):
        assert np.array_equal(getattr(data, name), getattr(before, name))
