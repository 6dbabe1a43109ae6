"""How hard the simulated cohort is to classify, beside the published figures: `python -m benchmarks.difficulty [PAGE]`.

Belongs here: cohorts of several seeds, published features, one tuned model. Does not belong here: speed, or the
pipelines of a study.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from plr_assets.featurization.windowed import WindowedFeatures
from plr_assets.recordings.nuisances import frame_noise, losses
from plr_assets.recordings.simulator.cohort import SimulatedRecording, simulate_cohort
from plr_assets.recordings.simulator.recordings import on_the_grid as simulated_on_the_grid
from plr_assets.recordings.table import Recordings
from plr_assets.registry import load_registry
from plr_assets.study import load_study
from plr_assets.study.recordings import Simulation

Rows = NDArray[np.float64]
# no parameter was chosen on these
SEEDS = tuple(range(601, 609))


def labelled_cohort(
    seed: int, *, match_age: bool = False, control: int = 152, glaucoma: int = 56
) -> Sequence[SimulatedRecording]:
    """The labelled part of the published cohort."""
    return simulate_cohort(Simulation(control=control, glaucoma=glaucoma, unlabelled=0, match_age=match_age), seed)


def is_glaucoma(cohort: Sequence[SimulatedRecording]) -> NDArray[np.bool_]:
    return np.array([recording.subject.label == "glaucoma" for recording in cohort])


def on_the_grid(cohort: Sequence[SimulatedRecording]) -> Recordings:
    """As the import of `paper` would give them, without the way through files."""
    return simulated_on_the_grid(cohort, load_study("paper"))


def published_features(recordings: Recordings, signal: NDArray[np.float32]) -> Rows:
    featurizer = WindowedFeatures(**load_registry().methods["featurization"]["simple"].parameters)
    return featurizer.transform(recordings, signal).drop("recording", "subject").to_numpy()


def bridged(recordings: Recordings, mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """(n, T) the recordings with masked samples replaced by straight lines."""
    time, signal = recordings.time, recordings.pupil.copy()
    for row, bad in zip(signal, mask, strict=True):
        row[bad] = np.interp(time[bad], time[~bad], row[~bad])
    return signal


def from_truth(cohort: Sequence[SimulatedRecording]) -> Rows:
    recordings = on_the_grid(cohort)
    assert recordings.truth is not None
    return published_features(recordings, recordings.truth)


def from_human_mask(cohort: Sequence[SimulatedRecording]) -> Rows:
    recordings = on_the_grid(cohort)
    assert recordings.artefact is not None
    return published_features(recordings, bridged(recordings, recordings.dropout | recordings.artefact))


def from_dropouts_alone(cohort: Sequence[SimulatedRecording]) -> Rows:
    """No detector: what the device lost is bridged, what a human would reject stays."""
    recordings = on_the_grid(cohort)
    return published_features(recordings, bridged(recordings, recordings.dropout))


def from_nuisances(cohort: Sequence[SimulatedRecording]) -> Rows:
    """Baseline size, blink rate and frame noise: what no disease may change."""
    rows = []
    for recording in cohort:
        found = recording.pupil > 0
        rows.append([recording.subject.size_px, float(losses(found)), frame_noise(recording.pupil, found)])
    return np.array(rows)


def tuned_auroc(features: Rows, glaucoma: NDArray[np.bool_]) -> float:
    """Logistic regression, C chosen inside each of ten outer folds."""
    from sklearn.linear_model import LogisticRegressionCV
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    folds = StratifiedKFold(10, shuffle=True, random_state=0)
    inner = StratifiedKFold(3, shuffle=True, random_state=1)
    model = make_pipeline(
        StandardScaler(),
        LogisticRegressionCV(
            Cs=np.geomspace(0.01, 10, 4), cv=inner, scoring="roc_auc", l1_ratios=(0.0,), use_legacy_attributes=False
        ),
    )
    scores = cross_val_predict(model, features, glaucoma, cv=folds, method="predict_proba")
    return float(roc_auc_score(glaucoma, scores[:, 1]))


Case = tuple[str, bool, Callable[[Sequence[SimulatedRecording]], Rows], str]
CASES: tuple[Case, ...] = (
    ("published features, ground truth", False, from_truth, "0.88 to 0.94; best published 0.913, same device 0.94"),
    ("published features, human mask, lines", False, from_human_mask, "below the ground truth's"),
    ("published features, no mask", False, from_dropouts_alone, "below the human mask's"),
    ("published features, ground truth, age matched", True, from_truth, "0.88 to 0.94"),
    ("baseline size, blinks, noise", False, from_nuisances, "age shows in the size"),
    ("baseline size, blinks, noise, age matched", True, from_nuisances, "at most 0.60"),
)


def measure(seeds: Sequence[int] = SEEDS) -> dict[str, list[float]]:
    """AUROC by name of the case, one a seed."""
    result: dict[str, list[float]] = {name: [] for name, *_ in CASES}
    for seed in seeds:
        cohorts = {matched: labelled_cohort(seed, match_age=matched) for matched in (False, True)}
        for name, matched, features, _ in CASES:
            result[name].append(tuned_auroc(features(cohorts[matched]), is_glaucoma(cohorts[matched])))
    return result


def as_table(measured: dict[str, list[float]]) -> str:
    rows = [
        "| classified from | wanted | mean AUROC | SD over seeds | lowest to highest |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, _, _, wanted in CASES:
        values = np.array(measured[name])
        spread = f"{values.std(ddof=1):.3f} | {values.min():.3f} to {values.max():.3f}"
        rows.append(f"| {name} | {wanted} | {values.mean():.3f} | {spread} |")
    return "\n".join(rows) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description="How hard the simulated cohort is to classify.")
    parser.add_argument("page", nargs="?", type=Path, help="write the table between this page's difficulty marks")
    page = parser.parse_args().page
    table = as_table(measure())
    print(table)
    if page is not None:
        text = page.read_text(encoding="utf-8")
        marked = re.compile(r"(<!-- difficulty -->\n).*?(<!-- /difficulty -->)", flags=re.DOTALL)
        page.write_text(marked.sub(lambda m: m[1] + table + m[2], text), encoding="utf-8")


if __name__ == "__main__":
    main()
