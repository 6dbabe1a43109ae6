"""Rules of the quality gate about what the numbers stand for: baseline, unit and scale, ground truth.

Belongs here: rules that ask whether a diameter in % means what it says. Does not belong here: how well the pupil was
seen (`quality_pupil`).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from plr_assets.recordings.baseline import window_samples
from plr_assets.recordings.quality_evidence import MAD_TO_SD, PLAUSIBLE_PERCENT, Evidence, Finding, above

# No pupil has a diameter below 0; pupils are 1 to 9 mm wide, so no sample is ten times the baseline. -1, which
# the device writes where it found none, may have been turned into % with the rest: -103 % of the narrowest baseline.
_POSSIBLE_PERCENT = (-105.0, 900.0)
# A reconstruction by a human has no artefacts left in it. Margin: a baseline that was narrow for a blink's edge.
_POSSIBLE_TRUTH_PERCENT = (-95.0, 150.0)
# The middle 90 % of a recording in % spans 5 % or more by the rest fluctuation alone (SD measured 1.3-5 %).
_LEAST_SPAN_PERCENT = 2.0


def baseline(evidence: Evidence) -> Iterator[Finding]:
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
    yield from above("baseline_lost", missing / expected, limits.baseline_missing, reason, remedy)
    if present.size:
        spread = MAD_TO_SD * float(np.median(np.abs(present - np.median(present))))
        reason = f"baseline not at rest: it varies by {spread:.0f} % (SD) {before}."
        yield from above("baseline_unsteady", spread, limits.baseline_spread_percent, reason)


def drift(evidence: Evidence) -> Iterator[Finding]:
    """Before the last light the pupil is about as wide again as before the first."""
    lights = evidence.gridded.stimuli
    if len(lights) < 2:
        return
    first, last = (evidence.level_before(light) for light in (lights[0], lights[-1]))
    if first is None or last is None:
        return
    change = last - first
    reason = (
        f"baseline drifted by {change:+.0f} % from the {lights[0].colour} light to the {lights[-1].colour} light "
        f"at {lights[-1].onset_s + evidence.gridded.time_s[0]:.1f} s."
    )
    yield from above("drift", abs(change), evidence.limits.drift_percent, reason)


def size(evidence: Evidence) -> Iterator[Finding]:
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
            yield from above("not_normalised", abs(level), limits.rest_percent, reason, remedy)
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


def scale(evidence: Evidence) -> Iterator[Finding]:
    """The numbers are those of a pupil at all: no factor of 10, 100 or 1000 between them and the unit."""
    pupil = evidence.gridded.pupil
    seen = pupil[~np.isnan(pupil)]
    remedy = "Check the unit and scale of the pupil column; export the file again."
    if not seen.size:
        return
    if evidence.came_in_percent:
        lowest, lower, upper, highest = np.quantile(seen, (0.05, 0.25, 0.75, 0.95))
        if lower < PLAUSIBLE_PERCENT[0] or upper > PLAUSIBLE_PERCENT[1]:
            reason = (
                f"wrong unit or scale: half of the samples lie between {lower:.0f} and {upper:.0f} %; a pupil changes "
                f"by {PLAUSIBLE_PERCENT[0]:.0f} to {PLAUSIBLE_PERCENT[1]:.0f} % of its baseline."
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


def truth(evidence: Evidence) -> Iterator[Finding]:
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
        yield from above("truth_off", off, evidence.limits.truth_off_percent, reason, remedy)
