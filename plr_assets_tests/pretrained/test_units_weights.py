"""UniTS weights: what is saved comes back, official checkpoints load, and what does not fit is named."""

from __future__ import annotations

import argparse
import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from plr_assets.errors import ConfigError
from plr_assets.pretrained.units import DATASET, UniTS, UnitsConfig, new_units
from plr_assets.pretrained.units_weights import (
    CONFIG_FILE,
    PER_DATA_SET,
    WEIGHTS_FILE,
    convert_official,
    load_units,
    save_units,
)

SMALL = UnitsConfig(d_model=16, prompt_num=4, e_layers=2)
X = 90 + 10 * torch.sin(torch.arange(140).reshape(2, 70) / 9)
OBSERVED = torch.ones_like(X, dtype=torch.bool)
ARGUMENTS = {"d_model": 16, "n_heads": 4, "e_layers": 2, "patch_len": 16, "stride": 16, "prompt_num": 4, "dropout": 0.1}


def shared(model: UniTS) -> dict[str, Tensor]:
    """The tensors that belong to no data set."""
    return {name: value for name, value in model.state_dict().items() if name.partition(".")[0] not in PER_DATA_SET}


def official_file(path: Path, model: UniTS, **arguments: Any) -> Path:
    """A checkpoint as the official pretraining script writes it: its own data sets, `module.`, optimiser."""
    tokens = {
        "prompt_tokens.ECL": torch.randn(1, 321, 4, 16),
        "mask_tokens.ECL": torch.zeros(1, 321, 1, 16),
        "cls_tokens.LTF_ECL_p96": torch.randn(1, 321, 1, 16),
        "category_tokens.CLS_PEMS-SF": torch.randn(1, 963, 7, 16),
    }
    held = {
        "student": {f"module.{name}": value for name, value in (tokens | shared(model)).items()},
        # The official schedule is a numpy array, so the rate is a numpy scalar, which torch does not trust by itself.
        "optimizer": {"state": {0: {"step": torch.tensor(3.0)}}, "param_groups": [{"lr": np.float64(1e-4)}]},
        "epoch": 10,
        "args": argparse.Namespace(**(ARGUMENTS | {"right_prob": 0.5, "task_name": "ALL_task"} | arguments)),
    }
    torch.save(held, path)
    return path


def with_numpy_1_names(path: Path, target: Path) -> Path:
    """The same checkpoint as numpy 1, which the official requirements name, would have written it."""
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(target, "w") as new:
        for entry in old.namelist():
            new.writestr(entry, old.read(entry).replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n"))
    assert target.read_bytes() != path.read_bytes()
    return target


@torch.no_grad()
def test_what_is_saved_is_what_is_loaded(tmp_path: Path) -> None:
    model = new_units(SMALL, seed=5).eval()
    save_units(model, tmp_path / "units", "random weights, seed 5")
    again = load_units(tmp_path / "units")
    assert again.config == SMALL
    assert not again.training
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in model.state_dict().items())
    assert torch.equal(again.reconstruct(X, OBSERVED), model.reconstruct(X, OBSERVED))
    assert json.loads((tmp_path / "units" / CONFIG_FILE).read_text())["source"] == "random weights, seed 5"
    save_units(again, tmp_path / "copy", "random weights, seed 5")
    for name in (CONFIG_FILE, WEIGHTS_FILE):
        assert (tmp_path / "copy" / name).read_bytes() == (tmp_path / "units" / name).read_bytes()


@torch.no_grad()
@pytest.mark.parametrize("numpy", [1, 2])
def test_an_official_checkpoint_goes_the_whole_way(tmp_path: Path, numpy: int) -> None:
    model = new_units(SMALL, seed=5)
    path = official_file(tmp_path / "units_x16_pretrain_checkpoint.pth", model, min_mask_ratio=0.6)
    if numpy == 1:
        path = with_numpy_1_names(path, tmp_path / "numpy_1.pth")
    converted = convert_official(path, seed=9)
    # Sizes come from the tensors, heads and ratios from the arguments.
    assert converted.config == UnitsConfig(d_model=16, prompt_num=4, e_layers=2, n_heads=4, min_mask_ratio=0.6)
    assert all(torch.equal(value, shared(converted)[name]) for name, value in shared(model).items())
    fresh = new_units(converted.config, seed=9)
    assert torch.equal(converted.prompt_tokens[DATASET], fresh.prompt_tokens[DATASET])
    save_units(converted, tmp_path / "units", "test")
    loaded = load_units(tmp_path / "units")
    assert torch.equal(loaded.reconstruct(X, OBSERVED), converted.reconstruct(X, OBSERVED))


def test_a_plain_table_of_tensors_loads_with_the_official_defaults(tmp_path: Path) -> None:
    model = new_units(SMALL, seed=5)
    torch.save(shared(model), tmp_path / "plain.pth")
    assert convert_official(tmp_path / "plain.pth").config == SMALL


def test_each_tensor_that_does_not_fit_is_named(tmp_path: Path) -> None:
    tensors = shared(new_units(SMALL, seed=5))
    tensors["pretrain_head.gone.weight"] = tensors.pop("pretrain_head.proj_in.weight")
    tensors["forecast_head.proj_out.weight"] = torch.zeros(3, 16)
    tensors["cls_head.proj_in.bias"] = torch.full((16,), float("nan"))
    torch.save(tensors, tmp_path / "odd.pth")
    with pytest.raises(ConfigError) as caught:
        convert_official(tmp_path / "odd.pth")
    for words in (
        "4 tensors",
        "pretrain_head.proj_in.weight is missing",
        "pretrain_head.gone.weight is unknown",
        "forecast_head.proj_out.weight is (3, 16), not (16, 16)",
        "cls_head.proj_in.bias is not finite",
    ):
        assert words in caught.value.problem
    assert caught.value.where == str(tmp_path / "odd.pth")


def test_files_that_are_no_official_checkpoint_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        convert_official(tmp_path / "absent.pth")
    (tmp_path / "text.pth").write_text("not weights")
    with pytest.raises(ConfigError, match="cannot read it as weights"):
        convert_official(tmp_path / "text.pth")
    torch.save({"unknown": Path("x")}, tmp_path / "object.pth")  # a class torch would have to trust
    with pytest.raises(ConfigError, match="cannot read it as weights"):
        convert_official(tmp_path / "object.pth")
    torch.save({"a": torch.zeros(2, 2)}, tmp_path / "other.pth")
    with pytest.raises(ConfigError, match=r"no matrix patch_embeddings\.value_embedding\.weight"):
        convert_official(tmp_path / "other.pth")
    path = official_file(tmp_path / "liar.pth", new_units(SMALL, seed=5), d_model=32)
    with pytest.raises(ConfigError, match="d_model 32 and 16"):
        convert_official(path)


def test_a_folder_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    save_units(new_units(SMALL, seed=5), tmp_path / "units", "test")

    def copy(name: str) -> Path:
        return Path(shutil.copytree(tmp_path / "units", tmp_path / name))

    with pytest.raises(ConfigError, match="no such file"):
        load_units(tmp_path / "nowhere")
    unfinished = copy("unfinished")
    (unfinished / WEIGHTS_FILE).unlink()
    with pytest.raises(ConfigError, match="no such file"):
        load_units(unfinished)
    truncated = copy("truncated")
    content = (truncated / WEIGHTS_FILE).read_bytes()
    (truncated / WEIGHTS_FILE).write_bytes(content[: len(content) // 2])
    with pytest.raises(ConfigError, match="no safetensors file"):
        load_units(truncated)
    larger = copy("larger")
    described = json.loads((larger / CONFIG_FILE).read_text())
    described["config"]["e_layers"] = 3
    (larger / CONFIG_FILE).write_text(json.dumps(described))
    with pytest.raises(ConfigError, match=r"blocks\.2\.dynamic_mlp\.ls2\.gate\.bias is missing"):
        load_units(larger)
    del described["config"]["e_layers"]
    (larger / CONFIG_FILE).write_text(json.dumps(described))
    with pytest.raises(ConfigError, match="its config must hold exactly"):
        load_units(larger)
    (larger / CONFIG_FILE).write_text("{}")
    with pytest.raises(ConfigError, match="with the architecture 'UniTS'"):
        load_units(larger)
