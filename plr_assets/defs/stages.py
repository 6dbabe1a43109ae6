"""The stages and who answers for them. Stage = folder = Dagster group = owner = MLflow experiment.

Belongs here: stages, and answers that the declarations of several stages give: which studies have an asset, which keys
it reads. Does not belong here: assets.
"""

from __future__ import annotations

from plr_assets.grid import Grid, PipelineKey
from plr_assets.platform.stages import WHOLE, Stage
from plr_assets.study import Study

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


def labelled(study: Study) -> bool:
    """For `offered`: studies that know who has which diagnosis."""
    return study.labels is not None


def whole(_grid: Grid, _key: PipelineKey) -> tuple[PipelineKey, ...]:
    """For `reads`: all that an asset has, which is not partitioned."""
    return (WHOLE,)


def all_pipelines(grid: Grid, _key: PipelineKey) -> tuple[PipelineKey, ...]:
    """For `reads`: every pipeline of the study."""
    return grid.pipelines
