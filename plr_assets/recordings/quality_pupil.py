"""Rules of the quality gate about the pupil: was it seen, is it one, does it answer the lights.

Belongs here: rules that look at the diameter over time. Does not belong here: what its numbers stand for
(`quality_scale`).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from plr_assets.recordings.gaps import runs
from plr_assets.recordings.quality_evidence import MAD_TO_SD, PLAUSIBLE_PERCENT, Array, Evidence, Finding, above

_RESPONSE_LASTS_S = 1.0  # the pupil goes on constricting for up to 0.87 s after the light (measured)


def dropouts(evidence: Evidence) -> Iterator[Finding]:
    """The pupil was found most of the time, never lost for long, and seen while the lights were on."""
    limits, missing = evidence.limits, evidence.missing
    total = len(missing)
    reason = f"pupil lost: {missing.sum()} of {total} samples have no diameter."
    yield from above("dropouts", float(missing.mean()), limits.dropout_share, reason)
    lost = runs(missing)
    if lost:
        first, last = max(lost, key=lambda run: run[1] - run[0])
        seconds = (last - first + 1) / evidence.rate_hz
        reason = f"pupil lost for {seconds:.1f} s from {evidence.at(first)} on."
        yield from above("long_dropout", seconds, limits.longest_dropout_s, reason)
    blinks = sum(not evidence.empty[first : last + 1].all() for first, last in lost)
    per_minute = blinks / (total / evidence.rate_hz / 60)
    reason = f"pupil lost {blinks} times, {per_minute:.0f} a minute."
    yield from above("blinks", per_minute, limits.blinks_per_minute, reason)
    for light in evidence.gridded.stimuli:
        during = evidence.inside(light.onset_s, light.offset_s)
        if during.any():
            reason = (
                f"response lost: {missing[during].sum()} of {during.sum()} samples missing under {light.colour} light."
            )
            yield from above("response_lost", float(missing[during].mean()), limits.light_missing, reason)


def frozen(evidence: Evidence) -> Iterator[Finding]:
    """A camera that stands still repeats one diameter."""
    pupil = evidence.gridded.pupil
    same = runs(np.diff(pupil) == 0)
    if same:
        first, last = max(same, key=lambda run: run[1] - run[0])
        seconds = (last - first + 1) / evidence.rate_hz
        reason = f"the diameter stands still for {seconds:.1f} s from {evidence.at(first)} on."
        yield from above("frozen", seconds, evidence.limits.frozen_s, reason)


def implausible(evidence: Evidence) -> Iterator[Finding]:
    """Few samples are too small or too large to be the pupil."""
    low, high = PLAUSIBLE_PERCENT
    pupil = evidence.gridded.pupil
    outside = int(((pupil < low) | (pupil > high)).sum())
    reason = (
        f"detection degenerate: {outside} of {pupil.size} samples are below {100 + low:.0f} % or above "
        f"{100 + high:.0f} % of the baseline."
    )
    yield from above("implausible", outside / pupil.size, evidence.limits.implausible_share, reason)


def noise(evidence: Evidence) -> Iterator[Finding]:
    """From frame to frame the diameter changes little. Second differences of white noise have 6 times its variance."""
    second = np.diff(evidence.gridded.pupil, n=2)
    second = second[~np.isnan(second)]
    if second.size:
        noise = MAD_TO_SD * float(np.median(np.abs(second))) / np.sqrt(6.0)
        reason = f"noisy: the diameter varies by {noise:.1f} % (SD) from sample to sample."
        yield from above("noise", float(noise), evidence.limits.noise_percent, reason)


def response(evidence: Evidence) -> Iterator[Finding]:
    """The pupil constricts to each light. Median over half a second, so that a blink's edge is no response."""
    for light in evidence.gridded.stimuli:
        rest = evidence.level_before(light)
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
