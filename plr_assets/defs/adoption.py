"""What runs logged by others must fulfil to become partitions, and what is measured of them when they do.

Belongs here: for each asset that takes foreign runs the tables they bring, the check against the study's recordings,
and the tables that follow from them by the same scorers as for our own methods. Does not belong here: finding and
publishing such runs (`platform.adoption`). Fitted models are not taken: a folder of somebody's files cannot be checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from plr_assets.defs.classification import bootstrap_results
from plr_assets.defs.featurization import features
from plr_assets.defs.imputation import imputed_signals, reconstructions
from plr_assets.defs.outlier_detection import outlier_masks
from plr_assets.errors import DataError
from plr_assets.platform.adopting import adopts
from plr_assets.platform.artifacts import Product
from plr_assets.platform.stages import Task

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

    from plr_assets.recordings.table import Mask, Recordings

Frames = Mapping[str, "pl.DataFrame"]

# A foreign tool computes AUROC and Brier score in its own arithmetic; float32 probabilities carry seven digits.
_SAME_METRIC = 1e-5


@adopts(outlier_masks, ["outlier_masks"], against=["recordings", "roles"])
def adopt_mask(task: Task, brought: Frames) -> Product:
    """A mask for every recording that hides every dropout. Its agreement with the human is measured as for ours."""
    import polars as pl

    from plr_assets.outlier_detection.agreement import per_recording
    from plr_assets.outlier_detection.scoring import score_detection
    from plr_assets.outlier_detection.vote import vote_share
    from plr_assets.pooled_scores import described, headline
    from plr_assets.recordings.roles import scored_rows
    from plr_assets.recordings.table import signal_column

    cohort = _cohort(task)
    table = _in_order(brought["outlier_masks"], cohort, "outlier_masks")
    mask = _samples(table, "outlier_masks", "mask", cohort)
    if (shown := cohort.dropout & ~mask).any():
        raise _misfit(
            "outlier_masks, mask", f"{_where(shown, cohort)} is not masked, and the device saw no pupil there."
        )
    rows, prefix = scored_rows(task.table("cohort_split", "roles"), cohort.recording)
    if cohort.reviewed[rows].any():
        rows = rows[cohort.reviewed[rows]]
    scored = cohort.take(rows)
    metrics = score_detection(mask[rows], scored, score=None, seed=task.seed)
    return Product(
        tables={
            "outlier_masks": table,
            "outlier_votes": pl.DataFrame(
                {"recording": cohort.recording, "share": signal_column(vote_share([mask], cohort.dropout))}
            ),
            "outlier_agreement": per_recording(mask[rows], scored, score=None),
            "outlier_metrics": described(
                metrics, {"method": task.method}, oracle=task.entry.oracle, synthetic=cohort.synthetic, prefix=prefix
            ),
        },
        metrics=headline(metrics, prefix),
    )


@adopts(reconstructions, ["reconstructions"], against=["recordings", "outlier_masks"])
def adopt_reconstruction(task: Task, brought: Frames) -> Product:
    """Values at all masked samples and at no others. They are spliced and scored by `imputed_signals`, like ours."""
    import numpy as np

    cohort = _cohort(task)
    table = _in_order(brought["reconstructions"], cohort, "reconstructions")
    given = np.isfinite(_samples(table, "reconstructions", "signal", cohort))
    mask = _mask(task)
    for wrong, why in ((mask & ~given, "has no value, and is masked"), (given & ~mask, "has a value, unmasked")):
        if wrong.any():
            raise _misfit("reconstructions, signal", f"{_where(wrong, cohort)} {why}.")
    return Product(tables={"reconstructions": table})


@adopts(imputed_signals, ["imputed_signals"], against=["recordings", "roles", "outlier_masks"])
def adopt_signals(task: Task, brought: Frames) -> Product:
    """Signals without gaps that equal the recording where it is not masked. Errors are measured as for ours."""
    import numpy as np

    from plr_assets.imputation.errors import Imputed, error_sums, per_recording
    from plr_assets.imputation.scoring import score_imputation, with_changed
    from plr_assets.pooled_scores import described, headline
    from plr_assets.recordings.roles import scored_rows
    from plr_assets.recordings.table import optional_signal

    cohort = _cohort(task)
    table = _in_order(brought["imputed_signals"], cohort, "imputed_signals")
    signal, mask = _samples(table, "imputed_signals", "signal", cohort), _mask(task)
    if (empty := ~np.isfinite(signal)).any():
        raise _misfit("imputed_signals, signal", f"{_where(empty, cohort)} has no value.")
    if (changed := (signal != cohort.pupil) & ~mask).any():
        raise _misfit("imputed_signals, signal", f"{_where(changed, cohort)} is not masked, and is not as recorded.")
    imputed = Imputed(
        signal=signal, mask=mask, lower=optional_signal(table, "lower"), upper=optional_signal(table, "upper")
    )
    rows, prefix = scored_rows(task.table("cohort_split", "roles"), cohort.recording)
    scored, of_scored = cohort.take(rows), imputed.take(rows)
    metrics = score_imputation(of_scored, scored, seed=task.seed)
    return Product(
        tables={
            "imputed_signals": table,
            "imputation_errors": per_recording(of_scored, scored),
            "imputation_error_sums": error_sums(of_scored, scored),
            "imputation_metrics": described(
                with_changed(metrics, 0, int((~mask).sum())),  # that none was changed was checked
                {axis: task.key.named(axis) for axis in imputed_signals.axes},
                oracle=task.entry.oracle,
                synthetic=cohort.synthetic,
                prefix=prefix,
            ),
        },
        metrics=headline(metrics, prefix),
    )


@adopts(features, ["features"], against=["recordings", "cases"])
def adopt_features(task: Task, brought: Frames) -> Product:
    """Numbers for at least every evaluated recording, under the study's pseudonyms.

    What a foreign feature's window is nobody told, so how much of it was recorded is not known.
    """
    import polars as pl

    table = brought["features"]
    known = task.table("recordings").select("recording", "subject")
    if (unknown := table.join(known, on=["recording", "subject"], how="anti")).height:
        recording, subject = unknown.select("recording", "subject").row(0)
        raise _misfit("features, recording", f"{recording} of subject {subject} is no recording of the study.")
    cases = task.table("cohort_split", "cases")["recording"].to_list()
    of_cases = table.filter(pl.col("recording").is_in(cases))
    if absent := sorted(set(cases) - set(of_cases["recording"])):
        raise _misfit(
            "features, recording", f"{len(absent)} evaluated recording(s) have no row, {absent[0]} among them."
        )
    columns = [name for name in table.columns if name not in ("recording", "subject")]
    if not columns:
        raise _misfit("features", "there is no column of numbers.")
    for name in columns:
        if not (finite := of_cases[name].is_finite().fill_null(value=False)).all():
            raise _misfit(f"features, {name}", f"recording {of_cases.filter(~finite)['recording'][0]} has no value.")
    return Product(tables={"features": table, "features_of_cases": of_cases}, metrics={"features": float(len(columns))})


@adopts(bootstrap_results, ["bootstrap_results"], against=["cases"])
def adopt_bootstrap(task: Task, brought: Frames) -> Product:
    """Out-of-bag predictions on the study's own resamples: without them no pair of pipelines could be compared."""
    from plr_assets.classification.resampling import cases_from, resample

    cases = cases_from(task.table("cohort_split", "cases"), task.setting("labels"))
    truth = cases["y_true"].to_numpy()
    ours = resample(cases["subject"].to_list(), truth, task.setting("bootstrap").iterations, task.seed)
    table = brought["bootstrap_results"].sort("iteration")
    if table["iteration"].to_list() != list(range(len(ours))):
        raise _misfit("bootstrap_results, iteration", f"the study draws {len(ours)} resamples, 0 to {len(ours) - 1}.")
    for row in table.iter_rows(named=True):
        _check_iteration(row, ours.train(row["iteration"]).tolist(), ours.test(row["iteration"]).tolist(), truth)
    return Product(
        tables={"bootstrap_results": table, "bootstrap_cases": cases},
        metrics={
            "auroc": _mean(table["auroc"]),
            "brier": _mean(table["brier"]),
            "cases": float(cases.height),
        },
    )


def _check_iteration(row: Mapping[str, Any], train: list[int], test: list[int], truth: Any) -> None:
    """One row of `bootstrap_results` against the study's own resample. Raises DataError."""
    import numpy as np

    from plr_assets.classification.metrics import auroc_each, brier_each

    where = f"bootstrap_results, iteration {row['iteration']}"
    if sorted(row["train_indices"]) != train or list(row["test_indices"]) != test:
        raise _misfit(
            where, "its cases are not those of the study's resample, so no pair of pipelines could be compared."
        )
    y_true, y_prob = np.asarray(row["y_true"]), np.asarray(row["y_prob"], dtype=np.float32)
    if y_true.tolist() != truth[test].tolist():
        raise _misfit(where, "y_true is not the diagnosis of its test_indices.")
    if y_prob.shape != y_true.shape or not ((y_prob >= 0) & (y_prob <= 1)).all():
        raise _misfit(where, "y_prob is not one probability from 0 to 1 for each of test_indices.")
    for name, each in (("auroc", auroc_each), ("brier", brier_each)):
        own = float(each(y_true, y_prob, np.array([y_true.size]))[0])
        if abs(row[name] - own) > _SAME_METRIC:
            raise _misfit(where, f"{name} is {row[name]:.6g}, and that of its y_prob is {own:.6g}.")


# -- shared -----------------------------------------------------------------------------------------------------------


def _misfit(where: str, problem: str) -> DataError:
    return DataError(where, problem, "Log a run that fits.")


def _cohort(task: Task) -> Recordings:
    from plr_assets.recordings.table import Recordings

    return Recordings.from_frame(task.table("recordings"))


def _mask(task: Task) -> Mask:
    from plr_assets.recordings.table import signal_array

    mask: Mask = signal_array(task.table("outlier_masks")["mask"])
    return mask


def _in_order(table: pl.DataFrame, cohort: Recordings, name: str) -> pl.DataFrame:
    """A row a recording, in the study's order. Raises DataError where one is missing or unknown."""
    import polars as pl

    ours, theirs = set(cohort.recording), set(table["recording"])
    for wrong, what in ((ours - theirs, "missing"), (theirs - ours, "not of this study")):
        if wrong:
            raise _misfit(f"{name}, recording", f"{len(wrong)} recording(s) are {what}, {min(wrong)} among them.")
    return pl.DataFrame({"recording": cohort.recording}).join(table, on="recording", how="left", maintain_order="left")


def _samples(table: pl.DataFrame, name: str, column: str, cohort: Recordings) -> NDArray[Any]:
    """(n, T) one column of samples. Raises DataError if they are not as many as the recordings have."""
    from plr_assets.recordings.table import signal_array

    samples = signal_array(table[column])
    if samples.shape != cohort.pupil.shape:
        raise _misfit(
            f"{name}, {column}",
            f"there are {samples.shape[1]} samples, recordings have {cohort.n_samples}.",
        )
    return samples


def _where(wrong: Mask, cohort: Recordings) -> str:
    """How many samples are meant, and where the first one lies."""
    import numpy as np

    row, sample = np.argwhere(wrong)[0]
    count = int(wrong.sum())
    return f"sample {int(sample)} of recording {cohort.recording[int(row)]} ({count} sample(s) in all)"


def _mean(values: Any) -> float:
    return float(values.mean())
