"""The quality gate: is a recording what the study's protocol asks for, and can its pupil be read?

Belongs here: which rules there are, and the verdict. Does not belong here: the rules (`quality_device`,
`quality_scale`, `quality_pupil`), in the words of a technician; their limits (`study.quality`), reading files
(`FileError`s of the readers), or judging single samples (`outlier_detection`). No rule looks at the diagnosis.
A recording without findings is accepted, one with flags is used and watched, one with a refusal is quarantined.
"""

from __future__ import annotations

from collections.abc import Sequence

from plr_assets.recordings import quality_device, quality_pupil, quality_scale
from plr_assets.recordings.gridded import GriddedTrace
from plr_assets.recordings.quality_evidence import Evidence, Finding, Rule, Trace
from plr_assets.study.quality import QualityLimits

_RULES: tuple[Rule, ...] = (
    quality_device.protocol,
    quality_device.drive,
    quality_device.sampling,
    quality_scale.baseline,
    quality_scale.drift,
    quality_scale.size,
    quality_pupil.dropouts,
    quality_pupil.frozen,
    quality_pupil.implausible,
    quality_scale.scale,
    quality_scale.truth,
    quality_pupil.noise,
    quality_pupil.response,
)


def judge(trace: Trace, gridded: GriddedTrace, limits: QualityLimits) -> tuple[Finding, ...]:
    """Every rule that the recording breaks, refusals first; each rule by its worst breach."""
    evidence = Evidence(trace, gridded, limits)
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
