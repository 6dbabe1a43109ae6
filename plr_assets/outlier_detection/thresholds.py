"""Where a score becomes a decision: thresholds learned from development recordings.

Belongs here: the search for a threshold, given scores, and detectors that learn one. A sample is flagged where its
score is *above* the threshold. Does not belong here: scores, or the share of artefacts (`artefact_share`).
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from plr_assets.errors import ConfigError
from plr_assets.outlier_detection.artefact_share import Source
from plr_assets.outlier_detection.base import PerRecordingDetector
from plr_assets.recordings.table import Mask, Recordings

Scores = NDArray[np.floating[Any]]
Rule = Literal["f1-optimal", "declared"]


def f1_optimal_threshold(scores: Scores, artefact: Mask, observed: Mask, *, largest_share: float = 0.5) -> float:
    """The threshold with the highest pointwise F1 over all `observed` samples of all recordings; arrays are (n, T).

    Every threshold that tells samples apart is tried, by sorting once; equal scores are flagged together or not at all.
    At most `largest_share` of the samples may be flagged: where scores say nothing about artefacts F1 is highest with
    all of them flagged, and more than half of a recording cannot be the unusual part of it. Of equal F1 the highest
    threshold is taken. It lies halfway between the lowest score that is flagged and the highest that is not.

    Raises ValueError without an artefact among the observed samples, or if an observed sample has no finite score.
    """
    value, hit = _observed(scores, observed), artefact[observed]
    if not hit.any():
        raise ValueError("no artefact among the observed samples: F1 is 0 whatever the threshold")
    order = np.argsort(-value, kind="stable")
    value, hits = value[order], np.cumsum(hit[order])
    below = np.append(value[1:], value.dtype.type(-np.inf))
    # The first k samples can be flagged where the score falls after them.
    flagged = np.flatnonzero(value > below) + 1
    flagged = flagged[flagged <= largest_share * value.size]
    f1 = 2 * hits[flagged - 1] / (flagged + hits[-1])
    if not f1.any():
        return float(value[0])  # no artefact can be flagged without flagging too much: none is
    k = flagged[np.argmax(f1)]
    return _between(below[k - 1], value[k - 1])


def quantile_threshold(scores: Scores, observed: Mask, share: float) -> float:
    """The lowest threshold that flags at most `share` of the `observed` samples of all recordings; arrays are (n, T).

    Equal scores are flagged together or not at all. Raises ValueError if `share` is not in [0, 1), without observed
    samples, or if one has no finite score.
    """
    if not 0 <= share < 1:
        raise ValueError(f"a share of {share} samples cannot be flagged: it must be at least 0 and below 1")
    value = np.sort(_observed(scores, observed))
    # the share may be a ratio of counts, and 3/7 * 7 may come out just below 3
    allowed = int(np.floor(share * value.size * (1 + 1e-12)))
    return float(value[value.size - 1 - allowed])


@dataclass(eq=False, kw_only=True)
class ThresholdDetector(PerRecordingDetector):
    """Scores each recording by itself, and flags what is above one threshold for all recordings.

    threshold   `f1-optimal`: the best on the development recordings, where a human marked artefacts (else the declared
                one); `declared`: the constant of the method's own parameters.
    """

    threshold: Rule = "f1-optimal"
    threshold_: float = field(init=False)
    threshold_source_: Source = field(init=False)

    @property
    @abstractmethod
    def declared_threshold(self) -> float:
        """The constant among the method's parameters."""

    def fit(self, development: Recordings, n_jobs: int = 1) -> Self:
        """Learn the threshold from development recordings, scored in `n_jobs` processes. Returns self.

        Raises ConfigError if it is to be learned from human masks without an artefact.
        """
        rules = ("f1-optimal", "declared")
        self._require("threshold", self.threshold in rules, f"must be {' or '.join(rules)}")
        super().fit(development, n_jobs)
        self.threshold_, self.threshold_source_ = self.declared_threshold, "declared"
        reviewed = development.take(np.flatnonzero(development.reviewed))
        if self.threshold == "f1-optimal" and reviewed.artefact is not None:
            observed = ~reviewed.dropout
            if not (reviewed.artefact & observed).any():
                raise ConfigError(
                    f"{type(self).__name__}: threshold",
                    "it is to be learned from the development recordings' artefacts, and they have none.",
                    "Set threshold to declared.",
                )
            scores = self.decision_function(reviewed, n_jobs)
            self.threshold_ = f1_optimal_threshold(scores, reviewed.artefact, observed)
            self.threshold_source_ = "development"
        return self

    def _flag(self, scores: NDArray[np.float64]) -> Mask:
        return np.asarray(scores > self.threshold_)


def _observed(scores: Scores, observed: Mask) -> Scores:
    value = scores[observed]
    if value.size == 0:
        raise ValueError("no observed sample: no threshold")
    if not np.isfinite(value).all():
        raise ValueError("an observed sample has no finite score")
    return value


def _between(low: np.floating[Any], high: np.floating[Any]) -> float:
    """Halfway, and below `high` in the precision of the scores, in which they may be compared with it."""
    if np.isinf(low):
        return float(np.nextafter(high, low))
    middle = low / 2 + high / 2
    return float(middle if middle < high else low)
