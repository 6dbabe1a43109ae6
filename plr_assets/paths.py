"""Where things lie on disk. One place, so that no other module asks for the current directory.

Belongs here: the project root and what is found below it, each with its environment variable.
Does not belong here: creating folders or reading files.
"""

from __future__ import annotations

import os
from pathlib import Path


def project_root() -> Path:
    """The folder that holds `configs/`: `PLR_HOME`, or the checkout this package was installed from."""
    return Path(os.environ.get("PLR_HOME", Path(__file__).resolve().parents[1])).resolve()


def configs_dir() -> Path:
    return project_root() / "configs"


def data_root() -> Path:
    """Data of all studies: `PLR_DATA_DIR`, or `data/` in the project."""
    return Path(os.environ.get("PLR_DATA_DIR", project_root() / "data")).resolve()


def state_dir() -> Path:
    """Dagster's storage: `PLR_STATE`, or `.dagster/` in the project. `dagster.yaml` reads the variable."""
    return Path(os.environ.get("PLR_STATE", project_root() / ".dagster")).resolve()


def dagster_home() -> Path:
    return Path(os.environ.get("DAGSTER_HOME", project_root())).resolve()
