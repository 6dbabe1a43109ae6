"""Errors of imputed values, recording by recording: the sums that every score is made of.

Belongs here: errors at masked samples by gap and light, the table of recordings, and which of them are typical. Does
not belong here: pooling recordings or intervals (`scoring`). Errors at unmasked samples say how noisy the recording
was, not how good the imputer is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from plr_assets.recordings.gaps import find_gaps, gap_lengths
from plr_assets.recordings.phases import light_phases, lit
from plr_assets.recordings.summary import at_places
from plr_assets.recordings.table import Mask, Recordings, Signal
from plr_assets.schemas import IMPUTATION_ERROR_SUMS
from plr_assets.schemas.table import polars_schema

Numbers = NDArray[np.float64]
# stratum -> what is summed -> (n,) per recording
Sums = Mapping[str, Mapping[str, Numbers]]

# Borders of a gap's duration. A spontaneous blink hides the pupil for less than 0.3 s, and a line across it does little
# harm; within 1 s a pupil constricts fully (latency 0.2-0.3 s, peak velocity before 0.6 s), so a longer gap can hide
# the whole onset of a response.
BLINK_S, RESPONSE_S = 0.3, 1.0
GAP_CLASSES = ("gap:under_0.3s", "gap:0.3_to_1s", "gap:over_1s")
LONGER = "gap:from_0.3s"  # the last two together
LIGHT_ON, LIGHT_OFF = "light:on", "light:off"

# The recordings that a figure shows -> their place among recordings ordered by MAE.
_SHOWN: Mapping[str, float] = {"better quartile": 0.25, "median": 0.5, "worst": 1.0}


@dataclass(frozen=True, eq=False, kw_only=True)
class Imputed:
    """Signals under one mask, and the limits of their 90 % band where the method has one.

    signal, mask    (n, T): %, and what was masked.
    lower, upper    (n, T) %, finite at masked samples and ignored elsewhere; both or none.
    Raises ValueError if shapes differ, only one limit is there, or a masked sample lacks one.
    """

    signal: Signal
    mask: Mask
    lower: Signal | None = None
    upper: Signal | None = None

    def __post_init__(self) -> None:
        if (self.lower is None) != (self.upper is None):
            raise ValueError("a band has a lower and an upper limit")
        for name, array in (("signal", self.signal), ("lower", self.lower), ("upper", self.upper)):
            if array is not None and array.shape != self.mask.shape:
                raise ValueError(f"{name} has shape {array.shape}, mask {self.mask.shape}")
            if array is not None and not np.isfinite(array[self.mask]).all():
                raise ValueError(f"{name} has no value at a masked sample")

    def take(self, rows: NDArray[np.intp]) -> Imputed:
        """The recordings at `rows`, in that order."""
        band = {
            "lower": None if self.lower is None else self.lower[rows],
            "upper": None if self.upper is None else self.upper[rows],
        }
        return Imputed(signal=self.signal[rows], mask=self.mask[rows], **band)


def sum_errors(imputed: Imputed, recordings: Recordings) -> Sums:
    """Sums over masked samples by stratum: `n`, `absolute`, `squared`, `signed` and, with a band, `inside`, `width`.

    Strata: `all`; a gap's whole duration (`GAP_CLASSES`, `LONGER`); the light (`phase:...`, `light:on`, `light:off`);
    and both (`gap:over_1s light:on`). Raises ValueError without ground truth, or if shapes differ.
    """
    if recordings.truth is None:
        raise ValueError("there is no ground truth to compare with")
    _check_shape(imputed, recordings)
    mask = imputed.mask
    row, truth = np.nonzero(mask)[0], recordings.truth[mask].astype(np.float64)
    error = imputed.signal[mask].astype(np.float64) - truth
    summed = {"n": np.ones(row.size), "absolute": np.abs(error), "squared": np.square(error), "signed": error}
    if imputed.lower is not None and imputed.upper is not None:
        lower, upper = imputed.lower[mask].astype(np.float64), imputed.upper[mask].astype(np.float64)
        summed |= {"inside": ((lower <= truth) & (truth <= upper)).astype(np.float64), "width": upper - lower}

    def of(which: Mask) -> dict[str, Numbers]:
        return {
            name: np.bincount(row[which], weights=values[which], minlength=len(recordings)).astype(np.float64)
            for name, values in summed.items()
        }

    return {name: of(which) for name, which in _strata(mask, recordings).items()}


def per_recording(imputed: Imputed, recordings: Recordings) -> pl.DataFrame:
    """Table `schemas.IMPUTATION_ERRORS`, a row a recording, in their order."""
    _check_shape(imputed, recordings)
    n, gaps = len(recordings), find_gaps(imputed.mask)
    longest = np.zeros(n, dtype=np.int64)
    np.maximum.at(longest, gaps.row, gaps.length)
    errors: dict[str, Numbers] = dict.fromkeys(("mae", "rmse", "bias", "coverage_90"), np.full(n, np.nan))
    if recordings.truth is not None:
        errors |= measures(sum_errors(imputed, recordings)["all"])
    return pl.DataFrame(
        {
            "recording": pl.Series(recordings.recording, dtype=pl.String),
            "subject": pl.Series(recordings.subject, dtype=pl.String),
            "n_masked": imputed.mask.sum(axis=1, dtype=np.int64),
            "n_gaps": np.bincount(gaps.row, minlength=n).astype(np.int64),
            "longest_gap_s": longest / recordings.rate_hz,
            **{name: errors[name] for name in ("mae", "rmse", "bias", "coverage_90")},
        }
    ).with_columns(pl.col("mae", "rmse", "bias", "coverage_90").fill_nan(None))


def error_sums(imputed: Imputed, recordings: Recordings) -> pl.DataFrame:
    """Table `schemas.IMPUTATION_ERROR_SUMS`: a row a recording and stratum in which it has masked samples, or `all`."""
    strata = sum_errors(imputed, recordings) if recordings.truth is not None else {}
    owners = {
        "recording": pl.Series(recordings.recording, dtype=pl.String),
        "subject": pl.Series(recordings.subject, dtype=pl.String),
    }
    frames = [
        pl.DataFrame({**owners, "n": sums["n"], "absolute": sums["absolute"]})
        .filter((pl.col("n") > 0) | (stratum == "all"))  # every subject counts in a bootstrap, masked or not
        .select("recording", "subject", pl.lit(stratum).alias("stratum"), pl.col("n").cast(pl.Int64), "absolute")
        for stratum, sums in strata.items()
    ]
    return pl.concat(frames) if frames else pl.DataFrame(schema=polars_schema(IMPUTATION_ERROR_SUMS))


def measures(sums: Mapping[str, Numbers]) -> dict[str, Numbers]:
    """Metric -> its value for each entry of the sums; NaN where nothing is masked.

    mae, rmse, bias (imputed - truth) and band_width in %; coverage_90 is the share of true values within the band.
    """
    n = sums["n"]

    def mean(name: str) -> Numbers:
        return np.asarray(np.divide(sums[name], n, out=np.full(n.shape, np.nan), where=n > 0))

    found = {"mae": mean("absolute"), "rmse": np.sqrt(mean("squared")), "bias": mean("signed")}
    return found | ({"coverage_90": mean("inside"), "band_width": mean("width")} if "inside" in sums else {})


def typical_recordings(errors: pl.DataFrame) -> dict[str, str]:
    """Better quartile, median and worst of MAE -> recording. Fewer where fewer have one, none without truth.

    errors   `schemas.IMPUTATION_ERRORS`.
    """
    ordered = errors.drop_nulls("mae").sort(["mae", "recording"])
    return at_places(ordered["recording"].to_list(), _SHOWN)


def worst_gaps(imputed: Imputed, recordings: Recordings) -> list[tuple[int, int]]:
    """First sample, and the one after the last, of the gap in each recording that adds most to its absolute error.

    Without ground truth, of the longest one. Raises ValueError if a recording has no gap.
    """
    gaps = find_gaps(imputed.mask)
    weight = gaps.length.astype(np.float64)
    if recordings.truth is not None:
        error = np.abs(imputed.signal[imputed.mask].astype(np.float64) - recordings.truth[imputed.mask])
        weight = np.add.reduceat(error, np.cumsum(gaps.length) - gaps.length) if error.size else weight
    found = []
    for row, name in enumerate(recordings.recording):
        own = np.flatnonzero(gaps.row == row)
        if own.size == 0:
            raise ValueError(f"{name} has no gap")
        worst = own[np.argmax(weight[own])]
        found.append((int(gaps.start[worst]), int(gaps.stop[worst])))
    return found


def changed_samples(signal: Signal, mask: Mask, recordings: Recordings) -> int:
    """How many unmasked samples differ from the recording. None may."""
    return int((signal != recordings.pupil)[~mask].sum())


def _check_shape(imputed: Imputed, recordings: Recordings) -> None:
    if imputed.mask.shape != recordings.pupil.shape:
        raise ValueError(f"mask has shape {imputed.mask.shape}, recordings {recordings.pupil.shape}")


def _strata(mask: Mask, recordings: Recordings) -> dict[str, Mask]:
    """Stratum -> (M,) which of the masked samples, in the order of `mask.ravel()`, belong to it."""
    seconds = gap_lengths(mask) / recordings.rate_hz
    # durations are whole samples: far below one of them, far above what division loses
    short, long = seconds < BLINK_S - 1e-9, seconds > RESPONSE_S + 1e-9
    gaps = dict(zip(GAP_CLASSES, (short, ~short & ~long, long), strict=True)) | {LONGER: ~short}
    on = lit(recordings)[mask]
    light = {LIGHT_ON: on, LIGHT_OFF: ~on}
    names, phase = light_phases(recordings)
    phases = {f"phase:{name}": phase[mask] == index for index, name in enumerate(names)}
    both = {f"{gap} {when}": in_gap & at for gap, in_gap in gaps.items() for when, at in light.items()}
    return {"all": np.ones(seconds.size, dtype=np.bool_), **gaps, **phases, **light, **both}
