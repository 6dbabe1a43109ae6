"""Where the weights of a study's foundation models come from.

Belongs here: the section `pretrained` of `configs/studies/*.yaml`. Does not belong here: obtaining weights
(`plr_assets.pretrained`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypeVar

from pydantic import Field, model_validator

from plr_assets.config_files import StrictModel
from plr_assets.registry import Foundation


class Pretraining(StrictModel):
    """Masked reconstruction of simulated recordings, which never belong to a study."""

    recordings: int = Field(default=600, ge=10, description="simulated recordings, a fifth of them to stop by")
    epochs: int = Field(default=15, ge=1)
    patience: int = Field(default=3, ge=1, description="epochs without a better hold-out error")
    batch_size: int = Field(default=16, ge=1, description="windows")
    learning_rate: float = Field(default=1e-3, gt=0)
    hidden_share: float = Field(default=0.3, gt=0, lt=1, description="of each window")


class MomentWeights(StrictModel):
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


class UnitsWeights(StrictModel):
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


class TabpfnWeights(StrictModel):
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


class Foundations(StrictModel):
    """The foundation models that a study's methods start from."""

    moment: MomentWeights = MomentWeights()
    units: UnitsWeights = UnitsWeights()
    tabpfn: TabpfnWeights = TabpfnWeights()

    def goes_without(self, model: Foundation | None) -> bool:
        """Whether the study declares that it has no weights of `model`."""
        return model is not None and getattr(self, model).source == "none"
