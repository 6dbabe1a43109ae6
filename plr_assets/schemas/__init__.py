"""The tables that stages hand to each other, declared once.

Belongs here: column names, types, units, keys and value rules. Everything that checks or shows a table reads them here:
the contract (validation when published and when fetched), the asset catalogue (column schemas), the results database,
the tests. Does not belong here: computing a table. Imports nothing heavy, because the code location loads it.
"""

from __future__ import annotations

from plr_assets.schemas.recordings import (
    QUARANTINE,
    RECORDING_VERDICTS,
    RECORDINGS,
    ROLE_NAMES,
    ROLES,
    SIMULATED_FILES,
    VERDICTS,
)
from plr_assets.schemas.results import (
    BOOTSTRAP_CASES,
    BOOTSTRAP_RESULTS,
    CALIBRATION_CURVES,
    DATABASE_TABLES,
    DCA_CURVES,
    ESSENTIAL_METRICS,
    EVALUATION_TABLES,
    FEATURE_CATALOG,
    FEATURE_DICTIONARY,
    PREDICTIONS,
    PROBABILITY_DISTRIBUTIONS,
    ROC_CURVES,
)
from plr_assets.schemas.signals import (
    FEATURE_COVERAGE,
    FEATURE_METRICS,
    FEATURES,
    IMPUTATION_COMPARISONS,
    IMPUTATION_ERROR_SUMS,
    IMPUTATION_ERRORS,
    IMPUTATION_METRICS,
    OUTLIER_AGREEMENT,
    OUTLIER_MASKS,
    OUTLIER_METRICS,
    OUTLIER_SCORES,
    OUTLIER_VOTES,
    RECONSTRUCTIONS,
    SIGNALS,
)
from plr_assets.schemas.table import (
    Column,
    Dtype,
    Table,
    validate,
)

__all__ = [
    "BOOTSTRAP_CASES",
    "BOOTSTRAP_RESULTS",
    "CALIBRATION_CURVES",
    "DATABASE_TABLES",
    "DCA_CURVES",
    "ESSENTIAL_METRICS",
    "EVALUATION_TABLES",
    "FEATURES",
    "FEATURE_CATALOG",
    "FEATURE_COVERAGE",
    "FEATURE_DICTIONARY",
    "FEATURE_METRICS",
    "IMPUTATION_COMPARISONS",
    "IMPUTATION_ERRORS",
    "IMPUTATION_ERROR_SUMS",
    "IMPUTATION_METRICS",
    "OUTLIER_AGREEMENT",
    "OUTLIER_MASKS",
    "OUTLIER_METRICS",
    "OUTLIER_SCORES",
    "OUTLIER_VOTES",
    "PREDICTIONS",
    "PROBABILITY_DISTRIBUTIONS",
    "QUARANTINE",
    "RECONSTRUCTIONS",
    "RECORDINGS",
    "RECORDING_VERDICTS",
    "ROC_CURVES",
    "ROLES",
    "ROLE_NAMES",
    "SIGNALS",
    "SIMULATED_FILES",
    "VERDICTS",
    "Column",
    "Dtype",
    "Table",
    "validate",
]
