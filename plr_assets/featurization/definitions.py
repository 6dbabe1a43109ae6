"""Feature definitions as data: what an entry of `configs/methods/featurization.yaml` may say.

Belongs here: reading and checking definitions, and how a column is described from one. Does not belong here: placing
windows (`windowed`), statistics (`statistics`), or any feature.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from plr_assets.errors import ConfigError, did_you_mean
from plr_assets.featurization.statistics import STATISTICS
from plr_assets.recordings.table import COLOURS

# The device's own colours, and white, which a study may declare for other devices.
KNOWN_COLOURS = (*COLOURS, "white")
REFERENCES = ("onset", "offset")

# What a value is relative to. The recordings' own baseline (the study's, before blue in the published protocol); the
# pupil before the same light, or before the named one; or nothing, which is a diameter.
RECORDING, OWN, NONE = "recording", "own", "none"
BASELINES = (RECORDING, OWN, NONE, *(f"pre-{colour}" for colour in KNOWN_COLOURS))

# By which way a feature may tell a classifier something other than the reflex.
LEAKAGE = {
    "none": "no known way but the reflex",
    "age": "the resting pupil shrinks with age (Winn 1994), and so does what scales with it; where patients are older, "
    "the feature tells their age",
    "camera": "a diameter in pixels tells the distance from the camera and the device",
    "carry-over": "of a light that is not the first: the response to the one before has not ended (the pupil can stay "
    "small for minutes after blue, Adhikari 2015), so the feature is partly that light's",
    "artefacts": "an extreme, a speed or a moment: what cleaning leaves of blinks moves it more than a mean, and "
    "patients may blink more",
    "opaque": "a network's own: nobody can say what it is made of, so all of the above may be in it",
}

_REQUIRED = ("reference", "window_s", "statistic", "unit")
_OPTIONAL = ("source", "leakage", "baseline", "colours", "options", "description")
_TEXTS = ("unit", "source", "description")
_REQUIRED_ACROSS = ("feature", "of", "less")
_OPTIONAL_ACROSS = ("source", "leakage", "description")


@dataclass(frozen=True, slots=True)
class Feature:
    """One definition: `statistic` of the pupil from `start_s` to `end_s` (both included) after `reference`.

    baseline   what the pupil is relative to, one of BASELINES.
    colours    the lights it is computed for.
    options    of the statistic, defaults filled in.
    leakage    words of LEAKAGE; none where the definition does not say.
    """

    name: str
    reference: str
    start_s: float
    end_s: float
    statistic: str
    unit: str
    source: str
    leakage: tuple[str, ...]
    baseline: str
    colours: tuple[str, ...]
    options: Mapping[str, float]
    description: str

    @classmethod
    def parse(cls, name: str, definition: Mapping[str, Any], colours: Sequence[str]) -> Feature:
        """`colours`: of features that do not name theirs. Raises ConfigError naming the feature and key."""
        where = f"WindowedFeatures: features.{name}"
        _keys(where, definition, _REQUIRED, _OPTIONAL)
        statistic = definition["statistic"]
        known(f"{where}.statistic", statistic, tuple(STATISTICS))
        known(f"{where}.reference", definition["reference"], REFERENCES)
        baseline = definition.get("baseline", RECORDING)
        known(f"{where}.baseline", baseline, BASELINES)
        own = _words(f"{where}.colours", definition.get("colours", tuple(colours)))
        for colour in own:
            known(f"{where}.colours", colour, KNOWN_COLOURS)
        start, end = window(f"{where}.window_s", definition["window_s"])
        return cls(
            name=name,
            reference=definition["reference"],
            start_s=start,
            end_s=end,
            statistic=statistic,
            unit=definition["unit"],
            source=definition.get("source", ""),
            leakage=_leakage(where, definition),
            baseline=baseline,
            colours=own,
            options=_options(where, statistic, definition.get("options", {})),
            description=definition.get("description", ""),
        )

    def column(self, colour: str) -> str:
        return f"{colour.capitalize()}_{self.name}"

    def baseline_of(self, colour: str) -> str | None:
        """The light before which the pupil is 0 %; None where the recording's own values count."""
        if self.baseline in (RECORDING, NONE):
            return None
        return colour if self.baseline == OWN else self.baseline.removeprefix("pre-")

    def describe(self, colour: str, baseline_s: tuple[float, float]) -> dict[str, str]:
        """The column's entry in the dictionary of features."""
        statistic = STATISTICS[self.statistic]
        light = self.baseline_of(colour)
        relative = {RECORDING: "recording", NONE: "none"}.get(
            self.baseline, f"pre-{light}, {baseline_s[0]:g} to {baseline_s[1]:g} s"
        )
        told = ", ".join(f"{key} {value:g}" for key, value in self.options.items())
        return {
            "name": self.column(colour),
            "description": self.description or f"{statistic.description} of the pupil, {colour} light",
            "dtype": "float64",
            "unit": self.unit,
            "colour": colour,
            "window": f"{self.start_s:g} to {self.end_s:g} s from {self.reference}",
            "statistic": f"{self.statistic} ({told})" if told else self.statistic,
            "baseline": relative,
            "source": self.source or "not stated",
            "leakage": ", ".join(self.leakage) or "not stated",
        }


@dataclass(frozen=True, slots=True)
class Across:
    """One feature of two lights: that of `of` less that of `less`."""

    name: str
    feature: Feature
    of: str
    less: str
    source: str
    leakage: tuple[str, ...]
    description: str

    @classmethod
    def parse(cls, name: str, definition: Mapping[str, Any], features: Mapping[str, Feature]) -> Across:
        """Raises ConfigError naming the feature and key."""
        where = f"WindowedFeatures: across.{name}"
        _keys(where, definition, _REQUIRED_ACROSS, _OPTIONAL_ACROSS)
        known(f"{where}.feature", definition["feature"], tuple(features))
        feature = features[definition["feature"]]
        for key in ("of", "less"):
            known(f"{where}.{key}", definition[key], feature.colours)
        return cls(
            name=name,
            feature=feature,
            of=definition["of"],
            less=definition["less"],
            source=definition.get("source", ""),
            leakage=_leakage(where, definition),
            description=definition.get("description", ""),
        )

    def describe(self, baseline_s: tuple[float, float]) -> dict[str, str]:
        """The column's entry in the dictionary of features."""
        one = self.feature.describe(self.of, baseline_s)
        other = self.feature.describe(self.less, baseline_s)
        difference = f"{one['name']} less {other['name']}"
        baseline = "; ".join(dict.fromkeys([one["baseline"], other["baseline"]]))
        return {
            **one,
            "name": self.name,
            "description": f"{self.description} ({difference})" if self.description else difference,
            "colour": f"{self.of} - {self.less}",
            "baseline": baseline,
            "source": self.source or "not stated",
            "leakage": ", ".join(self.leakage) or "not stated",
        }


def known(where: str, word: Any, words: Sequence[str]) -> None:
    """Raise ConfigError at `where` unless `word` is one of `words`."""
    if word not in words:
        raise ConfigError(where, f"{word!r} is unknown.", did_you_mean(str(word), words))


def window(where: str, value: Any) -> tuple[float, float]:
    """(start, end) in s. Raises ConfigError at `where` if it is no window."""
    if (
        isinstance(value, list | tuple)
        and len(value) == 2
        and all(isinstance(edge, int | float) for edge in value)
        and value[0] <= value[1]
    ):
        return float(value[0]), float(value[1])
    raise ConfigError(where, f"this is no window: {value!r}.", "Write [start, end] in seconds.")


def _keys(where: str, definition: Mapping[str, Any], required: Sequence[str], optional: Sequence[str]) -> None:
    """Raise ConfigError at `where` unless `definition` has the keys that it must have, and no others."""
    if not isinstance(definition, Mapping):
        raise ConfigError(where, f"this is no definition: {definition!r}.", f"Write {{{required[0]}: ..., ...}}.")
    for key in definition:
        if key not in (*required, *optional):
            raise ConfigError(f"{where}.{key}", "this key is unknown.", did_you_mean(key, (*required, *optional)))
    for key in required:
        if key not in definition:
            raise ConfigError(f"{where}.{key}", "this key is missing.", "Add it.")
    for key in _TEXTS:
        if not isinstance(definition.get(key, ""), str):
            raise ConfigError(f"{where}.{key}", f"{definition[key]!r} is no text.", "Write it in quotes.")


def _words(where: str, value: Any) -> tuple[str, ...]:
    """A word or a list of them. Raises ConfigError at `where` if it is neither, or empty."""
    words = (value,) if isinstance(value, str) else value
    if not isinstance(words, list | tuple) or not words:
        raise ConfigError(where, f"this is no list of words: {value!r}.", "Write [word, ...].")
    return tuple(words)


def _leakage(where: str, definition: Mapping[str, Any]) -> tuple[str, ...]:
    if "leakage" not in definition:
        return ()
    words = _words(f"{where}.leakage", definition["leakage"])
    for word in words:
        known(f"{where}.leakage", word, tuple(LEAKAGE))
    if "none" in words and len(words) > 1:
        raise ConfigError(f"{where}.leakage", f"`none` and another risk exclude each other: {words}.", "Drop one.")
    return words


def _options(where: str, statistic: str, given: Any) -> Mapping[str, float]:
    """The statistic's options, the given ones over its defaults."""
    defaults = STATISTICS[statistic].options
    if not isinstance(given, Mapping):
        raise ConfigError(f"{where}.options", f"these are no options: {given!r}.", "Write {name: number}.")
    for key, value in given.items():
        if key not in defaults:
            remedy = did_you_mean(key, tuple(defaults)) if defaults else f"Statistic {statistic!r} has none."
            raise ConfigError(f"{where}.options.{key}", "the statistic has no such option.", remedy)
        if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
            raise ConfigError(f"{where}.options.{key}", f"{value!r} is no number above 0.", "Mend it.")
    return {key: float(given.get(key, default)) for key, default in defaults.items()}
