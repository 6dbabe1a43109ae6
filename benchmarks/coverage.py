"""Do the 95 % intervals cover? `python -m benchmarks.coverage`: simulated cohorts, tables for docs/decisions/0007.

Belongs here: cohorts whose truth is known in closed form, and counting. Does not belong here: an estimator.

Two targets, and every line says which:
- fixed predictions: what these predictions would reach in the population the subjects are drawn from;
- whole procedure: what a model fitted on such a cohort is to be expected to reach; subjects learnt from vary too.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit, ndtr

from plr_assets.evaluation.calibration import calibration_slope, observed_expected
from plr_assets.evaluation.discrimination import auroc_estimate, mean_auroc
from plr_assets.evaluation.estimate import Estimate
from plr_assets.evaluation.operating_points import recording_weights
from plr_assets.evaluation.overall import brier_estimate, scaled_brier_estimate
from plr_assets.evaluation.resampled import ranking
from plr_assets.evaluation.utility import utility
from plr_assets.evaluation.winner import corrected_winner, shared_auroc

Array = NDArray[np.float64]

SIZES = (63, 208)  # the published test set, and all labelled subjects
PREVALENCE = 0.27
THRESHOLDS = np.array([0.05, 0.10, 0.15, 0.20])
SEED = 20261121


class Cohort(NamedTuple):
    y: NDArray[np.bool_]
    p: Array
    subject: NDArray[np.intp]


@dataclass(frozen=True)
class Population:
    """Scores N(0, 1) of controls and N(separation, 1) of cases; the model says p = expit(shift + scale x score).

    recordings of one subject share its class and a part `alike` of their variance.
    """

    separation: float = 1.6
    shift: float = -1.6
    scale: float = 1.0
    per_subject: int = 1
    alike: float = 0.6

    def draw(self, rng: np.random.Generator, subjects: int) -> Cohort:
        case = rng.random(subjects) < PREVALENCE
        own = rng.normal(size=(subjects, self.per_subject)) * np.sqrt(1 - self.alike)
        score = case[:, None] * self.separation + rng.normal(size=(subjects, 1)) * np.sqrt(self.alike) + own
        owner = np.repeat(np.arange(subjects), self.per_subject)
        return Cohort(case[owner], expit(self.shift + self.scale * score.ravel()), owner)

    def truth(self) -> dict[str, float]:
        """Closed forms; means over the scores by 80-point Gauss-Hermite quadrature."""
        nodes, weight = np.polynomial.hermite_e.hermegauss(80)
        weight = weight / weight.sum()
        p1, p0 = (expit(self.shift + self.scale * (nodes + mean)) for mean in (self.separation, 0.0))
        expected = PREVALENCE * weight @ p1 + (1 - PREVALENCE) * weight @ p0
        brier = float(PREVALENCE * weight @ (1 - p1) ** 2 + (1 - PREVALENCE) * weight @ p0**2)
        cut = (logit(THRESHOLDS) - self.shift) / self.scale
        sensitivity, false_positive = ndtr(self.separation - cut), ndtr(-cut)
        benefit = PREVALENCE * sensitivity - (1 - PREVALENCE) * false_positive * THRESHOLDS / (1 - THRESHOLDS)
        everyone = PREVALENCE - (1 - PREVALENCE) * THRESHOLDS / (1 - THRESHOLDS)
        percent = [round(100 * t) for t in THRESHOLDS]
        return {
            "auroc": float(ndtr(self.separation / np.sqrt(2))),
            "calibration slope": self.separation / self.scale,
            "o:e": PREVALENCE / float(expected),
            "brier": brier,
            "scaled brier": 1 - brier / (PREVALENCE * (1 - PREVALENCE)),
            **{f"net benefit {t} %": float(v) for t, v in zip(percent, benefit, strict=True)},
            **{f"standardised {t} %": float(v) / PREVALENCE for t, v in zip(percent, benefit, strict=True)},
            **{f"beyond all {t} %": float(v) for t, v in zip(percent, benefit - everyone, strict=True)},
        }


@dataclass(frozen=True)
class TiedPopulation:
    """A near-constant model: 0.4 for a few, of cases more than of controls, and 0.3 for everybody else."""

    cases: float = 0.10
    controls: float = 0.03
    per_subject: int = 1

    def draw(self, rng: np.random.Generator, subjects: int) -> Cohort:
        y = rng.random(subjects) < PREVALENCE
        apart = rng.random(subjects) < np.where(y, self.cases, self.controls)
        return Cohort(y, np.where(apart, 0.4, 0.3), np.arange(subjects))

    def truth(self) -> dict[str, float]:
        return {"auroc": (1 + self.cases - self.controls) / 2}


def estimates(cohort: Cohort, resamples: int = 0) -> dict[str, Estimate]:
    """Everything with a known truth; the bootstrap's intervals where `resamples` are asked for."""
    y, p, subject = cohort
    curve = utility(y, p, subject, THRESHOLDS)
    found = {
        "auroc": auroc_estimate(y, p, subject),
        "calibration slope": calibration_slope(y, p, subject),
        "o:e": observed_expected(y, p, subject),
        "brier": brier_estimate(y, p, subject),
        "scaled brier": scaled_brier_estimate(y, p, subject),
    }
    bands = {"net benefit": curve.net_benefit, "standardised": curve.standardised, "beyond all": curve.beyond_all}
    for name, band in bands.items():
        for i, t in enumerate(THRESHOLDS):
            value, lower, upper = (float(edge[i]) for edge in band)
            found[f"{name} {round(100 * t)} %"] = Estimate(value, lower, upper)
    if resamples:
        found["auroc (bootstrap)"] = ranking(y, p, recording_weights(subject, resamples, SEED), subject).auroc
    return found


class Coverage(NamedTuple):
    """Shares of repeats with an interval: that cover; that lie below, above the truth. missing: without an interval."""

    covered: float
    below: float
    above: float
    missing: int
    width: float


def coverage(
    population: Population | TiedPopulation, subjects: int, repeats: int, resamples: int = 0
) -> dict[str, Coverage]:
    """Fixed predictions: coverage of every interval over `repeats` cohorts."""
    rng = np.random.default_rng([SEED, subjects, population.per_subject])
    truth = population.truth()
    if resamples:
        truth["auroc (bootstrap)"] = truth["auroc"]
    found: dict[str, list[Estimate]] = {}
    for _ in range(repeats):
        for name, estimate in estimates(population.draw(rng, subjects), resamples).items():
            if name in truth:
                found.setdefault(name, []).append(estimate)
    return {name: _count(np.array(values), truth[name]) for name, values in found.items()}


def _count(values: Array, truth: float) -> Coverage:
    known = values[~np.isnan(values[:, 1])]
    below, above = np.mean(known[:, 2] < truth), np.mean(known[:, 1] > truth)
    width = float(np.median(known[:, 2] - known[:, 1]))
    return Coverage(float(1 - below - above), float(below), float(above), len(values) - len(known), width)


class Learner(NamedTuple):
    """Linear discriminant analysis on `features` standard normal features, the first of which tells the classes apart
    by `separation`; iterations of a bootstrap by class."""

    features: int
    separation: float
    iterations: int = 1000


def learn(learner: Learner, rng: np.random.Generator, n: int) -> tuple[NDArray[np.bool_], Array, Array, float]:
    """One cohort of n and its bootstrap: y, out-of-bag p (B, n), draws (B, n), and the models' true mean AUROC."""
    cases = round(n * PREVALENCE)
    y = np.arange(n) < cases
    X = rng.normal(size=(n, learner.features))
    X[:, 0] += learner.separation * y
    sizes = cases, n - cases
    drawn = np.hstack([rng.multinomial(m, np.full(m, 1 / m), size=learner.iterations) for m in sizes]).astype(float)
    means = [drawn[:, group] @ X[group] / m for group, m in zip((y, ~y), sizes, strict=True)]
    products = (X[:, :, None] * X[:, None, :]).reshape(n, -1)
    scatter = (drawn @ products).reshape(-1, learner.features, learner.features)
    for mean, m in zip(means, sizes, strict=True):
        scatter = scatter - m * mean[:, :, None] * mean[:, None, :]
    direction = np.linalg.solve(scatter / (n - 2), (means[0] - means[1])[:, :, None])[:, :, 0]
    truth = ndtr(learner.separation * direction[:, 0] / np.linalg.norm(direction, axis=1) / np.sqrt(2)).mean()
    return y, np.where(drawn == 0, expit(direction @ X.T), np.nan), drawn, float(truth)


def whole_procedure(learner: Learner, n: int, repeats: int) -> tuple[float, Coverage, Coverage]:
    """Expected AUROC; coverage of `mean_auroc` without and with what was learnt from."""
    rng = np.random.default_rng([SEED, n, learner.features])
    fixed, learnt, truths = [], [], []
    for _ in range(repeats):
        y, p, drawn, truth = learn(learner, rng, n)
        fixed.append(mean_auroc(y, p).estimate)
        learnt.append(mean_auroc(y, p, None, drawn).estimate)
        truths.append(truth)
    expected = float(np.mean(truths))
    return expected, _count(np.array(fixed), expected), _count(np.array(learnt), expected)


class Selection(NamedTuple):
    """Means over repeats of the apparent and the corrected winner, less the truth, with their standard errors."""

    apparent_bias: float
    corrected_bias: float
    standard_error: float
    covered: float


def exchangeable(
    pipelines: int, n: int, repeats: int, *, shared: float = 0.5, separation: float = 1.6268, resamples: int = 200
) -> Selection:
    """The winner of pipelines that are all as good (AUROC 0.875), their scores correlated by `shared` given class."""
    rng = np.random.default_rng([SEED, pipelines, n])
    truth = float(ndtr(separation / np.sqrt(2)))
    y = np.arange(n) < round(n * PREVALENCE)
    apparent, corrected, covered = [], [], 0
    for repeat in range(repeats):
        common = rng.normal(size=n) * np.sqrt(shared)
        scores = separation * y + common + rng.normal(size=(pipelines, n)) * np.sqrt(1 - shared)
        kernels = (scores[:, y, None] > scores[:, None, ~y]).astype(float)
        winner = corrected_winner(shared_auroc(kernels, y, resamples=resamples, seed=repeat))
        apparent.append(winner.apparent - truth)
        corrected.append(winner.corrected.value - truth)
        covered += winner.corrected.lower <= truth <= winner.corrected.upper
    error = float(np.std(corrected, ddof=1) / np.sqrt(repeats))
    return Selection(float(np.mean(apparent)), float(np.mean(corrected)), error, covered / repeats)


LEARNERS = (Learner(1, 0.0), Learner(8, 0.0), Learner(8, 0.8), Learner(8, 1.6), Learner(2, 1.6))


def _line(name: str, of: Coverage) -> str:
    shares = f"{100 * of.covered:5.1f} % (below {100 * of.below:4.1f}, above {100 * of.above:4.1f})"
    return f"  {name:22s} {shares}, median width {of.width:.3f}, no interval {of.missing}"


def main(repeats: int) -> None:
    tied = (TiedPopulation(0.1, 0.03), TiedPopulation(0.05, 0.05), TiedPopulation(0.3, 0.1))
    for population in (Population(), Population(per_subject=2), *tied):
        for subjects in SIZES:
            print(f"fixed predictions, {subjects} subjects, {population}, {repeats} cohorts", flush=True)
            for name, found in coverage(population, subjects, repeats, resamples=400).items():
                print(_line(name, found))
    for learner in LEARNERS:
        for n in SIZES:
            some = max(repeats // 20, 20)
            expected, fixed, learnt = whole_procedure(learner, n, some)
            print(f"whole procedure, {n} subjects, {learner}, true AUROC {expected:.3f}, {some} cohorts", flush=True)
            print(_line("models as fixed", fixed))
            print(_line("with what was learnt", learnt))
    for n in SIZES:
        some = max(repeats // 20, 20)
        print(f"440 exchangeable pipelines, {n} subjects, {some} cohorts: {exchangeable(440, n, some)}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 4000)
