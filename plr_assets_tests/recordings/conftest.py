"""A study in a temporary data folder, and a small simulated cohort written there once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from plr_assets.recordings.simulator.files import write_study_files
from plr_assets.study import Study
from plr_assets_tests.studies import TRIAL_BASE

MakeStudy = Callable[..., Study]


def study_of(**changes: Any) -> Study:
    """The demo's data layout on five simulated-size recordings, with `changes` on top."""
    values: dict[str, Any] = {
        **TRIAL_BASE,
        "name": "trial",
        "simulation": {"control": 3, "glaucoma": 2, "unlabelled": 3},
        "grids": [{"outlier_detection": ["LOF"], "imputation": ["linear"], "featurization": ["simple"]}],
    }
    return Study.model_validate({**values, **changes})


@pytest.fixture
def make_study() -> MakeStudy:
    return study_of


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`PLR_DATA_DIR` is a fresh folder; the study's own is `<data_dir>/trial`."""
    monkeypatch.setenv("PLR_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def simulated(data_dir: Path) -> Study:
    study = study_of()
    write_study_files(study)
    return study


@pytest.fixture(scope="session")
def device_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One simulated recording as the device would write it, in the format of March to May 2018."""
    folder = tmp_path_factory.mktemp("device")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PLR_DATA_DIR", str(folder))
        study = study_of(simulation={"control": 1, "glaucoma": 0, "unlabelled": 0, "june_2018_share": 0.0})
        write_study_files(study)
        return study.resolve(study.recordings.path) / "PLR1001_BR.csv"
