"""What a study accepts of a recording, and what it says of features that were imputed in part.

Belongs here: the limits, each with what was measured. Does not belong here: applying them (`recordings.quality`,
`featurization`).
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from plr_assets.config_files import StrictModel
from plr_assets.study.recordings import DeclaredStimulus

# (flag above, refuse above); null: never
Limit = Annotated[tuple[float | None, float | None], Field(description="flag above the first, refuse above the second")]
# lowest and highest
Range = Annotated[tuple[float, float], Field(description="refuse outside")]

# 9 s of blue, 31 s after its onset 9 s of red (Najjar 2023, BJO 107:663; the same was measured on seven files).
PUBLISHED_PROTOCOL = (
    DeclaredStimulus(colour="blue", onset_s=15.5, offset_s=24.5),
    DeclaredStimulus(colour="red", onset_s=46.5, offset_s=55.5),
)


class QualityLimits(StrictModel):
    """What a recording may look like. `quality` applies them; the pairs are (flag above, refuse above).

    "measured": seven real blue/red files of the handheld pupillometer. A flag begins where none of them lies, with
    one exception: the file that lost 2 s right before blue is flagged. "chosen": where a recording can no longer
    answer the question it was made for.
    """

    max_flagged_share: float = Field(
        default=0.25, ge=0, le=1, description="flagged and refused recordings, of all: the study stops above it"
    )
    protocol: tuple[DeclaredStimulus, ...] = Field(
        default=PUBLISHED_PROTOCOL,
        min_length=1,
        description="the lights that files with their own drive must hold; times count from the first onset",
    )
    protocol_tolerance_s: float = Field(
        default=0.5, gt=0, description="s; measured: lights of 8.9-9.1 s, 30.84-31.13 s from onset to onset"
    )
    min_peak_code: float = Field(default=200.0, ge=0, description="drive code; measured 227-231, white 253-255")
    uncovered_s: float = Field(
        default=1.0, ge=0, description="s that a recording may miss at either end of the grid; measured up to 0.6"
    )
    sampling_gap_s: Limit = Field(default=(0.2, 1.0), description="s between two samples; measured up to 0.13")
    empty_share: Limit = Field(
        default=(0.05, 0.2),
        description="grid points without a sample; measured up to 0.9 %, which is a clock at 29.7 Hz",
    )
    baseline_missing: Limit = Field(
        default=(0.2, 0.5), description="missing samples of the baseline window; measured 58 of 150 in one file"
    )
    baseline_spread_percent: Limit = Field(
        default=(10.0, None), description="% of the baseline, robust SD in its window; measured 1.3-5 at rest"
    )
    drift_percent: Limit = Field(
        default=(35.0, None), description="% between the baselines of first and last light; measured -24 to +7"
    )
    size_px: Range = Field(default=(10.0, 200.0), description="px, baseline; measured 29-65 with this camera")
    size_mm: Range = Field(default=(1.2, 10.0), description="mm, baseline; human pupils are 2-8 mm wide")
    rest_percent: Limit = Field(
        default=(10.0, 30.0), description="%, median before the first light in files that are in %; it should be 0"
    )
    dropout_share: Limit = Field(default=(0.1, 0.5), description="samples without a pupil; measured up to 6.7 %")
    longest_dropout_s: Limit = Field(default=(2.5, 10.0), description="s without a pupil; measured up to 2.0")
    light_missing: Limit = Field(
        default=(0.25, 0.6), description="samples without a pupil while a light is on; chosen, as the response is there"
    )
    blinks_per_minute: Limit = Field(
        default=(40.0, None), description="dropouts a minute; measured up to 26, 8-21 at rest (Doughty 2001)"
    )
    frozen_s: Limit = Field(
        default=(0.5, 5.0), description="s with one and the same diameter; measured noise is 0.24 px or more a frame"
    )
    implausible_share: Limit = Field(
        default=(0.05, 0.3),
        description="samples below 20 % or above 160 % of the baseline; measured up to 63 of 1981 (3.2 %)",
    )
    truth_off_percent: Limit = Field(
        default=(10.0, 25.0),
        description="% of the baseline by which a tenth of the kept samples miss ground truth; noise explains up to 5",
    )
    noise_percent: Limit = Field(
        default=(4.0, None), description="% of the baseline, robust SD from frame to frame; measured 0.5-2.8"
    )
    min_response_percent: float = Field(
        default=5.0, ge=0, description="% constriction to each light, flagged below it; measured 31-64"
    )

    @model_validator(mode="after")
    def _refusals_lie_above_flags(self) -> QualityLimits:
        for name in type(self).model_fields:
            value = getattr(self, name)
            if name.startswith("size_"):
                if value[0] >= value[1]:
                    raise ValueError(f"`{name}` is [lowest, highest]")
            elif isinstance(value, tuple) and name != "protocol":
                if any(limit is not None and limit < 0 for limit in value):
                    raise ValueError(f"`{name}` is below 0")
                if None not in value and value[1] < value[0]:
                    raise ValueError(f"`{name}` is [flag above, refuse above]; the second is not below the first")
        return self


class Gaps(StrictModel):
    """What is said of features whose windows were imputed in part."""

    longest_s: float = Field(
        default=1.0, gt=0, description="s; a feature is flagged where more is imputed in one piece within its window"
    )
