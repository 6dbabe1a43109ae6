"""Planning: which partitions are done, which must be computed, and which cannot be.

Belongs here: expected fingerprints and the decision they lead to. Does not belong here: computing (`execution`).
A plan is made before anything starts, so an unchanged study starts no run at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import BaseModel

from plr_assets.grid import Grid, PipelineKey
from plr_assets.platform.artifacts import ArtifactRef
from plr_assets.platform.contract import CONTRACT_VERSION, Contract, Draft, PublishedRun
from plr_assets.platform.exports import is_exported
from plr_assets.platform.fingerprints import code_parts, device_class, environment_digest, fingerprint, git_sha
from plr_assets.platform.stages import Inputs, StageAsset, Task
from plr_assets.study import Study


@dataclass(frozen=True)
class KeyPlan:
    """What is known about one key before it runs.

    published  the run that already holds this work, if there is one.
    stale      the newest run of the key where none holds this work: older input, code or parameters.
    blocked    upstream partitions that are not there, in words.
    outdated   upstream partitions that are there, but not as they would be computed now.
    exported   whether the copies for people stand beside the published work.
    """

    asset: StageAsset
    key: PipelineKey
    fingerprint: str
    inputs: Inputs
    upstream: Mapping[str, str]
    published: PublishedRun | None
    stale: PublishedRun | None
    blocked: tuple[str, ...]
    outdated: tuple[str, ...]
    exported: bool

    @property
    def done(self) -> bool:
        """Published, and so is everything it descends from."""
        return self.published is not None and not self.outdated

    @property
    def text(self) -> str:
        return self.asset.key_text(self.key)

    @property
    def newest(self) -> PublishedRun | None:
        """What a downstream partition reads: this work if it is published, else the newest there is."""
        return self.published or self.stale


@dataclass
class Planner:
    """Plans for one study. Keys are resolved upstream first and remembered; `forget` after publishing.

    look_at_copies   whether copies for people are compared with what is published; they are many files to read.
    """

    study: Study
    grid: Grid
    contract: Contract
    look_at_copies: bool = True
    _plans: dict[tuple[str, PipelineKey], KeyPlan] = field(default_factory=dict)
    _sources: dict[str, str] = field(default_factory=dict)
    _intact: dict[str, bool] = field(default_factory=dict)

    def plan(self, asset: StageAsset, keys: Sequence[PipelineKey] | None = None) -> list[KeyPlan]:
        return [self.key_plan(asset, key) for key in (asset.keys_in(self.grid) if keys is None else keys)]

    def key_plan(self, asset: StageAsset, key: PipelineKey) -> KeyPlan:
        place = (asset.name, key)
        if place not in self._plans:
            self._plans[place] = self._make(asset, key)
        return self._plans[place]

    def forget(self) -> None:
        """Upstream results changed: plan again from what is published now."""
        self._plans.clear()
        self._sources.clear()

    def changed(self, study: Study, grid: Grid, contract: Contract) -> Planner:
        """A planner for the study as it reads now. Which published files are intact is not looked up again."""
        return replace(self, study=study, grid=grid, contract=contract, _plans={}, _sources={})

    def task(self, plan: KeyPlan) -> Task:
        return Task(
            asset=plan.asset,
            study=self.study,
            grid=self.grid,
            key=plan.key,
            inputs=plan.inputs,
            parameters=self._parameters(plan.asset, plan.key),
        )

    def draft(self, plan: KeyPlan, tags: Mapping[str, str]) -> Draft:
        """What the contract says about this partition besides its artifacts."""
        asset, key = plan.asset, plan.key
        return Draft(
            asset=asset.name,
            key=plan.text,
            experiment=asset.stage.experiment,
            fingerprint=plan.fingerprint,
            parameters={
                **{axis: key.named(axis) for axis in key.axes},
                **{f"{asset.method(key)}.{name}": value for name, value in self._parameters(asset, key).items()},
                **{name: getattr(self.study, name) for name in asset.settings if name in ("bootstrap", "labels")},
                **({"seed": self.study.seed} if asset.seeded else {}),
            },
            tags={
                "plr.stage": asset.stage.name,
                "plr.synthetic": str(self.study.synthetic).lower(),
                "plr.oracle": str(self.grid.is_oracle(key)).lower(),
                "plr.code_version": self._code(asset, key)[0],
                "plr.data_version": self.data_version,
                "plr.git_sha": git_sha(),
                "plr.environment": environment_digest(),
                **tags,
            },
            upstream=plan.upstream,
        )

    @property
    def data_version(self) -> str:
        """The digest of the recordings a partition descends from; `none` before there are any."""
        run = self.contract.latest("recordings", "recordings")
        return run.artifacts["recordings"].digest if run is not None else "none"

    def _make(self, asset: StageAsset, key: PipelineKey) -> KeyPlan:
        inputs: dict[tuple[str, str], dict[PipelineKey, ArtifactRef]] = {}
        upstream: dict[str, str] = {}
        blocked: list[str] = []
        outdated: list[str] = []
        missing: list[str] = []
        for read in asset.reads_in(self.study):
            refs = inputs.setdefault((read.asset.name, read.artifact), {})
            for wanted in read.keys(self.grid, key):
                above = self.key_plan(read.asset, wanted)
                place = read.asset.place(wanted)
                run = above.newest if read.required or above.done else None
                if run is not None:
                    refs[wanted] = self.contract.ref(run, read.artifact)
                    upstream[place] = run.run_id
                    if not above.done:
                        outdated.append(place)
                elif read.required:
                    blocked.append(place)
                else:
                    missing.append(place)
        expected = "" if blocked else self._fingerprint(asset, key, inputs, missing)
        published = self._good(self.contract.with_fingerprint(asset.name, asset.key_text(key), expected), asset)
        newest = self._good(self.contract.latest(asset.name, asset.key_text(key)), asset)
        return KeyPlan(
            asset=asset,
            key=key,
            fingerprint=expected,
            inputs=inputs,
            upstream=upstream,
            published=published,
            stale=None if published else newest,
            blocked=tuple(dict.fromkeys(blocked)),
            outdated=tuple(dict.fromkeys(outdated)),
            exported=published is not None and self._is_exported(published, asset),
        )

    def _fingerprint(
        self,
        asset: StageAsset,
        key: PipelineKey,
        inputs: Inputs,
        missing: Sequence[str],
    ) -> str:
        code, libraries = self._code(asset, key)
        settings = {name: getattr(self.study, name) for name in asset.settings}
        return fingerprint(
            {
                "contract": CONTRACT_VERSION,
                "asset": asset.name,
                "key": asset.key_text(key),
                "code": code,
                "libraries": libraries,
                "parameters": self._parameters(asset, key),
                "settings": {name: _plain(value) for name, value in settings.items()},
                "configuration": asset.configuration(self.grid) if asset.configuration else None,
                "origin": self.study.origin,
                "oracle": self.grid.is_oracle(key),
                "seed": self.study.seed if asset.seeded else None,
                "device": device_class(libraries),
                "source": self._source(asset, inputs),
                "inputs": [
                    [name, artifact, str(wanted), ref.info.digest]
                    for (name, artifact), refs in inputs.items()
                    for wanted, ref in refs.items()
                ],
                "missing": list(dict.fromkeys(missing)),
            }
        )

    def _parameters(self, asset: StageAsset, key: PipelineKey) -> dict[str, Any]:
        method = asset.method(key)
        if asset.method_axis is None or method is None:
            return {}
        return self.study.parameters(asset.method_axis, method, self.grid.registry)

    def _code(self, asset: StageAsset, key: PipelineKey) -> tuple[str, dict[str, str]]:
        modules = [asset.compute.__module__]
        if asset.method_axis is not None:
            methods = self.grid.registry.methods[asset.method_axis]
            members = self.grid.members(asset.method_axis, key.named(asset.method_axis))
            modules.extend(module for name in members if (module := methods[name].module) is not None)
        return code_parts(tuple(modules))

    def _source(self, asset: StageAsset, inputs: Inputs) -> str | None:
        if asset.source is None:
            return None
        if asset.name not in self._sources:
            self._sources[asset.name] = asset.source(self.study, inputs)
        return self._sources[asset.name]

    def _good(self, run: PublishedRun | None, asset: StageAsset) -> PublishedRun | None:
        """`run`, if its artifacts and what it left outside the contract are still as they were."""
        return run if run and self._is_intact(run) and asset.present(self.study, run.digest) else None

    def _is_exported(self, run: PublishedRun, asset: StageAsset) -> bool:
        return not self.look_at_copies or all(
            is_exported(self.contract.ref(run, artifact), self.study.data_dir / place)
            for artifact, place in asset.exports.items()
        )

    def _is_intact(self, run: PublishedRun) -> bool:
        """Whether every artifact still has its declared bytes. Checked once a run: published files do not change."""
        if run.run_id not in self._intact:
            self._intact[run.run_id] = all(self.contract.ref(run, name).is_intact() for name in run.artifacts)
        return self._intact[run.run_id]


def _plain(value: Any) -> Any:
    """A study field as JSON."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value
