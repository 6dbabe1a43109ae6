"""Which tables the pages of one pipeline are drawn from.

Belongs here: their names, for the drawing and for the asset that reads them. Does not belong here: anything that loads
NumPy, for assets are declared in processes that draw nothing.
"""

from __future__ import annotations

# Of one pipeline's evaluation.
TABLES = (
    "essential_metrics",
    "roc_curves",
    "calibration_curves",
    "dca_curves",
    "probability_distributions",
    "supplementary_metrics",
    "calibration_smooth",
    "pr_curves",
    "roc_bands",
    "classification_at_thresholds",
)
RELIABILITY = ("classification_at_thresholds", "retention_metrics")
# Of replicates that are fitted again, where they could be.
FITTED_AGAIN = ("stability", "feature_importance")
