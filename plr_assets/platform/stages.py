"""How an asset is declared: its keys, what it reads, and the function that computes one key.

Belongs here: `StageAsset` (the declaration), `Task` (what the function gets) and `@stage_asset`. Does not belong here:
Dagster (`assets` builds dg.asset objects from these), or any stage's content (`defs`). Declarations know no study; the
study's grid gives them their keys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from inspect import cleandoc
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from plr_assets.grid import Grid, PipelineKey
from plr_assets.registry import Axis, Method
from plr_assets.schemas import Table
from plr_assets.study import TUNING, Study

if TYPE_CHECKING:
    import polars as pl

    from plr_assets.platform.artifacts import ArtifactRef, Product

WHOLE = PipelineKey()  # the one key of an asset without partitions

# What a key reads: (asset, artifact) -> upstream key -> reference.
Inputs: TypeAlias = "Mapping[tuple[str, str], Mapping[PipelineKey, ArtifactRef]]"


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage: folder, Dagster group, owner and MLflow experiment of its assets."""

    name: str
    owner: str
    experiment: str
    persona: str


@dataclass(frozen=True)
class Reads:
    """One artifact of an upstream asset, at the keys that a key needs.

    keys      grid, key -> upstream keys; default: the part of the key that the upstream asset has.
    artifact  the artifact's name; default: the asset's.
    required  false: read what is published as it would be computed now, and go on without the rest.
    """

    asset: StageAsset
    artifact: str
    keys: Callable[[Grid, PipelineKey], Iterable[PipelineKey]]
    required: bool = True


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check says: whether it passed, and the sentence and numbers that show why."""

    passed: bool
    reason: str
    numbers: Mapping[str, float] = field(default_factory=dict)


class Tables(Protocol):
    """Published tables by the name of their artifact."""

    def __call__(self, name: str, /) -> pl.DataFrame: ...

    def before(self, name: str, /) -> pl.DataFrame | None:
        """The same of the publication before this one, of other content; none if there is none that can be read."""


@dataclass(frozen=True, slots=True)
class Check:
    """A check of an asset's published tables. Where it fails, the asset stands.

    judge      study, tables -> verdict. It computes nothing that is published, so that a changed limit judges what is
               there again.
    blocking   whether nothing is computed from the asset then; otherwise it is a warning.
    over_time  whether it is about what was published before, so that the tables alone do not decide it.
    """

    name: str
    description: str
    judge: Callable[[Study, Tables], Verdict]
    blocking: bool = True
    over_time: bool = False


@dataclass(frozen=True, eq=False)
class StageAsset:
    """One asset, for every study."""

    name: str
    stage: Stage
    description: str
    compute: Callable[[Task], Product]
    keys: Callable[[Grid], Sequence[PipelineKey]] | None
    axes: tuple[Axis, ...]
    method_axis: Axis | None
    reads: tuple[Reads, ...]
    tables: Mapping[str, Table]
    settings: tuple[str, ...]
    seeded: bool
    source: Callable[[Study, Inputs], str] | None
    configuration: Callable[[Grid], Any] | None
    present: Callable[[Study, str], bool]
    offered: Callable[[Study], bool]
    exports: Mapping[str, str]
    kinds: tuple[str, ...]
    pool: str | None
    checks: tuple[Check, ...]

    @property
    def partitioned(self) -> bool:
        return self.keys is not None

    def keys_in(self, grid: Grid) -> tuple[PipelineKey, ...]:
        return (WHOLE,) if self.keys is None else tuple(self.keys(grid))

    def reads_in(self, study: Study) -> tuple[Reads, ...]:
        """What it reads in `study`, which may lack some of the assets."""
        return tuple(read for read in self.reads if read.asset.offered(study))

    def key_text(self, key: PipelineKey) -> str:
        """The partition key and MLflow run name; an asset without partitions goes by its own name."""
        return str(key) if self.partitioned else self.name

    def place(self, key: PipelineKey) -> str:
        """How a partition is named among those of all assets: `outlier_masks LOF`, `recordings`."""
        return f"{self.name} {key}" if self.partitioned else self.name

    def parse(self, text: str) -> PipelineKey:
        return PipelineKey.parse(text, self.axes) if self.partitioned else WHOLE

    def method(self, key: PipelineKey) -> str | None:
        return None if self.method_axis is None else key.named(self.method_axis)

    def __reduce__(self) -> tuple[Callable[[str, str], StageAsset], tuple[str, str]]:
        # Declarations hold functions that cannot be pickled; a worker imports its own.
        return _declared, (self.compute.__module__, self.name)


def _declared(module: str, name: str) -> StageAsset:
    asset: StageAsset = getattr(import_module(module), name)
    return asset


@dataclass(frozen=True)
class Task:
    """What a compute function gets: its key, its inputs, and the settings it declared. Sent to workers.

    `study` is for finding places on disk; whatever shapes a result is asked for as a `setting`. `cores` is how many
    processes the computation may use; no result depends on it. `failures` says why partitions of the study failed,
    (asset, key) -> error, where an optional input is missing; for telling people, and for nothing else. `adopted` are
    the tables of somebody else's run that stand for the key: they are checked and completed instead of computing
    (`adopting`).
    """

    asset: StageAsset
    study: Study
    grid: Grid
    key: PipelineKey
    inputs: Inputs
    parameters: Mapping[str, Any] = field(default_factory=dict)
    cores: int = 1
    failures: Mapping[tuple[str, str], str] = field(default_factory=dict)
    adopted: Mapping[str, ArtifactRef] | None = None

    def table(self, asset: str, artifact: str | None = None) -> pl.DataFrame:
        """The one table read from `asset`."""
        (frame,) = self.tables(asset, artifact).values()
        return frame

    def tables(self, asset: str, artifact: str | None = None) -> dict[PipelineKey, pl.DataFrame]:
        """The tables read from `asset`, by upstream key, in the order in which they were asked for."""
        from plr_assets.platform.artifacts import read_table

        name = artifact or asset
        schema = self._upstream(asset, name).asset.tables[name]
        return {key: read_table(ref, schema) for key, ref in self.inputs[asset, name].items()}

    def fitted(self, asset: str, artifact: str = "model") -> dict[PipelineKey, Any]:
        """The fitted methods read from `asset`, by upstream key."""
        from plr_assets.platform.artifacts import folder_path

        axis = self._upstream(asset, artifact).asset.method_axis
        assert axis is not None  # noqa: S101 - only assets with a method publish fitted ones
        methods = self.grid.registry.methods[axis]
        return {
            key: methods[key.named(axis)].load().load(folder_path(ref))
            for key, ref in self.inputs[asset, artifact].items()
        }

    def folder(self, asset: str, artifact: str) -> Path:
        """Where the one folder read from `asset` lies."""
        from plr_assets.platform.artifacts import folder_path

        (ref,) = self.inputs[asset, artifact].values()
        return folder_path(ref)

    @property
    def missing(self) -> tuple[str, ...]:
        """Keys of optional reads that are not published."""
        wanted = {
            read.asset.key_text(key): (read, key)
            for read in self.asset.reads_in(self.study)
            if not read.required
            for key in read.keys(self.grid, self.key)
        }
        return tuple(
            text for text, (read, key) in wanted.items() if key not in self.inputs[read.asset.name, read.artifact]
        )

    def setting(self, name: str) -> Any:
        """A study setting that the asset declared (so that its fingerprint holds it)."""
        if name not in self.asset.settings:
            raise KeyError(f"{self.asset.name} does not declare the setting {name!r}")
        return getattr(self.study, name)

    @property
    def seed(self) -> int:
        if not self.asset.seeded:
            raise KeyError(f"{self.asset.name} does not declare that it draws random numbers")
        return self.study.seed

    @property
    def method(self) -> str:
        """The registry name of this key's method."""
        if self.asset.method_axis is None:
            raise KeyError(f"{self.asset.name} has no method")
        return self.key.named(self.asset.method_axis)

    @property
    def entry(self) -> Method:
        """The registry's entry of this key's method."""
        if self.asset.method_axis is None:
            raise KeyError(f"{self.asset.name} has no method")
        return self.grid.registry.methods[self.asset.method_axis][self.method]

    def make(self, **further: Any) -> Any:
        """This key's method, constructed with this study's parameters; one that draws gets the study's seed."""
        method = self.entry.load()
        if self.asset.seeded and "seed" in getattr(method, "__dataclass_fields__", {}):
            further = {"seed": self.seed, **further}
        own = {name: value for name, value in self.parameters.items() if name != TUNING}
        return method(**own, **further)

    @property
    def tuning(self) -> Mapping[str, Any] | None:
        """How this key's method is tuned, and what from; none: it is not."""
        return self.parameters.get(TUNING)

    def _upstream(self, asset: str, artifact: str) -> Reads:
        return next(read for read in self.asset.reads if (read.asset.name, read.artifact) == (asset, artifact))


def stage_asset(
    stage: Stage,
    *,
    keys: Callable[[Grid], Sequence[PipelineKey]] | None = None,
    axes: tuple[Axis, ...] = (),
    method_axis: Axis | None = None,
    reads: Sequence[Reads] = (),
    tables: Mapping[str, Table] | None = None,
    settings: tuple[str, ...] = (),
    seeded: bool = False,
    source: Callable[[Study, Inputs], str] | None = None,
    configuration: Callable[[Grid], Any] | None = None,
    present: Callable[[Study, str], bool] = lambda _study, _digest: True,
    offered: Callable[[Study], bool] = lambda _: True,
    exports: Mapping[str, str] | None = None,
    kinds: tuple[str, ...] = ("python", "mlflow"),
    pool: str | None = None,
    checks: Sequence[Check] = (),
) -> Callable[[Callable[[Task], Product]], StageAsset]:
    """Declare an asset; the decorated function computes one key, and its docstring is the catalogue's description.

    keys           the study's keys, in order; none: one unpartitioned artifact.
    axes           which methods a key names.
    method_axis    the axis whose method `Task.make` builds, and whose code and parameters enter the fingerprint.
    reads          upstream artifacts.
    tables         schema of each table that is published.
    settings       fields of the study that the function uses; they enter the fingerprint.
    seeded         whether the function draws random numbers; the study's seed then enters the fingerprint.
    source         digest of what is read from outside the contract (files on disk); gets what the key reads, too.
    configuration  what is read of further configuration, as JSON (texts and colours of figures).
    present        whether what the function writes outside the contract still stands, given the published digest.
    offered        whether a study has this asset at all.
    exports        folder artifact -> place below the study's data folder where its files are copied for people.
    pool           Dagster pool that lets one run at a time do this.
    checks         what must hold; before anything is computed from it, if they block. Only without partitions.
    """
    if checks and keys is not None:
        raise ValueError("checks judge an asset as a whole; this one has partitions")

    def declare(compute: Callable[[Task], Product]) -> StageAsset:
        if not compute.__doc__:
            raise ValueError(f"{compute.__name__} needs a docstring: it is the catalogue's description")
        return StageAsset(
            name=compute.__name__,
            stage=stage,
            description=cleandoc(compute.__doc__),
            compute=compute,
            keys=keys,
            axes=axes,
            method_axis=method_axis,
            reads=tuple(reads),
            tables=dict(tables or {}),
            settings=settings,
            seeded=seeded,
            source=source,
            configuration=configuration,
            present=present,
            offered=offered,
            exports=dict(exports or {}),
            kinds=kinds,
            pool=pool,
            checks=tuple(checks),
        )

    return declare


def reads(
    asset: StageAsset,
    artifact: str | None = None,
    keys: Callable[[Grid, PipelineKey], Iterable[PipelineKey]] | None = None,
    *,
    required: bool = True,
) -> Reads:
    """See `Reads`."""
    return Reads(asset, artifact or asset.name, keys or (lambda _, key: (key.only(*asset.axes),)), required)
