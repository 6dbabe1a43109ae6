"""Selections: `outlier=LOF,*MOMENT* stage=outlier_detection`, and the partitions of each asset that they ask for.

Belongs here: parsing and checking a selection, and what has to be there for it. Does not belong here: running it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

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
_ASSET_TERMS = ("asset", "stage")


@dataclass(frozen=True)
class Selection:
    """Methods by axis, and names of assets; what is not named is not restricted."""

    methods: Mapping[Axis, tuple[str, ...]]
    assets: frozenset[str] | None = None

    def asks_for(self, asset: StageAsset) -> bool:
        """Whether `asset` itself is wanted, not only for what is computed from it."""
        return self.assets is None or asset.name in self.assets

    def covers(self, key: PipelineKey) -> bool:
        """Whether `key` names no method that the selection leaves out."""
        return all(key.method(axis) is None or key.named(axis) in names for axis, names in self.methods.items())


EVERYTHING = Selection({})


def parse_selection(text: str, grid: Grid, assets: Sequence[StageAsset]) -> Selection:
    """`text` as a selection of the study's own methods and `assets`.

    Raises SelectionError, or ConfigError if a method is not implemented.
    """
    methods: dict[Axis, tuple[str, ...]] = {}
    chosen: set[str] = set()
    for term in text.split():
        name, equals, values = term.partition("=")
        if not equals or not values:
            known = ", ".join((*AXIS_NAMES, *_ASSET_TERMS))
            raise SelectionError(
                f"--select {term}", "a term is axis=method or asset=name.", f"It begins with: {known}."
            )
        if name in _ASSET_TERMS:
            chosen.update(_assets(name, values, term, assets))
            continue
        if name not in AXIS_NAMES:
            raise SelectionError(
                f"--select {term}", f"there is no axis {name!r}.", did_you_mean(name, (*AXIS_NAMES, *_ASSET_TERMS))
            )
        axis = AXIS_NAMES[name]
        if axis in methods:
            raise SelectionError(f"--select {term}", f"{name} is named twice.", f"Write {name}=A,B for several.")
        found = (method for value in values.split(",") for method in _methods(value, axis, term, grid))
        methods[axis] = tuple(dict.fromkeys(found))
    selection = Selection(methods, frozenset(chosen) if chosen else None)
    if not any(selection.covers(key) for key in grid.pipelines or grid.features):
        raise SelectionError(
            f"--select {text}",
            f"no pipeline of study {grid.study.name!r} uses these methods together.",
            f"`plr methods {grid.study.name}` lists what it offers.",
        )
    return selection


def _assets(kind: str, values: str, term: str, assets: Sequence[StageAsset]) -> set[str]:
    """The assets that `asset=a,b` or `stage=a,b` names."""
    place = {asset.name: asset.name if kind == "asset" else asset.stage.name for asset in assets}
    found: set[str] = set()
    for value in values.split(","):
        matching = set(_matching(value, place.values())) if _is_pattern(value) else {value} & set(place.values())
        if not matching:
            raise SelectionError(
                f"--select {term}", f"the study has no {kind} {value!r}.", did_you_mean(value, set(place.values()))
            )
        found |= {name for name, what in place.items() if what in matching}
    return found


def _is_pattern(value: str) -> bool:
    return any(character in value for character in "*?[")


def _matching(pattern: str, names: Collection[str]) -> tuple[str, ...]:
    """Those of `names` that a pattern of `*`, `?` and `[...]` covers; capital letters count."""
    return tuple(name for name in names if fnmatchcase(name, pattern))


def _methods(value: str, axis: Axis, term: str, grid: Grid) -> tuple[str, ...]:
    """The method of that name, or those that a pattern covers."""
    if not _is_pattern(value):
        return (_method(value, axis, term, grid),)
    found = _matching(value, _offered(axis, grid))
    if not found:
        offered = ", ".join(_offered(axis, grid)) or "none"
        raise SelectionError(
            f"--select {term}",
            f"no method that study {grid.study.name!r} offers is covered by {value!r}.",
            f"It offers: {offered}.",
        )
    return found


def _offered(axis: Axis, grid: Grid) -> tuple[str, ...]:
    there = {key.method(axis) for key in (*grid.features, *grid.pipelines)}
    return tuple(name for name in grid.registry.names(axis) if name in there)


def _method(name: str, axis: Axis, term: str, grid: Grid) -> str:
    where = f"--select {term}"
    grid.registry.require_implemented(axis, name, where=where)
    offered = _offered(axis, grid)
    if name not in offered:
        reason = grid.left_out.get(f"{axis}.{name}", grid.left_out.get(axis, "its grids do not list it"))
        raise SelectionError(
            where,
            f"study {grid.study.name!r} does not offer {name!r}: {reason}.",
            f"It offers: {', '.join(offered) or 'none'}.",
        )
    return name


def needed_keys(
    assets: Sequence[StageAsset], grid: Grid, selection: Selection
) -> dict[StageAsset, tuple[PipelineKey, ...]]:
    """The keys of each asset that the selection covers, and all that those are computed from; in grid order.

    `assets` upstream first. A table over all pipelines asks for none of them: it holds what is published. An asset
    without partitions that others are computed from is needed by those, or where it is named itself: the weights of a
    foundation model are no part of `outlier=LOF`.
    """
    inputs = {read.asset for asset in assets for read in asset.reads_in(grid.study) if read.required}

    def asked(asset: StageAsset) -> set[PipelineKey]:
        if not selection.asks_for(asset) or (selection.assets is None and not asset.partitioned and asset in inputs):
            return set()
        return {key for key in asset.keys_in(grid) if selection.covers(key)}

    wanted = {asset: asked(asset) for asset in assets}
    for asset in reversed(assets):
        for read in asset.reads_in(grid.study):
            if read.required:
                for key in wanted[asset]:
                    wanted[read.asset].update(read.keys(grid, key))
    return {asset: tuple(key for key in asset.keys_in(grid) if key in wanted[asset]) for asset in assets}
