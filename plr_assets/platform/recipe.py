"""What a published run was made from, in full: the parts of its fingerprint, and the code module by module.

Belongs here: writing that beside the artifacts, reading it back with proof, and telling two apart. Does not belong
here: what the parts are (`planning`), or repeating the work (`reproduction`).

The fingerprint is the digest of the parts, so a recipe whose parts do not have it is not that run's.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from plr_assets.errors import ContractError
from plr_assets.platform.contract import Contract, PublishedRun
from plr_assets.platform.fingerprints import fingerprint, module_digests
from plr_assets.platform.planning import KeyPlan, Planner
from plr_assets.study import Study

FILE = "recipe.json"
CHECK_OUT = "Check out the commit in its tag plr.git_sha."


@dataclass(frozen=True)
class Recipe:
    """parts    what the fingerprint is of.
    modules  module -> digest of its source, of all that the fingerprint's `code` is of.
    """

    parts: Mapping[str, Any]
    modules: Mapping[str, str] = field(default_factory=dict)


def write_recipe(plan: KeyPlan, planner: Planner, staged: Path) -> None:
    """Put the recipe among the files that are about to be published."""
    content = {"parts": plan.parts, "modules": recipe_of(plan, planner).modules}
    # in the order of the configuration: features come out in the order in which they are declared
    (staged / FILE).write_text(json.dumps(content, ensure_ascii=False, allow_nan=False), encoding="utf-8")


def recipe_of(plan: KeyPlan, planner: Planner) -> Recipe:
    """As the key would be computed now."""
    return Recipe(plan.parts, module_digests(planner.code_roots(plan.asset, plan.key, plan.adopted)))


def read_recipe(contract: Contract, run: PublishedRun) -> Recipe | None:
    """The recipe of a run; none where it has none (it was published before there were any), or not its own."""
    from mlflow.exceptions import MlflowException

    try:
        content = json.loads(contract.file(run, FILE).read_text(encoding="utf-8"))
        recipe = Recipe(content["parts"], content["modules"])
    except (MlflowException, OSError, ValueError, KeyError):
        return None
    return recipe if fingerprint(recipe.parts) == run.fingerprint else None


def as_recorded(study: Study, parts: Mapping[str, Any]) -> Study:
    """The study with the settings and the seed that a recipe holds. Raises ContractError if they fit it no more."""
    fields = {**(parts.get("settings") or {}), "origin": parts.get("origin", study.origin)}
    if parts.get("seed") is not None:
        fields["seed"] = parts["seed"]
    update = {}
    for name, value in fields.items():
        declared = Study.model_fields.get(name)
        if declared is None or declared.annotation is None:
            raise ContractError(f"setting {name}", "studies have no such setting any more.", CHECK_OUT)
        try:
            update[name] = TypeAdapter(declared.annotation).validate_python(value)
        except ValueError as error:
            problem = f"what was recorded does not fit any more ({str(error).splitlines()[0]})."
            raise ContractError(f"setting {name}", problem, CHECK_OUT) from error
    return study.model_copy(update=update)


def changed_parts(recipe: Recipe, now: Mapping[str, Any], modules: Mapping[str, str]) -> Iterator[str]:
    """What of the fingerprint's parts is another now, in words."""
    then = recipe.parts
    if then.get("code") != now.get("code"):
        yield f"code: {changed_values(recipe.modules, modules, values=False)}"
    if then.get("libraries") != now.get("libraries"):
        yield f"library: {changed_values(then.get('libraries') or {}, now.get('libraries') or {})}"
    inputs, ours = (
        {f"{asset} {key}".strip() + f" ({artifact})": digest for asset, artifact, key, digest in side.get("inputs", ())}
        for side in (then, now)
    )
    if inputs != ours:
        yield f"input: {changed_values(inputs, ours, values=False)}"
    names = {
        "device": "device",
        "source": "source: the files that are read from outside the store",
        "configuration": "configuration that the asset reads",
        "contract": "version of the contract",
        "oracle": "oracle",
        "settings": "settings",
        "origin": "origin",
        "seed": "seed",
    }
    for name, words in names.items():
        if then.get(name) != now.get(name):
            short = all(isinstance(side.get(name), str | int | None) for side in (then, now)) and name != "source"
            yield f"{words}: {then.get(name)}, now {now.get(name)}" if short else f"{words} changed"


def changed_values(then: Mapping[str, Any], now: Mapping[str, Any], *, values: bool = True) -> str:
    changed = [name for name in sorted({*then, *now}) if then.get(name) != now.get(name)]
    if not values:
        return ", ".join(changed) or "changed"
    return ", ".join(f"{name} {then.get(name, 'not there')}, now {now.get(name, 'not there')}" for name in changed)
