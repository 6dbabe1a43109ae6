"""The quality gate: is a recording what the study's protocol asks for, and can its pupil be read?

Belongs here: the rules, in the words of a technician. Does not belong here: the limits (`study.quality`), reading
files (`FileError`s of the readers), or judging single samples (`outlier_detection`). No rule looks at the diagnosis.
A recording without findings is accepted, one with flags is used and watched, one with a refusal is quarantined.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from plr_assets.recordings.baseline import window_samples
from plr_assets.recordings.gridded import GriddedTrace
from plr_assets.recordings.lights import measured_stimuli, runs
from plr_assets.recordings.table import Stimulus
from plr_assets.study.quality import QualityLimits

Severity = Literal["flag", "refuse"]
Array = NDArray[np.float64]

_RECORD_AGAIN = "Record again, or leave the recording out."
_LOOK = "Look at the recording."
# How far from 0 % a diameter may be: constriction measured up to 64 %, dilation over the baseline up to 7 %.
_PLAUSIBLE_PERCENT = (-80.0, 60.0)
# No pupil has a diameter below 0; pupils are 1 to 9 mm wide, so no sample is ten times the baseline. -1, which
# the device writes where it found none, may have been turned into % with the rest: -103 % of the narrowest baseline.
_POSSIBLE_PERCENT = (-105.0, 900.0)
# A reconstruction by a human has no artefacts left in it. Margin: a baseline that was narrow for a blink's edge.
_POSSIBLE_TRUTH_PERCENT = (-95.0, 150.0)
# The middle 90 % of a recording in % spans 5 % or more by the rest fluctuation alone (SD measured 1.3-5 %).
_LEAST_SPAN_PERCENT = 2.0
_MAD_TO_SD = 1.4826
_RESPONSE_LASTS_S = 1.0  # the pupil goes on constricting for up to 0.87 s after the light (measured)
_BASELINE_OF_LATER_LIGHTS_S = 5.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule that a recording breaks. `reason` and `remedy` hold no name of a file or a person."""

    rule: str
    severity: Severity
    reason: str
    remedy: str


class Trace(Protocol):
    """What a reader gives. Readers of device files also give `red`, `blue` (drive codes) and `slot`."""

    @property
    def time_s(self) -> Array: ...

    @property
    def pupil(self) -> Array: ...


def judge(trace: Trace, gridded: GriddedTrace, limits: QualityLimits) -> tuple[Finding, ...]:
    """Every rule that the recording breaks, refusals first; each rule by its worst breach."""
    evidence = _Evidence(trace, gridded, limits)
    worst: dict[str, Finding] = {}
    for rule in _RULES:
        for finding in rule(evidence):
            known = worst.get(finding.rule)
            if known is None or (known.severity, finding.severity) == ("flag", "refuse"):
                worst[finding.rule] = finding
    return tuple(sorted(worst.values(), key=lambda finding: finding.severity != "refuse"))


def refused(findings: Sequence[Finding]) -> bool:
    return any(finding.severity == "refuse" for finding in findings)


def flags_text(findings: Sequence[Finding]) -> str | None:
    """Column `flags` of `schemas.RECORDING_VERDICTS`: the rules, sorted; None without any."""
    return "; ".join(sorted(finding.rule for finding in findings)) or None


@dataclass(frozen=True, eq=False)
class _Evidence:
    """What several rules look at. Lights and `since` are on the grid's clock, the grid's first sample being 0 s."""

    trace: Trace
    gridded: GriddedTrace
    limits: QualityLimits

    @cached_property
    def rate_hz(self) -> float:
        times = self.gridded.time_s
        return (len(times) - 1) / (float(times[-1]) - float(times[0]))

    @cached_property
    def since(self) -> Array:
        return np.asarray(self.gridded.time_s - self.gridded.time_s[0])

    @cached_property
    def empty(self) -> NDArray[np.bool_]:
        """(T,) grid points near which the device took no sample."""
        unsampled = self.gridded.unsampled
        return np.zeros(len(self.gridded.time_s), dtype=np.bool_) if unsampled is None else unsampled

    @cached_property
    def missing(self) -> NDArray[np.bool_]:
        """(T,) grid points without a diameter, for whatever reason."""
        return np.isnan(self.gridded.pupil)

    @cached_property
    def driven(self) -> tuple[Stimulus, ...] | None:
        """The lights as the file's drive codes have them, on the file's clock; None where it has none."""
        red, blue = getattr(self.trace, "red", None), getattr(self.trace, "blue", None)
        if red is None or blue is None:
            return None
        return measured_stimuli(self.trace.time_s, {"red": red, "blue": blue})

    @cached_property
    def came_in_percent(self) -> bool:
        """Whether the file's own numbers were % change, of whatever baseline: nothing scaled them since."""
        return self.in_percent or isinstance(self.trace, GriddedTrace)

    @property
    def in_percent(self) -> bool:
        """Whether the file was already % change, so that nothing is known of the diameter."""
        return self.gridded.unit == "%"

    def inside(self, start_s: float, end_s: float) -> NDArray[np.bool_]:
        return (self.since >= start_s - 1e-9) & (self.since <= end_s + 1e-9)

    def at(self, index: int) -> str:
        """When a grid point was recorded, on the file's clock: what a technician finds in the file."""
        return f"{self.gridded.time_s[index]:.1f} s"


Rule = Callable[[_Evidence], Iterator[Finding]]


def _above(
    rule: str, value: float, limit: tuple[float | None, float | None], reason: str, remedy: str = _LOOK
) -> Iterator[Finding]:
    """The finding, if `value` is above the limit to flag or the limit to refuse."""
    flag, refuse = limit
    if refuse is not None and value > refuse:
        yield Finding(rule, "refuse", reason, _RECORD_AGAIN if remedy is _LOOK else remedy)
    elif flag is not None and value > flag:
        yield Finding(rule, "flag", reason, remedy)


# -- stimuli --------------------------------------------------------------------------------------------------------


def _protocol(evidence: _Evidence) -> Iterator[Finding]:
    """The lights that the device drove are those of the protocol: colours, order, durations, times from the first."""
    found = evidence.driven
    if found is None:
        return
    wanted = sorted(evidence.limits.protocol, key=lambda light: light.onset_s)
    remedy = "Check the device's protocol, or mend quality.protocol in the study."
    shown: list[str] = [light.colour for light in found]
    asked: list[str] = [light.colour for light in wanted]
    if sorted(shown) != sorted(asked):
        for colour in dict.fromkeys((*asked, *shown)):
            has, needs = shown.count(colour), asked.count(colour)
            if has < needs:
                reason = f"stimulus slot missing: {_times(has, colour)}, the protocol says {needs}."
                yield Finding("light_missing", "refuse", reason, remedy)
            elif has > needs:
                reason = f"a light too many: {_times(has, colour)}, the protocol says {needs}."
                yield Finding("light_unexpected", "refuse", reason, remedy)
        return
    if shown != asked:
        reason = f"lights in another order: {', '.join(shown)}; the protocol says {', '.join(asked)}."
        yield Finding("light_order", "refuse", reason, remedy)
        return
    tolerance = evidence.limits.protocol_tolerance_s
    for light, declared in zip(found, wanted, strict=True):
        lasted, should = light.offset_s - light.onset_s, declared.offset_s - declared.onset_s
        if abs(lasted - should) > tolerance:
            reason = f"{light.colour} light on for {lasted:.1f} s, the protocol says {should:.1f} s."
            yield Finding("light_duration", "refuse", reason, remedy)
        after, nominal = light.onset_s - found[0].onset_s, declared.onset_s - wanted[0].onset_s
        if abs(after - nominal) > tolerance:
            reason = (
                f"{light.colour} light {after:.1f} s after the first {found[0].colour} light, the protocol says "
                f"{nominal:.1f} s."
            )
            yield Finding("light_timing", "refuse", reason, remedy)


def _times(count: int, colour: str) -> str:
    return f"no {colour} light" if not count else f"{count} {colour} light{'s' if count > 1 else ''}"


def _drive(evidence: _Evidence) -> Iterator[Finding]:
    """Each light reached its brightness, and lies in a slot that the device marked."""
    slot = getattr(evidence.trace, "slot", None)
    time_s = evidence.trace.time_s
    for light in evidence.driven or ():
        on = (time_s >= light.onset_s) & (time_s <= light.offset_s)
        peak = max(float(getattr(evidence.trace, colour)[on].max()) for colour in ("red", "blue"))
        if peak < evidence.limits.min_peak_code:
            reason = (
                f"{light.colour} light reached drive code {peak:.0f}, {evidence.limits.min_peak_code:.0f} is the least."
            )
            yield Finding("light_dim", "flag", reason, "Check the device's light.")
        if slot is not None and not slot[on].all():
            reason = f"stimulus slot missing: the {light.colour} light at {light.onset_s:.1f} s is not marked in full."
            yield Finding("slot_unmarked", "flag", reason, "Compare the file with the device's own.")


# -- sampling -------------------------------------------------------------------------------------------------------


def _sampling(evidence: _Evidence) -> Iterator[Finding]:
    """Time runs on without gaps, and dense enough for the grid."""
    limits, grid_s = evidence.limits, evidence.gridded.time_s
    times = evidence.trace.time_s
    within = times[(times >= grid_s[0] - 1 / evidence.rate_hz) & (times <= grid_s[-1] + 1 / evidence.rate_hz)]
    if len(within) > 1:
        steps = np.diff(within)
        longest = int(np.argmax(steps))
        reason = f"sampling gap of {steps[longest]:.1f} s at {within[longest]:.1f} s."
        yield from _above("sampling_gap", float(steps[longest]), limits.sampling_gap_s, reason)
    empty = int(evidence.empty.sum())
    reason = f"sampled too sparsely: {empty} of {len(grid_s)} points of the common grid have no sample."
    remedy = "Check the device's frame rate, or lower sampling.rate_hz."
    yield from _above("sparse_sampling", empty / len(grid_s), limits.empty_share, reason, remedy)


# -- what 0 % stands for --------------------------------------------------------------------------------------------


def _baseline(evidence: _Evidence) -> Iterator[Finding]:
    """The baseline was seen, and was at rest."""
    window_s, limits = evidence.gridded.baseline_s, evidence.limits
    if window_s is None:
        return
    present, expected = window_samples(evidence.gridded.pupil, evidence.since, window_s, evidence.rate_hz)
    missing = expected - present.size
    light = next((s for s in evidence.gridded.stimuli if s.onset_s >= window_s[1] - 1 / evidence.rate_hz), None)
    before = f"before {light.colour} onset" if light else "of its window"
    reason = f"baseline lost: {missing} of {expected} samples missing {before}."
    remedy = "Record again, or choose another baseline.window_s."
    yield from _above("baseline_lost", missing / expected, limits.baseline_missing, reason, remedy)
    if present.size:
        spread = _MAD_TO_SD * float(np.median(np.abs(present - np.median(present))))
        reason = f"baseline not at rest: it varies by {spread:.0f} % (SD) {before}."
        yield from _above("baseline_unsteady", spread, limits.baseline_spread_percent, reason)


def _drift(evidence: _Evidence) -> Iterator[Finding]:
    """Before the last light the pupil is about as wide again as before the first."""
    lights = evidence.gridded.stimuli
    if len(lights) < 2:
        return
    first, last = (_before(evidence, light) for light in (lights[0], lights[-1]))
    if first is None or last is None:
        return
    change = last - first
    reason = (
        f"baseline drifted by {change:+.0f} % from the {lights[0].colour} light to the {lights[-1].colour} light "
        f"at {lights[-1].onset_s + evidence.gridded.time_s[0]:.1f} s."
    )
    yield from _above("drift", abs(change), evidence.limits.drift_percent, reason)


def _before(evidence: _Evidence, light: Stimulus) -> float | None:
    """Median of the 5 s before a light, if half of it was seen."""
    window_s = (light.onset_s - _BASELINE_OF_LATER_LIGHTS_S, light.onset_s)
    present, expected = window_samples(evidence.gridded.pupil, evidence.since, window_s, evidence.rate_hz)
    return float(np.median(present)) if present.size * 2 >= expected else None


def _size(evidence: _Evidence) -> Iterator[Finding]:
    """The numbers are in the unit that the study says."""
    limits, baseline = evidence.limits, evidence.gridded.baseline
    remedy = "Mend recordings.unit in the study, or the file."
    if evidence.in_percent:
        lights = evidence.gridded.stimuli
        rest = evidence.gridded.pupil[evidence.since < (lights[0].onset_s if lights else np.inf)]
        rest = rest[~np.isnan(rest)]
        if rest.size:
            level = float(np.median(rest))
            reason = f"looks like un-normalised pixels: the median before the first light is {level:.0f}, not 0 %."
            yield from _above("not_normalised", abs(level), limits.rest_percent, reason, remedy)
        return
    low, high = limits.size_mm if evidence.gridded.unit == "mm" else limits.size_px
    if low <= baseline <= high:
        return
    unit = evidence.gridded.unit
    guess = ""
    if unit == "mm" and limits.size_px[0] <= baseline <= limits.size_px[1]:
        guess = "looks like un-normalised pixels: "
    elif unit == "px" and limits.size_mm[0] <= baseline <= limits.size_mm[1]:
        guess = "looks like millimetres: "
    reason = f"{guess}the baseline is {baseline:.1f} {unit}, {low:g} to {high:g} {unit} are possible."
    yield Finding("size", "refuse", reason, remedy)


# -- the pupil ------------------------------------------------------------------------------------------------------


def _dropouts(evidence: _Evidence) -> Iterator[Finding]:
    """The pupil was found most of the time, never lost for long, and seen while the lights were on."""
    limits, missing = evidence.limits, evidence.missing
    total = len(missing)
    reason = f"pupil lost: {missing.sum()} of {total} samples have no diameter."
    yield from _above("dropouts", float(missing.mean()), limits.dropout_share, reason)
    lost = runs(missing)
    if lost:
        first, last = max(lost, key=lambda run: run[1] - run[0])
        seconds = (last - first + 1) / evidence.rate_hz
        reason = f"pupil lost for {seconds:.1f} s from {evidence.at(first)} on."
        yield from _above("long_dropout", seconds, limits.longest_dropout_s, reason)
    blinks = sum(not evidence.empty[first : last + 1].all() for first, last in lost)
    per_minute = blinks / (total / evidence.rate_hz / 60)
    reason = f"pupil lost {blinks} times, {per_minute:.0f} a minute."
    yield from _above("blinks", per_minute, limits.blinks_per_minute, reason)
    for light in evidence.gridded.stimuli:
        during = evidence.inside(light.onset_s, light.offset_s)
        if during.any():
            reason = (
                f"response lost: {missing[during].sum()} of {during.sum()} samples missing under {light.colour} light."
            )
            yield from _above("response_lost", float(missing[during].mean()), limits.light_missing, reason)


def _frozen(evidence: _Evidence) -> Iterator[Finding]:
    """A camera that stands still repeats one diameter."""
    pupil = evidence.gridded.pupil
    same = runs(np.diff(pupil) == 0)
    if same:
        first, last = max(same, key=lambda run: run[1] - run[0])
        seconds = (last - first + 1) / evidence.rate_hz
        reason = f"the diameter stands still for {seconds:.1f} s from {evidence.at(first)} on."
        yield from _above("frozen", seconds, evidence.limits.frozen_s, reason)


def _implausible(evidence: _Evidence) -> Iterator[Finding]:
    """Few samples are too small or too large to be the pupil."""
    low, high = _PLAUSIBLE_PERCENT
    pupil = evidence.gridded.pupil
    outside = int(((pupil < low) | (pupil > high)).sum())
    reason = (
        f"detection degenerate: {outside} of {pupil.size} samples are below {100 + low:.0f} % or above "
        f"{100 + high:.0f} % of the baseline."
    )
    yield from _above("implausible", outside / pupil.size, evidence.limits.implausible_share, reason)


def _scale(evidence: _Evidence) -> Iterator[Finding]:
    """The numbers are those of a pupil at all: no factor of 10, 100 or 1000 between them and the unit."""
    pupil = evidence.gridded.pupil
    seen = pupil[~np.isnan(pupil)]
    remedy = "Check the unit and scale of the pupil column; export the file again."
    if not seen.size:
        return
    if evidence.came_in_percent:
        lowest, lower, upper, highest = np.quantile(seen, (0.05, 0.25, 0.75, 0.95))
        if lower < _PLAUSIBLE_PERCENT[0] or upper > _PLAUSIBLE_PERCENT[1]:
            reason = (
                f"wrong unit or scale: half of the samples lie between {lower:.0f} and {upper:.0f} %; a pupil changes "
                f"by {_PLAUSIBLE_PERCENT[0]:.0f} to {_PLAUSIBLE_PERCENT[1]:.0f} % of its baseline."
            )
            yield Finding("scale", "refuse", reason, remedy)
            return
        if highest - lowest < _LEAST_SPAN_PERCENT:
            reason = (
                f"wrong unit or scale: the pupil changes by {highest - lowest:.2g} % in all, less than at rest; "
                "looks like fractions of the baseline."
            )
            yield Finding("scale", "refuse", reason, remedy)
            return
    low, high = _POSSIBLE_PERCENT
    wrong = np.flatnonzero((pupil < low) | (pupil > high))
    if wrong.size:
        reason = (
            f"impossible diameter: {pupil[wrong[0]]:+.4g} % of the baseline at {evidence.at(int(wrong[0]))}"
            f"{f', and {wrong.size - 1} more' if wrong.size > 1 else ''}; none is below 0 or ten times the baseline."
        )
        yield Finding("impossible", "refuse", reason, "Mend the cell, or blank it; export the file again.")


def _truth(evidence: _Evidence) -> Iterator[Finding]:
    """Ground truth is a pupil's, and of this recording: it runs where the samples that a human kept run."""
    truth, pupil = evidence.gridded.truth, evidence.gridded.pupil
    if truth is None:
        return
    remedy = "Check the unit and scale of the ground truth, and that it belongs to this recording."
    low, high = _POSSIBLE_TRUTH_PERCENT
    wrong = np.flatnonzero((truth < low) | (truth > high))
    if wrong.size:
        reason = (
            f"ground truth impossible: {truth[wrong[0]]:+.4g} % of the baseline at {evidence.at(int(wrong[0]))}"
            f"{f', and {wrong.size - 1} more' if wrong.size > 1 else ''}; {low:.0f} to {high:+.0f} % are possible."
        )
        yield Finding("truth_impossible", "refuse", reason, remedy)
        return
    kept = ~np.isnan(pupil)
    if evidence.gridded.artefact is not None:
        kept &= ~evidence.gridded.artefact
    if kept.any():
        off = float(np.quantile(np.abs(truth - pupil)[kept], 0.9))
        reason = f"ground truth is not of this recording, or on another scale: off by {off:.0f} % and more in a tenth."
        yield from _above("truth_off", off, evidence.limits.truth_off_percent, reason, remedy)


def _noise(evidence: _Evidence) -> Iterator[Finding]:
    """From frame to frame the diameter changes little. Second differences of white noise have 6 times its variance."""
    second = np.diff(evidence.gridded.pupil, n=2)
    second = second[~np.isnan(second)]
    if second.size:
        noise = _MAD_TO_SD * float(np.median(np.abs(second))) / np.sqrt(6.0)
        reason = f"noisy: the diameter varies by {noise:.1f} % (SD) from sample to sample."
        yield from _above("noise", float(noise), evidence.limits.noise_percent, reason)


def _response(evidence: _Evidence) -> Iterator[Finding]:
    """The pupil constricts to each light. Median over half a second, so that a blink's edge is no response."""
    for light in evidence.gridded.stimuli:
        rest = _before(evidence, light)
        during = evidence.gridded.pupil[evidence.inside(light.onset_s, light.offset_s + _RESPONSE_LASTS_S)]
        width = max(round(evidence.rate_hz / 2), 1)
        blocks = during[: len(during) // width * width].reshape(-1, width)
        blocks = blocks[np.isnan(blocks).mean(axis=1) < 0.5]
        if rest is None or not len(blocks):
            continue
        largest = (rest - float(_row_medians(blocks).min())) / (100 + rest) * 100 if rest > -100 else 0.0
        least = evidence.limits.min_response_percent
        if largest < least:
            reason = f"no response to {light.colour} light: the pupil constricts by {max(largest, 0.0):.0f} %."
            yield Finding("no_response", "flag", reason, "Check that the light reached the eye.")


def _row_medians(blocks: Array) -> Array:
    """(n,) median of what is no NaN in each row, at least one sample; `np.nanmedian` takes ten times as long here."""
    ordered = np.sort(blocks, axis=1)  # NaN last
    present = (~np.isnan(blocks)).sum(axis=1)
    row = np.arange(len(blocks))
    return np.asarray((ordered[row, (present - 1) // 2] + ordered[row, present // 2]) / 2)


_RULES: tuple[Rule, ...] = (
    _protocol,
    _drive,
    _sampling,
    _baseline,
    _drift,
    _size,
    _dropouts,
    _frozen,
    _implausible,
    _scale,
    _truth,
    _noise,
    _response,
)
