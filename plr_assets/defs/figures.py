"""Assets of the figures stage: PNG, SVG and a JSON sidecar of what is plotted.

Belongs here: the declarations, and which recordings a figure shows. Does not belong here: drawing (`figures`), or any
statistic: figures draw published tables. Copies for people lie in `data/<study>/figures/`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from plr_assets.defs.data_import import recordings
from plr_assets.defs.evaluation import evaluation
from plr_assets.defs.imputation import imputed_signals
from plr_assets.defs.outlier_detection import members_of, outlier_masks, outlier_scores
from plr_assets.defs.results import essential_metrics
from plr_assets.defs.stages import FIGURES
from plr_assets.grid import Grid
from plr_assets.platform.artifacts import Product
from plr_assets.platform.previews import inline_png
from plr_assets.platform.stages import Task, reads, stage_asset
from plr_assets.registry import AXES, Axis
from plr_assets.study import Study

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from plr_assets.recordings.table import Recordings

PIPELINE_TABLES = ("essential_metrics", "roc_curves", "calibration_curves", "dca_curves", "probability_distributions")


def _labelled(study: Study) -> bool:
    return study.labels is not None


def _texts(grid: Grid, field: str) -> dict[str, dict[str, str]]:
    """axis -> method -> a text of its registry entry, in the registry's order."""
    methods = grid.registry.methods
    return {axis: {name: getattr(method, field) for name, method in methods[axis].items()} for axis in AXES}


def _configuration(grid: Grid) -> Any:
    """Colours, sizes and names: a renamed method redraws its figures."""
    from plr_assets.figures.style import load_figures_config

    return [load_figures_config().model_dump(mode="json"), _texts(grid, "display"), _texts(grid, "category")]


@stage_asset(
    FIGURES,
    reads=[reads(recordings)],
    configuration=_configuration,
    exports={"figure": "figures/recordings"},
    kinds=("matplotlib", "mlflow"),
)
def recording_figures(task: Task) -> Product:
    """Every recording as it was imported, and all of them on one page.

    Shown are the device's signal, samples that a human rejected, ground truth and lights; no method has touched them.
    """
    from plr_assets.figures.save import save_figure, save_png, thumbnail
    from plr_assets.figures.style import load_figures_config
    from plr_assets.figures.traces import draw_recording, draw_recording_overview
    from plr_assets.recordings.summary import typical_course
    from plr_assets.recordings.table import Recordings

    cohort = Recordings.from_frame(task.table("recordings"))
    config, origin = load_figures_config(), task.study.synthetic
    centre, band = typical_course(cohort)
    page = f"{config.figures['recording_overview'].title}: {len(cohort)}"
    overview = draw_recording_overview(
        cohort, title=page, synthetic=origin, style=config.style, centre=centre, band=band
    )

    def draw(row: int) -> Figure:
        label = cohort.label[row]
        title = cohort.recording[row] + (f" ({label})" if label else "")
        return draw_recording(cohort.take([row]), title=title, synthetic=origin, style=config.style)

    def write(folder: Path) -> None:
        plotted = {"time": cohort.time, "median": centre, "low": band[0], "high": band[1]}
        save_figure(overview, folder, "overview", plotted, {"study": task.study.name, "inputs": _inputs(task)})
        for row, name in enumerate(cohort.recording):
            save_png(draw(row), folder, name)

    shown = {cohort.recording[row]: draw(row) for row in _by_missing_samples(cohort)}
    notes = {name: inline_png(thumbnail(figure), name) for name, figure in {"overview": overview, **shown}.items()}
    return Product(folders={"figure": write}, metrics={"recordings": len(cohort)}, notes=notes)


@stage_asset(
    FIGURES,
    keys=lambda grid: grid.outlier_masks,
    axes=("outlier_detection",),
    reads=[
        reads(recordings),
        reads(outlier_masks),
        reads(outlier_masks, "outlier_votes"),
        reads(outlier_masks, "outlier_agreement"),
        reads(outlier_scores, keys=members_of),
    ],
    configuration=_configuration,
    exports={"figure": "figures/detection"},
    offered=lambda study: study.has_ground_truth,
    kinds=("matplotlib", "mlflow"),
)
def detection_figures(task: Task) -> Product:
    """What one outlier method flagged, what a human rejected, and the score between them.

    Shown are the evaluated recordings at the upper quartile, the median and the minimum of the method's F1. The score
    of an ensemble is the share of votes; human masks have none.
    """
    import polars as pl

    from plr_assets.figures.detection import draw_detection
    from plr_assets.figures.style import load_figures_config
    from plr_assets.outlier_detection.agreement import typical_recordings
    from plr_assets.recordings.table import Recordings, signal_array

    cohort = Recordings.from_frame(task.table("recordings"))
    agreement = task.table("outlier_masks", "outlier_agreement")
    chosen = typical_recordings(agreement)
    rows = [cohort.recording.index(name) for name in chosen.values()]
    shown, config = cohort.take(rows), load_figures_config()
    numbers = pl.DataFrame({"recording": shown.recording}).join(agreement, on="recording", maintain_order="left")
    mask = signal_array(task.table("outlier_masks")["mask"])[rows]
    scores = [signal_array(frame["score"])[rows] for frame in task.tables("outlier_scores").values()]
    votes = signal_array(task.table("outlier_masks", "outlier_votes")["share"])[rows]
    score = votes if len(scores) > 1 else next(iter(scores), None)
    figure = draw_detection(
        shown,
        mask,
        numbers,
        list(chosen),
        title=f"{config.figures['detection'].title}: {_named(task)}",
        synthetic=task.study.synthetic,
        style=config.style,
        score=score,
    )
    plotted = {"time": shown.time, "pupil": shown.pupil, "mask": mask, "artefact": shown.artefact, "score": score}
    return _product(task, figure, str(task.key), {"places": list(chosen), "agreement": numbers, **plotted})


@stage_asset(
    FIGURES,
    keys=lambda grid: grid.imputed_signals,
    axes=("outlier_detection", "imputation"),
    reads=[
        reads(recordings),
        reads(outlier_masks),
        reads(imputed_signals),
        reads(imputed_signals, "imputation_errors"),
    ],
    configuration=_configuration,
    exports={"figure": "figures/signals"},
    kinds=("matplotlib", "mlflow"),
)
def signal_figures(task: Task) -> Product:
    """Three recordings before and after cleaning: as recorded, what was masked, what was put there, the truth.

    With ground truth they are the evaluated recordings at the better quartile, the median and the maximum of the
    method's error, and beside each is its worst gap; without it, those with few, middling and many missing samples, the
    same for every method.
    """
    from plr_assets.figures.imputation import draw_imputation
    from plr_assets.figures.style import load_figures_config
    from plr_assets.figures.traces import draw_traces
    from plr_assets.imputation.errors import Imputed, typical_recordings, worst_gaps
    from plr_assets.recordings.table import Recordings, optional_signal, signal_array

    cohort, signals = Recordings.from_frame(task.table("recordings")), task.table("imputed_signals")
    errors = task.table("imputed_signals", "imputation_errors")
    chosen, config = typical_recordings(errors), load_figures_config()
    rows = [cohort.recording.index(name) for name in chosen.values()] or _by_missing_samples(cohort)
    shown = cohort.take(rows)
    signals, masks = signals[rows], task.table("outlier_masks")[rows]
    imputed = Imputed(
        signal=signal_array(signals["signal"]),
        mask=signal_array(masks["mask"]),
        lower=optional_signal(signals, "lower"),
        upper=optional_signal(signals, "upper"),
    )
    title = f"{config.figures['imputation' if chosen else 'traces'].title}: {_named(task)}"
    look: dict[str, Any] = {"title": title, "synthetic": task.study.synthetic, "style": config.style}
    if chosen:
        numbers = [errors.filter(recording=name).row(0, named=True) for name in chosen.values()]
        band = None if imputed.lower is None or imputed.upper is None else (imputed.lower, imputed.upper)
        figure = draw_imputation(
            shown,
            imputed.mask,
            imputed.signal,
            errors=numbers,
            places=list(chosen),
            gaps=worst_gaps(imputed, shown),
            band=band,
            **look,
        )
    else:
        figure = draw_traces(shown, imputed.mask, imputed.signal, **look)
    plotted = {
        "recording": shown.recording,
        "places": list(chosen),
        "time": shown.time,
        "pupil": shown.pupil,
        "mask": imputed.mask,
        "signal": imputed.signal,
        "lower": imputed.lower,
        "upper": imputed.upper,
        "truth": shown.truth,
    }
    return _product(task, figure, str(task.key), plotted)


@stage_asset(
    FIGURES,
    keys=lambda grid: grid.pipelines,
    axes=AXES,
    reads=[reads(evaluation, table) for table in PIPELINE_TABLES],
    configuration=_configuration,
    exports={"figure": "figures/pipelines"},
    offered=_labelled,
    kinds=("matplotlib", "mlflow"),
)
def pipeline_figures(task: Task) -> Product:
    """One pipeline on one page: ROC curve, calibration, decision curve, predictions by class."""
    from plr_assets.figures.pipeline import draw_pipeline
    from plr_assets.figures.style import load_figures_config

    tables = {name: task.table("evaluation", name) for name in PIPELINE_TABLES}
    style = load_figures_config().style
    figure = draw_pipeline(tables, title=_named(task), synthetic=task.study.synthetic, style=style)
    return _product(task, figure, str(task.key), tables)


@stage_asset(
    FIGURES,
    reads=[reads(essential_metrics)],
    settings=("title",),
    configuration=_configuration,
    exports={"figure": "figures/study"},
    offered=_labelled,
    kinds=("matplotlib", "mlflow"),
)
def study_figures(task: Task) -> Product:
    """All pipelines of the study on one page: AUROC by outlier detection and imputation, a panel a classifier."""
    from plr_assets.figures.study import draw_auroc_heatmap
    from plr_assets.figures.style import load_figures_config

    metrics = task.table("essential_metrics")
    config = load_figures_config()
    drawn = {}
    for (featurization,), rows in metrics.group_by("featurization", maintain_order=True):
        drawn[f"auroc_heatmap__{featurization}"] = (
            rows,
            draw_auroc_heatmap(
                rows,
                display=_texts(task.grid, "display"),
                categories=_texts(task.grid, "category"),
                synthetic=task.study.synthetic,
                style=config.style,
                title=f"{config.figures['auroc_heatmap'].title}: {task.setting('title')}, {featurization}",
            ),
        )
    return _products(task, drawn)


def _by_missing_samples(cohort: Recordings) -> list[int]:
    """Rows at the 10, 50 and 90 % points of the share of missing samples; fewer where there are fewer recordings."""
    import numpy as np

    order = np.argsort(cohort.dropout.mean(axis=1), kind="stable")
    points = np.round(np.array([0.1, 0.5, 0.9]) * (len(cohort) - 1)).astype(int)
    return [int(order[point]) for point in dict.fromkeys(points.tolist())]


def _inputs(task: Task) -> dict[str, dict[str, str]]:
    """Digests of what a figure was drawn from."""
    return {
        f"{asset}:{artifact}": {str(key) or asset: ref.info.digest for key, ref in refs.items()}
        for (asset, artifact), refs in task.inputs.items()
    }


def _named(task: Task) -> str:
    """The methods of the key as a reader knows them, in the order in which they are applied."""
    order: tuple[Axis, ...] = ("outlier_detection", "imputation", "featurization", "classification")
    display = _texts(task.grid, "display")
    return " \u2192 ".join(display[axis][task.key.named(axis)] for axis in order if axis in task.key.axes)


def _product(task: Task, figure: Figure, name: str, data: Any) -> Product:
    return _products(task, {name: (data, figure)})


def _products(task: Task, drawn: dict[str, tuple[Any, Figure]]) -> Product:
    """Figures as one folder, with a small one for the asset page."""
    import polars as pl

    from plr_assets.figures.save import save_figure, thumbnail

    provenance = _inputs(task)

    def write(folder: Path) -> None:
        for name, (data, figure) in drawn.items():
            tables = {"table": data} if isinstance(data, pl.DataFrame) else data
            save_figure(figure, folder, name, tables, {"study": task.study.name, "inputs": provenance})

    titles = dict.fromkeys(drawn, "figure") if len(drawn) == 1 else {name: name for name in drawn}
    notes = {titles[name]: inline_png(thumbnail(figure), name) for name, (_, figure) in drawn.items()}
    return Product(folders={"figure": write}, notes=notes)
