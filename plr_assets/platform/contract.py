"""The MLflow contract: how a stage hands its results to the next.

Belongs here: publishing a partition as one MLflow run, finding published partitions, turning their artifacts into
verified references. Does not belong here: what to run (`planning`), or the form of files (`artifacts`).

A partition is published when its run is FINISHED and carries a digest: both are written last, so a killed process
leaves nothing a reader can take for a result. Explicit client calls with run ids only; no fluent, process-wide state.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlparse

from plr_assets.errors import ContractError
from plr_assets.paths import data_root
from plr_assets.platform.artifacts import (
    ArtifactInfo,
    ArtifactRef,
    decode_infos,
    encode_infos,
    file_name,
    product_digest,
)
from plr_assets.platform.digests import canonical_json
from plr_assets.platform.processes import lives, this_process
from plr_assets.platform.scratch import scratch_folder

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

CONTRACT_VERSION = "1"
# MLflow refuses longer parameters and cuts longer tags. Parameters are for reading, the fingerprint holds what counts;
# tags that are read back go into pieces.
_VALUE_LIMIT = 6000
_PAGE = 1000
_REQUIRED_TAGS = {"plr.asset", "plr.key", "plr.fingerprint"}


@dataclass(frozen=True, slots=True)
class PublishedRun:
    """A FINISHED run that fits the contract.

    adopted_from   the run of somebody else that it was adopted from; none: the platform computed it.
    released       whether an adopted run was given back: it pins its partition no longer.
    """

    run_id: str
    asset: str
    key: str
    fingerprint: str
    digest: str
    artifacts: Mapping[str, ArtifactInfo]
    artifact_uri: str
    end_time: int
    seconds: float
    adopted_from: str | None = None
    released: bool = False


@dataclass(frozen=True, slots=True)
class FailedRun:
    """The latest attempt at a partition, if it failed: shown by `plr status`, never read."""

    run_id: str
    fingerprint: str
    error: str
    end_time: int


@dataclass(frozen=True)
class Draft:
    """Everything that is said about a partition when it is published."""

    asset: str
    key: str
    experiment: str
    fingerprint: str
    parameters: Mapping[str, Any]
    tags: Mapping[str, str]
    upstream: Mapping[str, str] = field(default_factory=dict)


def default_tracking_uri() -> str:
    """`MLFLOW_TRACKING_URI`, or one sqlite store for all studies below the data root."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{data_root() / 'mlflow' / 'mlflow.db'}"


def mlflow_ui() -> str:
    """Where the MLflow UI of a local store is served: `PLR_MLFLOW_UI`, or this machine's port 5000."""
    return os.environ.get("PLR_MLFLOW_UI") or "http://127.0.0.1:5000"


class Contract:
    """One study's side of the tracking store."""

    def __init__(self, study: str, tracking_uri: str | None = None) -> None:
        self.study = study
        self.tracking_uri = tracking_uri or default_tracking_uri()
        self._experiments: dict[str, str] = {}
        self._published: dict[tuple[str, str], list[PublishedRun]] | None = None
        self._failed: dict[tuple[str, str], FailedRun] = {}
        self._downloads: Path | None = None

    # -- publishing ---------------------------------------------------------------------------------------------------

    def publish(
        self,
        draft: Draft,
        artifacts: Mapping[str, ArtifactInfo],
        staged: Path,
        *,
        metrics: Mapping[str, float],
        seconds: float,
    ) -> PublishedRun:
        """Log `staged` (written by `write_product`) as a FINISHED run, and return it."""
        digest = product_digest(artifacts)
        published_before = self._index  # read before there is a new run, which would be found as well
        run = self._start(draft, seconds)
        run_id = run.info.run_id
        with self._ends_as_failed(run_id):
            self._client.log_artifacts(run_id, str(staged))
            results = {
                **_in_pieces("plr.artifacts", encode_infos(artifacts)),
                "plr.seconds": f"{seconds:.3f}",
                "plr.digest": digest,
            }
            self._log(run_id, results, draft.parameters, metrics)
            self._client.set_terminated(run_id, status="FINISHED")
        published = PublishedRun(
            run_id=run_id,
            asset=draft.asset,
            key=draft.key,
            fingerprint=draft.fingerprint,
            digest=digest,
            artifacts=artifacts,
            artifact_uri=run.info.artifact_uri,
            end_time=int(time.time() * 1000),
            seconds=seconds,
            adopted_from=draft.tags.get("plr.adopted_from"),
        )
        published_before.setdefault((draft.asset, draft.key), []).append(published)
        self._failed.pop((draft.asset, draft.key), None)
        return published

    def publish_failure(self, draft: Draft, error: str, traceback: str) -> FailedRun:
        """Log a failed attempt: a FAILED run with its reason, for people to find; nothing reads it as a result."""
        error = error[:_VALUE_LIMIT]
        run_id = self._start(draft).info.run_id
        with self._ends_as_failed(run_id):
            self._log(run_id, {"plr.error": error}, draft.parameters)
            if traceback:
                self._client.log_text(run_id, traceback, "traceback.txt")
            self._client.set_terminated(run_id, status="FAILED")
        failed = FailedRun(run_id, draft.fingerprint, error, int(time.time() * 1000))
        self._failed[draft.asset, draft.key] = failed
        return failed

    def _start(self, draft: Draft, seconds: float = 0.0) -> Run:
        """A run that began `seconds` ago: its duration is that of the computation."""
        tags = {
            "plr.study": self.study,
            "plr.asset": draft.asset,
            "plr.key": draft.key,
            "plr.fingerprint": draft.fingerprint,
            "plr.contract_version": CONTRACT_VERSION,
            "plr.process": this_process(),
            **_in_pieces("plr.upstream", canonical_json(dict(draft.upstream))),
            **draft.tags,
        }
        return self._client.create_run(
            self._experiment_id(draft.experiment),
            run_name=draft.key,
            tags=tags,
            start_time=int((time.time() - seconds) * 1000),
        )

    def _log(
        self,
        run_id: str,
        tags: Mapping[str, str],
        parameters: Mapping[str, Any] | None = None,
        metrics: Mapping[str, float] | None = None,
    ) -> None:
        """All values in one call: a second one costs a range 5 to 9 ms a key. NaN is left out."""
        from mlflow.entities import Metric, Param, RunTag

        now = int(time.time() * 1000)
        self._client.log_batch(
            run_id,
            metrics=[Metric(name, value, now, 0) for name, value in (metrics or {}).items() if not math.isnan(value)],
            params=[Param(name, str(value)[:_VALUE_LIMIT]) for name, value in (parameters or {}).items()],
            tags=[RunTag(name, value) for name, value in tags.items()],
        )

    @contextmanager
    def _ends_as_failed(self, run_id: str) -> Iterator[None]:
        """A run whose logging breaks off is closed as FAILED rather than left RUNNING for ever."""
        try:
            yield
        except BaseException:
            self._client.set_terminated(run_id, status="FAILED")
            raise

    def close_broken_off(self) -> list[str]:
        """Mark runs as KILLED that a dead process left RUNNING: no reader takes them for a result, but people see them.

        Returns their ids.
        """
        broken_off = self.broken_off()
        for run_id in broken_off:
            self._client.set_terminated(run_id, status="KILLED")
        return broken_off

    def broken_off(self) -> list[str]:
        """Ids of runs that a dead process left RUNNING."""
        return [
            run.info.run_id
            for run in self._search("attributes.status = 'RUNNING'")
            if not lives(run.data.tags.get("plr.process", ""))
        ]

    # -- finding ------------------------------------------------------------------------------------------------------

    def runs(self, asset: str, key: str) -> Sequence[PublishedRun]:
        """All published runs of a partition, oldest first."""
        return self._index.get((asset, key), [])

    def partitions(self, asset: str) -> dict[str, Sequence[PublishedRun]]:
        """All published runs of an asset by partition, oldest first; of partitions the study has no more, too."""
        return {key: runs for (name, key), runs in self._index.items() if name == asset}

    def published(self, run_id: str) -> PublishedRun | None:
        """The published run of this id; none if it is no result of the study."""
        return next((run for runs in self._index.values() for run in runs if run.run_id == run_id), None)

    def places(self) -> list[tuple[str, str]]:
        """Asset and key of every partition that was ever published."""
        return sorted(self._index)

    def folders_without_run(self) -> list[Path]:
        """Folders of a local store in which artifacts of a run lie that the store does not know."""
        found = []
        for experiment in self._client.search_experiments(filter_string=f"name LIKE '{self.study}/%'"):
            parsed = urlparse(experiment.artifact_location)
            folder = Path(unquote(parsed.path))
            if parsed.scheme not in ("", "file") or not folder.is_dir():
                continue
            known = {run.info.run_id for run in self._runs_of([experiment.experiment_id], "")}
            found += [path for path in sorted(folder.iterdir()) if path.is_dir() and path.name not in known]
        return found

    def latest(self, asset: str, key: str) -> PublishedRun | None:
        runs = self.runs(asset, key)
        return runs[-1] if runs else None

    def pinned(self, asset: str, key: str) -> PublishedRun | None:
        """The adopted run that stands for a partition whatever its fingerprint: the newest, unless it was released."""
        newest = next((run for run in reversed(self.runs(asset, key)) if run.adopted_from is not None), None)
        return newest if newest is not None and not newest.released else None

    def with_fingerprint(self, asset: str, key: str, fingerprint: str) -> PublishedRun | None:
        """The newest published run of this work; newest, should two processes have published the same."""
        return next((run for run in reversed(self.runs(asset, key)) if run.fingerprint == fingerprint), None)

    def upstream(self, run_id: str) -> dict[str, str]:
        """Upstream partition -> the run that this one read: the way back to the recordings."""
        return self.upstream_of(self._client.get_run(run_id))

    @staticmethod
    def upstream_of(run: Run) -> dict[str, str]:
        """The same of a run that was read already; empty where it says nothing of it."""
        tags = run.data.tags
        found: dict[str, str] = json.loads(_from_pieces("plr.upstream", tags)) if "plr.upstream" in tags else {}
        return found

    @staticmethod
    def artifacts_of(run: Run) -> dict[str, ArtifactInfo]:
        """What a run declares of its artifacts; empty where it declares none."""
        return decode_infos(_from_pieces("plr.artifacts", run.data.tags)) if "plr.artifacts" in run.data.tags else {}

    def failure(self, asset: str, key: str) -> FailedRun | None:
        """The last attempt, if it failed and nothing was published since."""
        return self._failed.get((asset, key)) if self._index is not None else None

    def failures(self) -> dict[tuple[str, str], str]:
        """(asset, key) -> error of every partition whose latest attempt failed."""
        failed = self._failed if self._index is not None else {}
        return {place: attempt.error for place, attempt in failed.items()}

    def refresh(self) -> None:
        """Forget what was read: another process may have published."""
        self._published = None

    def ref(self, run: PublishedRun, name: str) -> ArtifactRef:
        """A reference that can be read on this machine. Raises ContractError if the run has no such artifact."""
        info = run.artifacts.get(name)
        if info is None:
            raise ContractError(
                f"run {run.run_id} ({run.asset} {run.key})",
                f"there is no artifact {name!r}; it has {sorted(run.artifacts)}.",
                "Publish a run that fits the contract.",
            )
        return ArtifactRef(run.run_id, name, info, self.file(run, file_name(name, info.kind)), run.seconds)

    def experiment(self, experiment: str) -> str:
        """The full name of one of the study's experiments, which is there afterwards."""
        self._experiment_id(experiment)
        return f"{self.study}/{experiment}"

    def run_url(self, run_id: str, experiment: str) -> str:
        """The run's page in the MLflow UI: the tracking server's, or where `make ui` serves a local store."""
        server = self.tracking_uri if self.tracking_uri.startswith("http") else mlflow_ui()
        return f"{server.rstrip('/')}/#/experiments/{self._experiment_id(experiment)}/runs/{run_id}"

    def close(self) -> None:
        """Remove what was downloaded."""
        if self._downloads is not None:
            shutil.rmtree(self._downloads, ignore_errors=True)
            self._downloads = None

    @property
    def _index(self) -> dict[tuple[str, str], list[PublishedRun]]:
        if self._published is None:
            self._published, self._failed = self._read_index()
        return self._published

    def _read_index(self) -> tuple[dict[tuple[str, str], list[PublishedRun]], dict[tuple[str, str], FailedRun]]:
        published: dict[tuple[str, str], list[PublishedRun]] = defaultdict(list)
        failed: dict[tuple[str, str], FailedRun] = {}
        for run in self._all_runs():
            tags = run.data.tags
            if not tags.keys() >= _REQUIRED_TAGS:
                continue  # somebody else's run in our experiment: no result
            place = (tags["plr.asset"], tags["plr.key"])
            if run.info.status == "FAILED" and "plr.error" in tags:
                failed[place] = FailedRun(
                    run.info.run_id, tags["plr.fingerprint"], tags["plr.error"], run.info.end_time
                )
            elif (
                run.info.status == "FINISHED"
                and {"plr.digest", "plr.artifacts"} <= tags.keys()
                and tags.get("plr.contract_version") == CONTRACT_VERSION
            ):
                published[place].append(_published(run, *place))
                failed.pop(place, None)
        return dict(published), failed

    def _all_runs(self) -> Iterator[Run]:
        """Every ended run of the study that names a partition, in the order in which they ended."""
        found = [run for run in self._search() if run.info.end_time is not None and "plr.key" in run.data.tags]
        yield from sorted(found, key=lambda run: (run.info.end_time, run.info.start_time, run.info.run_id))

    def search(self) -> Iterator[Run]:
        """Every run of the study's partitions, whatever became of it."""
        return self._search()

    def _search(self, further: str = "") -> Iterator[Run]:
        """All runs of the study's partitions, filtered by a `further` condition."""
        condition = f"tags.`plr.study` = '{self.study}'" + (f" AND {further}" if further else "")
        prefix = f"{self.study}/"
        experiments = [
            experiment.experiment_id
            for experiment in self._client.search_experiments(filter_string=f"name LIKE '{prefix}%'")
        ]
        if not experiments:
            return
        yield from self._runs_of(experiments, condition)

    def _runs_of(self, experiments: Sequence[str], condition: str) -> Iterator[Run]:
        token: str | None = None
        while True:
            page = self._client.search_runs(list(experiments), condition, max_results=_PAGE, page_token=token)
            yield from page
            token = page.token
            if not token:
                return

    def file(self, run: PublishedRun, relative: str) -> Path:
        """Where a file or folder of a run can be read on this machine; it may not be there."""
        parsed = urlparse(run.artifact_uri)
        if parsed.scheme in ("", "file"):
            return Path(unquote(parsed.path)) / relative
        if self._downloads is None:
            self._downloads = scratch_folder()
        target = self._downloads / run.run_id
        local = target / relative
        if not local.exists():
            target.mkdir(exist_ok=True)
            self._client.download_artifacts(run.run_id, relative, str(target))
        return local

    # -- the store ----------------------------------------------------------------------------------------------------

    @property
    def client(self) -> MlflowClient:
        """MLflow's own client of the store, for those who look at runs that are no results."""
        return self._client

    @cached_property
    def _client(self) -> MlflowClient:
        from mlflow import MlflowClient

        parsed = urlparse(self.tracking_uri)
        if parsed.scheme == "sqlite":
            Path(parsed.path[1:]).parent.mkdir(parents=True, exist_ok=True)
        return MlflowClient(tracking_uri=self.tracking_uri)

    def _experiment_id(self, experiment: str) -> str:
        if experiment not in self._experiments:
            name = f"{self.study}/{experiment}"
            found = self._client.get_experiment_by_name(name)
            self._experiments[experiment] = found.experiment_id if found else self._create_experiment(name)
        return self._experiments[experiment]

    def _create_experiment(self, name: str) -> str:
        from mlflow.exceptions import MlflowException

        # With a database as store MLflow would put artifacts below the current directory.
        location = None
        if not self.tracking_uri.startswith("http"):
            location = (data_root() / "mlflow" / "artifacts" / name).as_uri()
        try:
            return str(self._client.create_experiment(name, artifact_location=location))
        except MlflowException:
            found = self._client.get_experiment_by_name(name)
            if found is None:
                raise
            return str(found.experiment_id)  # another process was faster


def _published(run: Run, asset: str, key: str) -> PublishedRun:
    tags = run.data.tags
    return PublishedRun(
        run_id=run.info.run_id,
        asset=asset,
        key=key,
        fingerprint=tags["plr.fingerprint"],
        digest=tags["plr.digest"],
        artifacts=decode_infos(_from_pieces("plr.artifacts", tags)),
        artifact_uri=run.info.artifact_uri,
        end_time=run.info.end_time,
        seconds=float(tags.get("plr.seconds", "nan")),
        adopted_from=tags.get("plr.adopted_from"),
        released="plr.released" in tags,
    )


def _in_pieces(name: str, text: str) -> dict[str, str]:
    """`text` as tags: `name`, `name.1`, ..."""
    pieces = [text[start : start + _VALUE_LIMIT] for start in range(0, len(text), _VALUE_LIMIT)] or [""]
    return {name if index == 0 else f"{name}.{index}": piece for index, piece in enumerate(pieces)}


def _from_pieces(name: str, tags: Mapping[str, str]) -> str:
    """The inverse of `_in_pieces`."""
    pieces = [tags[name]]
    while (further := tags.get(f"{name}.{len(pieces)}")) is not None:
        pieces.append(further)
    return "".join(pieces)
