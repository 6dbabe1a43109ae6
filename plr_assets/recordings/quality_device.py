"""Rules of the quality gate about the device: the lights that it drove, and when it took samples.

Belongs here: rules that look at the drive codes and at time. Does not belong here: the diameter.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from plr_assets.recordings.quality_evidence import Evidence, Finding, above


def protocol(evidence: Evidence) -> Iterator[Finding]:
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


def drive(evidence: Evidence) -> Iterator[Finding]:
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


def sampling(evidence: Evidence) -> Iterator[Finding]:
    """Time runs on without gaps, and dense enough for the grid."""
    limits, grid_s = evidence.limits, evidence.gridded.time_s
    times = evidence.trace.time_s
    within = times[(times >= grid_s[0] - 1 / evidence.rate_hz) & (times <= grid_s[-1] + 1 / evidence.rate_hz)]
    if len(within) > 1:
        steps = np.diff(within)
        longest = int(np.argmax(steps))
        reason = f"sampling gap of {steps[longest]:.1f} s at {within[longest]:.1f} s."
        yield from above("sampling_gap", float(steps[longest]), limits.sampling_gap_s, reason)
    empty = int(evidence.empty.sum())
    reason = f"sampled too sparsely: {empty} of {len(grid_s)} points of the common grid have no sample."
    remedy = "Check the device's frame rate, or lower sampling.rate_hz."
    yield from above("sparse_sampling", empty / len(grid_s), limits.empty_share, reason, remedy)
