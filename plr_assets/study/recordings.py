"""What a study says of its recordings: their files, the time grid, the lights, what 0 % is; or how to simulate them.

Belongs here: these sections of `configs/studies/*.yaml` and the rules inside each. Does not belong here: rules between
sections (`study`), or reading recordings (`plr_assets.recordings`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from plr_assets.config_files import StrictModel

Colour = Literal["red", "blue", "white"]
Window = Annotated[tuple[float, float], Field(description="(start, end) in seconds, both included")]
ReaderName = Literal["auto", "device_csv", "headered_csv", "processed_csv", "seri_db", "recordings_parquet"]


class ColumnMap(StrictModel):
    """Which columns of a headered csv hold what."""

    time: str = Field(description="seconds since the start of the recording")
    pupil: str = Field(description="pupil diameter; empty, 0 and negative values are dropouts")
    truth: str | None = Field(default=None, description="ground truth, in the unit of `pupil`")
    artefact: str | None = Field(default=None, description="1 where a human rejected the sample")


class RecordingFiles(StrictModel):
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


class Alignment(StrictModel):
    """The event that recordings are aligned on, and where it lands on the common grid."""

    colour: Colour
    at_s: float = Field(ge=0)


class Sampling(StrictModel):
    """The common time grid."""

    rate_hz: float = Field(gt=0, le=2000)
    duration_s: float = Field(gt=0, description="first to last sample")
    align_onset: Alignment | None = Field(default=None, description="none: time runs from the file's first sample")

    @property
    def n_samples(self) -> int:
        return round(self.rate_hz * self.duration_s) + 1


class DeclaredStimulus(StrictModel):
    """A light whose times are not in the files."""

    colour: Colour
    onset_s: float = Field(ge=0)
    offset_s: float

    @model_validator(mode="after")
    def _offset_after_onset(self) -> DeclaredStimulus:
        if self.offset_s <= self.onset_s:
            raise ValueError("offset_s must be later than onset_s")
        return self


class Baseline(StrictModel):
    """The window whose median diameter is 0 %."""

    before: Colour = Field(description="the first light of this colour is the reference")
    window_s: Window = (-5.0, 0.0)


class Simulation(StrictModel):
    """How many recordings to simulate. Only for studies of origin `synthetic`."""

    control: int = Field(ge=0)
    glaucoma: int = Field(ge=0)
    unlabelled: int = Field(ge=0)
    match_age: bool = Field(default=False, description="controls as old as the patients; no: older patients")
    june_2018_share: float = Field(
        default=0.25, ge=0, le=1, description="recordings in the later format: 76 and 77 values a row"
    )
