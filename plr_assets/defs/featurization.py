"""Assets of the featurization stage: features of every imputed signal, and what the features are.

Belongs here: the declarations. Does not belong here: features, which are data (configs/methods/featurization.yaml).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from plr_assets.defs.data_import import cohort_split, recordings
from plr_assets.defs.figure_parts import inputs
from plr_assets.defs.imputation import imputed_signals
from plr_assets.defs.outlier_detection import outlier_masks
from plr_assets.defs.pretrained import ARTIFACT, moment_weights, start_of, weights_of
from plr_assets.defs.stages import FEATURIZATION
from plr_assets.grid import Grid, PipelineKey
from plr_assets.platform.artifacts import Product
from plr_assets.platform.previews import inline_png, markdown_table
from plr_assets.platform.stages import Task, reads, stage_asset
from plr_assets.registry import Axis
from plr_assets.schemas import FEATURE_CATALOG, FEATURE_COVERAGE, FEATURE_DICTIONARY, FEATURE_METRICS, FEATURES

if TYPE_CHECKING:
    import polars as pl
    from matplotlib.figure import Figure

AXIS: Axis = "featurization"


@stage_asset(
    FEATURIZATION,
    keys=lambda grid: grid.features,
    axes=("featurization", "outlier_detection", "imputation"),
    method_axis=AXIS,
    reads=[
        reads(recordings),
        reads(cohort_split, "development"),
        reads(cohort_split, "cases"),
        reads(cohort_split, "roles"),
        reads(outlier_masks),
        reads(imputed_signals),
        reads(moment_weights, ARTIFACT, weights_of(AXIS, "moment")),
    ],
    tables={
        "features": FEATURES,
        "features_of_cases": FEATURES,
        "feature_dictionary": FEATURE_DICTIONARY,
        "feature_coverage": FEATURE_COVERAGE,
        "feature_metrics": FEATURE_METRICS,
    },
    settings=("gaps",),
    seeded=True,
)
def features(task: Task) -> Product:
    """One row a recording, one column a feature. `feature_dictionary` says what each column is: window, unit, source.

    `features_of_cases` are the rows of the evaluated recordings, from which pipelines are computed.
    `feature_coverage` says how much of each feature's window was recorded, and flags those with a long gap; they keep
    their value. What imputation does to features is measured on evaluated recordings.
    """
    import polars as pl

    from plr_assets.errors import DataError
    from plr_assets.featurization.catalog import feature_dictionary
    from plr_assets.featurization.coverage import feature_coverage
    from plr_assets.featurization.scoring import feature_error, score_features
    from plr_assets.imputation.errors import changed_samples
    from plr_assets.pooled_scores import described
    from plr_assets.recordings.roles import scored_rows
    from plr_assets.recordings.table import Recordings, signal_array

    cohort = Recordings.from_frame(task.table("recordings"))
    signal = signal_array(task.table("imputed_signals")["signal"])
    mask = signal_array(task.table("outlier_masks")["mask"])
    if changed := changed_samples(signal, mask, cohort):
        raise DataError(
            f"imputed_signals {task.key.only(*imputed_signals.axes)}",
            f"{changed} samples differ from the recording although they are not masked.",
            "Imputation replaces masked samples only: mend the method, or the run that was logged from outside.",
        )
    development = set(task.table("cohort_split", "development")["recording"])
    rows = [row for row, name in enumerate(cohort.recording) if name in development]
    featurizer = task.make().fit(cohort.take(rows), signal[rows], **start_of(task))
    table = featurizer.transform(cohort, signal)
    cases = task.table("cohort_split", "cases")["recording"].to_list()
    coverage = feature_coverage(featurizer, cohort, mask, task.setting("gaps").longest_s)
    scored, prefix = scored_rows(task.table("cohort_split", "roles"), cohort.recording)
    names = [cohort.recording[row] for row in scored]
    judged = coverage.filter(pl.col("recording").is_in(names))
    scores = score_features(featurizer, cohort.take(scored), signal[scored], mask[scored], judged, seed=task.seed)
    oracle = task.grid.registry.methods["imputation"][task.key.named("imputation")].oracle
    methods: dict[str, str] = {axis: task.key.named(axis) for axis in features.axes}
    told = described(scores, methods, oracle=oracle, synthetic=cohort.synthetic, prefix=prefix)
    dictionary = feature_dictionary(featurizer, cohort)
    metrics = {"features": float(dictionary.height), "flagged_features": float(coverage["flagged"].sum())}
    if (error := feature_error(scores)) is not None:
        metrics[f"{prefix}feature_error"] = error
    return Product(
        tables={
            "features": table,
            "features_of_cases": table.filter(pl.col("recording").is_in(cases)),
            "feature_dictionary": dictionary,
            "feature_coverage": coverage,
            "feature_metrics": told,
        },
        folders={"model": featurizer.save},
        metrics=metrics,
        notes={"dictionary": markdown_table(dictionary.drop("run_starts_s", "run_ends_s"), rows=60)},
    )


def _all_features(grid: Grid, _key: PipelineKey) -> tuple[PipelineKey, ...]:
    return grid.features


def _look(grid: Grid) -> Any:
    """Colours, sizes and names of the pictures."""
    from plr_assets.figures.style import load_figures_config

    return [load_figures_config().model_dump(mode="json"), _display(grid)]


def _display(grid: Grid) -> dict[str, str]:
    return {name: method.display for name, method in grid.registry.methods[AXIS].items()}


@stage_asset(
    FEATURIZATION,
    reads=[
        reads(recordings),
        reads(cohort_split, "development"),
        reads(features, "features", _all_features, required=False),
        # a table of features that was logged from outside need not say what its columns are
        reads(features, "feature_dictionary", _all_features, required=False),
    ],
    tables={"feature_catalog": FEATURE_CATALOG},
    configuration=_look,
    exports={"figure": "figures/features"},
    kinds=("matplotlib", "mlflow"),
)
def feature_catalog(task: Task) -> Product:
    """Every feature on one list: description, type, unit, window, statistic, baseline, source, leakage risk, and how
    its values are spread over development recordings, with a picture of windows and histograms.

    The spread is over all published combinations of methods before it; no evaluated recording is in it.
    """
    from plr_assets.errors import DataError
    from plr_assets.featurization.catalog import feature_catalog, histograms
    from plr_assets.figures.features import draw_features
    from plr_assets.figures.save import save_figure, thumbnail
    from plr_assets.figures.style import load_figures_config
    from plr_assets.recordings.summary import typical_course
    from plr_assets.recordings.table import Recordings

    found, told = (_by_featurization(task, name) for name in ("features", "feature_dictionary"))
    if not found:
        raise DataError("feature_catalog", "no features are published, so there is nothing to list.", "Run them first.")
    cohort = Recordings.from_frame(task.table("recordings"))
    developing = set(task.table("cohort_split", "development")["recording"])
    cohort = cohort.take([row for row, name in enumerate(cohort.recording) if name in developing])
    catalog = feature_catalog(found, told, developing)
    config, centre = load_figures_config(), typical_course(cohort)[0]
    drawn: dict[str, tuple[dict[str, Any], Figure]] = {}
    for name, tables in found.items():
        rows, bars = catalog.filter(featurization=name), histograms(tables, developing)
        figure = draw_features(
            rows,
            bars,
            time=cohort.time,
            centre=centre,
            lights=cohort.stimuli[0],
            title=f"{config.figures['features'].title}: {_display(task.grid)[name]}",
            synthetic=task.study.synthetic,
            style=config.style,
        )
        drawn[name] = {"windows": rows, "histograms": bars, "time": cohort.time, "median": centre}, figure
    drawn_from = inputs(task)

    def write(folder: Path) -> None:
        for name, (plotted, figure) in drawn.items():
            save_figure(figure, folder, name, plotted, {"study": task.study.name, "inputs": drawn_from})

    notes = {name: inline_png(thumbnail(figure), name) for name, (_, figure) in drawn.items()}
    listed = catalog.select("featurization", "name", "unit", "window", "baseline", "leakage", "q05", "q50", "q95")
    notes["features"] = markdown_table(listed, rows=80)
    if task.missing:
        notes["missing features"] = "\n".join(f"- {text}" for text in task.missing)
    return Product(
        tables={"feature_catalog": catalog},
        folders={"figure": write},
        metrics={"features": catalog.height, "missing": len(task.missing)},
        notes=notes,
    )


def _by_featurization(task: Task, artifact: str) -> dict[str, list[pl.DataFrame]]:
    found: dict[str, list[pl.DataFrame]] = {}
    for key, table in task.tables("features", artifact).items():
        found.setdefault(key.named(AXIS), []).append(table)
    return found
