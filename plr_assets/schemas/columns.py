"""Columns that many tables have.

Belongs here: a column that means the same wherever it stands, and what makes columns of estimates. Does not belong
here: tables.
"""

from __future__ import annotations

from plr_assets.schemas.table import Column

RECORDING = Column("recording", "string", "anonymised id of the recording")
SUBJECT = Column("subject", "string", "anonymised id of the person; splits and resamples go by subject")
PIPELINE = Column("pipeline", "string", "featurization__outlier__imputation__classifier")
SYNTHETIC = Column("synthetic", "boolean", "computed from simulated recordings")
Y_TRUE = Column("y_true", "int64", "1 = positive class", minimum=0, maximum=1)
REASON = Column("reason", "string", "why numbers are missing; missing: none are", nullable=True)


def number(
    name: str, what: str, unit: str | None = None, low: float | None = None, high: float | None = None
) -> Column:
    """A number that may be missing."""
    return Column(name, "float64", what, unit, nullable=True, minimum=low, maximum=high)


def spread(
    name: str, what: str, low: float | None = None, high: float | None = None, *, ends: str = ""
) -> tuple[Column, ...]:
    """A number and its 95 % interval: `<name>`, `<name><ends>_lower`, `<name><ends>_upper`."""
    return (
        number(name, what, None, low, high),
        number(f"{name}{ends}_lower", f"lower end of the 95 % interval of {name}"),
        number(f"{name}{ends}_upper", f"upper end of the 95 % interval of {name}"),
    )
