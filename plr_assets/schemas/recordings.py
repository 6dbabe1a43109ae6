"""Tables of import: recordings, what the quality gate says of them, refused files, roles.

Belongs here: declarations. Does not belong here: reading or judging a recording (`plr_assets.recordings`).
"""

from __future__ import annotations

from plr_assets.schemas.columns import RECORDING, SUBJECT
from plr_assets.schemas.table import Column, Table

RECORDINGS = Table(
    "recordings",
    "One row a recording, on the study's common time grid. Pupil in % change from the recording's baseline.",
    (
        RECORDING,
        SUBJECT,
        Column("eye", "string", "left or right", nullable=True, allowed=("left", "right")),
        Column("label", "string", "diagnosis; missing where none was made", nullable=True),
        Column("age", "float64", "age at the recording", "a", nullable=True, minimum=0, maximum=120),
        Column("baseline", "float64", "diameter that 0 % stands for, in baseline_unit", minimum=0),
        Column("baseline_unit", "string", "unit of the device's diameter", allowed=("px", "mm", "%")),
        Column("rate_hz", "float64", "samples a second of the common grid", "Hz", minimum=0),
        Column("synthetic", "boolean", "whether the recording was simulated"),
        Column("stimuli", "stimuli", "lights: colour, first and last moment on the common grid"),
        Column("pupil", "signal", "diameter as the device gave it; NaN where it found no pupil", "%"),
        Column("truth", "signal", "human-supervised ground truth", "%", nullable=True),
        Column(
            "artefact",
            "mask",
            "samples a human rejected, dropouts not included; missing: no human looked",
            nullable=True,
        ),
        Column("light_red", "signal", "drive of the red light, 0 = off"),
        Column("light_blue", "signal", "drive of the blue light, 0 = off"),
    ),
    ("recording",),
)

VERDICTS = ("accepted", "accepted with flags")
# Apart from `recordings`, so that a quality limit that only flags changes nothing that is computed from them.
RECORDING_VERDICTS = Table(
    "recording_verdicts",
    "What the quality gate says of each imported recording. Refused ones are in `quarantine`.",
    (
        RECORDING,
        Column("verdict", "string", "what became of it", allowed=VERDICTS),
        Column("flags", "string", "rules that it breaks, '; ' between; missing: none", nullable=True),
        Column("reason", "string", "what was seen; missing: nothing", nullable=True),
        Column("remedy", "string", "what to do; missing: nothing", nullable=True),
    ),
    ("recording",),
)

SIMULATED_FILES = Table(
    "device_files",
    "Files that the simulator wrote: device csv, ground truth, subjects table.",
    (
        Column("content", "string", "SHA-256 of the file"),
        Column("bytes", "int64", "size of the file", "B", minimum=0),
    ),
    ("content",),
)

QUARANTINE = Table(
    "quarantine",
    "Files that were not imported, and why.",
    (
        Column("content", "string", "first 12 digits of the file's SHA-256 (its name could carry a subject code)"),
        Column("row", "int64", "1-based row at fault; missing where the whole file is", nullable=True, minimum=1),
        Column("reason", "string", "the rule that was broken"),
        Column("remedy", "string", "what to do"),
    ),
    ("content", "reason"),
)

ROLE_NAMES = ("development", "evaluated", "pending")
ROLES = Table(
    "roles",
    "What each recording is used for. Signal methods learn from `development`, pipelines are judged on `evaluated`; "
    "`pending` joined after the roles were frozen and is neither.",
    (
        RECORDING,
        SUBJECT,
        Column("role", "string", "what the recording is used for", allowed=ROLE_NAMES),
        Column("label", "string", "diagnosis", nullable=True),
    ),
    ("recording",),
)
