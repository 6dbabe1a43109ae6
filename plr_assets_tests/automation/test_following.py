"""What a sensor asks for: exactly what a change reaches, once, and not what failed and did not change."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import pytest

from plr_assets.defs import ASSETS
from plr_assets.errors import DataError
from plr_assets.grid import PipelineKey, grid_of
from plr_assets.platform.artifacts import ArtifactInfo
from plr_assets.platform.contract import Contract, PublishedRun
from plr_assets.platform.digests import digest_json
from plr_assets.platform.following import Work, work_to_do
from plr_assets.platform.planning import Planner
from plr_assets.platform.runner import materialized_versions
from plr_assets.platform.stages import Inputs, StageAsset
from plr_assets.registry import AXES, Axis, load_registry
from plr_assets.study import Study, load_study
from plr_assets.study.pretrained import Foundations
from plr_assets_tests.e2e.lab import TRIAL, Lab, Place, descendants

OUTLIER: Axis = "outlier_detection"


# -- the whole registry, by mapping alone -----------------------------------------------------------------------------


class Everything(Contract):
    """A store in which every partition that was ever planned is published, with content of its own."""

    def __init__(self) -> None:
        super().__init__("all")
        self.published: dict[tuple[str, str, str], PublishedRun] = {}
        self.accepting = True

    def with_fingerprint(self, asset: str, key: str, fingerprint: str) -> PublishedRun | None:
        place = (asset, key, fingerprint)
        if self.accepting and fingerprint:
            self.published.setdefault(place, _run(*place))
        return self.published.get(place)

    def latest(self, asset: str, key: str) -> PublishedRun | None:
        return next((run for (a, k, _), run in self.published.items() if (a, k) == (asset, key)), None)

    def failure(self, *_: str) -> None:
        return None


class _Artifacts(dict[str, ArtifactInfo]):
    """Whatever is asked for is there."""

    def __init__(self, of: str) -> None:
        self._of = of

    def get(self, name: str, *_: Any) -> ArtifactInfo:
        return ArtifactInfo("table", digest_json([self._of, name]), "", 0)

    def __getitem__(self, name: str) -> ArtifactInfo:
        return self.get(name)


def _run(asset: str, key: str, fingerprint: str) -> PublishedRun:
    artifacts = _Artifacts(fingerprint)
    return PublishedRun(fingerprint[:8], asset, key, fingerprint, fingerprint, artifacts, "file:///none", 0, 0.0)


class OnPaper(Planner):
    """A planner that trusts the store and reads no file."""

    def _good(self, run: PublishedRun | None, *_: StageAsset) -> PublishedRun | None:
        return run

    def _source(self, _asset: StageAsset, inputs: Inputs) -> str:
        return digest_json([ref.info.digest for refs in inputs.values() for ref in refs.values()])


@dataclass
class Registry:
    """A study of every implemented method, on paper, all of it published."""

    study: Study
    contract: Everything = field(default_factory=Everything)

    def __post_init__(self) -> None:
        self._work(self.study)
        self.contract.accepting = False

    def wanted(self, axis: Axis, method: str, parameters: Mapping[str, Any]) -> set[Place]:
        """What is asked for after `parameters` of `method` changed."""
        changed = {**self.study.methods, axis: {**self.study.methods.get(axis, {}), method: parameters}}
        work = self._work(self.study.model_copy(update={"methods": changed}))
        return {(asset.name, asset.key_text(key)) for asset, keys in work.wanted.items() for key in keys}

    def _work(self, study: Study) -> Work:
        assets = [asset for asset in ASSETS if asset.offered(study)]
        planner = OnPaper(study, grid_of(study), self.contract, look_at_copies=False)

        def shown(asset: StageAsset) -> dict[str, str]:
            plans = planner.plan(asset)
            return {plan.text: plan.published.digest for plan in plans if plan.published is not None}

        return work_to_do(planner, assets, shown)


@pytest.fixture(scope="module")
def registry() -> Registry:
    """Every method beside those that it is combined with; not the whole product, whose 5000 pipelines show no more."""
    paper = load_study("paper")
    ensemble = "ensemble-LOF-MOMENT-OneClassSVM-PROPHET-SubPCA-TimesNet-UniTS-gt-finetune"
    narrow: dict[Axis, Any] = {
        "outlier_detection": ("LOF",),
        "imputation": ("linear",),
        "featurization": ("simple",),
        "classification": ("LogisticRegression",),
    }
    wide: list[dict[Axis, Any]] = [
        {"outlier_detection": "all", "imputation": ("linear", "SAITS")},
        {"imputation": "all", "outlier_detection": ("LOF", ensemble)},
        {"featurization": "all", "classification": "all"},
    ]
    grids = tuple(paper.grids[0].model_copy(update={**narrow, **axes}) for axes in wide)
    return Registry(paper.model_copy(update={"grids": grids, "pretrained": Foundations()}))


def using(axis: Axis, method: str) -> set[str]:
    """The methods of an axis that are made of `method`: itself, and the ensembles that it is a member of."""
    entries = load_registry().methods[axis]
    found, size = {method}, 0
    while len(found) > size:
        size = len(found)
        found |= {name for name, entry in entries.items() if found & set(entry.members)}
    return found


def changed(value: Any) -> Any:
    """Another value that the planner takes for another; no method is made of it."""
    return [value, "changed"]


def methods_with_parameters() -> list[tuple[Axis, str]]:
    entries = load_registry().methods
    return [
        (axis, name)
        for axis in AXES
        for name, entry in entries[axis].items()
        if entry.parameters and load_registry().is_implemented(axis, name)
    ]


# Assets whose partitions name fewer axes than the key has at that point: they learn from data, not from a mask.
OWN_AXIS = {"detectors": OUTLIER, "outlier_scores": OUTLIER, "imputers": "imputation"}
# Assets without partitions: the first axis that a change has to lie on to reach them, in the order of the stages.
TABLES: Mapping[str, tuple[Axis, ...]] = {
    "outlier_metrics": (OUTLIER,),
    "imputation_metrics": (OUTLIER, "imputation"),
    "imputation_comparisons": (OUTLIER, "imputation"),
    "method_figures": (OUTLIER, "imputation"),
    "feature_metrics": (OUTLIER, "imputation", "featurization"),
    "feature_catalog": (OUTLIER, "imputation", "featurization"),
}
UPSTREAM = ("device_files", "recordings", "cohort_split", "confounders", "recording_figures")
UPSTREAM += ("moment_weights", "units_weights", "tabpfn_weights")


def below(study: Study, axis: Axis, method: str) -> set[Place]:
    """What stands below a method, told from keys alone: partitions that name it or an ensemble of it, and tables."""
    grid, names = grid_of(study), using(axis, method)
    found: set[Place] = set()
    for asset in ASSETS:
        if not asset.offered(study) or asset.name in UPSTREAM:
            continue
        if not asset.partitioned:
            if axis in TABLES.get(asset.name, AXES):
                found.add((asset.name, asset.name))
            continue
        own = OWN_AXIS.get(asset.name)
        for key in asset.keys_in(grid):
            if key.method(axis) in names if own is None else own == axis and key.named(own) == method:
                found.add((asset.name, str(key)))
    return found


@pytest.mark.parametrize(("axis", "method"), methods_with_parameters(), ids=str)
def test_one_hyperparameter_asks_for_exactly_what_is_below_its_method(
    registry: Registry, axis: Axis, method: str
) -> None:
    parameters = load_registry().methods[axis][method].parameters
    name = next(iter(parameters))
    assert registry.wanted(axis, method, {name: changed(parameters[name])}) == below(registry.study, axis, method)


def test_below_lof_are_its_ensembles_and_no_other_detector(registry: Registry) -> None:
    """The example of the issue, spelt out."""
    wanted = registry.wanted(OUTLIER, "LOF", {"n_neighbors": 55})
    assert {key for asset, key in wanted if asset == "detectors"} == {"LOF"}
    masks = {key for asset, key in wanted if asset == "outlier_masks"}
    ensembles = {name for name, entry in load_registry().methods[OUTLIER].items() if "LOF" in entry.members}
    assert ensembles
    assert masks == {"LOF"} | ensembles
    named = {PipelineKey.parse(key, AXES).named(OUTLIER) for asset, key in wanted if asset == "evaluation"}
    assert named == masks
    assert not [key for asset, key in wanted if asset in ("imputers", "recordings", "cohort_split")]


def test_nothing_is_asked_for_where_nothing_changed(registry: Registry) -> None:
    assert registry.wanted(OUTLIER, "LOF", {}) == set()


# -- real runs --------------------------------------------------------------------------------------------------------


def ask(lab: Lab, study: Study) -> Work:
    assets = [asset for asset in ASSETS if asset.offered(study)]
    with lab.instance() as instance, closing(Contract(study.name)) as contract:
        planner = Planner(study, grid_of(study), contract)
        return work_to_do(planner, assets, lambda asset: materialized_versions(instance, study.name, asset))


def places(work: Work) -> set[Place]:
    return {(asset.name, asset.key_text(key)) for asset, keys in work.wanted.items() for key in keys}


def test_the_same_work_has_one_name_and_a_change_of_any_input_another(finished: Lab) -> None:
    assert not ask(finished, finished.study()).wanted
    lof = {**TRIAL["methods"], OUTLIER: {"LOF": {"n_neighbors": 50}}}
    first = ask(finished, finished.study(methods=lof))
    assert places(first) == descendants(finished.study(), ("detectors", "LOF"))
    assert ask(finished, finished.study(methods=lof)).name == first.name
    other = {**TRIAL["methods"], OUTLIER: {"LOF": {"n_neighbors": 51}}}
    assert ask(finished, finished.study(methods=other)).name != first.name


def test_what_failed_is_held_until_something_it_is_computed_from_changes(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No endless retries, and no lost change."""
    lof = {**TRIAL["methods"], OUTLIER: {"LOF": {"n_neighbors": 50}}}
    study = lab.study(methods=lof)
    before = ask(lab, study)

    def refuse(*_: Any, **__: Any) -> None:
        raise DataError("LOF", "it does not work today.", "Wait.")

    with monkeypatch.context() as patch:
        patch.setattr("plr_assets.outlier_detection.lof.LOF.fit", refuse)
        outcomes = lab.run(study)
    assert outcomes["detectors"].failed
    held = ask(lab, study)
    assert set(held.held) == {"detectors LOF"}
    assert "it does not work today" in held.held["detectors LOF"]
    assert not held.wanted, "what waits for it is not asked for either"
    assert held.name != before.name
    changed_again = ask(lab, lab.study(methods={**lof, OUTLIER: {"LOF": {"n_neighbors": 49}}}))
    assert places(changed_again) == descendants(study, ("detectors", "LOF"))
    assert not changed_again.held


def test_a_published_partition_that_no_page_shows_is_asked_for(finished: Lab) -> None:
    """A run that is killed between publishing and telling Dagster."""
    study = finished.study()
    assets = [asset for asset in ASSETS if asset.offered(study)]
    with finished.instance() as instance, closing(Contract(study.name)) as contract:

        def shown(asset: StageAsset) -> Mapping[str, str]:
            versions = dict(materialized_versions(instance, study.name, asset))
            versions.pop("LOF__linear" if asset.name == "imputed_signals" else "", None)
            return versions

        work = work_to_do(Planner(study, grid_of(study), contract), assets, shown)
    assert places(work) == {("imputed_signals", "LOF__linear")}
