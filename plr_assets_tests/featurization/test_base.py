"""What the base class guarantees however a featurization behaves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from plr_assets.featurization.base import DESCRIBED, Featurizer
from plr_assets.recordings.table import Recordings, Signal
from plr_assets_tests.builders import make_recordings


@dataclass(eq=False, kw_only=True)
class Spy(Featurizer):
    """Keeps what it is shown."""

    def describe(self) -> list[dict[str, str]]:
        return [{key: "F" if key == "name" else "test" for key in DESCRIBED}]

    def _features(self, blind: Recordings, signal: Signal) -> Mapping[str, NDArray[np.float64]]:
        self.shown = blind
        return {"F": signal.mean(axis=1, dtype=np.float64)}


def test_a_featurization_is_never_handed_what_a_human_knows() -> None:
    spy, recordings = Spy(), make_recordings(3)
    assert recordings.truth is not None
    spy.transform(recordings, recordings.truth)
    assert (spy.shown.truth, spy.shown.artefact, spy.shown.label) == (None, None, (None, None, None))


def test_signals_of_other_recordings_are_refused() -> None:
    recordings = make_recordings(3)
    assert recordings.truth is not None
    with pytest.raises(ValueError, match="shape"):
        Spy().transform(recordings, recordings.truth[:2])
