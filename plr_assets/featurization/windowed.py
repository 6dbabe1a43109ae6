"""Features as data: a statistic of the pupil in a window placed by the on- or offset of a light.

Belongs here: reading feature definitions, placing windows. Does not belong here: the features themselves (they are in
configs/methods/featurization.yaml) or statistics (`statistics`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plr_assets.errors import ConfigError, did_you_mean
from plr_assets.featurization.base import Featurizer, Window
from plr_assets.featurization.statistics import STATISTICS
from plr_assets.recordings.table import COLOURS, Recordings, Signal

# The device's own colours, and white, which a study may declare for other devices.
KNOWN_COLOURS = (*COLOURS, "white")
REFERENCES = ("onset", "offset")
_REQUIRED = ("reference", "window_s", "statistic", "unit")
_OPTIONAL = ("source",)

# A window that a recording covers less than this has no value. The published protocol ends 10.5 s after the red light,
# so a window of 12 s after it is cut to 87 % and still counts.
_LEAST_COVERED = 0.5
# Lights and windows lie on the grid up to rounding in float64; far below one sample at any rate.
_GRID_TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True)
class Feature:
    """One definition: `statistic` of the pupil from `start_s` to `end_s` (both included) after `reference`."""

    name: str
    reference: str
    start_s: float
    end_s: float
    statistic: str
    unit: str
    source: str

    @classmethod
    def parse(cls, name: str, definition: Mapping[str, Any]) -> Feature:
        """Raises ConfigError naming the feature and key."""
        where = f"WindowedFeatures: features.{name}"
        for key in definition:
            if key not in (*_REQUIRED, *_OPTIONAL):
                raise ConfigError(f"{where}.{key}", "this key is unknown.", did_you_mean(key, (*_REQUIRED, *_OPTIONAL)))
        for key in _REQUIRED:
            if key not in definition:
                raise ConfigError(f"{where}.{key}", "this key is missing.", "Add it.")
        _known(f"{where}.statistic", definition["statistic"], tuple(STATISTICS))
        _known(f"{where}.reference", definition["reference"], REFERENCES)
        window = definition["window_s"]
        if not (isinstance(window, list | tuple) and len(window) == 2 and window[0] <= window[1]):
            raise ConfigError(f"{where}.window_s", f"this is no window: {window!r}.", "Write [start, end] in seconds.")
        return cls(
            name=name,
            reference=definition["reference"],
            start_s=float(window[0]),
            end_s=float(window[1]),
            statistic=definition["statistic"],
            unit=definition["unit"],
            source=definition.get("source", ""),
        )


@dataclass(eq=False, kw_only=True)
class WindowedFeatures(Featurizer):
    """Every feature for every colour, as columns `Red_MAX_CONSTRICTION`, ... Learns nothing.

    The reference is the recording's first light of that colour. A window that the recording covers only in part is
    computed from that part if it is at least half, else NaN; so is the feature of a light the recording does not have.
    """

    colours: Sequence[str]
    features: Mapping[str, Mapping[str, Any]]

    def __post_init__(self) -> None:
        for colour in self.colours:
            _known("WindowedFeatures: colours", colour, KNOWN_COLOURS)
        self._parsed = tuple(Feature.parse(name, definition) for name, definition in self.features.items())

    def describe(self) -> list[dict[str, str]]:
        return [
            {
                "name": _column(colour, feature),
                "description": f"{STATISTICS[feature.statistic].description} of the pupil, {colour} light",
                "unit": feature.unit,
                "window": f"{feature.start_s:g} to {feature.end_s:g} s from {feature.reference}",
                "source": feature.source,
            }
            for colour in self.colours
            for feature in self._parsed
        ]

    def _features(self, blind: Recordings, signal: Signal) -> Mapping[str, NDArray[np.float64]]:
        return {
            _column(colour, feature): _compute(feature, _window(feature, colour, blind), signal, blind)
            for colour in self.colours
            for feature in self._parsed
        }

    def _windows(self, blind: Recordings) -> Mapping[str, Window]:
        return {
            _column(colour, feature): _window(feature, colour, blind)
            for colour in self.colours
            for feature in self._parsed
        }


def _known(where: str, word: str, known: tuple[str, ...]) -> None:
    if word not in known:
        raise ConfigError(where, f"{word!r} is unknown.", did_you_mean(str(word), known))


def _column(colour: str, feature: Feature) -> str:
    return f"{colour.capitalize()}_{feature.name}"


def _references(recordings: Recordings, colour: str, edge: str) -> NDArray[np.float64]:
    """(n,) seconds of the on- or offset of each recording's first light of `colour`; NaN without one."""
    times = np.full(len(recordings), np.nan)
    for row, lights in enumerate(recordings.stimuli):
        first = next((light for light in lights if light.colour == colour), None)
        if first is not None:
            times[row] = first.onset_s if edge == "onset" else first.offset_s
    return times


def _window(feature: Feature, colour: str, on: Recordings) -> Window:
    """First sample and the one after the last, (n,) each; equal where the feature has no value."""
    start, stop = np.zeros(len(on), dtype=np.int64), np.zeros(len(on), dtype=np.int64)
    reference_s = _references(on, colour, feature.reference)
    lit = np.flatnonzero(np.isfinite(reference_s))
    first = np.ceil((reference_s[lit] + feature.start_s) * on.rate_hz - _GRID_TOLERANCE).astype(np.int64)
    last = np.floor((reference_s[lit] + feature.end_s) * on.rate_hz + _GRID_TOLERANCE).astype(np.int64)
    begin, end = np.maximum(first, 0), np.minimum(last + 1, on.n_samples)
    width = end - begin
    least = STATISTICS[feature.statistic].least_samples
    enough = (width >= least) & (width >= _LEAST_COVERED * (last + 1 - first))
    start[lit[enough]], stop[lit[enough]] = begin[enough], end[enough]
    return start, stop


def _compute(feature: Feature, window: Window, signal: Signal, on: Recordings) -> NDArray[np.float64]:
    """(n,) values. Recordings whose windows have equally many samples are computed together."""
    values = np.full(len(on), np.nan)
    start, stop = window
    width = stop - start
    for w in np.unique(width[width > 0]):
        same = np.flatnonzero(width == w)
        windows = signal[same[:, None], start[same][:, None] + np.arange(w)].astype(np.float64)
        values[same] = STATISTICS[feature.statistic].compute(windows, 1 / on.rate_hz)
    return values
