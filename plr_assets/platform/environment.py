"""The process environment that Dagster and MLflow want, set once by whoever starts a process.

Belongs here: variables and the Dagster instance they lead to. Does not belong here: where things lie (`paths`).
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from plr_assets.paths import dagster_home, state_dir

if TYPE_CHECKING:
    import dagster as dg


def prepare() -> None:
    """Set what is not set: homes, and no telemetry. Creates the folder of Dagster's state."""
    state_dir().mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("DAGSTER_HOME", str(dagster_home()))
    os.environ.setdefault("PLR_STATE", str(state_dir()))
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("DO_NOT_TRACK", "true")
    # a new store says each of its schema migrations
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
    logging.getLogger("alembic").setLevel(logging.WARNING)


def open_instance() -> dg.DagsterInstance:
    """The Dagster instance of DAGSTER_HOME, which the UI shows too."""
    import dagster as dg

    prepare()
    return dg.DagsterInstance.from_config(str(dagster_home()))
