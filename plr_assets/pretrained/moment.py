"""MOMENT (Goswami et al. 2024, arXiv 2402.03885), the network of momentfm.

Belongs here: the library's model as a `Reconstructor`, built anew or from files of the official layout. Does not
belong here: where weights come from (`weights`), or what a rebuilt signal is used for.
"""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plr_assets.errors import ContractError

if TYPE_CHECKING:
    import torch

CONFIG_FILE, WEIGHTS_FILE = "config.json", "model.safetensors"
WINDOW, PATCH = 512, 8

# A tenth of what an untuned MOMENT changes is worth more than all of it: it rebuilds patches of whole light responses,
# and its usual error there is larger than a line's in a short gap.
_FIRST_SHARE = 0.1


def moment_config(*, d_model: int, layers: int, heads: int, d_ff: int) -> dict[str, Any]:
    """The configuration of a MOMENT of another size, in the layout of the official `config.json`.

    The published sizes are small (512, 8 layers), base (768, 12) and large (1024, 24), T5 encoders all.
    """
    return {
        "task_name": "reconstruction",
        "model_name": "MOMENT",
        "transformer_type": "encoder_only",
        "transformer_backbone": "google/flan-t5-small",
        "d_model": d_model,
        "seq_len": WINDOW,
        "patch_len": PATCH,
        "patch_stride_len": PATCH,
        "t5_config": {
            "model_type": "t5",
            "d_model": d_model,
            "d_kv": d_model // heads,
            "d_ff": d_ff,
            "num_layers": layers,
            "num_heads": heads,
            "feed_forward_proj": "gated-gelu",
            "is_gated_act": True,
            "dense_act_fn": "gelu_new",
            "dropout_rate": 0.1,
            "relative_attention_num_buckets": 32,
            "relative_attention_max_distance": 128,
            "layer_norm_epsilon": 1e-06,
            "initializer_factor": 1.0,
            # T5's vocabulary is never looked up: patches are embedded by MOMENT itself
            "vocab_size": 2,
            "use_cache": False,
        },
    }


def build_moment(config: Mapping[str, Any]) -> torch.nn.Module:
    """MOMENT of `config` with random weights, as a `Reconstructor` of windows of 512 samples.

    Dropouts and padding go in through `input_mask` (no patch attends to a patch that holds any), hidden samples
    through `mask` (their patches become the mask token); the library drops no argument of these two names.
    """
    import torch

    with _quiet():
        from momentfm import MOMENTPipeline

        pipeline = MOMENTPipeline(
            config=dict(config),
            model_kwargs={
                "task_name": "reconstruction",
                "freeze_encoder": False,
                "freeze_embedder": False,
                "freeze_head": False,
                "enable_gradient_checkpointing": False,
            },
        )
        pipeline.init()

    class Moment(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = pipeline

        def forward(self, signal: torch.Tensor, observed: torch.Tensor, visible: torch.Tensor) -> torch.Tensor:
            # The library normalises by what is visible; a window in which nothing is becomes a flat line instead of NaN
            # (fewer than two samples have no spread).
            blank = visible.sum(dim=1, keepdim=True) < 2
            seen, there = torch.where(blank, 1.0, visible), torch.where(blank, 1.0, observed)
            out = self.model(x_enc=torch.where(visible > 0, signal, 0.0).unsqueeze(1), input_mask=there, mask=seen)
            rebuilt: torch.Tensor = out.reconstruction[:, 0]
            return rebuilt

    return Moment()


def filling(network: torch.nn.Module, *, lines: bool) -> torch.nn.Module:
    """MOMENT `network` as a filler of gaps in windows that hold straight lines where samples are hidden.

    lines   they are shown as if they were seen, and a share of what MOMENT would have changed corrects them; the share
            is trained with the rest. Else hidden samples' patches are mask tokens, and MOMENT's values count alone.
    """
    import torch

    class Filling(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.moment = network
            if lines:
                self.share = torch.nn.Parameter(torch.tensor(_FIRST_SHARE))

        def forward(self, signal: torch.Tensor, inside: torch.Tensor, visible: torch.Tensor) -> torch.Tensor:
            rebuilt: torch.Tensor = self.moment(signal, inside, inside if lines else visible)
            return torch.lerp(signal, rebuilt, self.share) if lines else rebuilt

    return Filling()


def head_only(network: torch.nn.Module) -> torch.nn.Module:
    """`network`, with nothing but the head left to be trained."""
    for name, parameter in network.named_parameters():
        parameter.requires_grad = name.startswith("model.head.")
    return network


def read_config(folder: Path) -> dict[str, Any]:
    """The `config.json` of a folder in the official layout. Raises ContractError if it is not MOMENT's."""
    path = folder / CONFIG_FILE
    if not path.is_file():
        raise ContractError(
            str(path), "a MOMENT folder holds config.json and model.safetensors; there is no config.json.", _REMEDY
        )
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ContractError(str(path), f"it is not JSON ({error}).", _REMEDY) from error
    if not isinstance(config, dict):
        raise ContractError(str(path), "this is no MOMENT configuration: it holds no keys.", _REMEDY)
    expected = {"seq_len": WINDOW, "patch_len": PATCH, "patch_stride_len": PATCH}
    wrong = {key: config.get(key) for key, value in expected.items() if config.get(key) != value}
    if wrong or "t5_config" not in config:
        raise ContractError(str(path), f"this is no MOMENT configuration: {wrong or 'it lacks t5_config'}.", _REMEDY)
    return config


def load_moment(folder: Path) -> torch.nn.Module:
    """MOMENT with the weights of `folder` (config.json and model.safetensors, as the hub has them).

    Raises ContractError that names what is missing or does not fit.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    network = build_moment(read_config(folder))
    path = folder / WEIGHTS_FILE
    if not path.is_file():
        raise ContractError(str(path), "there are no weights.", _REMEDY)
    try:
        found, model = load_file(path), network.model
    except SafetensorError as error:
        raise ContractError(str(path), f"it is no safetensors file ({error}).", _REMEDY) from error
    assert isinstance(model, _module_type())  # noqa: S101 - built above
    known = model.state_dict()
    # Tensors that share memory are stored once, under either name; T5's unused vocabulary is one of them.
    missing = [name for name in known if name not in found and not _is_vocabulary(name)]
    unknown = [name for name in found if name not in known]
    unlike = [name for name in found if name in known and found[name].shape != known[name].shape]
    wild = [name for name, tensor in found.items() if tensor.is_floating_point() and not bool(tensor.isfinite().all())]
    if missing or unknown or unlike or wild:
        raise ContractError(
            str(path),
            f"these are not the weights of that configuration: missing {missing[:3]}, unknown {unknown[:3]}, of other "
            f"shape {unlike[:3]}, not finite {wild[:3]}.",
            _REMEDY,
        )
    model.load_state_dict(found, strict=False)
    return network.eval()


def save_moment(network: torch.nn.Module, config: Mapping[str, Any], folder: Path) -> None:
    """Write `network` to `folder` in the official layout; equal networks give equal bytes."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    model = network.model
    assert isinstance(model, _module_type())  # noqa: S101 - a Moment
    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in model.state_dict().items()}
    save_file(tensors, folder / WEIGHTS_FILE, metadata={"format": "pt"})
    (folder / CONFIG_FILE).write_text(json.dumps(dict(config), indent=1, sort_keys=True) + "\n", encoding="utf-8")


_REMEDY = "Give a folder of that layout, or set the study's pretrained.moment.source to hub or pretrain."


def _is_vocabulary(name: str) -> bool:
    return name.endswith(("shared.weight", "embed_tokens.weight"))


def _module_type() -> type[torch.nn.Module]:
    import torch

    return torch.nn.Module


@contextmanager
def _quiet() -> Iterator[None]:
    """The library warns of what it was told, and logs at the root, which gives the root a handler of its own."""
    root = logging.getLogger()
    level, handlers = root.level, root.handlers.copy()
    root.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        root.setLevel(level)
        root.handlers[:] = handlers
