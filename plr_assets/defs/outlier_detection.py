"""Assets of the outlier_detection stage: fitted detectors -> scores -> masks.

Belongs here: the declarations. Does not belong here: a detector (`outlier_detection`), or which there are (registry).
Scores and masks are apart so that an ensemble is an ordinary partition whose parents are its members.
"""

from __future__ import annotations

from collections.abc import Iterator

from plr_assets.defs.data_import import cohort_split, recordings
from plr_assets.defs.pretrained import ARTIFACT, moment_weights, start_of, units_weights, weights_of
from plr_assets.defs.stages import OUTLIER_DETECTION, whole
from plr_assets.grid import Grid, PipelineKey
from plr_assets.platform.artifacts import Product
from plr_assets.platform.stages import Task, reads, stage_asset
from plr_assets.registry import Axis
from plr_assets.schemas import OUTLIER_AGREEMENT, OUTLIER_MASKS, OUTLIER_METRICS, OUTLIER_SCORES, OUTLIER_VOTES

AXIS: Axis = "outlier_detection"


def members_of(grid: Grid, key: PipelineKey) -> Iterator[PipelineKey]:
    """The detectors behind a mask: one, the members of an ensemble, or none for the human mask."""
    return (PipelineKey(outlier_detection=name) for name in grid.members(AXIS, key.named(AXIS)))


@stage_asset(
    OUTLIER_DETECTION,
    keys=lambda grid: grid.detectors,
    axes=(AXIS,),
    method_axis=AXIS,
    reads=[
        reads(cohort_split, "development"),
        reads(moment_weights, ARTIFACT, weights_of(AXIS, "moment")),
        reads(units_weights, ARTIFACT, weights_of(AXIS, "units")),
    ],
    seeded=True,
)
def detectors(task: Task) -> Product:
    """Each outlier detector, fitted on the development recordings and on nothing else.

    What is fitted depends on the method: LOF and One-class SVM learn the share of outliers here and look at each
    recording's own samples when they score it; networks learn to rebuild the pupil.
    """
    from plr_assets.recordings.table import Recordings

    development = Recordings.from_frame(task.table("cohort_split", "development"))
    detector = task.make().fit(development, task.cores, **start_of(task))
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
        reads(cohort_split, "roles", whole),
        reads(detectors, "model", members_of),
        reads(outlier_scores, keys=members_of),
    ],
    tables={
        "outlier_masks": OUTLIER_MASKS,
        "outlier_votes": OUTLIER_VOTES,
        "outlier_agreement": OUTLIER_AGREEMENT,
        "outlier_metrics": OUTLIER_METRICS,
    },
    seeded=True,
)
def outlier_masks(task: Task) -> Product:
    """The samples to be replaced: a detector's, the vote of an ensemble's members, or a human's.

    Dropouts are always among them. Agreement with the human is measured on evaluated recordings: by sample, by event,
    by kind of artefact and light phase, with intervals of a bootstrap by subject. Members that are too bad on
    development recordings have no vote in an ensemble, as its `ballot` says; its score is the share of votes.
    """
    import math

    import polars as pl

    from plr_assets.outlier_detection.agreement import per_recording, pooled_f1
    from plr_assets.outlier_detection.human import human_mask
    from plr_assets.outlier_detection.scoring import score_detection
    from plr_assets.outlier_detection.vote import majority_vote, vote_share, voters
    from plr_assets.pooled_scores import described, headline
    from plr_assets.recordings.roles import rows_of, scored_rows
    from plr_assets.recordings.table import Recordings, signal_array, signal_column

    cohort = Recordings.from_frame(task.table("recordings"))
    scores = {key: signal_array(frame["score"]) for key, frame in task.tables("outlier_scores").items()}
    roles = task.table("cohort_split", "roles")
    fitted = task.fitted("detectors")
    found = {key.named(AXIS): detector.mask(cohort, scores[key]) for key, detector in fitted.items()}
    ballot = []
    if task.entry.members:
        learned_on = rows_of(roles, cohort.recording, "development")
        development = cohort.take(learned_on)
        f1 = {name: pooled_f1(mask[learned_on], development) for name, mask in found.items()}
        found = {name: found[name] for name in voters(f1, task.parameters["least_f1"])}
        ballot = [
            {"member": name, "votes": name in found, "development_f1": None if math.isnan(value) else value}
            for name, value in f1.items()
        ]
    members = list(found.values()) or [human_mask(cohort)]
    mask, votes = majority_vote(members), vote_share(members, cohort.dropout)
    score = votes if task.entry.members else next(iter(scores.values()), None)

    rows, prefix = scored_rows(roles, cohort.recording)
    if cohort.reviewed[rows].any():
        rows = rows[cohort.reviewed[rows]]
    scored, of_scored = cohort.take(rows), None if score is None else score[rows]
    agreement = per_recording(mask[rows], scored, score=of_scored)
    metrics = score_detection(mask[rows], scored, score=of_scored, seed=task.seed)
    told = described(
        metrics, {"method": task.method}, oracle=task.entry.oracle, synthetic=scored.synthetic, prefix=prefix
    )
    return Product(
        tables={
            "outlier_masks": pl.DataFrame({"recording": cohort.recording, "mask": signal_column(mask)}),
            "outlier_votes": pl.DataFrame({"recording": cohort.recording, "share": signal_column(votes)}),
            "outlier_agreement": agreement,
            "outlier_metrics": told,
        },
        documents={"ballot": ballot} if ballot else {},
        metrics=headline(metrics, prefix),
        notes={"Voters": ", ".join(found)} if task.entry.members else {},
    )
