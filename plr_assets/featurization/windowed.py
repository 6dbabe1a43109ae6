"""Features as data: a statistic of the pupil in a window placed by the on- or offset of a light.

Belongs here: placing windows, baselines, and computing what definitions ask for. Does not belong here: the features
themselves (they are in configs/methods/featurization.yaml), what a definition may say (`definitions`) or statistics
(`statistics`, `dynamics`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plr_assets.featurization.base import Featurizer
from plr_assets.featurization.definitions import KNOWN_COLOURS, NONE, Across, Feature, known, window
from plr_assets.featurization.dynamics import Cut
from plr_assets.featurization.pieces import Pieces, Window, have_samples, united
from plr_assets.featurization.statistics import STATISTICS, Values
from plr_assets.recordings.table import Recordings, Signal

# A window that a recording covers less than this has no value. The published protocol ends 10.5 s after the red light,
# so a window of 12 s after it is cut to 87 %, one of 15 s to 70 %, and both still count.
_LEAST_COVERED = 0.5
# Lights and windows lie on the grid up to rounding in float64; far below one sample at any rate.
_GRID_TOLERANCE = 1e-6


@dataclass(eq=False, kw_only=True)
class WindowedFeatures(Featurizer):
    """Every feature for every colour of its own or of `colours`, as columns `Red_MAX_CONSTRICTION`, ...; then those of
    `across`, differences between two lights, under their own names. Learns nothing.

    baseline_window_s   where a light's own baseline is measured, s from its onset: the median there.

    The reference is the recording's first light of that colour. A window ends where the recording ends, and before the
    next light comes on. What is left of it counts if it is at least half, else the feature is NaN; so is that of a
    light the recording does not have.
    """

    colours: Sequence[str]
    features: Mapping[str, Mapping[str, Any]]
    across: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    baseline_window_s: Sequence[float] = field(default_factory=lambda: [-5.0, 0.0])

    def __post_init__(self) -> None:
        for colour in self.colours:
            known("WindowedFeatures: colours", colour, KNOWN_COLOURS)
        self._baseline_s = window("WindowedFeatures: baseline_window_s", self.baseline_window_s)
        parsed = {name: Feature.parse(name, entry, self.colours) for name, entry in self.features.items()}
        self._across = tuple(Across.parse(name, entry, parsed) for name, entry in self.across.items())
        lit = (*self.colours, *(colour for feature in parsed.values() for colour in feature.colours))
        # all of one light, then all of the next
        self._parsed = tuple(
            (feature, colour)
            for colour in dict.fromkeys(lit)
            for feature in parsed.values()
            if colour in feature.colours
        )

    def describe(self) -> list[dict[str, str]]:
        return [
            *(feature.describe(colour, self._baseline_s) for feature, colour in self._parsed),
            *(across.describe(self._baseline_s) for across in self._across),
        ]

    def _features(self, blind: Recordings, signal: Signal) -> Mapping[str, Values]:
        relative = _Relative(_Lights(blind), signal, self._baseline_s)
        values = {feature.column(colour): _compute(feature, colour, relative) for feature, colour in self._parsed}
        for one in self._across:
            values[one.name] = values[one.feature.column(one.of)] - values[one.feature.column(one.less)]
        return values

    def _windows(self, blind: Recordings) -> Mapping[str, Pieces]:
        lights = _Lights(blind)
        pieces = {feature.column(colour): self._pieces(feature, colour, lights) for feature, colour in self._parsed}
        for one in self._across:
            both = (pieces[one.feature.column(one.of)], pieces[one.feature.column(one.less)])
            defined = have_samples(both[0]) & have_samples(both[1])
            pieces[one.name] = united([*both[0], *both[1]], defined)
        return pieces

    def _pieces(self, feature: Feature, colour: str, lights: _Lights) -> Pieces:
        """The feature's own window, and that of its baseline: a value rests on both."""
        own = _window(feature, colour, lights)
        light = feature.baseline_of(colour)
        if light is None:
            return (own,)
        before = lights.place(light, "onset", *self._baseline_s, least=1)
        return united([before, own], (own[1] > own[0]) & (before[1] > before[0]))


class _Lights:
    """When the lights of some recordings come, and windows by them."""

    def __init__(self, on: Recordings) -> None:
        self.on = on
        self._times: dict[tuple[str, str], tuple[Values, Values]] = {}
        self._windows: dict[tuple[str, str, float, float, int], Window] = {}

    def times(self, colour: str, edge: str) -> tuple[Values, Values]:
        """(n,) s of the first light's `edge`, and of the onset of the next light after it; NaN and inf without one."""
        if (colour, edge) not in self._times:
            at, following = np.full(len(self.on), np.nan), np.full(len(self.on), np.inf)
            for row, lights in enumerate(self.on.stimuli):
                first = next((light for light in lights if light.colour == colour), None)
                if first is not None:
                    at[row] = first.onset_s if edge == "onset" else first.offset_s
                    following[row] = min((o.onset_s for o in lights if o.onset_s > first.onset_s), default=np.inf)
            self._times[colour, edge] = at, following
        return self._times[colour, edge]

    def place(self, colour: str, edge: str, start_s: float, end_s: float, *, least: int) -> Window:
        """First sample and the one after the last, (n,) each; equal where there is no value."""
        asked = (colour, edge, start_s, end_s, least)
        if asked not in self._windows:
            self._windows[asked] = self._placed(*asked)
        return self._windows[asked]

    def _placed(self, colour: str, edge: str, start_s: float, end_s: float, least: int) -> Window:
        start, stop = np.zeros(len(self.on), dtype=np.int64), np.zeros(len(self.on), dtype=np.int64)
        reference_s, next_s = self.times(colour, edge)
        lit = np.flatnonzero(np.isfinite(reference_s))
        rate, samples = self.on.rate_hz, self.on.n_samples
        first = np.ceil((reference_s[lit] + start_s) * rate - _GRID_TOLERANCE).astype(np.int64)
        last = np.floor((reference_s[lit] + end_s) * rate + _GRID_TOLERANCE).astype(np.int64)
        # the next light's first sample, where the pupil has not answered it yet, is still in
        dark = np.floor(np.minimum(next_s[lit] * rate, samples) + _GRID_TOLERANCE).astype(np.int64)
        begin, end = np.maximum(first, 0), np.minimum(np.minimum(last, dark) + 1, samples)
        width = end - begin
        enough = (width >= least) & (width >= _LEAST_COVERED * (last + 1 - first))
        start[lit[enough]], stop[lit[enough]] = begin[enough], end[enough]
        return start, stop


class _Relative:
    """A signal in windows, and what it is relative to."""

    def __init__(self, lights: _Lights, signal: Signal, baseline_s: tuple[float, float]) -> None:
        self.lights, self.signal, self._baseline_s = lights, signal, baseline_s
        self._levels: dict[str, Values] = {}

    def cuts(self, place: Window, reference_s: Values) -> list[tuple[NDArray[np.intp], Cut]]:
        """Rows, and their windows as they were recorded; those that have equally many samples together."""
        start, stop = place
        width = stop - start
        step_s = 1 / self.lights.on.rate_hz
        found = []
        for w in np.unique(width[width > 0]):
            rows = np.flatnonzero(width == w)
            views = np.lib.stride_tricks.sliding_window_view(self.signal, w, axis=1)
            values = views[rows, start[rows]].astype(np.float64)
            found.append((rows, Cut(values, step_s, start[rows] * step_s - reference_s[rows])))
        return found

    def expressed(
        self, feature: Feature, colour: str, rows: NDArray[np.intp], values: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """`values` (rows, w), % of the recordings' baselines, relative to what `feature` asks for; NaN without that."""
        if feature.baseline == NONE:
            return np.asarray(self.lights.on.baseline[rows, None] * (1 + values / 100))
        light = feature.baseline_of(colour)
        if light is None:
            return values
        # 100 + x is what is left of the recording's baseline, here and before the light
        level = self._level(light)[rows, None]
        return np.asarray(100 * (values - level) / (100 + level))

    def _level(self, light: str) -> Values:
        """(n,) % of the recording's baseline: the median before `light`; NaN where there is none, or no pupil left."""
        if light not in self._levels:
            levels = np.full(len(self.signal), np.nan)
            place = self.lights.place(light, "onset", *self._baseline_s, least=1)
            for rows, cut in self.cuts(place, self.lights.times(light, "onset")[0]):
                levels[rows] = STATISTICS["median"].compute(cut)
            self._levels[light] = np.where(levels > -100, levels, np.nan)
        return self._levels[light]


def _window(feature: Feature, colour: str, lights: _Lights) -> Window:
    least = STATISTICS[feature.statistic].least_samples
    return lights.place(colour, feature.reference, feature.start_s, feature.end_s, least=least)


def _compute(feature: Feature, colour: str, relative: _Relative) -> Values:
    """(n,) values."""
    lights, statistic = relative.lights, STATISTICS[feature.statistic]
    values = np.full(len(relative.signal), np.nan)
    for rows, cut in relative.cuts(_window(feature, colour, lights), lights.times(colour, feature.reference)[0]):
        pupil = relative.expressed(feature, colour, rows, cut.values)
        defined = np.isfinite(pupil[:, 0])
        if defined.all():
            values[rows] = statistic.compute(Cut(pupil, cut.step_s, cut.first_s), **feature.options)
        elif defined.any():
            some = Cut(pupil[defined], cut.step_s, cut.first_s[defined])
            values[rows[defined]] = statistic.compute(some, **feature.options)
    return values
