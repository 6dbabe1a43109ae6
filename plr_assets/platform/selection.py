"""Selections: `outlier=LOF,OneClassSVM classifier=CatBoost`, and the partitions of each asset that they ask for.

Belongs here: parsing and checking a selection, and what has to be there for it. Does not belong here: running it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from plr_assets.errors import SelectionError, did_you_mean
from plr_assets.grid import Grid, PipelineKey
from plr_assets.platform.stages import StageAsset
from plr_assets.registry import Axis

AXIS_NAMES: Mapping[str, Axis] = {
    "outlier": "outlier_detection",
    "imputer": "imputation",
    "features": "featurization",
    "classifier": "classification",
}


@dataclass(frozen=True)
class Selection:
    """Methods by axis; an axis that is not named is not restricted."""

    methods: Mapping[Axis, tuple[str, ...]]

    def covers(self, key: PipelineKey) -> bool:
        """Whether `key` names no method that the selection leaves out."""
        return all(key.method(axis) is None or key.named(axis) in names for axis, names in self.methods.items())


EVERYTHING = Selection({})


def parse_selection(text: str, grid: Grid) -> Selection:
    """`text` as a selection of the study's own methods. Raises SelectionError, or ConfigError if not implemented."""
    methods: dict[Axis, tuple[str, ...]] = {}
    for term in text.split():
        name, equals, values = term.partition("=")
        if not equals or not values:
            raise SelectionError(f"--select {term}", "a term is axis=method.", f"Axes: {', '.join(AXIS_NAMES)}.")
        if name not in AXIS_NAMES:
            raise SelectionError(f"--select {term}", f"there is no axis {name!r}.", did_you_mean(name, AXIS_NAMES))
        axis = AXIS_NAMES[name]
        if axis in methods:
            raise SelectionError(f"--select {term}", f"{name} is named twice.", f"Write {name}=A,B for several.")
        methods[axis] = tuple(_method(value, axis, term, grid) for value in values.split(","))
    selection = Selection(methods)
    if not any(selection.covers(key) for key in grid.pipelines or grid.features):
        raise SelectionError(
            f"--select {text}",
            f"no pipeline of study {grid.study.name!r} uses these methods together.",
            f"`plr methods {grid.study.name}` lists what it offers.",
        )
    return selection


def _method(name: str, axis: Axis, term: str, grid: Grid) -> str:
    where = f"--select {term}"
    grid.registry.require_implemented(axis, name, where=where)
    offered = {key.method(axis) for key in (*grid.features, *grid.pipelines)} - {None}
    if name not in offered:
        reason = grid.left_out.get(f"{axis}.{name}", grid.left_out.get(axis, "its grids do not list it"))
        raise SelectionError(
            where,
            f"study {grid.study.name!r} does not offer {name!r}: {reason}.",
            f"It offers: {', '.join(name for name in grid.registry.names(axis) if name in offered) or 'none'}.",
        )
    return name


def needed_keys(
    assets: Sequence[StageAsset], grid: Grid, selection: Selection
) -> dict[StageAsset, tuple[PipelineKey, ...]]:
    """The keys of each asset that the selection covers, and all that those are computed from; in grid order.

    `assets` upstream first. A table over all pipelines asks for none of them: it holds what is published.
    """
    wanted: dict[StageAsset, set[PipelineKey]] = {
        asset: {key for key in asset.keys_in(grid) if selection.covers(key)} for asset in assets
    }
    for asset in reversed(assets):
        for read in asset.reads_in(grid.study):
            if read.required:
                for key in wanted[asset]:
                    wanted[read.asset].update(read.keys(grid, key))
    return {asset: tuple(key for key in asset.keys_in(grid) if key in wanted[asset]) for asset in assets}
