"""Assets of the pretrained stage: the weights that foundation models start from.

Belongs here: the declarations. Does not belong here: where weights come from (`pretrained.weights`), or what is made of
them. A study has an asset only where one of its methods starts from that model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from plr_assets.defs.stages import PRETRAINED
from plr_assets.grid import Grid, PipelineKey, grid_of
from plr_assets.platform.artifacts import Product
from plr_assets.platform.stages import WHOLE, Inputs, Task, stage_asset
from plr_assets.registry import Axis, Foundation
from plr_assets.study import Study
from plr_assets.study.pretrained import Weights

ARTIFACT = "weights"


def _offered(model: Foundation) -> Callable[[Study], bool]:
    return lambda study: model in grid_of(study).foundations


def _settings(model: Foundation) -> Callable[[Grid], Any]:
    """What shapes the weights; where they lie on this machine does not."""

    def settings(grid: Grid) -> Any:
        return getattr(grid.study.pretrained, model).model_dump(mode="json", exclude={"path", "cache"})

    return settings


def _local_files(model: Foundation) -> Callable[[Study, Inputs], str]:
    """The digest of a local folder or checkpoint."""

    def digest(study: Study, _inputs: Inputs) -> str:
        from plr_assets.platform.digests import digest_folder, sha256_file

        path = getattr(study.pretrained, model).path
        if path is None:
            return "none"
        resolved = study.resolve(path)
        if not resolved.exists():
            return "missing"
        return digest_folder(resolved) if resolved.is_dir() else sha256_file(resolved)

    return digest


def weights_of(axis: Axis, model: Foundation) -> Callable[[Grid, PipelineKey], Iterable[PipelineKey]]:
    """For `reads`: the weights, for keys whose method starts from `model`."""
    return lambda grid, key: (WHOLE,) if grid.registry.methods[axis][key.named(axis)].pretrained == model else ()


def start_of(task: Task) -> dict[str, Path]:
    """The weights that the key's method starts from, as its `fit` takes them; nothing where it starts from none."""
    model = task.entry.pretrained
    return {} if model is None else {"weights": task.folder(f"{model}_weights", ARTIFACT)}


def _resolved(task: Task, source: Weights) -> Weights:
    """`source` with its paths below the study's data folder."""
    places = {name: getattr(source, name, None) for name in ("path", "cache")}
    return source.model_copy(
        update={name: task.study.resolve(place) for name, place in places.items() if place is not None}
    )


@stage_asset(
    PRETRAINED,
    seeded=True,
    configuration=_settings("moment"),
    source=_local_files("moment"),
    offered=_offered("moment"),
    kinds=("pytorch", "mlflow"),
)
def moment_weights(task: Task) -> Product:
    """The weights of MOMENT: the hub's, a local folder's, or a small model's, pretrained on simulated recordings.

    Which of them they are travels with the weights, and with every model that starts from them.
    """
    from plr_assets.pretrained.weights import obtain_moment

    source = _resolved(task, task.study.pretrained.moment)
    return Product(folders={ARTIFACT: lambda folder: obtain_moment(source, folder, task.seed)})


@stage_asset(
    PRETRAINED,
    seeded=True,
    configuration=_settings("units"),
    source=_local_files("units"),
    offered=_offered("units"),
    kinds=("pytorch", "mlflow"),
)
def units_weights(task: Task) -> Product:
    """The weights of UniTS: an official checkpoint's, a local folder's, or pretrained on simulated recordings."""
    from plr_assets.pretrained.weights import obtain_units

    source = _resolved(task, task.study.pretrained.units)
    return Product(folders={ARTIFACT: lambda folder: obtain_units(source, folder, task.seed)})


@stage_asset(
    PRETRAINED,
    configuration=_settings("tabpfn"),
    source=_local_files("tabpfn"),
    offered=_offered("tabpfn"),
    kinds=("pytorch", "mlflow"),
)
def tabpfn_weights(task: Task) -> Product:
    """The weights of TabPFN, version 2: the hub's, or a local file's. None are trained here."""
    from plr_assets.pretrained.tabpfn_weights import obtain_tabpfn

    source = _resolved(task, task.study.pretrained.tabpfn)
    return Product(folders={ARTIFACT: lambda folder: obtain_tabpfn(source, folder)})
