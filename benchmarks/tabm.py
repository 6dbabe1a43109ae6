"""TabM's bootstrap beside a plain script that trains the package's model one replicate after another.

Belongs here: that script. Does not belong here: the other classifiers (`bootstrap`). Both sides draw their own initial
values and dropout, so they are compared by AUROC: the paired difference holds 0 within its interval.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.measure import Result, interleave
from plr_assets.classification.metrics import auroc_each
from plr_assets.classification.resampling import resample
from plr_assets.registry import load_registry

# The labelled cohort of `paper`, and the 8 features of `simple`.
CONTROLS, CASES, FEATURES = 152, 56, 8
ITERATIONS = 16
REPEATS = 5
SEED = 20261121
# At least five times as fast.
GOAL = 0.2

Matrix = NDArray[np.float64]


def run() -> Iterator[Result]:
    method = load_registry().methods["classification"]["TabM"]
    parameters = dict(method.parameters)
    rng = np.random.default_rng(SEED)
    y = np.repeat([0, 1], [CONTROLS, CASES]).astype(np.int64)
    X = (rng.normal(size=(y.size, FEATURES)) + 0.6 * y[:, None]) * np.linspace(1, 30, FEATURES)
    resamples = resample([f"R{number:03d}" for number in range(y.size)], y, ITERATIONS, SEED)
    classifier = method.load()(**parameters)
    found: dict[str, list[float]] = {"ours": [], "plain": []}

    def judge(side: str, predicted: list[NDArray[np.float64]]) -> None:
        truth = np.concatenate([y[resamples.test(i)] for i in range(ITERATIONS)])
        lengths = np.array([len(p) for p in predicted])
        found[side] += auroc_each(truth, np.concatenate(predicted).astype(np.float32), lengths).tolist()

    def ours(repeat: int) -> None:
        seeds = [1000 * repeat + i for i in range(ITERATIONS)]
        judge("ours", list(classifier.out_of_bag(X, y, resamples, seeds)))

    def plain(repeat: int) -> None:
        judge(
            "plain",
            [
                _package(
                    (X[resamples.train(i)], y[resamples.train(i)]), X[resamples.test(i)], parameters, 1000 * repeat + i
                )
                for i in range(ITERATIONS)
            ],
        )

    times = interleave(REPEATS, clock=time.process_time, ours=ours, plain=plain)
    difference = np.subtract(found["ours"], found["plain"])
    # Iterations are the sample: repeats of one share its cases.
    each = difference.reshape(-1, ITERATIONS).mean(axis=0)
    assert abs(each.mean()) < 2.13 * each.std(ddof=1) / np.sqrt(ITERATIONS), f"AUROC differs by {each.mean():.4f}"
    slow = times.fastest("plain") / ITERATIONS * 1000
    yield Result(
        "bootstrap of TabM", times.ratio("ours", "plain"), GOAL, "ratio", f"package, in a loop: {slow:.0f} ms/iteration"
    )
    yield Result(
        "bootstrap of TabM, 1000 iterations", times.fastest("ours") / ITERATIONS * 1000, 60, "s", "one core, 208 x 8"
    )


def _package(
    sample: tuple[Matrix, NDArray[np.int64]], left_out: Matrix, parameters: dict[str, Any], seed: int
) -> NDArray[np.float64]:
    """As the package's own example does it: one model, its in-bag rows with repeats, AdamW."""
    import torch
    from rtdl_num_embeddings import PiecewiseLinearEmbeddings, compute_bins
    from tabm import TabM

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    X, y = sample
    rows, cases = (
        torch.tensor((values - X.mean(axis=0)) / X.std(axis=0), dtype=torch.float32) for values in (X, left_out)
    )
    classes = torch.from_numpy(y).repeat_interleave(parameters["k"])
    with warnings.catch_warnings(action="ignore", category=UserWarning):
        network = TabM(
            n_num_features=FEATURES,
            d_out=2,
            num_embeddings=PiecewiseLinearEmbeddings(
                compute_bins(rows, n_bins=parameters["n_bins"]),
                parameters["d_embedding"],
                activation=False,
                version="B",
            ),
            activation="ReLU",
            arch_type="tabm-mini",
            start_scaling_init="normal",
            **{name: parameters[name] for name in ("n_blocks", "d_block", "dropout", "k")},
        )
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=parameters["learning_rate"], weight_decay=parameters["weight_decay"]
    )
    for _ in range(parameters["epochs"]):
        optimiser.zero_grad()
        loss = torch.nn.functional.cross_entropy(network(rows).flatten(0, 1), classes)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    network.eval()
    with torch.no_grad():
        probabilities: NDArray[np.float64] = torch.softmax(network(cases), -1)[..., 1].mean(1).double().numpy()
    return probabilities
