"""Assets of the imputation stage: fitted imputers -> reconstructions of masked samples -> signals without gaps.

Belongs here: the declarations. Does not belong here: an imputer (`imputation`). Imputers are fitted once, never per
mask; reconstructions and signals are apart so that an ensemble is an ordinary partition.
"""

from __future__ import annotations

from collections.abc import Iterator

from plr_assets.defs.data_import import cohort_split, recordings
from plr_assets.defs.outlier_detection import outlier_masks
from plr_assets.defs.pretrained import ARTIFACT, moment_weights, start_of, weights_of
from plr_assets.defs.stages import IMPUTATION
from plr_assets.grid import Grid, PipelineKey
from plr_assets.platform.artifacts import Product
from plr_assets.platform.stages import Task, reads, stage_asset
from plr_assets.registry import Axis
from plr_assets.schemas import (
    IMPUTATION_ERROR_SUMS,
    IMPUTATION_ERRORS,
    IMPUTATION_METRICS,
    RECONSTRUCTIONS,
    SIGNALS,
)

AXIS: Axis = "imputation"
AXES: tuple[Axis, ...] = ("outlier_detection", "imputation")


def _members(grid: Grid, key: PipelineKey) -> Iterator[PipelineKey]:
    """The reconstructions behind a signal: one, the members of an ensemble, or none for ground truth."""
    return (
        PipelineKey(outlier_detection=key.outlier_detection, imputation=name)
        for name in grid.members(AXIS, key.named(AXIS))
    )


@stage_asset(
    IMPUTATION,
    keys=lambda grid: grid.imputers,
    axes=(AXIS,),
    method_axis=AXIS,
    reads=[
        reads(cohort_split, "development"),
        reads(moment_weights, ARTIFACT, weights_of(AXIS, "moment")),
    ],
    seeded=True,
)
def imputers(task: Task) -> Product:
    """Each imputation method, fitted once on the development recordings, whatever mask it is applied to."""
    from plr_assets.recordings.table import Recordings

    imputer = task.make().fit(Recordings.from_frame(task.table("cohort_split", "development")), **start_of(task))
    return Product(folders={"model": imputer.save})


@stage_asset(
    IMPUTATION,
    keys=lambda grid: grid.reconstructions,
    axes=AXES,
    method_axis=AXIS,
    reads=[reads(recordings), reads(outlier_masks), reads(imputers, "model")],
    tables={"reconstructions": RECONSTRUCTIONS},
)
def reconstructions(task: Task) -> Product:
    """What one imputation method puts in the place of the samples that one mask hides, and how sure it is of it."""
    import polars as pl

    from plr_assets.recordings.table import Recordings, optional_signal_column, signal_array, signal_column

    cohort = Recordings.from_frame(task.table("recordings"))
    (imputer,) = task.fitted("imputers").values()
    found = imputer.reconstruct_with_limits(cohort, signal_array(task.table("outlier_masks")["mask"]))
    frame = pl.DataFrame(
        {
            "recording": cohort.recording,
            "signal": signal_column(found.signal),
            "lower": optional_signal_column(found.lower, found.signal.shape),
            "upper": optional_signal_column(found.upper, found.signal.shape),
        }
    )
    return Product(tables={"reconstructions": frame})


@stage_asset(
    IMPUTATION,
    keys=lambda grid: grid.imputed_signals,
    axes=AXES,
    method_axis=AXIS,
    reads=[
        reads(recordings),
        reads(cohort_split, "roles"),
        reads(outlier_masks),
        reads(reconstructions, keys=_members),
    ],
    tables={
        "imputed_signals": SIGNALS,
        "imputation_errors": IMPUTATION_ERRORS,
        "imputation_error_sums": IMPUTATION_ERROR_SUMS,
        "imputation_metrics": IMPUTATION_METRICS,
    },
    seeded=True,
)
def imputed_signals(task: Task) -> Product:
    """Pupil signals without gaps: the recording where it is not masked, the method's values where it is.

    An ensemble is the mean of its members; `pupil-gt` puts ground truth at masked samples, and only there. Errors are
    measured at masked samples of evaluated recordings: by gap length and light, with intervals of a bootstrap by
    subject. A method that says how sure it is has the limits of its 90 % band beside the signal, and their coverage.
    """
    import polars as pl

    from plr_assets.imputation.base import Reconstruction, splice
    from plr_assets.imputation.errors import Imputed, changed_samples, error_sums, per_recording
    from plr_assets.imputation.mean import mean_with_limits
    from plr_assets.imputation.scoring import score_imputation, with_changed
    from plr_assets.imputation.truth import fill_with_truth
    from plr_assets.pooled_scores import described, headline
    from plr_assets.recordings.roles import scored_rows
    from plr_assets.recordings.table import (
        Recordings,
        optional_signal,
        optional_signal_column,
        signal_array,
        signal_column,
    )

    cohort = Recordings.from_frame(task.table("recordings"))
    mask = signal_array(task.table("outlier_masks")["mask"])
    lower = upper = None
    if task.entry.oracle:
        signal = fill_with_truth(cohort, mask)
    else:
        members = [
            Reconstruction(
                signal_array(frame["signal"]), optional_signal(frame, "lower"), optional_signal(frame, "upper")
            )
            for frame in task.tables("reconstructions").values()
        ]
        mean = mean_with_limits(members)
        signal, lower, upper = splice(cohort, mask, mean.signal), mean.lower, mean.upper
    imputed = Imputed(signal=signal, mask=mask, lower=lower, upper=upper)

    rows, prefix = scored_rows(task.table("cohort_split", "roles"), cohort.recording)
    scored, of_scored = cohort.take(rows), imputed.take(rows)
    metrics = score_imputation(of_scored, scored, seed=task.seed)
    told = described(
        with_changed(metrics, changed_samples(signal, mask, cohort), int((~mask).sum())),
        {axis: task.key.named(axis) for axis in AXES},
        oracle=task.entry.oracle,
        synthetic=scored.synthetic,
        prefix=prefix,
    )
    return Product(
        tables={
            "imputed_signals": pl.DataFrame(
                {
                    "recording": cohort.recording,
                    "signal": signal_column(signal),
                    "lower": optional_signal_column(lower, mask.shape),
                    "upper": optional_signal_column(upper, mask.shape),
                }
            ),
            "imputation_errors": per_recording(of_scored, scored),
            "imputation_error_sums": error_sums(of_scored, scored),
            "imputation_metrics": told,
        },
        metrics=headline(metrics, prefix),
    )
