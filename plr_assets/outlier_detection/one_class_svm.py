"""One-class support vector machine on each sample's amplitude within its own recording (Schoelkopf et al. 2001).

Belongs here: scikit-learn's OneClassSVM as a detector. Does not belong here: kernels of windows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from plr_assets.errors import ConfigError
from plr_assets.outlier_detection.artefact_share import FROM_DEVELOPMENT, Source, is_share, resolve_share
from plr_assets.outlier_detection.base import AmplitudeDetector
from plr_assets.recordings.table import Mask, Recordings


@dataclass(eq=False, kw_only=True)
class OneClassSVM(AmplitudeDetector):
    """Samples outside the region that holds all but about the share `nu` of a recording's amplitudes.

    The score is minus scikit-learn's decision function: above 0 lies outside. One recording of 1981 samples takes
    30 ms, one of 20 000 about 2 s (one core, nu 0.08). A recording of one repeated amplitude has no outliers.
    """

    kernel: Literal["rbf", "linear", "poly", "sigmoid"] = "rbf"
    gamma: Literal["scale", "auto"] | float = "scale"
    nu: float | str = FROM_DEVELOPMENT
    nu_without_truth: float = 0.0766
    nu_: float = field(init=False)
    nu_source_: Source = field(init=False)

    def _fit(self, development: Recordings) -> None:
        for name in ("nu", "nu_without_truth"):
            self._require(name, is_share(getattr(self, name)), f"must be {FROM_DEVELOPMENT} or in (0, 0.5]")
        self.nu_, self.nu_source_ = resolve_share(self.nu, self.nu_without_truth, development)
        if self.nu_ == 0:
            raise ConfigError(
                "OneClassSVM: nu",
                "it is to be the artefact share of the development recordings, and they have no artefact.",
                "Set nu to a number.",
            )

    def _score_amplitudes(self, amplitude: NDArray[np.float64]) -> NDArray[np.float64]:
        from sklearn.svm import OneClassSVM as Machine

        if np.ptp(amplitude) == 0:
            return np.zeros(amplitude.size)
        column = amplitude[:, None]
        machine = Machine(kernel=self.kernel, gamma=self.gamma, nu=self.nu_).fit(column)
        return -np.asarray(machine.decision_function(column))

    def _flag(self, scores: NDArray[np.float64]) -> Mask:
        return np.asarray(scores > 0)
