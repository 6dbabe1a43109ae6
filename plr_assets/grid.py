"""The grid of a study: which method combinations exist, stage by stage, and how their keys are spelt.

Belongs here: `PipelineKey` (the only code that joins or splits keys) and the keys of each stage, in order. Does not
belong here: Dagster partitions (`platform.partitions`) or running anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from functools import cached_property
from itertools import product

from plr_assets.errors import SelectionError
from plr_assets.registry import SEPARATOR, Axis, Foundation, Registry, load_registry
from plr_assets.study import Study

# How a key is printed: the run name that the published experiment used.
PRINT_ORDER: tuple[Axis, ...] = ("featurization", "outlier_detection", "imputation", "classification")
# How keys are sorted: a backfill starts one run per contiguous range, so this keeps "all of one detector" to one run.
SORT_ORDER: tuple[Axis, ...] = ("outlier_detection", "imputation", "featurization", "classification")


@dataclass(frozen=True, slots=True)
class PipelineKey:
    """A pipeline, or the part of one that is known at a stage: `simple__LOF__SAITS__CatBoost`, `LOF__SAITS`, `LOF`."""

    featurization: str | None = None
    outlier_detection: str | None = None
    imputation: str | None = None
    classification: str | None = None

    def __str__(self) -> str:
        return SEPARATOR.join(part for axis in PRINT_ORDER if (part := self.method(axis)) is not None)

    @classmethod
    def parse(cls, text: str, axes: Iterable[Axis]) -> PipelineKey:
        """The inverse of `str`, for a stage whose keys name `axes`. Raises SelectionError."""
        wanted = [axis for axis in PRINT_ORDER if axis in set(axes)]
        parts = text.split(SEPARATOR)
        if len(parts) != len(wanted) or not all(parts):
            raise SelectionError(text, f"this is no key of {SEPARATOR.join(wanted)}.", "Name one method for each part.")
        return cls(**dict(zip(wanted, parts, strict=True)))

    def method(self, axis: Axis) -> str | None:
        value: str | None = getattr(self, axis)
        return value

    def named(self, axis: Axis) -> str:
        """The method of an axis that this key is known to name."""
        value = self.method(axis)
        if value is None:
            raise ValueError(f"{self} names no {axis} method")
        return value

    def only(self, *axes: Axis) -> PipelineKey:
        """The key of an earlier stage: this one without the axes that are not in `axes`."""
        return replace(self, **{field.name: None for field in fields(self) if field.name not in axes})

    @property
    def axes(self) -> tuple[Axis, ...]:
        return tuple(axis for axis in PRINT_ORDER if self.method(axis) is not None)


@dataclass(frozen=True)
class Grid:
    """All keys of a study. Each property lists one stage's keys, without repeats, in `SORT_ORDER` of the registry."""

    study: Study
    registry: Registry

    @cached_property
    def features(self) -> tuple[PipelineKey, ...]:
        return self._sorted(
            PipelineKey(featurization=f, outlier_detection=o, imputation=i)
            for grid in self.study.grids
            for o, i, f in product(
                self._offered("outlier_detection", grid.outlier_detection),
                self._offered("imputation", grid.imputation),
                self._offered("featurization", grid.featurization),
            )
        )

    @cached_property
    def pipelines(self) -> tuple[PipelineKey, ...]:
        """Every full pipeline; empty where the study has no labels to classify."""
        if self.study.labels is None:
            return ()
        return self._sorted(
            PipelineKey(featurization=f, outlier_detection=o, imputation=i, classification=c)
            for grid in self.study.grids
            for o, i, f, c in product(
                self._offered("outlier_detection", grid.outlier_detection),
                self._offered("imputation", grid.imputation),
                self._offered("featurization", grid.featurization),
                self._offered("classification", grid.classification),
            )
        )

    @cached_property
    def imputed_signals(self) -> tuple[PipelineKey, ...]:
        return self._sorted(key.only("outlier_detection", "imputation") for key in self.features)

    @cached_property
    def outlier_masks(self) -> tuple[PipelineKey, ...]:
        return self._sorted(key.only("outlier_detection") for key in self.features)

    @cached_property
    def detectors(self) -> tuple[PipelineKey, ...]:
        """The detectors that are fitted: those asked for and the members of ensembles asked for."""
        return self._sorted(
            PipelineKey(outlier_detection=name)
            for key in self.outlier_masks
            for name in self.members("outlier_detection", key.named("outlier_detection"))
        )

    @cached_property
    def imputers(self) -> tuple[PipelineKey, ...]:
        return self._sorted(PipelineKey(imputation=key.named("imputation")) for key in self.reconstructions)

    @cached_property
    def reconstructions(self) -> tuple[PipelineKey, ...]:
        return self._sorted(
            replace(key, imputation=name)
            for key in self.imputed_signals
            for name in self.members("imputation", key.named("imputation"))
        )

    @cached_property
    def foundations(self) -> frozenset[Foundation]:
        """The foundation models that fitted methods of the study start from."""
        entries = [
            *(self.registry.methods["outlier_detection"][key.named("outlier_detection")] for key in self.detectors),
            *(self.registry.methods["imputation"][key.named("imputation")] for key in self.imputers),
            *(self.registry.methods["featurization"][key.named("featurization")] for key in self.features),
            *(self.registry.methods["classification"][key.named("classification")] for key in self.pipelines),
        ]
        return frozenset(entry.pretrained for entry in entries if entry.pretrained is not None)

    @cached_property
    def left_out(self) -> dict[str, str]:
        """Methods that a sub-grid's `published` or `all` covers but this study does not offer -> why."""
        reasons: dict[str, str] = {}
        for grid in self.study.grids:
            for axis, chosen in grid.choices.items():
                for name in self._candidates(axis, chosen):
                    if (why := self._why_not(axis, name)) is not None:
                        reasons[f"{axis}.{name}"] = why
        if self.study.labels is None:
            reasons["classification"] = "the study declares no labels"
        return reasons

    def members(self, axis: Axis, name: str) -> tuple[str, ...]:
        """The fitted methods behind `name`: itself, its members, or none for an oracle."""
        method = self.registry.methods[axis][name]
        if method.oracle:
            return ()
        return method.members or (name,)

    def is_oracle(self, key: PipelineKey) -> bool:
        """Whether any part of `key` uses ground truth of evaluated recordings."""
        return any(self.registry.methods[axis][key.named(axis)].oracle for axis in key.axes)

    def _candidates(self, axis: Axis, chosen: str | tuple[str, ...]) -> tuple[str, ...]:
        if chosen == "published":
            return self.registry.published(axis)
        if chosen == "all":
            return self.registry.names(axis)
        return tuple(chosen)

    def _why_not(self, axis: Axis, name: str) -> str | None:
        if not self.registry.is_implemented(axis, name):
            return "not implemented yet"
        if "ground_truth" in self.registry.methods[axis][name].requires and not self.study.has_ground_truth:
            return "needs ground truth, and the study has none"
        model = self.registry.methods[axis][name].pretrained
        if self.study.pretrained.goes_without(model):
            return f"its weights are left out: pretrained.{model}.source is none"
        return None

    def _offered(self, axis: Axis, chosen: str | tuple[str, ...]) -> Iterator[str]:
        return (name for name in self._candidates(axis, chosen) if self._why_not(axis, name) is None)

    def _sorted(self, keys: Iterable[PipelineKey]) -> tuple[PipelineKey, ...]:
        position = {axis: {name: i for i, name in enumerate(self.registry.names(axis))} for axis in SORT_ORDER}

        def place(key: PipelineKey) -> tuple[int, ...]:
            return tuple(position[axis].get(key.method(axis) or "", -1) for axis in SORT_ORDER)

        return tuple(sorted(dict.fromkeys(keys), key=place))


# The grid that was asked for last: every partition that is planned asks for it, and listing 448 pipelines takes 10 ms.
_last: list[Grid] = []


def grid_of(study: Study) -> Grid:
    """The grid of `study` in the registry as it was last loaded; the same object as long as both are the same."""
    registry = load_registry()
    last = next(iter(_last), None)  # a code server asks from several threads: what is looked at is what is returned
    if last is None or last.study is not study or last.registry is not registry:
        last = Grid(study=study, registry=registry)
        _last[:] = [last]
    return last
