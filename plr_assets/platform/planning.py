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
from plr_assets.platform.adopting import Adoption, adoption_of
from plr_assets.platform.artifacts import ArtifactRef
from plr_assets.platform.contract import CONTRACT_VERSION, Contract, Draft, PublishedRun
from plr_assets.platform.digests import digest_json
from plr_assets.platform.exports import is_exported
from plr_assets.platform.fingerprints import code_parts, device_class, environment_digest, fingerprint, git_sha
from plr_assets.platform.sources import root_of
from plr_assets.platform.stages import Inputs, Reads, StageAsset, Task
from plr_assets.study import Study

# The parts of a fingerprint that come from the study's file and `configs/`.
_CONFIGURED = ("parameters", "settings", "configuration", "origin", "seed")


@dataclass(frozen=True)
class Adopted:
    """Whose run stands for a key, and the tables that it brought."""

    run_id: str
    tables: Mapping[str, ArtifactRef]


@dataclass(frozen=True)
class Found:
    """What a key reads, as far as it is there; the rest by name."""

    inputs: Inputs
    upstream: Mapping[str, str] = field(default_factory=dict)
    blocked: tuple[str, ...] = ()
    outdated: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class KeyPlan:
    """What is known about one key before it runs.

    published  the run that already holds this work, if there is one.
    stale      the newest run of the key where none holds this work: older input, code or parameters.
    blocked    upstream partitions that are not there, in words.
    outdated   upstream partitions that are there, but not as they would be computed now.
    exported   whether the copies for people stand beside the published work.
    adopted    somebody else's run that stands for the key until it is released: the tables that pin it, and its id.
    """

    asset: StageAsset
    key: PipelineKey
    parts: Mapping[str, Any]
    fingerprint: str
    inputs: Inputs
    upstream: Mapping[str, str]
    published: PublishedRun | None
    stale: PublishedRun | None
    blocked: tuple[str, ...]
    outdated: tuple[str, ...]
    exported: bool
    adopted: Adopted | None = None

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
        task = Task(
            asset=plan.asset,
            study=self.study,
            grid=self.grid,
            key=plan.key,
            inputs=plan.inputs,
            parameters={} if plan.adopted else self.parameters(plan.asset, plan.key),
            adopted=plan.adopted.tables if plan.adopted else None,
        )
        return replace(task, failures=self.contract.failures()) if task.missing else task

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
                **({} if plan.adopted else self._settings(plan)),
            },
            tags={
                "plr.stage": asset.stage.name,
                "plr.synthetic": str(self.study.synthetic).lower(),
                "plr.oracle": str(self.grid.is_oracle(key)).lower(),
                "plr.code_version": code_parts(self.code_roots(asset, key, plan.adopted))[0],
                "plr.config_version": digest_json({name: plan.parts.get(name) for name in _CONFIGURED}),
                "plr.data_version": self.data_version,
                "plr.git_sha": git_sha(),
                "plr.environment": environment_digest(),
                **({"plr.adopted_from": plan.adopted.run_id} if plan.adopted else {}),
                **tags,
            },
            upstream=plan.upstream,
        )

    def _settings(self, plan: KeyPlan) -> dict[str, Any]:
        """What shaped a computed result, for people to read."""
        asset, key = plan.asset, plan.key
        return {
            **{f"{asset.method(key)}.{name}": value for name, value in self.parameters(asset, key).items()},
            **{name: getattr(self.study, name) for name in asset.settings if name in ("bootstrap", "labels")},
            **({"seed": self.study.seed} if asset.seeded else {}),
        }

    @property
    def data_version(self) -> str:
        """The digest of the recordings a partition descends from; `none` before there are any."""
        run = self.contract.latest("recordings", "recordings")
        return run.artifacts["recordings"].digest if run is not None else "none"

    def _make(self, asset: StageAsset, key: PipelineKey) -> KeyPlan:
        adoption, pin = adoption_of(asset.name), self.contract.pinned(asset.name, asset.key_text(key))
        if adoption is not None and pin is not None and pin.adopted_from is not None:
            tables = {name: self.contract.ref(pin, name) for name in adoption.tables}
            return self.adoption(asset, key, Adopted(pin.adopted_from, tables))
        found = self._find(self.reads(asset), key)
        return self._plan(asset, key, found, None if found.blocked else self.parts(asset, key, found))

    def adoption(self, asset: StageAsset, key: PipelineKey, adopted: Adopted) -> KeyPlan:
        """The plan of a key for which somebody else's run stands: current while what it was checked against is.

        Raises KeyError if the asset takes no foreign runs.
        """
        found = self._find(self.reads(asset, adopted), key)
        return self._plan(asset, key, found, None if found.blocked else self.parts(asset, key, found, adopted), adopted)

    def reads(self, asset: StageAsset, adopted: Adopted | None = None) -> tuple[Reads, ...]:
        """What a key reads: to be computed, or for a foreign run to be checked. Raises KeyError if it takes none."""
        return asset.reads_in(self.study) if adopted is None else _adoption(asset).reads

    def _find(self, wanted_reads: Sequence[Reads], key: PipelineKey) -> Found:
        inputs: dict[tuple[str, str], dict[PipelineKey, ArtifactRef]] = {}
        upstream: dict[str, str] = {}
        blocked: list[str] = []
        outdated: list[str] = []
        missing: list[str] = []
        for read in wanted_reads:
            refs = inputs.setdefault((read.asset.name, read.artifact), {})
            for wanted in read.keys(self.grid, key):
                above = self.key_plan(read.asset, wanted)
                place = read.asset.place(wanted)
                run = above.newest if read.required or above.done else None
                # What an older version published may lack an artifact; it is out of date, and will be there again.
                usable = run is not None and (read.artifact in run.artifacts or (read.required and above.done))
                if run is not None and usable:
                    refs[wanted] = self.contract.ref(run, read.artifact)
                    upstream[place] = run.run_id
                    if not above.done:
                        outdated.append(place)
                elif read.required:
                    blocked.append(place)
                else:
                    missing.append(place)
        return Found(inputs, upstream, tuple(dict.fromkeys(blocked)), tuple(dict.fromkeys(outdated)), tuple(missing))

    def _plan(
        self,
        asset: StageAsset,
        key: PipelineKey,
        found: Found,
        parts: Mapping[str, Any] | None,
        adopted: Adopted | None = None,
    ) -> KeyPlan:
        """`parts`: what the fingerprint is of; none where inputs are missing."""
        expected, text = "" if parts is None else fingerprint(parts), asset.key_text(key)
        published = self._good(self.contract.with_fingerprint(asset.name, text, expected), asset)
        newest = self._good(self.contract.latest(asset.name, text), asset)
        return KeyPlan(
            asset=asset,
            key=key,
            parts=parts or {},
            fingerprint=expected,
            inputs=found.inputs,
            upstream=found.upstream,
            published=published,
            stale=None if published else newest,
            blocked=found.blocked,
            outdated=found.outdated,
            exported=published is not None and self._is_exported(published, asset),
            adopted=adopted,
        )

    def parts(
        self, asset: StageAsset, key: PipelineKey, found: Found, adopted: Adopted | None = None
    ) -> dict[str, Any]:
        """What the fingerprint of a key is of, as JSON."""
        code, libraries = code_parts(self.code_roots(asset, key, adopted))
        settings = {name: _plain(getattr(self.study, name)) for name in asset.settings}
        if adopted is not None:
            return {
                "contract": CONTRACT_VERSION,
                "asset": asset.name,
                "key": asset.key_text(key),
                "adopted_from": adopted.run_id,
                "code": code,
                "libraries": libraries,
                "settings": settings,
                "origin": self.study.origin,
                "seed": self.study.seed if asset.seeded else None,
                "inputs": _digests(found.inputs),
            }
        return {
            "contract": CONTRACT_VERSION,
            "asset": asset.name,
            "key": asset.key_text(key),
            "code": code,
            "libraries": libraries,
            "parameters": self.parameters(asset, key),
            "settings": settings,
            "configuration": asset.configuration(self.grid) if asset.configuration else None,
            "origin": self.study.origin,
            "oracle": self.grid.is_oracle(key),
            "seed": self.study.seed if asset.seeded else None,
            "device": device_class(libraries),
            "source": self._source(asset, found.inputs),
            "inputs": _digests(found.inputs),
            "missing": list(dict.fromkeys(found.missing)),
        }

    def parameters(self, asset: StageAsset, key: PipelineKey) -> dict[str, Any]:
        """The parameters of the key's method in this study."""
        method = asset.method(key)
        if asset.method_axis is None or method is None:
            return {}
        return self.study.parameters(asset.method_axis, method, self.grid.registry)

    def code_roots(self, asset: StageAsset, key: PipelineKey, adopted: Adopted | None = None) -> tuple[str, ...]:
        """Where a key's code begins: the asset's function and its methods' modules, or what checks a foreign run."""
        if adopted is not None:
            return (root_of(_adoption(asset).complete),)
        roots = [root_of(asset.compute)]
        if asset.method_axis is not None:
            methods = self.grid.registry.methods[asset.method_axis]
            members = self.grid.members(asset.method_axis, key.named(asset.method_axis))
            roots.extend(module for name in members if (module := methods[name].module) is not None)
        return tuple(roots)

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


def _adoption(asset: StageAsset) -> Adoption:
    found = adoption_of(asset.name)
    if found is None:
        raise KeyError(f"{asset.name} takes no foreign runs")
    return found


def _digests(inputs: Inputs) -> list[list[str]]:
    """Asset, artifact, key and digest of everything that is read."""
    return [
        [name, artifact, str(wanted), ref.info.digest]
        for (name, artifact), refs in inputs.items()
        for wanted, ref in refs.items()
    ]


def _plain(value: Any) -> Any:
    """A study field as JSON."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value
