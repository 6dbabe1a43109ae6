"""UniTS computes what the official code computes, and never looks under a mask.

`units_official_values.json` holds outputs of the official forward pass (mims-harvard/UniTS, commit f8e5dfc,
models/UniTS.py: anomaly_detection and pretraining, transcribed call by call without dropout, in double precision) for
the weights and windows built here; `units_x32_shapes.txt` its tensors.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from plr_assets.errors import ConfigError
from plr_assets.pretrained.masking import draw_hidden, pretraining_loss, squared_error
from plr_assets.pretrained.units import DATASET, UniTS, UnitsConfig, new_units
from plr_assets.pretrained.units_weights import PER_DATA_SET
from plr_assets.seeds import generator

HERE = Path(__file__).parent
SMALL = UnitsConfig(d_model=16, prompt_num=4, e_layers=2)
SAMPLES = 70  # 4 patches and 6 samples of a fifth


def windows(count: int, samples: int = SAMPLES, seed: int = 0) -> Tensor:
    """Slow waves in % of baseline, each with its own level, amplitude and phase."""
    random = generator(seed, "windows")
    level, size, phase = random.uniform([60, 2, 0], [110, 20, 6.28], (count, 3)).T[:, :, None]
    signal = level + size * np.sin(phase + np.arange(samples) / 25) + random.normal(0, 0.5, (count, samples))
    return torch.from_numpy(signal.astype(np.float32))


def all_observed(x: Tensor) -> Tensor:
    return torch.ones_like(x, dtype=torch.bool)


def official_weights() -> UniTS:
    model = UniTS(SMALL).double().eval()
    shapes = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    drawn = {name: torch.from_numpy(generator(0, name).normal(0, 0.2, shape)) for name, shape in shapes.items()}
    model.load_state_dict(drawn)
    return model


def test_names_and_shapes_are_those_of_the_official_x32() -> None:
    lines = (HERE / "units_x32_shapes.txt").read_text().splitlines()
    official = dict(line.split() for line in lines if not line.startswith("#"))
    ours = {name: "x".join(map(str, value.shape)) for name, value in UniTS(UnitsConfig()).state_dict().items()}
    tokens = {name: shape for name, shape in ours.items() if name.partition(".")[0] in PER_DATA_SET}
    assert tokens == {
        f"prompt_tokens.{DATASET}": "1x1x10x32",
        f"mask_tokens.{DATASET}": "1x1x1x32",
        f"cls_tokens.{DATASET}": "1x1x1x32",
    }
    assert {name: shape for name, shape in ours.items() if name not in tokens} == official


@torch.no_grad()
def test_values_are_those_of_the_official_forward_pass() -> None:
    official = json.loads((HERE / "units_official_values.json").read_text())
    model = official_weights()
    x = torch.from_numpy(generator(1, "window").normal(100, 15, (1, SAMPLES)))
    np.testing.assert_allclose(model.reconstruct(x, all_observed(x))[0], official["reconstruct"], rtol=0, atol=1e-7)
    # The official pretraining normalises by hidden samples too; with one patch repeated that makes no difference.
    repeated = x[:, :16].repeat(1, 5)
    hidden = torch.tensor([[False, True, False, True, True]])
    from_tokens, from_summary = model.pretrain(repeated, all_observed(repeated), hidden)
    np.testing.assert_allclose(from_tokens[0], official["pretrain_from_tokens"], rtol=0, atol=1e-7)
    np.testing.assert_allclose(from_summary[0], official["pretrain_from_summary"], rtol=0, atol=1e-7)


@torch.no_grad()
@pytest.mark.parametrize("junk", [0.0, -1e6, float("nan"), float("inf")])
def test_what_stands_in_a_gap_in_padding_or_under_a_mask_changes_nothing(junk: float) -> None:
    model = new_units(SMALL, seed=1).eval()
    x = windows(3)
    observed = all_observed(x)
    observed[0, 5:9] = False  # within a patch
    observed[1, 14:40] = False  # a whole patch and parts of two
    observed[2, 30:] = False  # padding at the end
    hidden = torch.zeros(3, 5, dtype=torch.bool)
    hidden[:, 0] = True
    unseen = ~observed | hidden.repeat_interleave(16, dim=1)[:, :SAMPLES]
    changed = torch.where(unseen, junk, x)
    assert not torch.equal(changed.nan_to_num(), x)
    assert torch.equal(model.reconstruct(changed, observed, hidden), model.reconstruct(x, observed, hidden))
    gaps = torch.where(observed, x, junk)
    assert torch.equal(model.reconstruct(gaps, observed), model.reconstruct(x, observed))
    for ours, theirs in zip(
        model.pretrain(changed, observed, hidden), model.pretrain(x, observed, hidden), strict=True
    ):
        assert torch.equal(ours, theirs)
    assert torch.equal(squared_error(x + 1, gaps, observed), squared_error(x + 1, x, observed))


@torch.no_grad()
def test_every_visible_sample_and_every_mask_counts() -> None:
    model = new_units(SMALL, seed=1).eval()
    x = windows(1)
    plain = model.reconstruct(x, all_observed(x))
    for sample in (0, 33, SAMPLES - 1):
        moved = x.clone()
        moved[0, sample] += 30
        assert not torch.allclose(model.reconstruct(moved, all_observed(x)), plain, atol=1e-3)
    for patch in range(5):
        hidden = torch.zeros(1, 5, dtype=torch.bool)
        hidden[0, patch] = True
        assert not torch.allclose(model.reconstruct(x, all_observed(x), hidden), plain, atol=1e-4)


@torch.no_grad()
def test_a_reconstruction_follows_the_level_and_size_of_its_window() -> None:
    model = new_units(SMALL, seed=1).eval()
    x = windows(2)
    scaled = model.reconstruct(5 * x - 40, all_observed(x))
    np.testing.assert_allclose(scaled, 5 * model.reconstruct(x, all_observed(x)) - 40, rtol=1e-4, atol=1e-2)


@torch.no_grad()
@pytest.mark.parametrize("samples", [1, 16, 496, 512, 1981])
def test_windows_of_any_length_and_of_nothing_give_finite_numbers(samples: int) -> None:
    model = new_units(SMALL, seed=1).eval()
    x = windows(3, samples)
    observed = all_observed(x)
    observed[1] = False
    x[2] = 95.0
    out = model.reconstruct(x, observed)
    assert out.shape == x.shape
    assert bool(torch.isfinite(out).all())
    assert out[1].abs().max() < 0.1  # no visible sample: the centre is 0 and the scale its floor
    assert (out[2] - 95).abs().max() < 0.1


@torch.no_grad()
def test_a_window_alone_gives_what_it_gives_in_a_batch() -> None:
    model = new_units(SMALL, seed=1).eval()
    x = windows(6)
    together = model.reconstruct(x, all_observed(x))
    alone = torch.cat([model.reconstruct(row[None], all_observed(row[None])) for row in x])
    np.testing.assert_allclose(together, alone, rtol=1e-5, atol=1e-4)


def test_equal_seeds_give_equal_bytes_and_leave_the_global_stream_alone() -> None:
    before = torch.random.get_rng_state()
    first, second, other = (new_units(SMALL, seed).state_dict() for seed in (3, 3, 4))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["prompt2forecat.weights"], other["prompt2forecat.weights"])


def train(steps: int, seed: int = 0) -> tuple[UniTS, list[float]]:
    """Overfit one batch by the official pretraining task."""
    model = new_units(UnitsConfig(d_model=16, prompt_num=4, e_layers=2, dropout=0.0), seed).train()
    x = windows(8, 128)
    x = (x - x.mean()) / x.std()
    observed = all_observed(x)
    observed[:, 40:45] = False
    hidden = draw_hidden(model.config, 8, 8, torch.Generator().manual_seed(seed))
    optimiser = torch.optim.Adam(model.parameters(), lr=5e-3)
    losses = []
    for _ in range(steps):
        optimiser.zero_grad()
        loss = pretraining_loss(model.pretrain(x, observed, hidden), x, observed)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        losses.append(loss.item())
    return model, losses


def test_one_batch_can_be_learnt_by_heart() -> None:
    _, losses = train(100)
    assert losses[-1] < losses[0] / 20


def test_equal_training_gives_equal_weights() -> None:
    first, second = (train(3)[0].state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_gradients_reach_every_parameter_the_official_code_uses() -> None:
    model = official_weights()
    x = windows(4, 128).double()
    hidden = draw_hidden(model.config, 4, 8, torch.Generator().manual_seed(0))
    pretraining_loss(model.pretrain(x, all_observed(x), hidden), x, all_observed(x)).backward()
    without = {name for name, value in model.named_parameters() if value.grad is None or not bool(value.grad.any())}
    # Never called by the official code either: the blocks' second `proj`.
    blocks = range(model.config.e_layers)
    assert without == {
        f"blocks.{n}.{kind}_att_block.proj.{part}"
        for n in blocks
        for kind in ("seq", "var")
        for part in ("weight", "bias")
    }


def test_hidden_patches_are_drawn_as_configured() -> None:
    def draw(right_prob: float, seed: int = 0) -> Tensor:
        config = UnitsConfig(min_mask_ratio=0.5, max_mask_ratio=0.8, right_prob=right_prob)
        return draw_hidden(config, 400, 40, torch.Generator().manual_seed(seed))

    for right_prob in (0.0, 1.0):
        share = draw(right_prob).float().mean(dim=1)
        assert 0.5 <= share.min() < 0.53
        assert 0.77 < share.max() <= 0.825  # the visible patches are rounded down
        assert torch.equal(draw(right_prob), draw(right_prob))
        assert not torch.equal(draw(right_prob), draw(right_prob, seed=1))
    last = draw(1.0).int()
    assert bool((last.diff(dim=1) >= 0).all())  # once hidden, hidden to the end
    everywhere = draw(0.0).float().mean(dim=0)
    assert everywhere.max() - everywhere.min() < 0.15


@pytest.mark.parametrize(
    "change",
    [
        {"stride": 8},
        {"d_model": 12},
        {"n_heads": 5},
        {"prompt_num": 64},
        {"dropout": 1.0},
        {"min_mask_ratio": 0.9},
        {"right_prob": 1.5},
        {"e_layers": 0},
    ],
)
def test_a_configuration_that_cannot_be_built_names_what_is_wrong(change: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="UniTS: "):
        UnitsConfig(**change)  # type: ignore[arg-type]


def test_wrong_shapes_types_and_visible_gaps_are_refused() -> None:
    model = new_units(SMALL, seed=1).eval()
    x = windows(2)
    observed = all_observed(x)
    with pytest.raises(ValueError, match="hidden must be bool"):
        model.reconstruct(x, observed, torch.zeros(2, 4, dtype=torch.bool))
    with pytest.raises(ValueError, match="observed must be bool"):
        model.reconstruct(x, observed.float())
    with pytest.raises(ValueError, match="x must be floats"):
        model.reconstruct(x[0], observed[0])
    gap = x.clone()
    gap[0, 3] = float("nan")
    with pytest.raises(ValueError, match="not a finite number"):
        model.reconstruct(gap, observed)
