"""Assets that draw single recordings and single pipelines: PNG, SVG and a JSON sidecar of what is plotted.

Belongs here: the declarations, and which recordings a figure shows. Does not belong here: drawing (`figures`), or any
statistic: figures draw published tables; nor whole studies (`figures_study`). Copies for people lie in
`data/<study>/figures/`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from plr_assets.defs.data_import import recordings
from plr_assets.defs.evaluation import evaluation
from plr_assets.defs.figure_parts import configuration, inputs, labelled, named, product, products
from plr_assets.defs.imputation import imputed_signals
from plr_assets.defs.outlier_detection import members_of, outlier_masks, outlier_scores
from plr_assets.defs.stages import FIGURES
from plr_assets.defs.validation import internal_validation
from plr_assets.figures.page_tables import FITTED_AGAIN, RELIABILITY, TABLES
from plr_assets.platform.artifacts import Product
from plr_assets.platform.previews import inline_png
from plr_assets.platform.stages import Task, reads, stage_asset
from plr_assets.registry import AXES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from plr_assets.recordings.table import Recordings


@stage_asset(
    FIGURES,
    reads=[reads(recordings)],
    configuration=configuration,
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
        save_figure(overview, folder, "overview", plotted, {"study": task.study.name, "inputs": inputs(task)})
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
    configuration=configuration,
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
        title=f"{config.figures['detection'].title}: {named(task)}",
        synthetic=task.study.synthetic,
        style=config.style,
        score=score,
    )
    plotted = {"time": shown.time, "pupil": shown.pupil, "mask": mask, "artefact": shown.artefact, "score": score}
    return product(task, figure, str(task.key), {"places": list(chosen), "agreement": numbers, **plotted})


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
    configuration=configuration,
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
    title = f"{config.figures['imputation' if chosen else 'traces'].title}: {named(task)}"
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
    return product(task, figure, str(task.key), plotted)


@stage_asset(
    FIGURES,
    keys=lambda grid: grid.pipelines,
    axes=AXES,
    reads=[
        *(reads(evaluation, table) for table in dict.fromkeys((*TABLES, *RELIABILITY))),
        *(reads(internal_validation, table, required=False) for table in FITTED_AGAIN),
    ],
    configuration=configuration,
    exports={"figure": "figures/pipelines"},
    offered=labelled,
    kinds=("matplotlib", "mlflow"),
)
def pipeline_figures(task: Task) -> Product:
    """One pipeline: ROC curve, calibration, decision curve, predictions by class, precision and recall, decisions at
    10 % on one page. On another what its numbers stand on: screening of 1000 people, setting the unsure aside, and
    stability of predictions and importance of features where they are published.
    """
    from plr_assets.figures.pipeline import draw_pipeline, draw_reliability
    from plr_assets.figures.style import load_figures_config

    tables = {name: task.table("evaluation", name) for name in TABLES}
    reliability = {name: task.table("evaluation", name) for name in RELIABILITY}
    reliability |= {name: task.table("internal_validation", name) for name in FITTED_AGAIN if _is_there(task, name)}
    style = load_figures_config().style
    look: dict[str, Any] = {"title": named(task), "synthetic": task.study.synthetic, "style": style}
    return products(
        task,
        {
            str(task.key): (tables, draw_pipeline(tables, **look)),
            f"{task.key}__reliability": (reliability, draw_reliability(reliability, **look)),
        },
    )


def _is_there(task: Task, table: str) -> bool:
    """Whether a table of internal validation is published, and says something of this pipeline."""
    if not task.inputs.get(("internal_validation", table)):
        return False
    column = {"stability": "y_prob_model", "feature_importance": "importance"}[table]
    return not bool(task.table("internal_validation", table)[column].is_null().all())


def _by_missing_samples(cohort: Recordings) -> list[int]:
    """Rows at the 10, 50 and 90 % points of the share of missing samples; fewer where there are fewer recordings."""
    import numpy as np

    order = np.argsort(cohort.dropout.mean(axis=1), kind="stable")
    points = np.round(np.array([0.1, 0.5, 0.9]) * (len(cohort) - 1)).astype(int)
    return [int(order[point]) for point in dict.fromkeys(points.tolist())]
