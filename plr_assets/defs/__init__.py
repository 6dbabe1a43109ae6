"""The assets: one thin module a stage. `ASSETS` lists them all, upstream first.

Belongs here: declarations and the few lines that read inputs, call a science function and name its results. Does not
belong here: science, or how assets become Dagster's (`platform`). Science is imported inside the functions, so that a
code location loads without it.
"""

from __future__ import annotations

from plr_assets.defs import (
    adoption as adoption,  # declares which assets take runs of others
)
from plr_assets.defs import (
    classification,
    costs,
    data_import,
    evaluation,
    featurization,
    figures,
    figures_ranking,
    figures_study,
    imputation,
    incoming,
    models,
    outlier_detection,
    papers,
    pretrained,
    reporting,
    results,
    validation,
)
from plr_assets.platform.stages import StageAsset

ASSETS: tuple[StageAsset, ...] = (
    data_import.device_files,
    data_import.recordings,
    incoming.incoming_recordings,
    data_import.cohort_split,
    pretrained.moment_weights,
    pretrained.units_weights,
    pretrained.tabpfn_weights,
    outlier_detection.detectors,
    outlier_detection.outlier_scores,
    outlier_detection.outlier_masks,
    imputation.imputers,
    imputation.reconstructions,
    imputation.imputed_signals,
    featurization.features,
    featurization.feature_catalog,
    classification.bootstrap_results,
    models.models,
    evaluation.evaluation,
    validation.confounders,
    validation.internal_validation,
    *results.STUDY_TABLES,
    results.results_database,
    figures.recording_figures,
    figures.detection_figures,
    figures.signal_figures,
    figures.pipeline_figures,
    costs.pipeline_costs,
    figures_study.study_figures,
    figures_study.method_figures,
    figures_study.cost_figures,
    figures_ranking.ranking_figures,
    figures_study.validation_figures,
    papers.paper_tables,
    reporting.report,
)
