"""The asset of models for use: one classifier a pipeline, fitted on all labelled evaluated subjects.

Belongs here: the declaration. Does not belong here: the bootstrap that judges pipelines (`classification`), or what the
model's own predictions are worth (`validation`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from plr_assets.defs.data_import import cohort_split
from plr_assets.defs.featurization import features
from plr_assets.defs.pretrained import ARTIFACT, moment_weights, units_weights
from plr_assets.defs.stages import CLASSIFICATION, labelled
from plr_assets.grid import Grid, PipelineKey
from plr_assets.platform.artifacts import Product
from plr_assets.platform.stages import WHOLE, Task, reads, stage_asset
from plr_assets.registry import AXES, Axis, Foundation
from plr_assets.schemas import APPARENT_PREDICTIONS

_SIGNAL_AXES: tuple[Axis, ...] = ("outlier_detection", "imputation")


def _behind_signals(model: Foundation) -> Callable[[Grid, PipelineKey], Iterable[PipelineKey]]:
    """For `reads`: the weights, for pipelines with a detector or imputer that starts from `model`."""

    def keys(grid: Grid, key: PipelineKey) -> Iterable[PipelineKey]:
        fitted = [
            grid.registry.methods[axis][name] for axis in _SIGNAL_AXES for name in grid.members(axis, key.named(axis))
        ]
        return (WHOLE,) if any(method.pretrained == model for method in fitted) else ()

    return keys


@stage_asset(
    CLASSIFICATION,
    keys=lambda grid: grid.pipelines,
    axes=AXES,
    method_axis="classification",
    reads=[
        reads(features, "features_of_cases"),
        # a table of features that was logged from outside need not have the other two
        reads(features, "feature_dictionary", required=False),
        reads(features, "model", required=False),
        reads(cohort_split, "cases"),
        reads(moment_weights, ARTIFACT, _behind_signals("moment")),
        reads(units_weights, ARTIFACT, _behind_signals("units")),
    ],
    tables={"apparent_predictions": APPARENT_PREDICTIONS},
    settings=("labels",),
    seeded=True,
    offered=labelled,
)
def models(task: Task) -> Product:
    """The model for use of each pipeline: fitted once, on all labelled evaluated subjects, and kept.

    `model` holds the classifier's own files and a schema: which features in which order, of which unit and
    featurization, what the labels are, and whether it learned from simulated recordings. `apparent_predictions` are its
    predictions of the recordings that it was fitted on, which are too good; `optimism` says by how much.
    """
    import polars as pl

    from plr_assets.classification.matrix import feature_names
    from plr_assets.classification.model import FeatureColumn, ModelSchema, fit_model
    from plr_assets.classification.resampling import cases_from
    from plr_assets.platform.artifacts import folder_path
    from plr_assets.pretrained.weights import Origin
    from plr_assets.seeds import integer_seed

    labels = task.setting("labels")
    cases = cases_from(task.table("cohort_split", "cases"), labels)
    table = task.table("features", "features_of_cases")
    told = task.tables("features", "feature_dictionary").values()
    units = {name: unit for entries in told for name, unit in entries.select("name", "unit").iter_rows()}
    weights = [
        ref for name in ("moment", "units") for ref in task.inputs.get((f"{name}_weights", ARTIFACT), {}).values()
    ]
    schema = ModelSchema(
        pipeline=str(task.key),
        features=tuple(FeatureColumn(name, units.get(name)) for name in feature_names(table)),
        featurization=next((ref.info.digest for ref in task.inputs["features", "model"].values()), None),
        labels=labels,
        origin=task.study.origin,
        pretrained_on=tuple(dict.fromkeys(Origin.load(folder_path(ref)).pretrained_on for ref in weights)),
        n_subjects=cases["subject"].n_unique(),
        n_recordings=cases.height,
        n_events=int(cases["y_true"].sum()),
    )
    classifier = task.make(random_state=integer_seed(task.seed, "classifier", "model for use"))
    model = fit_model(classifier, table, cases, schema)
    said = cases.select("recording", "y_true").join(model.predict(table), on="recording", how="left")
    return Product(
        tables={"apparent_predictions": said.select(pl.col(APPARENT_PREDICTIONS.column_names))},
        folders={"model": model.save},
        metrics={"features": len(schema.features), "recordings": cases.height, "subjects": schema.n_subjects},
        notes={"features": ", ".join(column.name for column in schema.features)},
    )
