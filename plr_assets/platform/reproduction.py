"""`plr reproduce`: a published run is made again from what it recorded, and compared by content.

Belongs here: putting the recorded task together, running it in a scratch place, and saying what differs. Does not
belong here: printing (`cli`), or the loop over a study's keys (`execution`).

Nothing is published, and the study's data folder is left alone: what a stage writes there goes into a copy. Settings,
parameters and seed are the recorded ones, inputs are the recorded runs. The code, the libraries and the device are
those of this machine; where they differ from the recorded ones, that is said.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from plr_assets.errors import ContractError, PlrError
from plr_assets.grid import PipelineKey, grid_of
from plr_assets.platform.adopting import adoption_of
from plr_assets.platform.artifacts import ArtifactInfo, ArtifactRef, file_name
from plr_assets.platform.contract import Contract, PublishedRun
from plr_assets.platform.execution import Done, Work, compute_key
from plr_assets.platform.fingerprints import environment_digest, fingerprint, git_sha, module_digests
from plr_assets.platform.foreign import find_run
from plr_assets.platform.mapper import Failed, Mapper
from plr_assets.platform.planning import Adopted, Found, Planner
from plr_assets.platform.recipe import CHECK_OUT, Recipe, as_recorded, changed_parts, changed_values, read_recipe
from plr_assets.platform.stages import Inputs, Reads, StageAsset, Task
from plr_assets.study import Study

# What people make of results, and what is rebuilt anyway: no stage reads it.
_NOT_READ = ("figures", "results.duckdb", "last_run.json")


@dataclass(frozen=True)
class Reproduction:
    """One run made again.

    differing    artifact -> how it differs; empty where all are equal.
    differences  what is not as it was when the run was made, in words: it may, but need not, explain the former.
    error        why it could not be made again; empty where it could.
    """

    place: str
    run_id: str
    differing: Mapping[str, str] = field(default_factory=dict)
    differences: Sequence[str] = ()
    error: str = ""

    @property
    def same(self) -> bool:
        return not self.differing and not self.error


def result_of(contract: Contract, run_id: str) -> PublishedRun:
    """The published run of this id. Raises ContractError if it is none of the study's results."""
    tags = find_run(contract.client, run_id).data.tags
    if tags.get("plr.study") != contract.study:
        whose = f"of study {tags['plr.study']!r}" if "plr.study" in tags else "of no study"
        raise ContractError(f"run {run_id}", f"it is {whose}, not of {contract.study!r}.", "Name its own study.")
    run = contract.published(run_id)
    if run is None:
        why = tags.get("plr.error", "it has not finished, or is of another version of the contract")
        raise ContractError(f"run {run_id}", f"it is no result: {why}.", "Name a finished run of a partition.")
    return run


class Reproducer:
    """Makes runs of one study again. What it made is kept until its scratch folder goes."""

    def __init__(
        self, study: Study, assets: Sequence[StageAsset], contract: Contract, mapper: Mapper, scratch: Path
    ) -> None:
        self._study, self._contract, self._mapper, self._scratch = study, contract, mapper, scratch
        self._assets = {asset.name: asset for asset in assets}
        self._made: dict[str, Mapping[str, ArtifactRef]] = {}

    def reproduce(self, run: PublishedRun, *, deep: bool = False) -> Iterator[Reproduction]:
        """The run, and with `deep` before it all that it descends from, each from what was made again."""
        chain = [*self._ancestors(run), run] if deep else [run]
        with _data_in(self._scratch / "data", self._study):
            for member in chain:
                yield self._one(member)

    def _ancestors(self, run: PublishedRun) -> list[PublishedRun]:
        """Upstream first, each once. Raises ContractError where one was removed."""
        found: dict[str, PublishedRun] = {}

        def visit(child: PublishedRun) -> None:
            for place, run_id in self._contract.upstream(child.run_id).items():
                if run_id not in found:
                    parent = self._contract.published(run_id)
                    if parent is None:
                        raise ContractError(
                            f"run {child.run_id}",
                            f"its input {place}, run {run_id}, is gone.",
                            "Try it without --deep.",
                        )
                    visit(parent)
                    found[run_id] = parent

        visit(run)
        return list(found.values())

    def _one(self, run: PublishedRun) -> Reproduction:
        place = run.asset if run.asset == run.key else f"{run.asset} {run.key}"
        try:
            task, recipe, planner = self._task(run)
            differences = tuple(self._differences(run, task, recipe, planner))
        except PlrError as error:
            return Reproduction(place, run.run_id, error=str(error))
        folder = self._scratch / run.run_id
        (outcome,) = self._mapper.map(compute_key, [Work(task, folder)])
        if isinstance(outcome.result, Failed):
            return Reproduction(place, run.run_id, differences=differences, error=outcome.result.reason)
        done: Done = outcome.result
        self._made[run.run_id] = {
            name: ArtifactRef(run.run_id, name, info, folder / file_name(name, info.kind))
            for name, info in done.artifacts.items()
        }
        return Reproduction(place, run.run_id, self._compare(run, done.artifacts), differences)

    def _task(self, run: PublishedRun) -> tuple[Task, Recipe | None, Planner]:
        """The task as it was recorded. Raises ContractError if it cannot be put together any more."""
        asset = self._assets.get(run.asset)
        if asset is None:
            raise ContractError(f"run {run.run_id}", f"there is no asset {run.asset!r} any more.", CHECK_OUT)
        key, recipe = asset.parse(run.key), read_recipe(self._contract, run)
        study = self._study if recipe is None else as_recorded(self._study, recipe.parts)
        planner = Planner(study, grid_of(study), self._contract)
        adopted = None
        if run.adopted_from is not None:
            adoption = adoption_of(asset.name)
            names = adoption.tables if adoption is not None else ()
            adopted = Adopted(run.adopted_from, {name: self._contract.ref(run, name) for name in names})
        inputs = self._inputs(run, planner, planner.reads(asset, adopted), key)
        parameters = planner.parameters(asset, key) if recipe is None else recipe.parts.get("parameters", {})
        task = Task(
            asset=asset,
            study=study,
            grid=planner.grid,
            key=key,
            inputs=inputs,
            parameters={} if adopted else parameters,
            cores=self._mapper.processes,
            adopted=adopted.tables if adopted else None,
        )
        return task, recipe, planner

    def _inputs(self, run: PublishedRun, planner: Planner, reads: Sequence[Reads], key: PipelineKey) -> Inputs:
        """The recorded inputs, or where those were made again, what came of it."""
        recorded = self._contract.upstream(run.run_id)
        inputs: dict[tuple[str, str], dict[PipelineKey, ArtifactRef]] = {}
        for read in reads:
            refs = inputs.setdefault((read.asset.name, read.artifact), {})
            for wanted in read.keys(planner.grid, key):
                place = read.asset.place(wanted)
                if place in recorded:
                    ref = self._input(recorded[place], read, place)
                    if ref is not None:
                        refs[wanted] = ref
                elif read.required:
                    raise ContractError(
                        f"run {run.run_id}", f"it was made without {place}, which the code now reads.", CHECK_OUT
                    )
        return inputs

    def _input(self, run_id: str, read: Reads, place: str) -> ArtifactRef | None:
        if run_id in self._made:
            return self._made[run_id].get(read.artifact)
        above = self._contract.published(run_id)
        if above is None:
            raise ContractError(
                f"input {place}, run {run_id}", "it is gone from the store.", "It was removed; name another run."
            )
        if read.artifact not in above.artifacts:
            return None if not read.required else self._contract.ref(above, read.artifact)
        ref = self._contract.ref(above, read.artifact)
        try:
            ref.verify()
        except ContractError as error:
            raise ContractError(f"input {place}: {error.where}", error.problem, "Restore it, or try --deep.") from error
        return ref

    # -- what differs -------------------------------------------------------------------------------------------------

    def _differences(self, run: PublishedRun, task: Task, recipe: Recipe | None, planner: Planner) -> list[str]:
        """What is not as it was when the run was made, of all that may shape a result."""
        adopted = Adopted(run.adopted_from, task.adopted) if run.adopted_from and task.adopted is not None else None
        missing = tuple(recipe.parts.get("missing", ())) if recipe is not None else ()
        now = planner.parts(task.asset, task.key, Found(task.inputs, missing=missing), adopted)
        tags = self._contract.client.get_run(run.run_id).data.tags
        found = []
        if recipe is not None:
            modules = module_digests(planner.code_roots(task.asset, task.key, adopted))
            found += list(changed_parts(recipe, {**now, "parameters": recipe.parts.get("parameters")}, modules))
            if recipe.parts.get("parameters") != (current := self._parameters_now(task)):
                found.append(
                    "parameters: the study has others now, and the recorded ones were used "
                    f"({changed_values(recipe.parts.get('parameters') or {}, current)})"
                )
        elif fingerprint(now) != run.fingerprint:
            found.append(
                "the run recorded no recipe, so today's settings and parameters were used; its fingerprint is not "
                "today's: an input, code, library, parameter or setting is another"
            )
            if tags.get("plr.code_version") != now["code"]:
                found.append("code: modules of the method or asset changed")
        if tags.get("plr.environment") != environment_digest():
            found.append("environment: another Python version, platform or requirements.lock")
        if found and tags.get("plr.git_sha") not in (None, "unknown", git_sha()):
            found.append(f"the code was that of commit {tags['plr.git_sha']}, and here is {git_sha()}")
        return found

    def _parameters_now(self, task: Task) -> dict[str, Any]:
        """The parameters that the study, as it reads now, gives the key's method."""
        if task.adopted is not None:
            return {}
        return Planner(self._study, grid_of(self._study), self._contract).parameters(task.asset, task.key)

    def _compare(self, run: PublishedRun, made: Mapping[str, ArtifactInfo]) -> dict[str, str]:
        differing = {}
        for name in sorted({*run.artifacts, *made}):
            if name not in made or name not in run.artifacts:
                differing[name] = "was published, and is not made any more" if name not in made else "is new"
            elif run.artifacts[name].digest != made[name].digest:
                differing[name] = self._how(run, name)
        return differing

    def _how(self, run: PublishedRun, name: str) -> str:
        """Of a table, which columns; of anything else only that it differs."""
        import polars as pl

        ours, theirs = self._made[run.run_id][name], self._contract.ref(run, name)
        if ours.info.kind != "table" or not theirs.is_intact():
            return "another content"
        new, old = pl.read_parquet(ours.path), pl.read_parquet(theirs.path)
        if new.height != old.height:
            return f"{old.height} rows, now {new.height}"
        columns = [
            column
            for column in dict.fromkeys((*old.columns, *new.columns))
            if column not in old.columns
            or column not in new.columns
            or not old[column].equals(new[column], check_dtypes=True, null_equal=True)
        ]
        return f"column(s) {', '.join(columns)}" if columns else "the order or type of columns"


@contextmanager
def _data_in(root: Path, study: Study) -> Iterator[None]:
    """Let the study's data folder be a copy below `root`: stages write into it."""
    before, original = os.environ.get("PLR_DATA_DIR"), study.data_dir
    root.mkdir(parents=True)
    if original.is_dir():
        shutil.copytree(original, root / study.name, ignore=shutil.ignore_patterns(*_NOT_READ))
    os.environ["PLR_DATA_DIR"] = str(root)
    try:
        yield
    finally:
        if before is None:
            del os.environ["PLR_DATA_DIR"]
        else:
            os.environ["PLR_DATA_DIR"] = before
