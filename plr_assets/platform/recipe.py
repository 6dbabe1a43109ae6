"""What a published run was made from, in full: the parts of its fingerprint, and the code module by module.

Belongs here: writing that beside the artifacts, and reading it back with proof. Does not belong here: what the parts
are (`planning`), or repeating the work (`reproduction`).

The fingerprint is the digest of the parts, so a recipe whose parts do not have it is not that run's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from plr_assets.platform.contract import Contract, PublishedRun
from plr_assets.platform.digests import canonical_json
from plr_assets.platform.fingerprints import fingerprint, module_digests
from plr_assets.platform.planning import KeyPlan, Planner

FILE = "recipe.json"


@dataclass(frozen=True)
class Recipe:
    """parts    what the fingerprint is of.
    modules  module -> digest of its source, of all that the fingerprint's `code` is of.
    """

    parts: Mapping[str, Any]
    modules: Mapping[str, str] = field(default_factory=dict)


def write_recipe(plan: KeyPlan, planner: Planner, staged: Path) -> None:
    """Put the recipe among the files that are about to be published."""
    text = canonical_json({"parts": plan.parts, "modules": recipe_of(plan, planner).modules})
    (staged / FILE).write_text(text, encoding="utf-8")


def recipe_of(plan: KeyPlan, planner: Planner) -> Recipe:
    """As the key would be computed now."""
    return Recipe(plan.parts, {} if plan.adopted else module_digests(planner.modules(plan.asset, plan.key)))


def read_recipe(contract: Contract, run: PublishedRun) -> Recipe | None:
    """The recipe of a run; none where it has none (it was published before there were any), or not its own."""
    from mlflow.exceptions import MlflowException

    try:
        content = json.loads(contract.file(run, FILE).read_text(encoding="utf-8"))
        recipe = Recipe(content["parts"], content["modules"])
    except (MlflowException, OSError, ValueError, KeyError):
        return None
    return recipe if fingerprint(recipe.parts) == run.fingerprint else None
