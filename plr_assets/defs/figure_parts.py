"""What the assets that draw have in common: names, provenance, and how figures become an artifact.

Belongs here: helpers of `defs.figures*`. Does not belong here: an asset, or drawing.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from plr_assets.grid import Grid, PipelineKey
from plr_assets.platform.artifacts import Product
from plr_assets.platform.previews import inline_png
from plr_assets.platform.stages import Task
from plr_assets.registry import AXES, Axis
from plr_assets.study import Study

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# In the order in which methods are applied.
APPLIED: tuple[Axis, ...] = ("outlier_detection", "imputation", "featurization", "classification")


def labelled(study: Study) -> bool:
    return study.labels is not None


def texts(grid: Grid, field: str) -> dict[str, dict[str, str]]:
    """axis -> method -> a text of its registry entry, in the registry's order."""
    methods = grid.registry.methods
    return {axis: {name: getattr(method, field) for name, method in methods[axis].items()} for axis in AXES}


def configuration(grid: Grid) -> Any:
    """Colours, sizes and names: a renamed method redraws its figures."""
    from plr_assets.figures.style import load_figures_config

    return [load_figures_config().model_dump(mode="json"), texts(grid, "display"), texts(grid, "category")]


def inputs(task: Task) -> dict[str, dict[str, str]]:
    """Digests of what a figure was drawn from."""
    return {
        f"{asset}:{artifact}": {str(key) or asset: ref.info.digest for key, ref in refs.items()}
        for (asset, artifact), refs in task.inputs.items()
    }


def named(task: Task, key: PipelineKey | None = None) -> str:
    """The methods of a key (the task's) as a reader knows them, in the order in which they are applied."""
    display, of = texts(task.grid, "display"), key or task.key
    return " \u2192 ".join(display[axis][of.named(axis)] for axis in APPLIED if axis in of.axes)


def product(task: Task, figure: Figure, name: str, data: Any) -> Product:
    return products(task, {name: (data, figure)})


def products(task: Task, drawn: dict[str, tuple[Any, Figure]]) -> Product:
    """Figures as one folder, with a small one for the asset page."""
    import polars as pl

    from plr_assets.figures.save import save_figure, thumbnail

    provenance = inputs(task)

    def write(folder: Path) -> None:
        for name, (data, figure) in drawn.items():
            tables = {"table": data} if isinstance(data, pl.DataFrame) else data
            save_figure(figure, folder, name, tables, {"study": task.study.name, "inputs": provenance})

    titles = dict.fromkeys(drawn, "figure") if len(drawn) == 1 else {name: name for name in drawn}
    notes = {titles[name]: inline_png(thumbnail(figure), name) for name, (_, figure) in drawn.items()}
    return Product(folders={"figure": write}, notes=notes)
