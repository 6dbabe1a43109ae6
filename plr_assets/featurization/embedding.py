"""A foundation model's view of a recording: MOMENT's embedding, reduced to principal components.

Belongs here: cutting recordings, pooling, and the projection that development recordings decide. Does not belong here:
the network (`pretrained.moment_embedding`), or where its weights come from (`pretrained.weights`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from plr_assets.errors import ContractError, DataError
from plr_assets.estimator import IN_ITS_OWN_FILE
from plr_assets.featurization.base import Featurizer
from plr_assets.recordings.table import Recordings, Signal

if TYPE_CHECKING:
    import torch

NETWORK_FOLDER, PROJECTION_FILE = "moment", "projection.safetensors"
Matrix = NDArray[np.float64]


@dataclass(eq=False, kw_only=True)
class MomentEmbedding(Featurizer):
    """Columns `EMBEDDING_01`, ...: principal components of the recordings' embeddings, the largest first.

    explained   share of the development recordings' variance that the components explain together, at least.
    most        components at most, whatever they explain.

    A recording is cut into as few windows of 512 samples as cover it, the first at its start, the last at its end, the
    others in equal steps: 1981 samples into four, which share 22 or 23 samples with their neighbours, so nothing is
    padded. A recording shorter than a window is padded before its start, as the library's own data sets are. Its
    embedding is the mean of its windows' vectors. Scale and components are those of development recordings.
    """

    explained: float = 0.95
    most: int = 96
    pretrained_on_: str = field(init=False)
    variance_: list[float] = field(init=False)
    projection_: dict[str, Matrix] = field(init=False, metadata=IN_ITS_OWN_FILE)
    network_: Any = field(init=False, metadata=IN_ITS_OWN_FILE)

    def fit(self, development: Recordings, signal: Signal, *, weights: Path) -> Self:  # type: ignore[override]
        """`weights`: a folder as `pretrained.weights` writes it. Raises ConfigError, ContractError or DataError."""
        from plr_assets.networks.seeding import device, reproducible
        from plr_assets.pretrained.moment import load_moment, read_config
        from plr_assets.pretrained.weights import Origin

        self._require("explained", 0 < self.explained < 1, "must be between 0 and 1")
        self._require("most", self.most >= 1, "must be 1 or more")
        with reproducible(0):  # the library draws weights before it loads them
            self.network_ = load_moment(weights).to(device())
        self._config = read_config(weights)
        self.pretrained_on_ = Origin.load(weights).pretrained_on
        return super().fit(development, signal)

    def describe(self) -> list[dict[str, str]]:
        return [
            {
                "name": name,
                "description": f"principal component {number} of MOMENT's embedding, {100 * share:.3g} % of the "
                f"development recordings' variance; MOMENT learned from: {self.pretrained_on_}",
                "dtype": "float64",
                "unit": "standard deviations",
                "colour": "all",
                "window": "the whole recording",
                "statistic": "mean over windows and patches, scaled, projected",
                "baseline": "none: each window is scaled by its own mean and spread",
                "source": "Goswami et al. 2024, arXiv 2402.03885",
                "leakage": "opaque",
            }
            for number, (name, share) in enumerate(zip(self._names(), self.variance_, strict=True), start=1)
        ]

    def _names(self) -> list[str]:
        if "variance_" not in self.__dict__:
            raise ValueError("MomentEmbedding is not fitted: its components are not known. Call fit first.")
        return [f"EMBEDDING_{number:02d}" for number in range(1, len(self.variance_) + 1)]

    def _fit(self, development: Recordings, signal: Signal) -> None:
        from sklearn.decomposition import PCA
        from sklearn.preprocessing import StandardScaler

        if len(development) < 2:
            raise DataError(
                "development recordings",
                f"principal components need two recordings at least, and there are {len(development)}.",
                "Leave the embedding out of the study, or import more recordings.",
            )
        embedded = self._embedded(signal)
        scaler = StandardScaler().fit(embedded)
        # all components, and then the first of them: the exact solver, whose signs are fixed
        pca = PCA(svd_solver="full").fit(scaler.transform(embedded))
        reached = int(np.searchsorted(np.cumsum(pca.explained_variance_ratio_), self.explained)) + 1
        kept = min(reached, self.most, len(pca.components_))
        self.variance_ = [float(share) for share in pca.explained_variance_ratio_[:kept]]
        self.projection_ = {
            "mean": scaler.mean_,
            "scale": scaler.scale_,
            "centre": pca.mean_,
            "components": np.ascontiguousarray(pca.components_[:kept]),
        }

    def _features(self, blind: Recordings, signal: Signal) -> Mapping[str, Matrix]:  # noqa: ARG002
        known = self.projection_
        scaled = (self._embedded(signal) - known["mean"]) / known["scale"] - known["centre"]
        # one recording at a time: the last bits of a product of matrices change with the number of rows
        projected = np.stack([known["components"] @ row for row in scaled])
        return dict(zip(self._names(), projected.T, strict=True))

    def _embedded(self, signal: Signal) -> Matrix:
        """(n, d). One recording at a time, on one thread: a vector does not depend on what else is embedded."""
        from plr_assets.networks.seeding import reproducible
        from plr_assets.pretrained.moment import WINDOW
        from plr_assets.pretrained.moment_embedding import embed_windows

        starts, padding = window_starts(signal.shape[1], WINDOW)
        inside = np.tile(np.arange(WINDOW) >= padding, (len(starts), 1))
        padded = np.pad(signal, ((0, 0), (padding, 0)))
        windows = padded[:, starts[:, None] + np.arange(WINDOW)]
        with reproducible(0):
            return np.stack([embed_windows(self.network_, each, inside).mean(axis=0) for each in windows])

    def save(self, folder: Path) -> None:
        from safetensors.numpy import save_file

        from plr_assets.pretrained.moment import save_moment

        super().save(folder)
        save_file(self.projection_, folder / PROJECTION_FILE)
        save_moment(self.network_, self._config, folder / NETWORK_FOLDER)

    @classmethod
    def load(cls, folder: Path) -> Self:
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        method = super().load(folder)
        try:
            method.projection_ = load_file(folder / PROJECTION_FILE)
        except (SafetensorError, FileNotFoundError) as error:
            raise ContractError(
                str(folder / PROJECTION_FILE), f"this is no projection: {error}", "Fit it again."
            ) from error
        method.__dict__["_stored"] = folder / NETWORK_FOLDER
        return method

    def __getattr__(self, name: str) -> Any:
        """`network_` and its configuration of a loaded method, at first use."""
        if name not in ("network_", "_config") or "_stored" not in self.__dict__:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        from plr_assets.networks.seeding import device, reproducible
        from plr_assets.pretrained.moment import load_moment, read_config

        with reproducible(0):
            self.network_: torch.nn.Module = load_moment(self._stored).to(device())
        self._config = read_config(self._stored)
        return self.__dict__[name]


def window_starts(n_samples: int, length: int) -> tuple[NDArray[np.int64], int]:
    """First samples of the windows of `length` that cover `n_samples`, and how many samples are padded before them."""
    if n_samples <= length:
        return np.zeros(1, dtype=np.int64), length - n_samples
    count = -(-n_samples // length)
    return np.round(np.linspace(0, n_samples - length, count)).astype(np.int64), 0
