"""What stands under padding, a dropout or a hidden sample reaches no network, by the network's own argument."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from plr_assets.networks.seeding import reproducible
from plr_assets.networks.timesnet import build_timesnet
from plr_assets.pretrained.moment import build_moment, moment_config
from plr_assets.pretrained.units import UniTS, UnitsConfig
from plr_assets.pretrained.units_network import UnitsReconstructor


def timesnet() -> torch.nn.Module:
    return build_timesnet(window=100, n_layers=1, top_k=2, d_model=8, d_ffn=8, n_kernels=2, dropout=0.1)


def moment() -> torch.nn.Module:
    return build_moment(moment_config(d_model=16, layers=1, heads=2, d_ff=32))


def units() -> torch.nn.Module:
    return UnitsReconstructor(UniTS(UnitsConfig(d_model=8, e_layers=1, prompt_num=2)))


Build = Callable[[], torch.nn.Module]
NETWORKS = pytest.mark.parametrize(
    ("build", "length"), [(timesnet, 100), (moment, 512), (units, 512)], ids=["TimesNet", "MOMENT", "UniTS"]
)
JUNK = [1e6, -37.5, float("nan"), float("inf")]


def batch(length: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Signal, observed, visible: padding, single dropouts, a lost stretch, hidden runs."""
    rng = np.random.default_rng(0)
    signal = np.sin(rng.uniform(0, 6, (4, 1)) + np.arange(length) / 20) + rng.normal(0, 0.1, (4, length))
    observed = rng.random((4, length)) > 0.01
    observed[0, : length // 15] = False
    observed[1, length // 2 : length // 2 + 30] = False
    visible = observed.copy()
    visible[2, 40:72] = False
    visible[:, 3] = False
    as_tensors = (torch.from_numpy(array.astype(np.float32)) for array in (signal, observed, visible))
    first, second, third = as_tensors
    return first, second, third


def built(build: Build) -> torch.nn.Module:
    with reproducible(1):
        network = build()
        with torch.no_grad():  # layers that start at zero would hide what passes through them
            for parameter in network.parameters():
                parameter.add_(0.05 * torch.randn_like(parameter))
    return network


@NETWORKS
@pytest.mark.parametrize("junk", JUNK)
def test_what_was_not_observed_or_is_hidden_changes_nothing(build: Build, length: int, junk: float) -> None:
    network = built(build).eval()
    signal, observed, visible = batch(length)
    with torch.no_grad():
        plain = network(signal, observed, visible)
        changed = network(torch.where(visible > 0, signal, junk), observed, visible)
    assert bool(plain.isfinite().all())
    assert torch.equal(plain, changed)


@NETWORKS
@pytest.mark.parametrize("junk", [1e6, float("nan")])
def test_nor_does_it_change_the_loss_or_a_gradient_while_it_learns(build: Build, length: int, junk: float) -> None:
    signal, observed, visible = batch(length)
    target = torch.where(observed > 0, signal, 0.0)

    def loss_and_gradients(seen: torch.Tensor) -> list[torch.Tensor]:
        network = built(build).train()
        with reproducible(2):  # the same dropout
            error = (network(seen, observed, visible) - target)[observed > 0].square().mean()
        error.backward()  # type: ignore[no-untyped-call]
        return [error.detach(), *(p.grad for p in network.parameters() if p.grad is not None)]

    plain, changed = loss_and_gradients(signal), loss_and_gradients(torch.where(visible > 0, signal, junk))
    assert len(plain) == len(changed) > 1
    assert all(bool(tensor.isfinite().all()) for tensor in plain)
    assert all(torch.equal(one, other) for one, other in zip(plain, changed, strict=True))


@NETWORKS
def test_what_is_visible_does_change_the_output(build: Build, length: int) -> None:
    network = built(build).eval()
    signal, observed, visible = batch(length)
    with torch.no_grad():
        plain = network(signal, observed, visible)
        for row, sample in ((0, length - 8), (2, 20)):
            moved = signal.clone()
            moved[row, sample] += 5
            assert not torch.allclose(network(moved, observed, visible)[row], plain[row], atol=1e-4)


@NETWORKS
def test_hiding_a_sample_is_told_to_the_network_and_not_put_to_zero(build: Build, length: int) -> None:
    """A zero that was measured is not a gap: the level of the window follows from what is visible alone."""
    network = built(build).eval()
    signal, observed, visible = batch(length)
    raised = signal + 40
    with torch.no_grad():
        told = network(raised, observed, visible)
        zeros = network(torch.where(visible > 0, raised, 0.0), torch.ones_like(observed), torch.ones_like(visible))
        level = network(signal, observed, visible) + 40
    assert not torch.allclose(told, zeros, atol=0.1)
    assert torch.allclose(told, level, atol=1e-2)


@NETWORKS
@pytest.mark.parametrize("left", [0, 1, 2])
def test_a_window_with_hardly_a_visible_sample_gives_finite_output_and_gradients(
    build: Build, length: int, left: int
) -> None:
    network = built(build).train()
    signal, observed, visible = batch(length)
    visible[0] = 0
    visible[0, 30 : 30 + left] = 1
    observed[0] = visible[0]  # a window of nothing but dropouts
    visible[1] = visible[0]  # a window hidden altogether
    observed[1] = torch.maximum(observed[1], visible[1])
    with reproducible(0):
        out = network(torch.where(visible > 0, signal, float("nan")), observed, visible)
    assert bool(out.isfinite().all())
    out.square().mean().backward()
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    assert gradients
    assert all(bool(gradient.isfinite().all()) for gradient in gradients)
