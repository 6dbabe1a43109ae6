"""The common form of recordings: arrays on one time grid, and the table (one row a recording) they are stored as.

Belongs here: the in-memory form every signal method takes, and its loss-free conversion to the stored table.
Does not belong here: reading device files (`device_csv`, `headered_csv`) or any decision about samples.

Unit of every pupil signal: % change from the recording's own baseline (0 = baseline, constriction negative).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

Signal = NDArray[np.float32]
Mask = NDArray[np.bool_]

COLOURS = ("red", "blue")
_STIMULUS = pl.Struct({"colour": pl.String, "onset_s": pl.Float64, "offset_s": pl.Float64})


@dataclass(frozen=True, slots=True)
class Stimulus:
    """One light: visible from `onset_s` to `offset_s`, in seconds on the common grid."""

    colour: str
    onset_s: float
    offset_s: float


@dataclass(frozen=True, eq=False)
class Recordings:
    """`n` recordings of `T` samples on the grid `arange(T) / rate_hz` seconds.

    pupil      (n, T) float32, % change; NaN where the device found no pupil (dropouts). Artefacts still present.
    light      colour -> (n, T) float32 drive, 0 = off.
    stimuli    per recording, its lights in order of onset.
    truth      (n, T) float32 or None: human-supervised ground truth, never NaN.
    artefact   (n, T) bool or None: samples a human rejected, dropouts not included. False where no human looked.
    reviewed   (n,) bool, recordings whose `artefact` a human made; all of them, or none without `artefact`, by default.
    label      per recording, the diagnosis ("control", "glaucoma") or None.
    baseline   (n,) float64, the diameter that 0 % stands for, in `baseline_unit`.
    """

    recording: tuple[str, ...]
    subject: tuple[str, ...]
    rate_hz: float
    pupil: Signal
    light: Mapping[str, Signal]
    stimuli: tuple[tuple[Stimulus, ...], ...]
    baseline: NDArray[np.float64]
    baseline_unit: str
    synthetic: bool
    truth: Signal | None = None
    artefact: Mask | None = None
    reviewed: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, dtype=np.bool_))
    label: tuple[str | None, ...] = ()
    age: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    eye: tuple[str | None, ...] = ()

    def __post_init__(self) -> None:
        n, samples = self.pupil.shape
        if not self.label:
            object.__setattr__(self, "label", (None,) * n)
        if not self.eye:
            object.__setattr__(self, "eye", (None,) * n)
        if self.artefact is None or not self.reviewed.any():
            object.__setattr__(self, "reviewed", np.full(n, self.artefact is not None))
        if self.age.size == 0:
            object.__setattr__(self, "age", np.full(n, np.nan))
        per_recording = {"subject": self.subject, "stimuli": self.stimuli, "label": self.label}
        per_recording["reviewed"] = tuple(self.reviewed)
        for name, rows in per_recording.items():
            if len(rows) != n:
                raise ValueError(f"{name} has {len(rows)} entries for {n} recordings")
        for name, array in (("truth", self.truth), ("artefact", self.artefact), *self.light.items()):
            if array is not None and array.shape != (n, samples):
                raise ValueError(f"{name} has shape {array.shape}, pupil {(n, samples)}")
        if len(set(self.recording)) != n:
            raise ValueError("recording ids are not unique")

    def __len__(self) -> int:
        return len(self.recording)

    @property
    def n_samples(self) -> int:
        return int(self.pupil.shape[1])

    @property
    def time(self) -> NDArray[np.float64]:
        """(T,) seconds."""
        return np.arange(self.n_samples) / self.rate_hz

    @property
    def dropout(self) -> Mask:
        """(n, T) samples in which the device found no pupil."""
        return np.isnan(self.pupil)

    def take(self, index: Sequence[int] | NDArray[np.intp]) -> Recordings:
        """The recordings at `index`, in that order."""
        rows = np.asarray(index, dtype=np.intp)
        return replace(
            self,
            recording=tuple(self.recording[i] for i in rows),
            subject=tuple(self.subject[i] for i in rows),
            pupil=self.pupil[rows],
            light={colour: drive[rows] for colour, drive in self.light.items()},
            stimuli=tuple(self.stimuli[i] for i in rows),
            baseline=self.baseline[rows],
            truth=None if self.truth is None else self.truth[rows],
            artefact=self.artefact[rows] if self.artefact is not None and self.reviewed[rows].any() else None,
            reviewed=self.reviewed[rows],
            label=tuple(self.label[i] for i in rows),
            age=self.age[rows],
            eye=tuple(self.eye[i] for i in rows),
        )

    def blinded(self) -> Recordings:
        """The same recordings without what no method may see when it is applied: truth, human masks, diagnosis."""
        return replace(self, truth=None, artefact=None, label=())

    def to_frame(self) -> pl.DataFrame:
        """One row a recording, columns as `schemas.RECORDINGS`; NaN stays NaN."""
        n = len(self)
        return pl.DataFrame(
            {
                "recording": pl.Series(self.recording, dtype=pl.String),
                "subject": pl.Series(self.subject, dtype=pl.String),
                "eye": pl.Series(self.eye, dtype=pl.String),
                "label": pl.Series(self.label, dtype=pl.String),
                "age": pl.Series(self.age, dtype=pl.Float64).fill_nan(None),
                "baseline": pl.Series(self.baseline, dtype=pl.Float64),
                "baseline_unit": pl.Series([self.baseline_unit] * n, dtype=pl.String),
                "rate_hz": pl.Series([self.rate_hz] * n, dtype=pl.Float64),
                "synthetic": pl.Series([self.synthetic] * n, dtype=pl.Boolean),
                "stimuli": pl.Series(
                    [
                        [{"colour": s.colour, "onset_s": s.onset_s, "offset_s": s.offset_s} for s in lights]
                        for lights in self.stimuli
                    ],
                    dtype=pl.List(_STIMULUS),
                ),
                "pupil": signal_column(self.pupil),
                "truth": _optional(self.truth, n, self.n_samples, pl.Float32),
                "artefact": _optional(self.artefact, n, self.n_samples, pl.Boolean, self.reviewed),
                **{f"light_{colour}": signal_column(self.light[colour]) for colour in COLOURS},
            }
        )

    @classmethod
    def from_frame(cls, frame: pl.DataFrame) -> Recordings:
        """The inverse of `to_frame`. Raises ValueError if rows differ in rate, unit or origin."""
        if frame.is_empty():
            raise ValueError("no recordings: the table is empty")
        common = frame.select("rate_hz", "baseline_unit", "synthetic").unique()
        if len(common) != 1:
            raise ValueError(f"recordings on different grids or of different origin cannot be mixed: {common.rows()}")
        rate_hz, unit, synthetic = common.row(0)
        reviewed = frame["artefact"].is_not_null().to_numpy()
        return cls(
            recording=tuple(frame["recording"]),
            subject=tuple(frame["subject"]),
            rate_hz=rate_hz,
            pupil=signal_array(frame["pupil"]),
            light={colour: signal_array(frame[f"light_{colour}"]) for colour in COLOURS},
            stimuli=tuple(tuple(Stimulus(**light) for light in lights) for lights in frame["stimuli"]),
            baseline=frame["baseline"].to_numpy(),
            baseline_unit=unit,
            synthetic=synthetic,
            truth=None if frame["truth"].has_nulls() else signal_array(frame["truth"]),
            artefact=_masks(frame["artefact"], reviewed) if reviewed.any() else None,
            reviewed=reviewed,
            label=tuple(frame["label"]),
            age=frame["age"].fill_null(float("nan")).to_numpy(),
            eye=tuple(frame["eye"]),
        )


def signal_column(array: NDArray[np.generic]) -> pl.Series:
    """(n, T) -> a fixed-length array column, one row a recording."""
    inner = pl.Boolean if array.dtype == np.bool_ else pl.Float32
    flat = pl.Series(np.ascontiguousarray(array).ravel()).cast(inner)
    return flat.reshape((array.shape[0], array.shape[1]))


def signal_array(column: pl.Series) -> NDArray[Any]:
    """The inverse of `signal_column`: (n, T), a copy that may be written to."""
    return np.array(column.to_numpy())


def optional_signal(frame: pl.DataFrame, name: str) -> Signal | None:
    """(n, T) a signal that a table may have; None where it lacks the column, or every row of it."""
    if name not in frame.columns or frame[name].null_count() == frame.height:
        return None
    if frame[name].has_nulls():
        raise ValueError(f"some recordings have no {name}: all have one, or none")
    return signal_array(frame[name])


def optional_signal_column(array: Signal | None, shape: tuple[int, ...]) -> pl.Series:
    """The inverse: a column of `shape`, null where there is no signal."""
    return _optional(array, shape[0], shape[1], pl.Float32)


def _masks(column: pl.Series, reviewed: NDArray[np.bool_]) -> Mask:
    """(n, T) a column of masks, False in the rows that have none."""
    masks = np.zeros((len(column), column.dtype.shape[0]), dtype=np.bool_)  # type: ignore[attr-defined]
    masks[reviewed] = signal_array(column.filter(pl.Series(reviewed)))
    return masks


def _optional(
    array: NDArray[np.generic] | None,
    n: int,
    samples: int,
    inner: type[pl.DataType],
    present: NDArray[np.bool_] | None = None,
) -> pl.Series:
    """`array` as a column; null without it, and in the rows that are not `present`."""
    if array is None:
        return pl.Series([None] * n, dtype=pl.Array(inner, samples))
    column = signal_column(array)
    if present is None or present.all():
        return column
    return pl.select(pl.when(pl.Series(present)).then(column)).to_series()
