"""Assets of the outlier_detection stage: fitted detectors -> scores -> masks.

Belongs here: the declarations. Does not belong here: a detector (`outlier_detection`), or which there are (registry).
Scores and masks are apart so that an ensemble is an ordinary partition whose parents are its members.
"""

from __future__ import annotations

from collections.abc import Iterator

from plr_assets.defs.data_import import cohort_split, recordings
from plr_assets.defs.pretrained import moment_weights, units_weights, weights_of
from plr_assets.defs.stages import OUTLIER_DETECTION
from plr_assets.grid import Grid, PipelineKey
from plr_assets.platform.artifacts import Product
from plr_assets.platform.stages import WHOLE, Task, reads, stage_asset
from plr_assets.registry import Axis
from plr_assets.schemas import OUTLIER_MASKS, OUTLIER_SCORES

AXIS: Axis = "outlier_detection"


def _members(grid: Grid, key: PipelineKey) -> Iterator[PipelineKey]:
    """The detectors behind a mask: one, the members of an ensemble, or none for the human mask."""
    return (PipelineKey(outlier_detection=name) for name in grid.members(AXIS, key.named(AXIS)))


def _whole(_grid: Grid, _key: PipelineKey) -> tuple[PipelineKey, ...]:
    return (WHOLE,)


@stage_asset(
    OUTLIER_DETECTION,
    keys=lambda grid: grid.detectors,
    axes=(AXIS,),
    method_axis=AXIS,
    reads=[
        reads(cohort_split, "development"),
        reads(moment_weights, "weights", weights_of(AXIS, "moment")),
        reads(units_weights, "weights", weights_of(AXIS, "units")),
    ],
    seeded=True,
)
def detectors(task: Task) -> Product:
    """Each outlier detector, fitted on the development recordings and on nothing else.

    What is fitted depends on the method: LOF and One-class SVM learn the share of outliers here and look at each
    recording's own samples when they score it; networks learn to rebuild the pupil.
    """
    from plr_assets.recordings.table import Recordings

    model = task.entry.pretrained
    start = {} if model is None else {"weights": task.folder(f"{model}_weights", "weights")}
    detector = task.make().fit(Recordings.from_frame(task.table("cohort_split", "development")), task.cores, **start)
    return Product(folders={"model": detector.save})


@stage_asset(
    OUTLIER_DETECTION,
    keys=lambda grid: grid.detectors,
    axes=(AXIS,),
    method_axis=AXIS,
    reads=[reads(recordings), reads(detectors, "model")],
    tables={"outlier_scores": OUTLIER_SCORES},
)
def outlier_scores(task: Task) -> Product:
    """How unusual each sample is to each detector; larger is more unusual. All recordings are scored."""
    import polars as pl

    from plr_assets.recordings.table import Recordings, signal_column

    cohort = Recordings.from_frame(task.table("recordings"))
    (detector,) = task.fitted("detectors").values()
    scores = signal_column(detector.decision_function(cohort, task.cores))
    frame = pl.DataFrame({"recording": cohort.recording, "score": scores})
    return Product(tables={"outlier_scores": frame})


@stage_asset(
    OUTLIER_DETECTION,
    keys=lambda grid: grid.outlier_masks,
    axes=(AXIS,),
    method_axis=AXIS,
    reads=[
        reads(recordings),
        reads(cohort_split, "roles", _whole),
        reads(detectors, "model", _members),
        reads(outlier_scores, keys=_members),
    ],
    tables={"outlier_masks": OUTLIER_MASKS},
)
def outlier_masks(task: Task) -> Product:
    """The samples to be replaced: a detector's, the vote of an ensemble's members, or a human's.

    Dropouts are always among them. Agreement with the human is measured on evaluated recordings, sample by sample.
    """
    import polars as pl

    from plr_assets.outlier_detection.human import human_mask
    from plr_assets.outlier_detection.scoring import score_masks
    from plr_assets.outlier_detection.vote import majority_vote
    from plr_assets.recordings.roles import scored_rows
    from plr_assets.recordings.table import Recordings, signal_array, signal_column

    cohort = Recordings.from_frame(task.table("recordings"))
    if task.entry.oracle:
        mask = human_mask(cohort)
    else:
        scores = task.tables("outlier_scores")
        masks = [
            detector.mask(cohort, signal_array(scores[key]["score"]))
            for key, detector in task.fitted("detectors").items()
        ]
        mask = majority_vote(masks)
    frame = pl.DataFrame({"recording": cohort.recording, "mask": signal_column(mask)})
    rows, prefix = scored_rows(task.table("cohort_split", "roles"), cohort.recording)
    metrics = score_masks(mask[rows], cohort.take(rows))
    return Product(
        tables={"outlier_masks": frame}, metrics={f"{prefix}{name}": value for name, value in metrics.items()}
    )
