"""Every method the registry can construct, for the contract tests of each axis."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from plr_assets.registry import Axis, Foundation, load_registry

# Networks as the registry has them train for minutes; what a test promises of them does not depend on their size.
_QUICK: dict[str, dict[str, Any]] = {
    "TimesNet-gt": {"d_model": 8, "d_ffn": 8, "n_kernels": 2, "epochs": 2},
    "MOMENT-gt-finetune": {"epochs": 2},
    "UniTS-gt-finetune": {"epochs": 2},
}


def implemented(axis: Axis) -> list[str]:
    """Names with an implementation of their own: no oracles, no ensembles, no reserved names."""
    methods = load_registry().methods[axis]
    return [name for name, method in methods.items() if method.implemented and method.implementation]


def construct(axis: Axis, name: str, **more: Any) -> Any:
    """The method as the registry configures it, networks small enough for a test."""
    method = load_registry().methods[axis][name]
    return method.load()(**{**method.parameters, **_QUICK.get(name, {}), **more})


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
        else:
            network = units.UniTS(units.UnitsConfig(d_model=8, e_layers=1, prompt_num=2))
            units_weights.save_units(network, folder, "nothing")
    Origin("nothing: random weights").save(folder)
    return folder
