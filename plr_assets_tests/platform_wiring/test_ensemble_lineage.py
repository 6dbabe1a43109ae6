"""Ensembles are ordinary partitions whose parents are their members: a member computed again with another content makes
its own mask and exactly its ensembles out of date, in planning and in Dagster's own eyes.

The eleven names and the two ensembles are the registry's; behind every fitted one stands dilation speed, so that
nothing trains: what descends from what does not depend on what a method computes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from plr_assets.definitions import build_definitions
from plr_assets.errors import DataError
from plr_assets.grid import PipelineKey
from plr_assets.platform.assets import asset_key
from plr_assets.platform.stages import Task
from plr_assets.recordings.table import signal_array, signal_column
from plr_assets.registry import Registry, load_registry
from plr_assets_tests.e2e.lab import BY_NAME, Lab, empty_lab, planner_of, to_do

AXIS = "outlier_detection"
FULL = "ensemble-LOF-MOMENT-OneClassSVM-PROPHET-SubPCA-TimesNet-UniTS-gt-finetune"
THREE = "ensembleThresholded-MOMENT-TimesNet-UniTS-gt-finetune"
PUBLISHED = load_registry().published(AXIS)
# one after another, each with a mask of its own
MULTIPLIERS = {name: 6.0 + index for index, name in enumerate(PUBLISHED)}
STUDY: dict[str, Any] = {
    "simulation": {"control": 3, "glaucoma": 3, "unlabelled": 6},
    "grids": [{"outlier_detection": list(PUBLISHED), "imputation": ["linear"], "featurization": ["simple"]}],
    "methods": {},
}
SIGNALS = ("device_files", "recordings", "cohort_split", "detectors", "outlier_scores")


def cheap_registry() -> Registry:
    """The published one, with one cheap implementation behind every fitted detector."""
    registry = load_registry()
    cheap = registry.methods[AXIS]["dilation-speed"]
    methods = {
        name: cheap.model_copy(
            update={
                "parameters": {**cheap.parameters, "mad_multiplier": MULTIPLIERS[name]},
                "display": entry.display,
                "abbreviation": entry.abbreviation,
            }
        )
        if name in PUBLISHED and entry.implementation
        else entry
        for name, entry in registry.methods[AXIS].items()
    }
    return registry.model_copy(update={"methods": {**registry.methods, AXIS: methods}})


@contextmanager
def cheap(base: Lab) -> Iterator[Lab]:
    registry = cheap_registry()
    with pytest.MonkeyPatch.context() as patch:
        for module in ("grid", "study"):
            patch.setattr(f"plr_assets.{module}.load_registry", lambda: registry)
        yield base.enter(patch)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """All masks of the eleven methods, once. Not to be changed."""
    lab = empty_lab(tmp_path_factory.getbasetemp()).copy(tmp_path_factory.mktemp("lineage") / "lab")
    with cheap(lab):
        outcomes = lab.run(lab.study(**STUDY), only=(*SIGNALS, "outlier_masks"))
        assert not any(outcome.failed or outcome.blocked for outcome in outcomes.values())
        assert outcomes["outlier_masks"].computed == len(PUBLISHED) == 11
    return lab


@pytest.fixture
def lab(finished: Lab, tmp_path: Path) -> Iterator[Lab]:
    with cheap(finished.copy(tmp_path / "lab")) as lab:
        yield lab


def outdated_masks(lab: Lab, study: Any) -> set[str]:
    return {key for asset, key in to_do(lab.plans(study)) if asset == "outlier_masks"}


def with_member_changed(lab: Lab, member: str) -> Any:
    return lab.study(**{**STUDY, "methods": {AXIS: {member: {"mad_multiplier": 40.0}}}})


MEMBERS = pytest.mark.parametrize(
    ("member", "ensembles"),
    [("LOF", {FULL}), ("SubPCA", {FULL}), ("TimesNet-gt", {FULL, THREE}), ("MOMENT-gt-zeroshot", set())],
)


@MEMBERS
def test_a_changed_member_is_planned_with_exactly_its_ensembles(
    finished: Lab, member: str, ensembles: set[str]
) -> None:
    with cheap(finished):
        assert outdated_masks(finished, finished.study(**STUDY)) == set()
        assert outdated_masks(finished, with_member_changed(finished, member)) == {member} | ensembles


@pytest.mark.slow
@pytest.mark.parametrize(("member", "ensembles"), [("LOF", {FULL}), ("TimesNet-gt", {FULL, THREE})])
def test_a_member_that_is_materialised_again_makes_exactly_its_ensembles_out_of_date(
    lab: Lab, member: str, ensembles: set[str]
) -> None:
    study = with_member_changed(lab, member)
    outcomes = lab.run(study, only=SIGNALS)
    assert {name: outcome.computed for name, outcome in outcomes.items() if outcome.computed} == {
        "detectors": 1,
        "outlier_scores": 1,
    }
    assert outdated_masks(lab, study) == {member} | ensembles
    assert stale_masks_in_dagster(lab, study) == {member} | ensembles
    assert lab.run(study, only=(*SIGNALS, "outlier_masks"))["outlier_masks"].computed == 1 + len(ensembles)
    assert outdated_masks(lab, study) == set()
    assert stale_masks_in_dagster(lab, study) == set()


def stale_masks_in_dagster(lab: Lab, study: Any) -> set[str]:
    """What the UI would show as out of date."""
    from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
    from dagster._core.loader import LoadingContextForTest

    graph = build_definitions(study).resolve_asset_graph()
    with lab.instance() as instance:
        resolver = CachingStaleStatusResolver(instance, graph, LoadingContextForTest(instance))
        key = asset_key(study.name, "outlier_masks")
        return {name for name in PUBLISHED if resolver.get_status(key, name) != StaleStatus.FRESH}


def test_a_member_that_is_materialised_again_with_the_same_content_makes_nothing_out_of_date(lab: Lab) -> None:
    study = lab.study(**STUDY)
    run = planner_of(study).key_plan(BY_NAME["detectors"], PipelineKey(outlier_detection="TimesNet-gt")).published
    assert run is not None
    (Path(run.artifact_uri.removeprefix("file://")) / "model" / "estimator.json").unlink()
    assert "TimesNet-gt" in outdated_masks(lab, study)
    assert lab.run(study, only=SIGNALS)["detectors"].computed == 1
    assert outdated_masks(lab, study) == set()


def vote_of(study: Any, key: str, **changed: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame, str]:
    """Mask, shares and voters of an ensemble, with tables that it reads replaced by name."""

    class Told(Task):
        def tables(self, asset: str, artifact: str | None = None) -> dict[PipelineKey, pl.DataFrame]:
            found = super().tables(asset, artifact)
            return dict.fromkeys(found, changed[asset]) if asset in changed else found

    planner = planner_of(study)
    plan = planner.key_plan(BY_NAME["outlier_masks"], PipelineKey(outlier_detection=key))
    task = planner.task(plan)
    told = Told(**{name: getattr(task, name) for name in task.__dataclass_fields__})
    product = BY_NAME["outlier_masks"].compute(told)
    return product.tables["outlier_masks"], product.tables["outlier_votes"], product.notes["Voters"]


def test_ground_truth_of_evaluated_recordings_chooses_no_voter_and_moves_no_mask(finished: Lab) -> None:
    with cheap(finished):
        plain = finished.study(**STUDY)
        cohort, roles = published(plain, "recordings", "recordings"), published(plain, "cohort_split", "roles")
        develops = set(roles.filter(pl.col("role") == "development")["recording"])
        evaluated = np.array([name not in develops for name in cohort["recording"]])
        assert 0 < evaluated.sum() < evaluated.size

        mask, shares, names = vote_of(plain, THREE)
        corrupted = vote_of(plain, THREE, recordings=corrupt(cohort, evaluated))
        assert corrupted[0].equals(mask)
        assert corrupted[1].equals(shares, null_equal=True)
        assert corrupted[2] == names
        # the same done to development recordings leaves no member good enough
        with pytest.raises(DataError, match="no member reaches"):
            vote_of(plain, THREE, recordings=corrupt(cohort, ~evaluated))


def corrupt(cohort: pl.DataFrame, rows: np.ndarray[Any, Any]) -> pl.DataFrame:
    """Other ground truth, and the first tenth of each recording called artefact, in `rows`."""
    artefact = np.array(cohort["artefact"].to_list(), dtype=bool)
    truth = signal_array(cohort["truth"]).copy()
    wrong = np.zeros_like(artefact)
    wrong[:, : artefact.shape[1] // 10] = True
    artefact[rows], truth[rows] = wrong[rows], -truth[rows] + 9
    return cohort.with_columns(
        signal_column(artefact).alias("artefact"), signal_column(truth.astype(np.float32)).alias("truth")
    )


def published(study: Any, asset: str, artifact: str) -> pl.DataFrame:
    run = planner_of(study).key_plan(BY_NAME[asset], PipelineKey()).published
    assert run is not None
    return pl.read_parquet(Path(run.artifact_uri.removeprefix("file://")) / f"{artifact}.parquet")
