"""UniTS weights on disk: our folder of two files, and the official checkpoint.

Belongs here: saving, loading, converting, and saying what does not fit. Does not belong here: downloading; the network
itself (`units`). Nothing here runs code from a file: safetensors and JSON, and torch's weights-only reader for the
official `.pth`. Nothing here makes up a weight that a file lacks.
"""

from __future__ import annotations

import argparse
import json
import operator
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from plr_assets.errors import ConfigError
from plr_assets.pretrained.units import UniTS, UnitsConfig, new_units

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
ARCHITECTURE = "UniTS"
# Entries an official checkpoint has one of per data set, and for data sets that are not ours. `cls_prompts` is an older
# name, which the official loader skips too.
PER_DATA_SET = ("prompt_tokens", "mask_tokens", "cls_tokens", "category_tokens", "cls_prompts")
# What an official pretraining checkpoint holds beside tensors: its arguments, and learning rates as numpy scalars (its
# schedule is a numpy array), under the name of numpy 1 or of numpy 2. None of them can do anything when read.
_numpy_scalar: Callable[..., Any] = operator.itemgetter(0)(np.float64(0).__reduce__())
_SAFE: list[Callable[..., Any] | tuple[Callable[..., Any], str]] = [
    argparse.Namespace,
    np.dtype,
    np.dtypes.Float64DType,
    (_numpy_scalar, "numpy.core.multiarray.scalar"),
    (_numpy_scalar, "numpy._core.multiarray.scalar"),
]


def save_units(model: UniTS, folder: Path, source: str) -> None:
    """Write `config.json` and `model.safetensors`. `source` says where the weights come from; it travels with them."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    content = {"architecture": ARCHITECTURE, "source": source, "config": asdict(model.config)}
    (folder / CONFIG_FILE).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    save_file({name: value.cpu().contiguous() for name, value in model.state_dict().items()}, folder / WEIGHTS_FILE)


def load_units(folder: Path) -> UniTS:
    """The model `save_units` wrote, on the CPU, in evaluation mode. Raises ConfigError naming what is missing."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    config = read_config(folder)
    path = _existing(folder / WEIGHTS_FILE)
    try:
        weights = load_file(path)
    except SafetensorError as error:
        raise _unusable(path, f"it is no safetensors file ({error}).") from error
    return _filled(new_units(config, seed=0), weights, path)


def convert_official(path: Path, seed: int = 0) -> UniTS:
    """The model of an official pretraining checkpoint (`units_x32_pretrain_checkpoint.pth`, x64, x128), on the CPU.

    The official prompt, mask and class tokens belong to its data sets and are left out; ours start anew, drawn from
    `seed`, as they do in the official fine-tuning on new data. Sizes follow from the tensors, the number of heads and
    the mask ratios from the arguments saved beside them (official defaults where there are none). Raises ConfigError
    that names each tensor that is missing, unknown or of another shape; above all when pretraining heads are missing,
    as in checkpoints of the supervised scripts.
    """
    held = _read_official(_existing(path))
    arguments = vars(held["args"]) if isinstance(held.get("args"), argparse.Namespace) else {}
    tensors = {
        str(name).removeprefix("module."): value
        for name, value in held.get("student", held).items()
        if isinstance(value, Tensor)
    }
    weights = {name: value for name, value in tensors.items() if name.partition(".")[0] not in PER_DATA_SET}
    model = new_units(_config_of(weights, arguments, path), seed)
    own = {name: value for name, value in model.state_dict().items() if name.partition(".")[0] in PER_DATA_SET}
    return _filled(model, weights | own, path)


def _read_official(path: Path) -> Mapping[str, Any]:
    from pickle import UnpicklingError

    try:
        with torch.serialization.safe_globals(_SAFE):
            held = torch.load(path, map_location="cpu", weights_only=True)
    except (UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        raise _unusable(path, f"torch cannot read it as weights ({error}).") from error
    if not isinstance(held, Mapping) or not isinstance(held.get("student", held), Mapping):
        raise _unusable(path, "it holds no table of named tensors.")
    return held


def _config_of(weights: Mapping[str, Tensor], arguments: Mapping[str, Any], path: Path) -> UnitsConfig:
    embedding, prompt = "patch_embeddings.value_embedding.weight", "blocks.0.dynamic_mlp.mlp.prompt_fc.weights"
    if missing := [name for name in (embedding, prompt) if name not in weights or weights[name].ndim != 2]:
        raise _unusable(path, f"it has no matrix {' and '.join(missing)}.")
    d_model, patch_len = weights[embedding].shape
    of_tensors = {
        "d_model": d_model,
        "patch_len": patch_len,
        "stride": patch_len,
        "prompt_num": weights[prompt].shape[0],
        "e_layers": len({name.split(".")[1] for name in weights if name.startswith("blocks.")}),
    }
    if wrong := {name for name, value in of_tensors.items() if arguments.get(name, value) != value}:
        said = ", ".join(f"{name} {arguments[name]} and {of_tensors[name]}" for name in sorted(wrong))
        raise _unusable(path, f"its arguments and its tensors disagree: {said}.")
    others = {field.name for field in fields(UnitsConfig)} - of_tensors.keys()
    return UnitsConfig(**of_tensors, **{name: arguments[name] for name in others if name in arguments})


def _filled(model: UniTS, weights: Mapping[str, Tensor], path: Path) -> UniTS:
    """`model` with `weights`, which must be finite and fit name by name. In evaluation mode."""
    expected = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in weights.items()}
    problems = [f"{name} is missing" for name in expected.keys() - found.keys()]
    problems += [f"{name} is unknown" for name in found.keys() - expected.keys()]
    common = expected.keys() & found.keys()
    problems += [f"{name} is {found[name]}, not {expected[name]}" for name in common if found[name] != expected[name]]
    problems += [f"{name} is not finite" for name in common if not bool(torch.isfinite(weights[name]).all())]
    if problems:
        raise _unusable(path, f"{len(problems)} tensors do not fit this UniTS: {'; '.join(sorted(problems))}.")
    model.load_state_dict(dict(weights), strict=True)
    return model.eval()


def read_config(folder: Path) -> UnitsConfig:
    path = _existing(folder / CONFIG_FILE)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise _unusable(path, f"it is not JSON ({error}).") from error
    wanted = {"architecture", "source", "config"}
    if not isinstance(content, dict) or content.keys() != wanted or content["architecture"] != ARCHITECTURE:
        raise _unusable(path, f"it must hold {sorted(wanted)}, with the architecture {ARCHITECTURE!r}.")
    config = content["config"]
    known = {field.name for field in fields(UnitsConfig)}
    if not isinstance(config, dict) or config.keys() != known:
        raise _unusable(path, f"its config must hold exactly {sorted(known)}.")
    return UnitsConfig(**config)


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise _unusable(path, "there is no such file.")
    return path


def _unusable(path: Path, problem: str) -> ConfigError:
    return ConfigError(
        str(path),
        problem,
        "Name a folder written by save_units, or convert the official units_x32_pretrain_checkpoint.pth "
        "(github.com/mims-harvard/UniTS/releases, tag ckpt).",
    )
