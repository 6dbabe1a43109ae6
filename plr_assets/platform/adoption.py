"""Bring your own run: a run that somebody logged becomes a partition, until it is released.

Belongs here: the steps from a proposal to a published run that pins its partition, refusing one for good, and giving
the partition back. Does not belong here: what fits (`defs.adoption`), Dagster (`adoption_sensor`), or printing (`cli`).

The foreign run itself is left as it is but for one tag. What is published is a run of the study's own: the tables in
canonical form, completed by our scorers, with `plr.adopted_from` saying whose they are. The planner takes the newest
of them as current while the recordings and settings that it was checked against are; when those change, the same
tables are checked again.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from plr_assets.errors import ContractError, PlrError, SelectionError, did_you_mean
from plr_assets.platform.adopting import Adoption, adoptable, adoption_of, complete
from plr_assets.platform.artifacts import ArtifactRef, Product, file_name, write_product
from plr_assets.platform.contract import PublishedRun
from plr_assets.platform.execution import KeyResult
from plr_assets.platform.foreign import (
    ADOPTED,
    REFUSED,
    Proposal,
    find_run,
    finished_run,
    read_foreign_table,
    read_proposal,
)
from plr_assets.platform.planning import Adopted, KeyPlan, Planner
from plr_assets.platform.recipe import write_recipe
from plr_assets.platform.scratch import scratch_folder
from plr_assets.platform.stages import StageAsset

# MLflow cuts longer tags.
_REASON_LIMIT = 4000


@dataclass(frozen=True)
class Adoptee:
    """A proposal that names a partition of the study."""

    proposal: Proposal
    adoption: Adoption
    plan: KeyPlan


def adopt(
    run_id: str, planner: Planner, assets: Sequence[StageAsset], tell: Callable[[KeyResult], None] = lambda _: None
) -> KeyResult:
    """Make a foreign run the partition that its tags name, and return that.

    tell   told of it before the foreign run is marked as adopted: where a process dies in between, the next one finds
           the run waiting, publishes nothing twice, and tells again.

    Raises ContractError: if the run does not fit, which is also written to its tag `plr.refused`; or, without a tag,
    if there is no such run, it has not finished, it is of another study, or the partition's inputs are not published.
    """
    finished_run(planner.contract.client, run_id)
    scratch = scratch_folder()
    try:
        adoptee = _adoptee(run_id, planner, assets, scratch)
        if adoptee.plan.blocked:
            raise ContractError(
                adoptee.proposal.where,
                f"it cannot be checked yet: {', '.join(adoptee.plan.blocked)} is not published.",
                f"Run the study first: plr run {planner.study.name}.",
            )
        run, result = _publish(adoptee, planner, scratch / "staged")
    except _MisfitError as misfit:
        _refuse(planner, run_id, misfit.error)
        raise misfit.error from misfit
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    tell(result)
    planner.contract.client.set_tag(run_id, ADOPTED, run.run_id)
    if REFUSED in find_run(planner.contract.client, run_id).data.tags:
        planner.contract.client.delete_tag(run_id, REFUSED)
    planner.forget()
    return result


class _MisfitError(Exception):
    """Carries why a run does not fit, from wherever it shows to where it is written down."""

    def __init__(self, error: ContractError) -> None:
        self.error = error
        super().__init__(str(error))


def _adoptee(run_id: str, planner: Planner, assets: Sequence[StageAsset], scratch: Path) -> Adoptee:
    try:
        proposal = read_proposal(planner.contract.client, run_id)
    except ContractError as error:
        raise _MisfitError(error) from error
    if proposal.study not in ("", planner.study.name):  # no misfit: its own study may take it
        problem = f"it is a run of study {proposal.study!r}, not of {planner.study.name!r}."
        raise ContractError(proposal.where, problem, "Name its own study.")
    try:
        asset, adoption = _asset_of(proposal, planner, assets)
        key = next((key for key in asset.keys_in(planner.grid) if asset.key_text(key) == proposal.key), None)
        if key is None:
            known = [asset.key_text(key) for key in asset.keys_in(planner.grid)]
            raise ContractError(proposal.where, "the study has no such key.", did_you_mean(proposal.key, known))
        folder = scratch / "brought"
        folder.mkdir()
        tables = {
            name: read_foreign_table(planner.contract.client, proposal, asset.tables[name], name, scratch)
            for name in adoption.tables
        }
        try:
            infos = write_product(Product(tables=tables), asset.tables, folder)
        except ValueError as error:
            raise ContractError(proposal.where, f"{error}.", "Publish a run whose table fits the schema.") from error
    except ContractError as error:
        raise _MisfitError(error) from error
    refs = {name: ArtifactRef(run_id, name, info, folder / file_name(name, info.kind)) for name, info in infos.items()}
    return Adoptee(proposal, adoption, planner.adoption(asset, key, Adopted(run_id, refs)))


def _asset_of(proposal: Proposal, planner: Planner, assets: Sequence[StageAsset]) -> tuple[StageAsset, Adoption]:
    """Raises ContractError where a run belongs elsewhere, or to no asset that takes one."""
    study = planner.study
    if proposal.synthetic != study.synthetic:
        held = {True: "simulated", False: "clinical"}
        raise ContractError(
            proposal.where,
            f"it was made from {held[proposal.synthetic]} recordings (plr.synthetic), and study {study.name!r} holds "
            f"{held[study.synthetic]} ones.",
            "They are never mixed.",
        )
    asset = next((asset for asset in assets if asset.name == proposal.asset), None)
    adoption = adoption_of(proposal.asset)
    if asset is None or adoption is None:
        raise ContractError(
            proposal.where,
            f"{proposal.asset!r} takes no runs of others.",
            f"These do: {', '.join(adoptable())}.",
        )
    return asset, adoption


def _publish(adoptee: Adoptee, planner: Planner, staged: Path) -> tuple[PublishedRun, KeyResult]:
    """Check, complete and publish. A run that was adopted by a process that died on the way is not published twice."""
    plan, contract = adoptee.plan, planner.contract
    there = contract.pinned(plan.asset.name, plan.text)
    if there is not None and plan.published is not None and there.run_id == plan.published.run_id:
        return there, KeyResult(plan, there, reused=True)
    started = time.perf_counter()
    staged.mkdir()
    try:
        product = complete(planner.task(plan))
        artifacts = write_product(product, plan.asset.tables, staged)
    except (PlrError, ValueError) as error:
        # the tables are somebody else's: what science says of them is the reason of the refusal
        why = f"{error.where}: {error.problem}" if isinstance(error, PlrError) else str(error)
        raise _MisfitError(ContractError(adoptee.proposal.where, why, "Log a run that fits.")) from error
    write_recipe(plan, planner, staged)
    seconds = time.perf_counter() - started
    run = contract.publish(planner.draft(plan, {}), artifacts, staged, metrics=product.metrics, seconds=seconds)
    return run, KeyResult(plan, run, metrics=product.metrics, notes=product.notes)


def _refuse(planner: Planner, run_id: str, error: ContractError) -> None:
    planner.contract.client.set_tag(run_id, REFUSED, f"{error.problem} {error.remedy}"[:_REASON_LIMIT])


def release(planner: Planner, asset: StageAsset, key_text: str) -> PublishedRun:
    """Give a partition back to the study's own method, and return the run that stood for it.

    It stays what downstream reads until the partition is computed. Raises SelectionError if nothing was adopted there.
    """
    pin = planner.contract.pinned(asset.name, key_text)
    if pin is None:
        place = f"{asset.name} {key_text}"
        raise SelectionError(place, "no adopted run stands for it.", f"plr status {planner.study.name} counts them.")
    planner.contract.client.set_tag(pin.run_id, "plr.released", "true")
    planner.contract.refresh()
    planner.forget()
    return pin
