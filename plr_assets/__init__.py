"""plr_assets: pupillary light reflex experiments as Dagster assets.

Two layers. The stage packages (`recordings`, `outlier_detection`, `imputation`, `featurization`, `classification`,
`evaluation`, `figures`) are science: scikit-learn-style estimators and pure functions, usable from a notebook.
`platform` and `defs` turn them into assets. Nothing is imported here, so that importing one stage stays cheap.
"""

__version__ = "0.1.0"
