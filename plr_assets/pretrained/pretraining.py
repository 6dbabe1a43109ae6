"""Pretraining a small foundation model by masked reconstruction of simulated recordings.

Belongs here: what lets the whole grid run on a machine without a network: recordings that no study holds, and a model
that learns to fill what is hidden from it. Does not belong here: weights from elsewhere (`weights`), fine-tuning.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from plr_assets.errors import ConfigError
from plr_assets.networks.seeding import device, reproducible
from plr_assets.networks.training import Examples, Fitted, Schedule, train
from plr_assets.networks.windows import Windows
from plr_assets.recordings.simulator.cohort import simulate_cohort
from plr_assets.recordings.simulator.recordings import on_the_grid
from plr_assets.recordings.table import Recordings
from plr_assets.seeds import integer_seed
from plr_assets.study import Study, SubGrid
from plr_assets.study.pretrained import Pretraining
from plr_assets.study.recordings import Alignment, Baseline, RecordingFiles, Sampling, Simulation

if TYPE_CHECKING:
    import torch

# The share of the published controls among the labelled (152 of 208); a model shall know both kinds of response.
_CONTROLS = 152 / 208
_HOLDOUT = 0.2


def pretrain(build: Callable[[], torch.nn.Module], window: int, settings: Pretraining, seed: int) -> torch.nn.Module:
    """`build()`, trained to rebuild what is hidden of simulated recordings, artefacts and all.

    No diagnosis, ground truth or human mask is used. The recordings' seed descends from `seed` by a name of its own,
    so they are nobody of a simulated study of the same seed.
    """
    recordings = simulated_recordings(settings.recordings, integer_seed(seed, "pretraining", "recordings"))
    held = round(_HOLDOUT * len(recordings))
    with reproducible(integer_seed(seed, "pretraining", "network")):
        network = build().to(device())
        fitted = train(
            network,
            _examples(recordings.take(np.arange(held, len(recordings))), window),
            _examples(recordings.take(np.arange(held)), window),
            Schedule(
                epochs=settings.epochs,
                patience=settings.patience,
                batch_size=settings.batch_size,
                learning_rate=settings.learning_rate,
                hidden_share=settings.hidden_share,
                hidden_only=True,
            ),
            integer_seed(seed, "pretraining", "order"),
        )
    _check_it_learned(fitted)
    return network


def simulated_recordings(count: int, seed: int) -> Recordings:
    """`count` recordings of the device's own protocol, on the published grid of 66 s at 30 Hz."""
    controls = round(_CONTROLS * count)
    cohort = simulate_cohort(Simulation(control=controls, glaucoma=count - controls, unlabelled=0), seed)
    return on_the_grid(cohort, _PUBLISHED_GRID)


def _examples(recordings: Recordings, window: int) -> Examples:
    # One common scale: MOMENT and UniTS normalise each window themselves.
    observed = ~recordings.dropout
    spread = np.float32(np.nanstd(recordings.pupil, dtype=np.float64))
    windows = Windows(window)
    signal = windows.cut(np.nan_to_num(recordings.pupil / spread), 0.0)
    seen = windows.cut(observed, False)
    return Examples(signal, seen, signal, seen)


def _check_it_learned(fitted: Fitted) -> None:
    if fitted.epoch == 0:
        raise ConfigError(
            "pretrained: pretraining",
            "no epoch was better than the random weights it began with.",
            "Raise epochs or recordings, or lower learning_rate.",
        )


_PUBLISHED_GRID = Study(
    name="simulated",
    title="Simulated recordings",
    description="Recordings for pretraining, on the published grid.",
    origin="synthetic",
    seed=0,
    recordings=RecordingFiles(path=Path("raw")),
    sampling=Sampling(rate_hz=30, duration_s=66, align_onset=Alignment(colour="blue", at_s=15.5)),
    baseline=Baseline(before="blue"),
    grids=(SubGrid(outlier_detection=(), imputation=(), featurization=()),),
)
