"""Scoring recordings with the classic outlier detectors, and the library behind each called plainly.

Belongs here: the comparison, and that both sides find the same. Does not belong here: the plain scripts
(`plain_detectors`), or how well artefacts are found. Both sides start two processes; LOF is exact in one, beside
scikit-learn's loop.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmarks.measure import Result, interleave
from benchmarks.plain_detectors import RATE_HZ, Signal, in_processes
from plr_assets.outlier_detection.base import Detector
from plr_assets.outlier_detection.lof import LOF
from plr_assets.outlier_detection.one_class_svm import OneClassSVM
from plr_assets.outlier_detection.prophet_trend import ProphetTrend
from plr_assets.outlier_detection.sub_pca import SubPCA
from plr_assets.recordings.table import Recordings

SEED = 20261121
PROCESSES = 2
REPEATS = 3
# Enough that starting two processes, which takes seconds on both sides, does not decide the ratio.
RECORDINGS = {"OneClassSVM": 160, "PROPHET": 32, "SubPCA": 96}
# The library's own result, and ours besides it: checks, names, one array for all. A tenth is allowed for that.
GOAL = 1.1
# methods.md 1.1 and 2.1: the published cohort, its grid, neighbours and artefact share.
PUBLISHED, SAMPLES, NEIGHBOURS, SHARE = 507, 1981, 100, 0.0766
# What issue 5 asks for, on two cores.
GOAL_LOF_S = 4.0
# scikit-learn's loop over all 507 takes half a minute: it is timed over some of them.
LOF_SAMPLE = 25
# The plain script's interval is drawn: its width varies by 3 %, seen 15 % at most.
_TOLERANCE = {"OneClassSVM": 1e-6, "PROPHET": 0.2, "SubPCA": 1e-5}


def run() -> Iterator[Result]:
    cohort = simulated(PUBLISHED)
    yield _lof(cohort)
    for name, detector in (
        ("OneClassSVM", OneClassSVM(nu=SHARE)),
        ("PROPHET", ProphetTrend(threshold="declared")),
        ("SubPCA", SubPCA(threshold="declared")),
    ):
        yield _compare(name, detector.fit(cohort.take([0])), cohort.take(range(RECORDINGS[name])))


def _lof(cohort: Recordings) -> Result:
    detector = LOF(n_neighbors=NEIGHBOURS, contamination=SHARE).fit(cohort)
    some = _signals(cohort.take(range(LOF_SAMPLE)))
    found: dict[str, list[Signal]] = {}

    def ours(_: int) -> None:
        found["ours"] = list(detector.decision_function(cohort, PROCESSES))

    def plain(_: int) -> None:
        from sklearn.neighbors import LocalOutlierFactor

        found["plain"] = []
        for signal in some:
            column = signal[~np.isnan(signal)][:, None]
            factor = LocalOutlierFactor(n_neighbors=NEIGHBOURS, contamination=SHARE).fit(column)
            found["plain"].append(-factor.negative_outlier_factor_)

    times = interleave(REPEATS, ours=ours, plain=plain)
    for left, right in zip(found["ours"], found["plain"], strict=False):
        # The device writes few digits: where samples tie for the k-th neighbour scikit-learn takes whichever it meets
        # first, and scores differ a little.
        pair = (left[~np.isnan(left)], right)
        flagged = [scores > np.percentile(scores, 100 * (1 - SHARE)) for scores in pair]
        assert (flagged[0] == flagged[1]).mean() > 0.99
    loop = times.fastest("plain") / LOF_SAMPLE * PUBLISHED
    return Result(
        f"LOF of {PUBLISHED} recordings, k={NEIGHBOURS}",
        times.fastest("ours"),
        GOAL_LOF_S,
        "s",
        f"scikit-learn's loop: {loop:.0f} s",
    )


def _compare(name: str, detector: Detector, recordings: Recordings) -> Result:
    signals = _signals(recordings)
    found: dict[str, list[Signal]] = {}

    def ours(_: int) -> None:
        found["ours"] = list(detector.decision_function(recordings, PROCESSES))

    def plain(_: int) -> None:
        found["plain"] = in_processes(name, signals, SHARE, PROCESSES)

    times = interleave(REPEATS, ours=ours, plain=plain)
    # The same scores, or the comparison is of nothing.
    for left, right in zip(found["ours"], found["plain"], strict=True):
        np.testing.assert_allclose(left[~np.isnan(left)], right, rtol=_TOLERANCE[name], atol=_TOLERANCE[name])
    each = 1000 * times.fastest("plain") / len(recordings)
    return Result(
        f"scoring with {name}",
        times.ratio("ours", "plain"),
        GOAL,
        "ratio",
        f"library in {PROCESSES} processes: {each:.0f} ms/recording",
    )


def _signals(recordings: Recordings) -> list[Signal]:
    return list(recordings.pupil.astype(np.float64))


def simulated(n: int) -> Recordings:
    """`n` simulated recordings on the published grid, in % of their own median."""
    from plr_assets.recordings.simulator.cohort import simulate_cohort
    from plr_assets.study import load_study

    study = load_study("paper")
    assert study.simulation is not None
    simulation = study.simulation.model_copy(update={"control": 0, "glaucoma": 0, "unlabelled": n})
    pupil = np.full((n, SAMPLES), np.nan, dtype=np.float32)
    for row, recording in enumerate(simulate_cohort(simulation, SEED)):
        frame = np.round((recording.time_s - recording.time_s[0]) * RATE_HZ).astype(int)
        here = (frame < SAMPLES) & (recording.pupil > 0)
        pupil[row, frame[here]] = recording.pupil[here] / np.median(recording.pupil[here]) * 100 - 100
    names = tuple(f"R{row:03d}" for row in range(n))
    return Recordings(
        recording=names,
        subject=names,
        rate_hz=RATE_HZ,
        pupil=pupil,
        light={},
        stimuli=((),) * n,
        baseline=np.full(n, 1.0),
        baseline_unit="px",
        synthetic=True,
    )
