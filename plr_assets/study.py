"""A study: one experiment as its YAML file declares it, typed and checked.

Belongs here: the shape of `configs/studies/*.yaml` and the rules between its keys. Does not belong here: which
pipelines follow from it (`grid`), or reading recordings.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from plr_assets.config_files import load_model
from plr_assets.errors import ConfigError, did_you_mean
from plr_assets.paths import configs_dir, data_root
from plr_assets.registry import Axis, Foundation, Profile, Registry, load_registry

Colour = Literal["red", "blue", "white"]
Window = Annotated[tuple[float, float], Field(description="(start, end) in seconds, both included")]


# Among a method's parameters: how it is tuned. No constructor takes it.
TUNING = "tuning"

ReaderName = Literal["auto", "device_csv", "headered_csv", "processed_csv", "seri_db", "recordings_parquet"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ColumnMap(_Strict):
    """Which columns of a headered csv hold what."""

    time: str = Field(description="seconds since the start of the recording")
    pupil: str = Field(description="pupil diameter; empty, 0 and negative values are dropouts")
    truth: str | None = Field(default=None, description="ground truth, in the unit of `pupil`")
    artefact: str | None = Field(default=None, description="1 where a human rejected the sample")


class RecordingFiles(_Strict):
    """Where the recordings of a study lie and how they are written."""

    path: Path = Field(description="a file or a folder of them; relative to the study's data folder")
    reader: ReaderName = Field(default="auto", description="auto: each file by its content; a name: that one only")
    columns: ColumnMap | None = Field(default=None, description="headered_csv only")
    unit: Literal["px", "mm", "%"] = Field(default="px", description="unit of the pupil column")
    eye: Literal["left", "right"] | None = None
    subjects: Path | None = Field(
        default=None,
        description="csv or xlsx: subject_code, class_label, age, eye, perhaps recording",
    )
    ground_truth: Path | None = Field(default=None, description="folder: <subject_code>.csv on the common grid")
    ground_truth_in_files: bool = Field(default=False, description="the recordings' own files hold it")

    @model_validator(mode="after")
    def _columns_belong_to_headered_files(self) -> RecordingFiles:
        if self.reader != "auto" and (self.reader == "headered_csv") != (self.columns is not None):
            raise ValueError("`columns` is needed by reader headered_csv, and used by no other but auto")
        if self.ground_truth is not None and self.ground_truth_in_files:
            raise ValueError("`ground_truth` and `ground_truth_in_files` exclude each other")
        return self

    @property
    def brings_labels(self) -> bool:
        """Whether the files themselves say who has which diagnosis."""
        return self.reader in ("seri_db", "recordings_parquet")


class Alignment(_Strict):
    """The event that recordings are aligned on, and where it lands on the common grid."""

    colour: Colour
    at_s: float = Field(ge=0)


class Sampling(_Strict):
    """The common time grid."""

    rate_hz: float = Field(gt=0, le=2000)
    duration_s: float = Field(gt=0, description="first to last sample")
    align_onset: Alignment | None = Field(default=None, description="none: time runs from the file's first sample")

    @property
    def n_samples(self) -> int:
        return round(self.rate_hz * self.duration_s) + 1


class DeclaredStimulus(_Strict):
    """A light whose times are not in the files."""

    colour: Colour
    onset_s: float = Field(ge=0)
    offset_s: float

    @model_validator(mode="after")
    def _offset_after_onset(self) -> DeclaredStimulus:
        if self.offset_s <= self.onset_s:
            raise ValueError("offset_s must be later than onset_s")
        return self


class Baseline(_Strict):
    """The window whose median diameter is 0 %."""

    before: Colour = Field(description="the first light of this colour is the reference")
    window_s: Window = (-5.0, 0.0)


# (flag above, refuse above); null: never
Limit = Annotated[tuple[float | None, float | None], Field(description="flag above the first, refuse above the second")]
# lowest and highest
Range = Annotated[tuple[float, float], Field(description="refuse outside")]

# 9 s of blue, 31 s after its onset 9 s of red (Najjar 2023, BJO 107:663; the same was measured on seven files).
PUBLISHED_PROTOCOL = (
    DeclaredStimulus(colour="blue", onset_s=15.5, offset_s=24.5),
    DeclaredStimulus(colour="red", onset_s=46.5, offset_s=55.5),
)


class QualityLimits(_Strict):
    """What a recording may look like. `quality` applies them; the pairs are (flag above, refuse above).

    "measured": seven real blue/red files of the handheld pupillometer. A flag begins where none of them lies, with
    one exception: the file that lost 2 s right before blue is flagged. "chosen": where a recording can no longer
    answer the question it was made for.
    """

    max_flagged_share: float = Field(
        default=0.25, ge=0, le=1, description="flagged and refused recordings, of all: the study stops above it"
    )
    protocol: tuple[DeclaredStimulus, ...] = Field(
        default=PUBLISHED_PROTOCOL,
        min_length=1,
        description="the lights that files with their own drive must hold; times count from the first onset",
    )
    protocol_tolerance_s: float = Field(
        default=0.5, gt=0, description="s; measured: lights of 8.9-9.1 s, 30.84-31.13 s from onset to onset"
    )
    min_peak_code: float = Field(default=200.0, ge=0, description="drive code; measured 227-231, white 253-255")
    uncovered_s: float = Field(
        default=1.0, ge=0, description="s that a recording may miss at either end of the grid; measured up to 0.6"
    )
    sampling_gap_s: Limit = Field(default=(0.2, 1.0), description="s between two samples; measured up to 0.13")
    empty_share: Limit = Field(
        default=(0.05, 0.2),
        description="grid points without a sample; measured up to 0.9 %, which is a clock at 29.7 Hz",
    )
    baseline_missing: Limit = Field(
        default=(0.2, 0.5), description="missing samples of the baseline window; measured 58 of 150 in one file"
    )
    baseline_spread_percent: Limit = Field(
        default=(10.0, None), description="% of the baseline, robust SD in its window; measured 1.3-5 at rest"
    )
    drift_percent: Limit = Field(
        default=(35.0, None), description="% between the baselines of first and last light; measured -24 to +7"
    )
    size_px: Range = Field(default=(10.0, 200.0), description="px, baseline; measured 29-65 with this camera")
    size_mm: Range = Field(default=(1.2, 10.0), description="mm, baseline; human pupils are 2-8 mm wide")
    rest_percent: Limit = Field(
        default=(10.0, 30.0), description="%, median before the first light in files that are in %; it should be 0"
    )
    dropout_share: Limit = Field(default=(0.1, 0.5), description="samples without a pupil; measured up to 6.7 %")
    longest_dropout_s: Limit = Field(default=(2.5, 10.0), description="s without a pupil; measured up to 2.0")
    light_missing: Limit = Field(
        default=(0.25, 0.6), description="samples without a pupil while a light is on; chosen, as the response is there"
    )
    blinks_per_minute: Limit = Field(
        default=(40.0, None), description="dropouts a minute; measured up to 26, 8-21 at rest (Doughty 2001)"
    )
    frozen_s: Limit = Field(
        default=(0.5, 5.0), description="s with one and the same diameter; measured noise is 0.24 px or more a frame"
    )
    implausible_share: Limit = Field(
        default=(0.05, 0.3),
        description="samples below 20 % or above 160 % of the baseline; measured up to 63 of 1981 (3.2 %)",
    )
    truth_off_percent: Limit = Field(
        default=(10.0, 25.0),
        description="% of the baseline by which a tenth of the kept samples miss ground truth; noise explains up to 5",
    )
    noise_percent: Limit = Field(
        default=(4.0, None), description="% of the baseline, robust SD from frame to frame; measured 0.5-2.8"
    )
    min_response_percent: float = Field(
        default=5.0, ge=0, description="% constriction to each light, flagged below it; measured 31-64"
    )

    @model_validator(mode="after")
    def _refusals_lie_above_flags(self) -> QualityLimits:
        for name in type(self).model_fields:
            value = getattr(self, name)
            if name.startswith("size_"):
                if value[0] >= value[1]:
                    raise ValueError(f"`{name}` is [lowest, highest]")
            elif isinstance(value, tuple) and name != "protocol":
                if any(limit is not None and limit < 0 for limit in value):
                    raise ValueError(f"`{name}` is below 0")
                if None not in value and value[1] < value[0]:
                    raise ValueError(f"`{name}` is [flag above, refuse above]; the second is not below the first")
        return self


class Gaps(_Strict):
    """What is said of features whose windows were imputed in part."""

    longest_s: float = Field(
        default=1.0, gt=0, description="s; a feature is flagged where more is imputed in one piece within its window"
    )


class Simulation(_Strict):
    """How many recordings to simulate. Only for studies of origin `synthetic`."""

    control: int = Field(ge=0)
    glaucoma: int = Field(ge=0)
    unlabelled: int = Field(ge=0)
    match_age: bool = Field(default=False, description="controls as old as the patients; no: older patients")
    june_2018_share: float = Field(
        default=0.25, ge=0, le=1, description="recordings in the later format: 76 and 77 values a row"
    )


class SubGrid(_Strict):
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


class Bootstrap(_Strict):
    iterations: int = Field(default=1000, ge=2, le=100_000)


class Tuning(_Strict):
    """How a classifier's parameters are chosen inside each bootstrap sample. What from is the registry's `search`."""

    trials: int = Field(default=20, ge=1, description="sets of parameters that are tried in each iteration")
    folds: int = Field(default=5, ge=2, description="inner folds, by subject")
    metric: Literal["auroc", "brier", "log_loss"] = Field(default="auroc", description="what the folds are judged by")


class Pretraining(_Strict):
    """Masked reconstruction of simulated recordings, which never belong to a study."""

    recordings: int = Field(default=600, ge=10, description="simulated recordings, a fifth of them to stop by")
    epochs: int = Field(default=15, ge=1)
    patience: int = Field(default=3, ge=1, description="epochs without a better hold-out error")
    batch_size: int = Field(default=16, ge=1, description="windows")
    learning_rate: float = Field(default=1e-3, gt=0)
    hidden_share: float = Field(default=0.3, gt=0, lt=1, description="of each window")


class MomentWeights(_Strict):
    """Where MOMENT's weights come from."""

    source: Literal["hub", "local", "pretrain"] = "hub"
    size: Literal["small", "base", "large"] = Field(default="small", description="hub: which published model")
    revision: str = Field(default="main", description="hub: a commit of the model's repository; recorded as resolved")
    cache: Path | None = Field(default=None, description="hub: where downloads are kept; none: the hub's own cache")
    path: Path | None = Field(default=None, description="local: a folder with config.json and model.safetensors")
    d_model: int = Field(default=128, ge=8, description="pretrain: width")
    layers: int = Field(default=4, ge=1, description="pretrain: depth")
    heads: int = Field(default=4, ge=1, description="pretrain: attention heads")
    d_ff: int = Field(default=256, ge=8, description="pretrain: width of the feed-forward layers")
    pretraining: Pretraining = Pretraining()

    @model_validator(mode="after")
    def _local_names_a_path(self) -> MomentWeights:
        return _local_has_path(self)


class UnitsWeights(_Strict):
    """Where UniTS's weights come from. It is on no model hub: its authors release checkpoint files."""

    source: Literal["local", "pretrain"] = "pretrain"
    path: Path | None = Field(default=None, description="local: an official .pth checkpoint, or a folder of ours")
    d_model: int = Field(default=32, ge=8, description="pretrain: width; the published models are 32, 64 and 128 wide")
    layers: int = Field(default=3, ge=1, description="pretrain: depth")
    heads: int = Field(default=8, ge=1, description="pretrain: attention heads")
    prompts: int = Field(default=10, ge=1, description="pretrain: prompt tokens")
    pretraining: Pretraining = Pretraining()

    @model_validator(mode="after")
    def _local_names_a_path(self) -> UnitsWeights:
        return _local_has_path(self)


class TabpfnWeights(_Strict):
    """Where TabPFN's weights come from. None are trained here."""

    source: Literal["hub", "local", "none"] = Field(default="hub", description="none: the study goes without TabPFN")
    revision: str = Field(default="main", description="hub: a commit of the model's repository; recorded as resolved")
    cache: Path | None = Field(default=None, description="hub: where downloads are kept; none: the hub's own cache")
    path: Path | None = Field(default=None, description="local: a .ckpt or .safetensors file, or a folder of ours")

    @model_validator(mode="after")
    def _local_names_a_path(self) -> TabpfnWeights:
        return _local_has_path(self)


Weights = TypeVar("Weights", MomentWeights, UnitsWeights, TabpfnWeights)


def _local_has_path(weights: Weights) -> Weights:
    if (weights.source == "local") != (weights.path is not None):
        raise ValueError("`path` is needed by source local, and used by no other")
    return weights


class Foundations(_Strict):
    """The foundation models that a study's methods start from."""

    moment: MomentWeights = MomentWeights()
    units: UnitsWeights = UnitsWeights()
    tabpfn: TabpfnWeights = TabpfnWeights()

    def goes_without(self, model: Foundation | None) -> bool:
        """Whether the study declares that it has no weights of `model`."""
        return model is not None and getattr(self, model).source == "none"


class Workers(_Strict):
    """How work is spread: `serial` in this process, `process` over a pool."""

    kind: Literal["serial", "process"] = "process"
    processes: int | None = Field(default=None, ge=1, description="none: one a core")


class Study(_Strict):
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
