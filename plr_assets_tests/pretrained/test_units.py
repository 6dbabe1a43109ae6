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


def all_visible(x: Tensor) -> Tensor:
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
    np.testing.assert_allclose(model.reconstruct(x, all_visible(x))[0], official["reconstruct"], rtol=0, atol=1e-7)


@torch.no_grad()
def test_a_patch_without_a_visible_sample_enters_as_in_the_official_pretraining() -> None:
    official = json.loads((HERE / "units_official_values.json").read_text())
    model = official_weights()
    # The official pretraining normalises by hidden samples too; with one patch repeated that makes no difference.
    x = torch.from_numpy(generator(1, "window").normal(100, 15, (1, SAMPLES)))[:, :16].repeat(1, 5)
    visible = all_visible(x)
    for patch in (1, 3, 4):
        visible[:, 16 * patch : 16 * patch + 16] = False
    window = model._tokenise(x, visible)
    tokens = torch.cat([window.prompts, window.tokens, model.cls_tokens[DATASET]], dim=2)  # ours has no class token
    for block in model.blocks:
        tokens = block(tokens, SMALL.prompt_num + window.patches)
    decoded = window.in_units(model.forecast_head(tokens[:, :, :-1], window.patches))
    np.testing.assert_allclose(decoded[0], official["pretrain_from_tokens"], rtol=0, atol=1e-7)


@torch.no_grad()
@pytest.mark.parametrize("junk", [0.0, -1e6, float("nan"), float("inf")])
def test_what_stands_in_a_gap_in_padding_or_under_a_mask_changes_nothing(junk: float) -> None:
    model = new_units(SMALL, seed=1).eval()
    x = windows(3)
    visible = all_visible(x)
    visible[0, 5:9] = False  # within a patch
    visible[1, 14:40] = False  # a whole patch and parts of two
    visible[2, 30:] = False  # padding at the end
    changed = torch.where(visible, x, junk)
    assert not torch.equal(changed.nan_to_num(), x)
    assert torch.equal(model.reconstruct(changed, visible), model.reconstruct(x, visible))


@torch.no_grad()
def test_every_visible_sample_and_every_mask_counts() -> None:
    model = new_units(SMALL, seed=1).eval()
    x = windows(1)
    plain = model.reconstruct(x, all_visible(x))
    for sample in (0, 33, SAMPLES - 1):
        moved = x.clone()
        moved[0, sample] += 30
        assert not torch.allclose(model.reconstruct(moved, all_visible(x)), plain, atol=1e-3)
    for patch in range(5):
        visible = all_visible(x)
        visible[0, 16 * patch : 16 * patch + 16] = False
        assert not torch.allclose(model.reconstruct(x, visible), plain, atol=1e-4)


@torch.no_grad()
def test_a_reconstruction_follows_the_level_and_size_of_its_window() -> None:
    model = new_units(SMALL, seed=1).eval()
    x = windows(2)
    scaled = model.reconstruct(5 * x - 40, all_visible(x))
    np.testing.assert_allclose(scaled, 5 * model.reconstruct(x, all_visible(x)) - 40, rtol=1e-4, atol=1e-2)


@torch.no_grad()
@pytest.mark.parametrize("samples", [1, 16, 496, 512, 1981])
def test_windows_of_any_length_and_of_nothing_give_finite_numbers(samples: int) -> None:
    model = new_units(SMALL, seed=1).eval()
    x = windows(3, samples)
    visible = all_visible(x)
    visible[1] = False
    x[2] = 95.0
    out = model.reconstruct(x, visible)
    assert out.shape == x.shape
    assert bool(torch.isfinite(out).all())
    assert out[1].abs().max() < 0.1  # no visible sample: the centre is 0 and the scale its floor
    assert (out[2] - 95).abs().max() < 0.1


@torch.no_grad()
def test_a_window_alone_gives_what_it_gives_in_a_batch() -> None:
    model = new_units(SMALL, seed=1).eval()
    x = windows(6)
    together = model.reconstruct(x, all_visible(x))
    alone = torch.cat([model.reconstruct(row[None], all_visible(row[None])) for row in x])
    np.testing.assert_allclose(together, alone, rtol=1e-5, atol=1e-4)


def test_equal_seeds_give_equal_bytes_and_leave_the_global_stream_alone() -> None:
    before = torch.random.get_rng_state()
    first, second, other = (new_units(SMALL, seed).state_dict() for seed in (3, 3, 4))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["prompt2forecat.weights"], other["prompt2forecat.weights"])


def train(steps: int, seed: int = 0) -> tuple[UniTS, list[float]]:
    """Overfit one batch: rebuild what is hidden of it, patches 2 and 5 of 8."""
    model = new_units(UnitsConfig(d_model=16, prompt_num=4, e_layers=2, dropout=0.0), seed).train()
    x = windows(8, 128)
    x = (x - x.mean()) / x.std()
    visible = all_visible(x)
    visible[:, 32:48] = visible[:, 80:96] = False
    optimiser = torch.optim.Adam(model.parameters(), lr=5e-3)
    losses = []
    for _ in range(steps):
        optimiser.zero_grad()
        loss = (model.reconstruct(x, visible) - x)[~visible].square().mean()
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


def test_gradients_reach_every_parameter_the_official_code_uses_for_this_task() -> None:
    model = official_weights()
    x = windows(4, 128).double()
    visible = all_visible(x)
    visible[:, 32:48] = False  # the mask token has to be used
    (model.reconstruct(x, visible) - x).square().sum().backward()  # type: ignore[no-untyped-call]
    without = {name for name, value in model.named_parameters() if value.grad is None or not bool(value.grad.any())}
    # Never called by the official code either: the blocks' second `proj`.
    never = {
        f"blocks.{n}.{kind}_att_block.proj.{part}"
        for n in range(model.config.e_layers)
        for kind in ("seq", "var")
        for part in ("weight", "bias")
    }
    of_pretraining = {name for name in without if name.partition(".")[0] in ("cls_tokens", "cls_head", "pretrain_head")}
    assert without - of_pretraining == never


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
    visible = all_visible(x)
    with pytest.raises(ValueError, match="visible must be bool"):
        model.reconstruct(x, visible[:, 1:])
    with pytest.raises(ValueError, match="visible must be bool"):
        model.reconstruct(x, visible.float())
    with pytest.raises(ValueError, match="x must be floats"):
        model.reconstruct(x[0], visible[0])
    gap = x.clone()
    gap[0, 3] = float("nan")
    with pytest.raises(ValueError, match="not a finite number"):
        model.reconstruct(gap, visible)
