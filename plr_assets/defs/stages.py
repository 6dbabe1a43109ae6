"""The stages and who answers for them. Stage = folder = Dagster group = owner = MLflow experiment."""

from __future__ import annotations

from plr_assets.platform.stages import Stage

DATA_IMPORT = Stage("data_import", "team:data-engineering", "PLR_DataImport", "data engineer")
PRETRAINED = Stage("pretrained", "team:signal-processing", "PLR_Pretrained", "signal-processing expert")
OUTLIER_DETECTION = Stage(
    "outlier_detection", "team:signal-processing", "PLR_OutlierDetection", "signal-processing expert"
)
IMPUTATION = Stage("imputation", "team:signal-processing", "PLR_Imputation", "signal-processing expert")
FEATURIZATION = Stage("featurization", "team:ophthalmology", "PLR_Featurization", "domain expert")
CLASSIFICATION = Stage("classification", "team:biostatistics", "PLR_Classification", "biostatistician")
RESULTS = Stage("results", "team:biostatistics", "PLR_Summary", "biostatistician")
FIGURES = Stage("figures", "team:biostatistics", "PLR_Figures", "biostatistician")
