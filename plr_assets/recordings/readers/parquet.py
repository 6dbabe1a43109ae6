"""Our own table of recordings, as Parquet: what another study, or another machine, published.

Belongs here: reading it back row by row. Does not belong here: resampling; the file's grid is the study's, or the
recording is refused.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plr_assets.recordings.file_errors import FileError
from plr_assets.recordings.gridded import GriddedTrace
from plr_assets.recordings.readers.base import Parsed, RecordingFile
from plr_assets.recordings.subjects import checked_subject
from plr_assets.recordings.table import COLOURS, Stimulus
from plr_assets.study import Study

_COLUMNS = (
    "recording", "subject", "eye", "label", "age", "baseline", "baseline_unit", "rate_hz", "synthetic", "stimuli",
    "pupil", "truth", "artefact", "light_red", "light_blue",
)  # fmt: skip
_BATCH = 16
# A batch is decoded at once; no row group that we write comes near.
_MAX_ROW_BYTES = 64 * 2**20
_EXPORT_AGAIN = "Export the table `recordings` again."


class RecordingsParquetReader:
    """The table `recordings` (`schemas.RECORDINGS`) in a Parquet file."""

    name = "recordings_parquet"

    def sniff(self, file: RecordingFile, study: Study) -> bool:  # noqa: ARG002
        return file.head.startswith(b"PAR1")

    def read(self, file: RecordingFile, study: Study) -> Iterator[Parsed]:
        import polars as pl
        import pyarrow as pa
        import pyarrow.parquet as pq

        file.check_container()
        number = 0
        try:
            with pq.ParquetFile(file.path) as parquet:
                rows = _check_layout(parquet, file.name)
            # pyarrow 25 reads no fixed-length array that is null, as truth and artefact may be
            table = pl.scan_parquet(file.path).select(_COLUMNS)
            for start in range(0, rows, _BATCH):
                batch = table.slice(start, _BATCH).collect().to_arrow()
                for row in range(batch.num_rows):
                    number += 1
                    yield self._recording({name: batch.column(name)[row] for name in _COLUMNS}, number, file, study)
        # either library raises these, and OSError, for damage in any place
        except (
            pa.ArrowException, pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError,
            MemoryError, struct.error,
        ) as error:  # fmt: skip
            raise FileError(file.name, "the Parquet file is damaged.", _EXPORT_AGAIN) from error

    def _recording(self, row: dict[str, Any], number: int, file: RecordingFile, study: Study) -> Parsed:
        where = f"{file.name}: recording {number}"
        content, code, name = hashlib.sha256(f"{file.digest}:{number}".encode()).hexdigest(), "", ""
        try:
            code, name = str(row["subject"].as_py() or ""), str(row["recording"].as_py() or "")
            person = checked_subject(row["label"].as_py(), row["age"].as_py(), row["eye"].as_py(), where, study.labels)
            trace = _trace(row, where, study)
        except FileError as error:
            named = FileError(where, f"recording {number}: {error.problem}", error.remedy)
            return Parsed(named, code=code, name=name, content=content)
        except (TypeError, ValueError, KeyError, AttributeError):
            problem = f"recording {number}: a cell is not what the table `recordings` holds there."
            return Parsed(FileError(where, problem, _EXPORT_AGAIN), code=code, name=name, content=content)
        return Parsed(trace, code=code, name=name, subject=person, content=_digest(trace))


def _check_layout(parquet: Any, name: str) -> int:
    """How many rows there are."""
    found = parquet.schema_arrow.names
    for column in _COLUMNS:
        if column not in found:
            raise FileError(name, f"there is no column {column!r}.", _EXPORT_AGAIN)
    if not parquet.metadata.num_rows:
        raise FileError(name, "the table has no row.", _EXPORT_AGAIN)
    for index in range(parquet.metadata.num_row_groups):
        group = parquet.metadata.row_group(index)
        if group.total_byte_size > _MAX_ROW_BYTES * max(group.num_rows, 1):
            raise FileError(name, "one recording is larger than any recording.", _EXPORT_AGAIN)
    return int(parquet.metadata.num_rows)


def _trace(row: dict[str, Any], where: str, study: Study) -> GriddedTrace:
    n, rate_hz = study.sampling.n_samples, study.sampling.rate_hz
    if row["synthetic"].as_py() is not study.synthetic:
        raise FileError(
            where,
            "simulated and clinical recordings can never meet, and the file says that this is the other kind.",
            "Put it into a study of its own, with the right `origin`.",
        )
    unit = row["baseline_unit"].as_py()
    if unit != study.recordings.unit:
        raise FileError(
            where, f"its baseline is in {unit}, the study's in {study.recordings.unit}.", "Mend recordings.unit."
        )
    pupil = _signal(row["pupil"], "pupil", n, where)
    if row["rate_hz"].as_py() != rate_hz:
        raise FileError(where, f"it has another rate than {rate_hz:g} Hz.", "Mend `sampling`.")
    light = {colour: _signal(row[f"light_{colour}"], f"light_{colour}", n, where) for colour in COLOURS}
    if np.isnan(list(light.values())).any():
        raise FileError(where, "a light's drive has a gap.", _EXPORT_AGAIN)
    stimuli = tuple(Stimulus(s["colour"], float(s["onset_s"]), float(s["offset_s"])) for s in row["stimuli"].as_py())
    align = study.sampling.align_onset
    if align is not None:
        onsets = [stimulus.onset_s for stimulus in stimuli if stimulus.colour == align.colour]
        if not onsets or abs(onsets[0] - align.at_s) > 1.0 / rate_hz:
            problem = f"its {align.colour} light is not at {align.at_s:g} s of the common grid."
            raise FileError(where, problem, "Mend sampling.align_onset.")
    baseline = float(row["baseline"].as_py())
    if not (np.isfinite(baseline) and baseline > 0) or np.isinf(pupil).any():
        raise FileError(where, "baseline or pupil is no finite number.", _EXPORT_AGAIN)
    truth = artefact = None
    if row["truth"].is_valid:
        truth = _signal(row["truth"], "truth", n, where)
        if not np.isfinite(truth).all():
            raise FileError(where, "ground truth has a gap.", _EXPORT_AGAIN)
    if row["artefact"].is_valid:
        artefact = _signal(row["artefact"], "artefact", n, where) == 1.0
        artefact &= ~np.isnan(pupil)
    return GriddedTrace(
        time_s=np.arange(n) / rate_hz,
        pupil=pupil,
        light=light,
        stimuli=stimuli,
        baseline=baseline,
        unit=unit,
        baseline_s=_baseline_window(stimuli, study),
        truth=truth,
        artefact=artefact,
    )


def _baseline_window(stimuli: Sequence[Stimulus], study: Study) -> tuple[float, float] | None:
    """Where the study takes the baseline, on the grid's clock; none without its light."""
    onsets = [stimulus.onset_s for stimulus in stimuli if stimulus.colour == study.baseline.before]
    if not onsets or study.recordings.unit == "%":
        return None
    start, end = study.baseline.window_s
    return onsets[0] + start, onsets[0] + end


def _signal(cell: Any, column: str, n: int, where: str) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore"):  # damage may leave a signalling NaN
        values = (
            np.array(cell.values.to_numpy(zero_copy_only=False), dtype=np.float64) if cell.is_valid else np.empty(0)
        )
    if values.shape != (n,):
        problem = f"`{column}` has {values.size} samples, the common grid {n}."
        raise FileError(where, problem, "Mend `sampling`, or export the table again.")
    return values


def _digest(trace: GriddedTrace) -> str:
    content = hashlib.sha256(repr((trace.baseline, trace.stimuli)).encode())
    for array in (trace.pupil, *trace.light.values(), trace.truth, trace.artefact):
        content.update(b"-" if array is None else array.tobytes())
    return content.hexdigest()
