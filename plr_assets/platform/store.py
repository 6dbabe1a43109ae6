"""The tracking store of a study: MLflow's client, experiments, runs and files.

Belongs here: what is MLflow's own: where the store is, pages of runs, the limits of tags and parameters, files of a run
on this machine, and what is left of runs that a process did not end. Does not belong here: what a run means
(`contract`). Explicit client calls with run ids only; no fluent, process-wide state.
"""

from __future__ import annotations

import fcntl
import math
import os
import re
import shutil
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlparse

from plr_assets.paths import data_root
from plr_assets.platform.processes import lives
from plr_assets.platform.scratch import scratch_folder

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment, Run

# MLflow refuses longer parameters and cuts longer tags. Parameters are for reading, the fingerprint holds what counts;
# tags that are read back go into pieces.
VALUE_LIMIT = 6000
# The most that MLflow gives at once.
PAGE = 1000
_RUN_ID = re.compile(r"[0-9a-f]{32}")


def default_tracking_uri() -> str:
    """`MLFLOW_TRACKING_URI`, or one sqlite store for all studies below the data root."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{data_root() / 'mlflow' / 'mlflow.db'}"


def mlflow_ui() -> str:
    """Where the MLflow UI of a local store is served: `PLR_MLFLOW_UI`, or this machine's port 5000."""
    return os.environ.get("PLR_MLFLOW_UI") or "http://127.0.0.1:5000"


def runs_of(client: MlflowClient, experiments: Sequence[str], condition: str = "") -> Iterator[Run]:
    """All runs of these experiments (ids) that fit MLflow's `condition` and are not deleted."""
    if not experiments:
        return
    token: str | None = None
    while True:
        page = client.search_runs(list(experiments), condition, max_results=PAGE, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def local_path(uri: str) -> Path | None:
    """Where artifacts lie on this machine; none if they lie elsewhere."""
    parsed = urlparse(uri)
    return Path(unquote(parsed.path)) if parsed.scheme in ("", "file") else None


def in_pieces(name: str, text: str) -> dict[str, str]:
    """`text` as tags: `name`, `name.1`, ..."""
    pieces = [text[start : start + VALUE_LIMIT] for start in range(0, len(text), VALUE_LIMIT)] or [""]
    return {name if index == 0 else f"{name}.{index}": piece for index, piece in enumerate(pieces)}


def from_pieces(name: str, tags: Mapping[str, str]) -> str:
    """The inverse of `in_pieces`."""
    pieces = [tags[name]]
    while (further := tags.get(f"{name}.{len(pieces)}")) is not None:
        pieces.append(further)
    return "".join(pieces)


class Store:
    """One study's experiments in the tracking store."""

    def __init__(self, study: str, tracking_uri: str | None = None) -> None:
        self.study = study
        self.tracking_uri = tracking_uri or default_tracking_uri()
        self._experiments: dict[str, str] = {}
        self._downloads: Path | None = None

    @cached_property
    def client(self) -> MlflowClient:
        """MLflow's own client of the store."""
        from mlflow import MlflowClient

        parsed = urlparse(self.tracking_uri)
        if parsed.scheme != "sqlite":
            return MlflowClient(tracking_uri=self.tracking_uri)
        path = Path(parsed.path[1:])
        path.parent.mkdir(parents=True, exist_ok=True)
        # The first client creates the tables, migration by migration; a second one in their midst fails.
        with path.with_name(f".{path.name}.creating").open("a", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            return MlflowClient(tracking_uri=self.tracking_uri)

    def close(self) -> None:
        """Remove what was downloaded."""
        if self._downloads is not None:
            shutil.rmtree(self._downloads, ignore_errors=True)
            self._downloads = None

    # -- experiments --------------------------------------------------------------------------------------------------

    def experiment(self, experiment: str) -> str:
        """The full name of one of the study's experiments, which is there afterwards."""
        self.experiment_id(experiment)
        return f"{self.study}/{experiment}"

    def experiment_id(self, experiment: str) -> str:
        """The id of one of the study's experiments, which is there afterwards."""
        if experiment not in self._experiments:
            name = f"{self.study}/{experiment}"
            found = self.client.get_experiment_by_name(name)
            self._experiments[experiment] = found.experiment_id if found else self._create_experiment(name)
        return self._experiments[experiment]

    def _create_experiment(self, name: str) -> str:
        from mlflow.exceptions import MlflowException

        # With a database as store MLflow would put artifacts below the current directory.
        location = None
        if not self.tracking_uri.startswith("http"):
            location = (data_root() / "mlflow" / "artifacts" / name).as_uri()
        try:
            return str(self.client.create_experiment(name, artifact_location=location))
        except MlflowException:
            found = self.client.get_experiment_by_name(name)
            if found is None:
                raise
            return str(found.experiment_id)  # another process was faster

    def _own_experiments(self) -> list[Experiment]:
        return list(self.client.search_experiments(filter_string=f"name LIKE '{self.study}/%'"))

    # -- runs ---------------------------------------------------------------------------------------------------------

    def search(self, further: str = "") -> Iterator[Run]:
        """All runs of the study's partitions, whatever became of them, filtered by a `further` condition."""
        condition = f"tags.`plr.study` = '{self.study}'" + (f" AND {further}" if further else "")
        yield from runs_of(self.client, [found.experiment_id for found in self._own_experiments()], condition)

    def every_run(self) -> Iterator[Run]:
        """All runs of the store, of other studies and of no study too, that are not deleted."""
        yield from runs_of(self.client, [found.experiment_id for found in self.client.search_experiments()])

    def broken_off(self) -> list[str]:
        """Ids of runs that a dead process left RUNNING."""
        return [
            run.info.run_id
            for run in self.search("attributes.status = 'RUNNING'")
            if not lives(run.data.tags.get("plr.process", ""))
        ]

    def close_broken_off(self) -> list[str]:
        """Mark runs as KILLED that a dead process left RUNNING: no reader takes them for a result, but people see them.

        Returns their ids.
        """
        broken_off = self.broken_off()
        for run_id in broken_off:
            self.client.set_terminated(run_id, status="KILLED")
        return broken_off

    @contextmanager
    def ends_as_failed(self, run_id: str) -> Iterator[None]:
        """A run whose logging breaks off is closed as FAILED rather than left RUNNING for ever."""
        try:
            yield
        except BaseException:
            self.client.set_terminated(run_id, status="FAILED")
            raise

    def log_values(
        self,
        run_id: str,
        tags: Mapping[str, str],
        parameters: Mapping[str, Any] | None = None,
        metrics: Mapping[str, float] | None = None,
    ) -> None:
        """All values in one call: a second one costs a range 5 to 9 ms a key. NaN is left out."""
        from mlflow.entities import Metric, Param, RunTag

        now = int(time.time() * 1000)
        self.client.log_batch(
            run_id,
            metrics=[Metric(name, value, now, 0) for name, value in (metrics or {}).items() if not math.isnan(value)],
            params=[Param(name, str(value)[:VALUE_LIMIT]) for name, value in (parameters or {}).items()],
            tags=[RunTag(name, value) for name, value in tags.items()],
        )

    def run_url(self, run_id: str, experiment: str) -> str:
        """The run's page in the MLflow UI: the tracking server's, or where `make ui` serves a local store."""
        server = self.tracking_uri if self.tracking_uri.startswith("http") else mlflow_ui()
        return f"{server.rstrip('/')}/#/experiments/{self.experiment_id(experiment)}/runs/{run_id}"

    # -- files --------------------------------------------------------------------------------------------------------

    def local_file(self, run_id: str, artifact_uri: str, relative: str) -> Path:
        """Where a file or folder of a run can be read on this machine, downloaded if need be; it may not be there."""
        folder = local_path(artifact_uri)
        if folder is not None:
            return folder / relative
        if self._downloads is None:
            self._downloads = scratch_folder()
        target = self._downloads / run_id
        local = target / relative
        if not local.exists():
            target.mkdir(exist_ok=True)
            self.client.download_artifacts(run_id, relative, str(target))
        return local

    def folders_without_run(self, experiments: Collection[str] | None = None) -> list[Path]:
        """Folders on this machine, named as runs are, in which artifacts of a run lie that the store does not know.

        experiments   only below these of the study; none: below all of them.
        """
        wanted = None if experiments is None else {f"{self.study}/{name}" for name in experiments}
        found: list[Path] = []
        for experiment in self._own_experiments():
            folder = local_path(experiment.artifact_location)
            if folder is not None and folder.is_dir() and (wanted is None or experiment.name in wanted):
                # not `models`, which MLflow puts beside them
                found += [path for path in sorted(folder.iterdir()) if path.is_dir() and _RUN_ID.fullmatch(path.name)]
        # Runs are listed after folders: one that another process begins in between is then never taken for an orphan.
        known = {run.info.run_id for run in self.every_run()} if found else set()
        return [path for path in found if path.name not in known]
