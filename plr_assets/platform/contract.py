"""The MLflow contract: how a stage hands its results to the next.

Belongs here: publishing a partition as one MLflow run, finding published partitions, turning their artifacts into
verified references. Does not belong here: MLflow's own things (`store`), what to run (`planning`), or the form of files
(`artifacts`).

A partition is published when its run is FINISHED and carries a digest: both are written last, so a killed process
leaves nothing a reader can take for a result. Explicit client calls with run ids only; no fluent, process-wide state.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plr_assets.errors import ContractError
from plr_assets.platform.artifacts import (
    ArtifactInfo,
    ArtifactRef,
    decode_infos,
    encode_infos,
    file_name,
    product_digest,
)
from plr_assets.platform.digests import canonical_json
from plr_assets.platform.processes import this_process
from plr_assets.platform.store import VALUE_LIMIT, Store, from_pieces, in_pieces

if TYPE_CHECKING:
    from mlflow.entities import Run

CONTRACT_VERSION = "1"
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


class Contract(Store):
    """One study's side of the tracking store, read and written as partitions."""

    def __init__(self, study: str, tracking_uri: str | None = None) -> None:
        super().__init__(study, tracking_uri)
        self._published: dict[tuple[str, str], list[PublishedRun]] | None = None
        self._failed: dict[tuple[str, str], FailedRun] = {}

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
        with self.ends_as_failed(run_id):
            self.client.log_artifacts(run_id, str(staged))
            results = {
                **in_pieces("plr.artifacts", encode_infos(artifacts)),
                "plr.seconds": f"{seconds:.3f}",
                "plr.digest": digest,
            }
            self.log_values(run_id, results, draft.parameters, metrics)
            self.client.set_terminated(run_id, status="FINISHED")
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
        error = error[:VALUE_LIMIT]
        run_id = self._start(draft).info.run_id
        with self.ends_as_failed(run_id):
            self.log_values(run_id, {"plr.error": error}, draft.parameters)
            if traceback:
                self.client.log_text(run_id, traceback, "traceback.txt")
            self.client.set_terminated(run_id, status="FAILED")
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
            **in_pieces("plr.upstream", canonical_json(dict(draft.upstream))),
            **draft.tags,
        }
        return self.client.create_run(
            self.experiment_id(draft.experiment),
            run_name=draft.key,
            tags=tags,
            start_time=int((time.time() - seconds) * 1000),
        )

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
        return self.upstream_of(self.client.get_run(run_id))

    @staticmethod
    def upstream_of(run: Run) -> dict[str, str]:
        """The same of a run that was read already; empty where it says nothing of it."""
        tags = run.data.tags
        found: dict[str, str] = json.loads(from_pieces("plr.upstream", tags)) if "plr.upstream" in tags else {}
        return found

    @staticmethod
    def artifacts_of(run: Run) -> dict[str, ArtifactInfo]:
        """What a run declares of its artifacts; empty where it declares none."""
        return decode_infos(from_pieces("plr.artifacts", run.data.tags)) if "plr.artifacts" in run.data.tags else {}

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

    def file(self, run: PublishedRun, relative: str) -> Path:
        """Where a file or folder of a run can be read on this machine; it may not be there."""
        return self.local_file(run.run_id, run.artifact_uri, relative)

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
        found = [run for run in self.search() if run.info.end_time is not None and "plr.key" in run.data.tags]
        yield from sorted(found, key=lambda run: (run.info.end_time, run.info.start_time, run.info.run_id))


def _published(run: Run, asset: str, key: str) -> PublishedRun:
    tags = run.data.tags
    return PublishedRun(
        run_id=run.info.run_id,
        asset=asset,
        key=key,
        fingerprint=tags["plr.fingerprint"],
        digest=tags["plr.digest"],
        artifacts=decode_infos(from_pieces("plr.artifacts", tags)),
        artifact_uri=run.info.artifact_uri,
        end_time=run.info.end_time,
        seconds=float(tags.get("plr.seconds", "nan")),
        adopted_from=tags.get("plr.adopted_from"),
        released="plr.released" in tags,
    )
