"""Every method the registry can construct, for the contract tests of each axis."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from plr_assets.registry import Axis, Foundation, Registry, load_registry

# Networks as the registry has them train for minutes; what a test promises of them does not depend on their size.
_QUICK: dict[Axis, dict[str, dict[str, Any]]] = {
    "outlier_detection": {
        "TimesNet-gt": {"d_model": 8, "d_ffn": 8, "n_kernels": 2, "epochs": 2},
        "MOMENT-gt-finetune": {"epochs": 2},
        "UniTS-gt-finetune": {"epochs": 2},
    },
    "imputation": {
        "SAITS": {
            "window": 80,
            "n_layers": 1,
            "d_model": 8,
            "n_heads": 2,
            "d_k": 4,
            "d_v": 4,
            "d_ffn": 8,
            "draws": 2,
            "epochs": 2,
        },
        "CSDI": {
            "window": 80,
            "n_layers": 1,
            "n_heads": 1,
            "n_channels": 8,
            "d_time": 4,
            "d_diffusion": 4,
            "sampling_steps": 2,
            "draws": 2,
            "epochs": 2,
        },
        "TimesNet": {"window": 80, "n_layers": 1, "d_model": 4, "d_ffn": 4, "n_kernels": 2, "epochs": 2},
        "MOMENT-finetune": {"epochs": 2},
    },
    "classification": {"TabM": {"k": 2, "d_block": 8, "d_embedding": 4, "n_bins": 8, "epochs": 40}},
}


def implemented(axis: Axis) -> list[str]:
    """Names with an implementation of their own: no oracles, no ensembles, no reserved names."""
    methods = load_registry().methods[axis]
    return [name for name, method in methods.items() if method.implemented and method.implementation]


def without_embedding(registry: Registry) -> Registry:
    """As if the name were only reserved, whatever the registry has by now."""
    reserved = {"embedding": registry.methods["featurization"]["embedding"].model_copy(update={"implemented": False})}
    methods = {**registry.methods, "featurization": {**registry.methods["featurization"], **reserved}}
    return registry.model_copy(update={"methods": methods})


def construct(axis: Axis, name: str, **more: Any) -> Any:
    """The method as the registry configures it, networks small enough for a test."""
    method = load_registry().methods[axis][name]
    return method.load()(**{**method.parameters, **_QUICK.get(axis, {}).get(name, {}), **more})


def start(axis: Axis, name: str) -> dict[str, Any]:
    """What `fit` needs besides recordings: the folder of weights, for a method that starts from some."""
    model = load_registry().methods[axis][name].pretrained
    return {} if model is None else {"weights": tiny_weights(model)}


@cache
def tiny_weights(model: Foundation) -> Path:
    """A folder with random weights of a tiny model, in the layout that a hub or a checkpoint would give."""
    from plr_assets.networks.seeding import reproducible
    from plr_assets.pretrained import moment, units, units_weights
    from plr_assets.pretrained.weights import Origin

    folder = Path(tempfile.mkdtemp(prefix="plr-tiny-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    with reproducible(0):
        if model == "moment":
            config = moment.moment_config(d_model=16, layers=1, heads=2, d_ff=32)
            moment.save_moment(moment.build_moment(config), config, folder)
        elif model == "tabpfn":
            _save_tiny_tabpfn(folder)
        else:
            network = units.UniTS(units.UnitsConfig(d_model=8, e_layers=1, prompt_num=2))
            units_weights.save_units(network, folder, "nothing")
    Origin("nothing: random weights").save(folder)
    return folder


def _save_tiny_tabpfn(folder: Path) -> None:
    """The package's own network, small, and its own file."""
    import torch
    from tabpfn.architectures import tabpfn_v2
    from tabpfn.checkpoint import save_as_safetensors

    from plr_assets.pretrained.tabpfn_weights import WEIGHTS_FILE

    config = {"max_num_classes": 10, "num_buckets": 10, "emsize": 24, "nlayers": 2, "nhead": 2}
    network = tabpfn_v2.get_architecture(tabpfn_v2.parse_config(config)[0])
    # As it is built its blocks add nothing, and every case gets the same answer.
    state = {name: tensor + 0.3 * torch.randn_like(tensor) for name, tensor in network.state_dict().items()}
    save_as_safetensors({"state_dict": state, "config": config}, folder / WEIGHTS_FILE)
