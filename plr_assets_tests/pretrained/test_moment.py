"""MOMENT: files of the library's own layout go both ways, and what does not fit is named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from momentfm import MOMENTPipeline
from safetensors.torch import load_file, save_file

from plr_assets.errors import ContractError
from plr_assets.networks.seeding import reproducible
from plr_assets.pretrained.moment import (
    CONFIG_FILE,
    WEIGHTS_FILE,
    build_moment,
    head_only,
    load_moment,
    moment_config,
    read_config,
    save_moment,
)

TINY = moment_config(d_model=16, layers=2, heads=2, d_ff=24)
SIGNAL = torch.sin(torch.arange(1024).reshape(2, 512) / 30)
OBSERVED = torch.ones(2, 512)
OBSERVED[0, 100:117] = 0


def library_model(config: dict[str, Any] = TINY) -> MOMENTPipeline:
    """A pipeline as a user of momentfm makes it."""
    with reproducible(3):
        pipeline = MOMENTPipeline(config=dict(config), model_kwargs={"task_name": "reconstruction"})
        pipeline.init()
    return pipeline.eval()


def library_output(pipeline: MOMENTPipeline) -> torch.Tensor:
    out = pipeline(x_enc=(SIGNAL * OBSERVED).unsqueeze(1), input_mask=OBSERVED, mask=OBSERVED)
    rebuilt: torch.Tensor = out.reconstruction[:, 0]
    return rebuilt


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A tiny MOMENT in the official layout, as our code writes it."""
    with reproducible(3):
        save_moment(build_moment(TINY), TINY, tmp_path / "moment")
    return tmp_path / "moment"


@torch.no_grad()
def test_what_the_library_saves_loads_here_and_computes_the_same(tmp_path: Path) -> None:
    pipeline = library_model()
    pipeline.save_pretrained(tmp_path)
    (tmp_path / CONFIG_FILE).write_text(json.dumps(TINY))  # the hub's holds the configuration alone, without a wrapper
    network = load_moment(tmp_path)
    assert not network.training
    assert torch.equal(network(SIGNAL, OBSERVED, OBSERVED), library_output(pipeline))


@torch.no_grad()
def test_what_is_saved_here_loads_in_the_library_and_computes_the_same(folder: Path) -> None:
    pipeline = MOMENTPipeline.from_pretrained(folder, model_kwargs={"task_name": "reconstruction"})
    pipeline.init()
    network = load_moment(folder)
    assert torch.equal(library_output(pipeline.eval()), network(SIGNAL, OBSERVED, OBSERVED))


@torch.no_grad()
def test_a_configuration_spelt_as_on_the_hub_is_read(folder: Path) -> None:
    """There `d_model` is null and follows from the T5's, and keys stand beside that nothing here needs."""
    config = {**TINY, "d_model": None, "device": "cpu", "model_kwargs": {}, "seq_len": 512}
    expected = load_moment(folder)(SIGNAL, OBSERVED, OBSERVED)
    (folder / CONFIG_FILE).write_text(json.dumps(config))
    assert torch.equal(load_moment(folder)(SIGNAL, OBSERVED, OBSERVED), expected)


@torch.no_grad()
def test_weights_without_the_vocabulary_that_is_never_looked_up_are_whole(folder: Path) -> None:
    expected = load_moment(folder)(SIGNAL, OBSERVED, OBSERVED)
    tensors = {name: tensor for name, tensor in load_file(folder / WEIGHTS_FILE).items() if "embed_tokens" not in name}
    assert len(tensors) < len(load_file(folder / WEIGHTS_FILE))
    save_file(tensors, folder / WEIGHTS_FILE)
    with reproducible(99):
        assert torch.equal(load_moment(folder)(SIGNAL, OBSERVED, OBSERVED), expected)


def test_saving_what_was_loaded_gives_equal_bytes(folder: Path, tmp_path: Path) -> None:
    save_moment(load_moment(folder), read_config(folder), tmp_path / "copy")
    for name in (CONFIG_FILE, WEIGHTS_FILE):
        assert (tmp_path / "copy" / name).read_bytes() == (folder / name).read_bytes()


def configure(**changes: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / CONFIG_FILE).write_text(json.dumps({**TINY, **changes}))

    return change


def weigh(change: Callable[[dict[str, torch.Tensor]], None]) -> Callable[[Path], None]:
    def changed(folder: Path) -> None:
        tensors = load_file(folder / WEIGHTS_FILE)
        change(tensors)
        save_file(tensors, folder / WEIGHTS_FILE)

    return changed


def drop(tensors: dict[str, torch.Tensor]) -> None:
    del tensors["head.linear.bias"]


def add(tensors: dict[str, torch.Tensor]) -> None:
    tensors["decoder.weight"] = torch.zeros(2)


def reshape(tensors: dict[str, torch.Tensor]) -> None:
    tensors["head.linear.weight"] = torch.zeros(8, 17)


def spoil(tensors: dict[str, torch.Tensor]) -> None:
    tensors["head.linear.bias"][3] = float("nan")


def no_t5(folder: Path) -> None:
    (folder / CONFIG_FILE).write_text(json.dumps({key: TINY[key] for key in TINY if key != "t5_config"}))


def cut(folder: Path) -> None:
    (folder / WEIGHTS_FILE).write_bytes((folder / WEIGHTS_FILE).read_bytes()[:200])


@pytest.mark.parametrize(
    ("damage", "file", "words"),
    [
        (lambda folder: (folder / CONFIG_FILE).unlink(), CONFIG_FILE, "there is no config.json"),
        (lambda folder: (folder / CONFIG_FILE).write_text("{"), CONFIG_FILE, "not JSON"),
        (lambda folder: (folder / CONFIG_FILE).write_text("[]"), CONFIG_FILE, "no MOMENT configuration"),
        (shutil.rmtree, CONFIG_FILE, "there is no config.json"),
        (configure(seq_len=256), CONFIG_FILE, "'seq_len': 256"),
        (configure(patch_len=16, patch_stride_len=16), CONFIG_FILE, "'patch_len': 16"),
        (no_t5, CONFIG_FILE, "lacks t5_config"),
        (lambda folder: (folder / WEIGHTS_FILE).unlink(), WEIGHTS_FILE, "no weights"),
        (cut, WEIGHTS_FILE, "no safetensors file"),
        (weigh(drop), WEIGHTS_FILE, r"missing \['head.linear.bias'\]"),
        (weigh(add), WEIGHTS_FILE, r"unknown \['decoder.weight'\]"),
        (weigh(reshape), WEIGHTS_FILE, r"other shape \['head.linear.weight'\]"),
        (weigh(spoil), WEIGHTS_FILE, r"not finite \['head.linear.bias'\]"),
    ],
)
def test_what_is_missing_or_does_not_fit_is_named(
    folder: Path, damage: Callable[[Path], Any], file: str, words: str
) -> None:
    damage(folder)
    with pytest.raises(ContractError, match=words) as caught:
        load_moment(folder)
    assert caught.value.where == str(folder / file)
    assert "pretrain" in caught.value.remedy


def test_weights_of_another_size_are_refused(folder: Path) -> None:
    larger = moment_config(d_model=16, layers=3, heads=2, d_ff=24)
    (folder / CONFIG_FILE).write_text(json.dumps(larger))
    with pytest.raises(ContractError, match=r"missing \['encoder\.block\.2\."):
        load_moment(folder)


def test_head_only_leaves_the_encoder_as_it_was_pretrained(folder: Path) -> None:
    network = head_only(load_moment(folder)).train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    free = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(free, lr=0.1, weight_decay=0.1)
    with reproducible(0):
        network(SIGNAL, OBSERVED, OBSERVED).square().mean().backward()
    optimizer.step()
    moved = {name for name, tensor in network.state_dict().items() if not torch.equal(tensor, before[name])}
    assert moved == {"model.head.linear.weight", "model.head.linear.bias"}


def test_every_weight_but_the_vocabulary_learns_when_all_are_trained(folder: Path) -> None:
    network = load_moment(folder).train()
    hidden = OBSERVED.clone()
    hidden[1, 200:240] = 0
    with reproducible(0):
        network(SIGNAL, OBSERVED, hidden).square().mean().backward()
    still = {name for name, p in network.named_parameters() if p.grad is None or not bool(p.grad.any())}
    assert all("embed_tokens" in name or "shared" in name for name in still)


def test_building_leaves_the_root_logger_as_it_was() -> None:
    import logging

    level = logging.getLogger().level
    build_moment(TINY)
    assert logging.getLogger().level == level
