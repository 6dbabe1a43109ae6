"""A study: one experiment as its YAML file declares it, typed and checked.

Belongs here: the shape of `configs/studies/*.yaml`, the rules between its keys, and reading it. Does not belong here:
sections of it that have rules of their own (`study.recordings`, `study.quality`, `study.pretrained`), which pipelines
follow from it (`grid`), or reading recordings.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from plr_assets.config_files import StrictModel, load_model
from plr_assets.errors import ConfigError, did_you_mean
from plr_assets.paths import configs_dir, data_root
from plr_assets.registry import Axis, Profile, Registry, load_registry
from plr_assets.study.pretrained import Foundations
from plr_assets.study.quality import Gaps, QualityLimits
from plr_assets.study.recordings import Baseline, DeclaredStimulus, RecordingFiles, Sampling, Simulation

# Among a method's parameters: how it is tuned. No constructor takes it.
TUNING = "tuning"


class SubGrid(StrictModel):
    """A product of methods. A study is the union of its sub-grids."""

    outlier_detection: Literal["published", "all"] | tuple[str, ...]
    imputation: Literal["published", "all"] | tuple[str, ...]
    featurization: Literal["published", "all"] | tuple[str, ...]
    classification: Literal["published", "all"] | tuple[str, ...] = ()

    @property
    def choices(self) -> dict[Axis, str | tuple[str, ...]]:
        return {
            "outlier_detection": self.outlier_detection,
            "imputation": self.imputation,
            "featurization": self.featurization,
            "classification": self.classification,
        }


class Bootstrap(StrictModel):
    iterations: int = Field(default=1000, ge=2, le=100_000)


class Tuning(StrictModel):
    """How a classifier's parameters are chosen inside each bootstrap sample. What from is the registry's `search`."""

    trials: int = Field(default=20, ge=1, description="sets of parameters that are tried in each iteration")
    folds: int = Field(default=5, ge=2, description="inner folds, by subject")
    metric: Literal["auroc", "brier", "log_loss"] = Field(default="auroc", description="what the folds are judged by")


class Workers(StrictModel):
    """How work is spread: `serial` in this process, `process` over a pool."""

    kind: Literal["serial", "process"] = "process"
    processes: int | None = Field(default=None, ge=1, description="none: one a core")


class Study(StrictModel):
    """One experiment: its data, its methods, its seed."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="the file's name; asset prefix and data folder")
    title: str
    description: str
    origin: Literal["synthetic", "clinical"]
    seed: int = Field(ge=0, lt=2**32)
    recordings: RecordingFiles
    sampling: Sampling
    stimuli: tuple[DeclaredStimulus, ...] | None = Field(default=None, description="none: read from the files")
    baseline: Baseline
    quality: QualityLimits = Field(default=QualityLimits(), description="which recordings are flagged or refused")
    gaps: Gaps = Field(default=Gaps(), description="which features are flagged for what was imputed in them")
    simulation: Simulation | None = None
    labels: tuple[str, str] | None = Field(
        default=None, description="(negative, positive) class_label; none: no labels"
    )
    grids: tuple[SubGrid, ...] = Field(min_length=1)
    bootstrap: Bootstrap = Bootstrap()
    methods: Mapping[Axis, Mapping[str, Mapping[str, Any]]] = Field(
        default_factory=dict, description="parameters that differ from the registry's"
    )
    tuning: Mapping[str, Tuning] = Field(
        default_factory=dict, description="classifier -> how its parameters are chosen; none: they are as configured"
    )
    training: Profile = Field(default="cpu", description="how long deep methods train: two cores, or an accelerator")
    pretrained: Foundations = Foundations()
    workers: Workers = Workers()
    automation: Literal["automatic", "manual"] = Field(
        default="manual", description="whether what changed is computed without being asked"
    )

    @model_validator(mode="after")
    def _parts_fit_together(self) -> Study:
        if self.simulation is not None and self.origin != "synthetic":
            raise ValueError("`simulation` needs `origin: synthetic`: simulated and clinical recordings never meet")
        if self.labels is not None and self.recordings.subjects is None and not self.recordings.brings_labels:
            raise ValueError("`labels` needs `recordings.subjects`, the table that holds class_label")
        return self

    @property
    def has_ground_truth(self) -> bool:
        columns = self.recordings.columns
        return (
            self.recordings.ground_truth is not None
            or self.recordings.ground_truth_in_files
            or (columns is not None and columns.truth is not None)
        )

    @property
    def synthetic(self) -> bool:
        return self.origin == "synthetic"

    @property
    def data_dir(self) -> Path:
        """`<PLR_DATA_DIR>/<study>`: files in, results out."""
        return data_root() / self.name

    def resolve(self, path: Path) -> Path:
        """A path of the study file: absolute as it is, relative below the data folder."""
        return path if path.is_absolute() else self.data_dir / path

    def parameters(self, axis: Axis, method: str, registry: Registry | None = None) -> dict[str, Any]:
        """The parameters of `method` in this study: the registry's, its training profile's, and the study's own on
        top; and for a classifier that is tuned, `TUNING`: how, and what from."""
        entry = (registry or load_registry()).methods[axis][method]
        tuning = self.tuning.get(method) if axis == "classification" else None
        searched = {name: search.model_dump(mode="json") for name, search in entry.search.items()}
        return {
            **entry.parameters,
            **entry.profiles.get(self.training, {}),
            **self.methods.get(axis, {}).get(method, {}),
            **({TUNING: {**tuning.model_dump(mode="json"), "search": searched}} if tuning is not None else {}),
        }


def study_file(name_or_path: str) -> Path:
    """`demo` -> configs/studies/demo.yaml; anything that ends in .yaml is a path."""
    if name_or_path.endswith((".yaml", ".yml")):
        return Path(name_or_path).expanduser().resolve()
    path = configs_dir() / "studies" / f"{name_or_path}.yaml"
    if not path.is_file():
        known = study_names()
        raise ConfigError(
            str(path),
            f"there is no study {name_or_path!r}.",
            f"{did_you_mean(name_or_path, known)} Or give the path of a .yaml file.",
        )
    return path


def study_names() -> list[str]:
    return sorted(path.stem for path in (configs_dir() / "studies").glob("*.yaml"))


@cache
def load_study(name_or_path: str) -> Study:
    """Read and check a study. Raises ConfigError naming file and key, for unknown keys too."""
    path = study_file(name_or_path)
    if not re.fullmatch(r"[a-z][a-z0-9_]*", path.stem):
        raise ConfigError(
            str(path), "a study is named by its file: lower-case letters, digits and _.", "Rename the file."
        )
    study = load_model(path, _NamedByFile).model_copy(update={"name": path.stem})
    _check_methods(study, path, load_registry())
    return study


class _NamedByFile(Study):
    """A study as its file spells it: without `name`."""

    name: str = "unnamed"

    @model_validator(mode="before")
    @classmethod
    def _name_is_the_file(cls, values: dict[str, Any]) -> dict[str, Any]:
        if "name" in values:
            raise ValueError("`name` is the file's name and is not written inside")
        return values


def _check_methods(study: Study, path: Path, registry: Registry) -> None:
    for index, grid in enumerate(study.grids):
        for axis, chosen in grid.choices.items():
            names = () if isinstance(chosen, str) else chosen
            for name in names:
                where = f"{path}: grids.{index}.{axis}"
                method = registry.require_implemented(axis, name, where=where)
                if "ground_truth" in method.requires and not study.has_ground_truth:
                    raise ConfigError(
                        where,
                        f"{name!r} needs ground truth, and this study has none.",
                        "Leave it out, or name recordings.ground_truth.",
                    )
                if study.pretrained.goes_without(method.pretrained):
                    raise ConfigError(
                        where,
                        f"{name!r} starts from weights, and pretrained.{method.pretrained}.source is `none`.",
                        "Leave it out, or say where its weights come from.",
                    )
    for name in study.tuning:
        where = f"{path}: tuning.{name}"
        if not registry.get("classification", name, where=where).search:
            raise ConfigError(
                where,
                "configs/methods/classification.yaml says of no parameter of it what to choose from.",
                "Add `search` to its entry there, or leave tuning off.",
            )
    for axis, overrides in study.methods.items():
        for name, parameters in overrides.items():
            where = f"{path}: methods.{axis}.{name}"
            known = registry.get(axis, name, where=where).parameters
            for key in parameters:
                if key not in known:
                    raise ConfigError(f"{where}.{key}", "the method has no such parameter.", did_you_mean(key, known))
