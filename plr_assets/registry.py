"""The method registry: the only list of methods, read from `configs/methods/`.

Belongs here: typed access to the registry files, and what a name means (implementation, members, needs). Does not
belong here: which methods a study uses (`study`), or constructing estimators at import. A new method is one file in its
stage package and one entry in its registry file; the contract tests pick it up from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictFloat, StrictInt, model_validator

from plr_assets.config_files import StrictModel, load_model
from plr_assets.errors import ConfigError, did_you_mean
from plr_assets.paths import configs_dir

Axis = Literal["outlier_detection", "imputation", "featurization", "classification"]
AXES: tuple[Axis, ...] = ("outlier_detection", "imputation", "featurization", "classification")

SEPARATOR = "__"

Foundation = Literal["moment", "units", "tabpfn"]
# How much training a machine can bear: two cores and no accelerator, or one accelerator.
Profile = Literal["cpu", "gpu"]


class Search(StrictModel):
    """The candidates of one parameter: `choices`, or from `low` to `high`."""

    low: StrictInt | StrictFloat | None = Field(
        default=None, description="smallest; whole numbers if `high` is one too"
    )
    high: StrictInt | StrictFloat | None = Field(default=None, description="largest")
    log: bool = Field(default=False, description="even on a log scale")
    choices: tuple[Any, ...] = Field(default=(), description="values, instead of a range")

    @model_validator(mode="after")
    def _range_or_choices(self) -> Search:
        if bool(self.choices) == (self.low is not None or self.high is not None):
            raise ValueError("give `choices`, or `low` and `high`")
        if not self.choices and (self.low is None or self.high is None or self.low >= self.high):
            raise ValueError("`low` is smaller than `high`, and both are given")
        if self.log and (self.low is None or self.low <= 0):
            raise ValueError("`log` needs a range above 0")
        return self


class Method(StrictModel):
    """One registry entry."""

    display: str = Field(description="name in figures and tables")
    abbreviation: str = Field(max_length=12, description="name where space is short")
    category: str = Field(description="family, for grouping and colour")
    source: str = Field(description="paper or library that defines the method")
    implementation: str | None = Field(
        default=None,
        pattern=r"^[\w.]+:\w+$",
        description="module:attribute of the estimator; none for votes and oracles",
    )
    implemented: bool = Field(default=True, description="false: the name is reserved, the method is not there yet")
    published: bool = Field(default=True, description="part of the published 11 x 8 x 5 design")
    oracle: bool = Field(default=False, description="uses ground truth of evaluated recordings: shown, never ranked")
    requires: tuple[Literal["ground_truth", "development", "weights", "gpu"], ...] = ()
    pretrained: Foundation | None = Field(default=None, description="the foundation model whose weights it starts from")
    members: tuple[str, ...] = Field(default=(), description="ensembles: the methods that vote or are averaged")
    parameters: Mapping[str, Any] = Field(default_factory=dict)
    profiles: Mapping[Profile, Mapping[str, Any]] = Field(
        default_factory=dict, description="parameters that differ under a study's training profile"
    )
    search: Mapping[str, Search] = Field(
        default_factory=dict, description="classifiers: what a study's `tuning` chooses the parameters from"
    )

    def load(self) -> Any:
        """Import the implementation: a class or function of the stage package."""
        if self.implementation is None:
            raise ValueError(f"{self.display} has no implementation of its own")
        module, _, attribute = self.implementation.partition(":")
        return getattr(import_module(module), attribute)

    @property
    def module(self) -> str | None:
        return None if self.implementation is None else self.implementation.partition(":")[0]


class _MethodFile(StrictModel):
    methods: dict[str, Method]


class Registry(BaseModel):
    """All methods of all axes, in their published order."""

    model_config = ConfigDict(frozen=True)

    methods: Mapping[Axis, Mapping[str, Method]]
    directory: Path

    def file(self, axis: Axis) -> Path:
        return self.directory / f"{axis}.yaml"

    def names(self, axis: Axis) -> tuple[str, ...]:
        return tuple(self.methods[axis])

    def published(self, axis: Axis) -> tuple[str, ...]:
        return tuple(name for name, method in self.methods[axis].items() if method.published)

    def get(self, axis: Axis, name: str, *, where: str) -> Method:
        """The entry of `name`. Raises ConfigError at `where` if unknown."""
        try:
            return self.methods[axis][name]
        except KeyError:
            raise ConfigError(
                where, f"{axis} has no method {name!r}.", did_you_mean(name, self.methods[axis])
            ) from None

    def require_implemented(self, axis: Axis, name: str, *, where: str) -> Method:
        """As `get`, and an error if the method (or a member of it) is only a reserved name."""
        method = self.get(axis, name, where=where)
        for candidate in (name, *method.members):
            if not self.methods[axis][candidate].implemented:
                ready = ", ".join(n for n, m in self.methods[axis].items() if self.is_implemented(axis, n))
                needs = "" if candidate == name else f" (a member of {name})"
                raise ConfigError(
                    where,
                    f"{axis} method {candidate!r}{needs} is not implemented yet; "
                    f"its name is reserved in configs/methods/{axis}.yaml.",
                    f"Use one that is: {ready}.",
                )
        return method

    def is_implemented(self, axis: Axis, name: str) -> bool:
        method = self.methods[axis][name]
        return method.implemented and all(self.methods[axis][m].implemented for m in method.members)


@cache
def load_registry(directory: Path | None = None) -> Registry:
    """Read and check `configs/methods/*.yaml`. Raises ConfigError naming file and key."""
    directory = directory or configs_dir() / "methods"
    methods: dict[Axis, Mapping[str, Method]] = {}
    for axis in AXES:
        path = directory / f"{axis}.yaml"
        methods[axis] = load_model(path, _MethodFile).methods
        for name, method in methods[axis].items():
            where = f"{path}: methods.{name}"
            if SEPARATOR in name:
                raise ConfigError(
                    where, f"a method name may not contain {SEPARATOR!r}.", "Rename it: keys are split there."
                )
            for member in method.members:
                if member not in methods[axis]:
                    raise ConfigError(
                        f"{where}.members", f"{member!r} is no {axis} method.", did_you_mean(member, methods[axis])
                    )
            if method.implemented and (method.pretrained is not None) != ("weights" in method.requires):
                raise ConfigError(
                    f"{where}.requires", "`weights` and `pretrained` go together.", "Name the model under `pretrained`."
                )
            for key in method.search:
                if axis != "classification" or key not in method.parameters:
                    raise ConfigError(
                        f"{where}.search.{key}",
                        "only parameters of a classifier are searched, and this is none.",
                        did_you_mean(key, method.parameters),
                    )
            for profile, values in method.profiles.items():
                for key in values:
                    if key not in method.parameters:
                        raise ConfigError(
                            f"{where}.profiles.{profile}.{key}",
                            "the method has no such parameter.",
                            did_you_mean(key, method.parameters),
                        )
            if method.implemented and not method.members and not method.oracle and method.implementation is None:
                raise ConfigError(where, "an implemented method needs an implementation.", "Name it as module:Class.")
    return Registry(methods=methods, directory=directory)
