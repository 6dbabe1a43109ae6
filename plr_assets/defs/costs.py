"""The asset of what pipelines cost.

Belongs here: the declaration. Does not belong here: walking up the graph and adding up (`platform.costs`).
"""

from __future__ import annotations

from plr_assets.defs.classification import bootstrap_results
from plr_assets.defs.featurization import features
from plr_assets.defs.figure_parts import labelled
from plr_assets.defs.imputation import imputed_signals, imputers, reconstructions
from plr_assets.defs.outlier_detection import detectors, outlier_masks, outlier_scores
from plr_assets.defs.stages import CLASSIFICATION, FEATURIZATION, IMPUTATION, OUTLIER_DETECTION, RESULTS
from plr_assets.errors import DataError
from plr_assets.platform.artifacts import Product
from plr_assets.platform.costs import seconds_by_stage
from plr_assets.platform.previews import markdown_table
from plr_assets.platform.stages import Reads, StageAsset, Task, reads, stage_asset
from plr_assets.schemas import PIPELINE_COSTS

_STAGES = (OUTLIER_DETECTION, IMPUTATION, FEATURIZATION, CLASSIFICATION)


def _all_of(asset: StageAsset, artifact: str | None = None) -> Reads:
    return reads(asset, artifact, lambda grid, _: asset.keys_in(grid), required=False)


@stage_asset(
    RESULTS,
    reads=[
        _all_of(detectors, "model"),
        _all_of(outlier_scores),
        _all_of(outlier_masks),
        _all_of(imputers, "model"),
        _all_of(reconstructions),
        _all_of(imputed_signals),
        _all_of(features),
        _all_of(bootstrap_results),
    ],
    tables={"pipeline_costs": PIPELINE_COSTS},
    offered=labelled,
)
def pipeline_costs(task: Task) -> Product:
    """What each published pipeline took to compute, in seconds of one process, stage by stage.

    Parts that pipelines share count in full for each. Seconds are what the run that published a partition took, on the
    machine and beside the work it had then: no result depends on them, and two runs never have the same.
    """
    import polars as pl

    rows = []
    for pipeline in task.inputs["bootstrap_results", "bootstrap_results"]:
        taken = seconds_by_stage(bootstrap_results, pipeline, task.grid, task.inputs)
        if taken is not None:
            stages = {f"seconds_{stage.name}": taken.get(stage.name, 0.0) for stage in _STAGES}
            rows.append({"pipeline": str(pipeline), **stages, "seconds": sum(stages.values())})
    if not rows:
        raise DataError("pipeline_costs", "no pipeline is published with its seconds.", "Run the pipelines first.")
    columns = {column.name: pl.String if column.dtype == "string" else pl.Float64 for column in PIPELINE_COSTS.columns}
    frame = pl.DataFrame(rows, schema=columns)
    return Product(
        tables={"pipeline_costs": frame}, metrics={"pipelines": frame.height}, notes={"head": markdown_table(frame)}
    )
