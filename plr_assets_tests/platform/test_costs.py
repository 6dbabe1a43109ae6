"""What is behind a partition, and the seconds of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from plr_assets.defs.classification import bootstrap_results
from plr_assets.defs.outlier_detection import detectors, outlier_masks, outlier_scores
from plr_assets.grid import Grid, PipelineKey, grid_of
from plr_assets.platform.artifacts import ArtifactInfo, ArtifactRef
from plr_assets.platform.costs import partitions_behind, seconds_by_stage
from plr_assets.registry import AXES
from plr_assets.study import load_study

PIPELINE = PipelineKey.parse("simple__LOF__linear__CatBoost", AXES)


@pytest.fixture(scope="module")
def grid() -> Grid:
    return grid_of(load_study("demo"))


def ref(seconds: float) -> ArtifactRef:
    return ArtifactRef("run", "model", ArtifactInfo("table", "d", "s", 1), Path("x"), seconds)


def test_all_that_a_pipeline_is_computed_from_comes_once_and_upstream_first(grid: Grid) -> None:
    found = [asset.place(key) for asset, key in partitions_behind(bootstrap_results, PIPELINE, grid)]
    assert len(found) == len(set(found))
    assert found[-1] == "bootstrap_results simple__LOF__linear__CatBoost"
    order = ["recordings", "cohort_split", "detectors LOF", "outlier_masks LOF", "reconstructions LOF__linear"]
    assert [found.index(place) for place in order] == sorted(found.index(place) for place in order)
    assert not any("OneClassSVM" in place or "pupil-gt" in place for place in found)


def test_an_ensemble_costs_what_its_members_do() -> None:
    grid = grid_of(load_study("paper"))
    key = next(key for key in grid.outlier_masks if str(key).startswith("ensembleThresholded"))
    behind = {str(at) for asset, at in partitions_behind(outlier_masks, key, grid) if asset is detectors}
    assert behind == set(grid.members("outlier_detection", str(key)))
    assert len(behind) > 2


def test_seconds_are_summed_by_stage_over_what_is_there(grid: Grid) -> None:
    mask = PIPELINE.only("outlier_detection")
    inputs = {
        ("detectors", "model"): {mask: ref(1.0)},
        ("outlier_scores", "outlier_scores"): {mask: ref(2.0)},
        ("bootstrap_results", "bootstrap_results"): {PIPELINE: ref(4.0)},
    }
    taken = seconds_by_stage(bootstrap_results, PIPELINE, grid, inputs)
    assert taken == {"outlier_detection": 3.0, "classification": 4.0}
    assert outlier_scores.stage.name == "outlier_detection"


def test_seconds_that_are_not_known_are_no_number(grid: Grid) -> None:
    inputs = {
        ("detectors", "model"): {},
        ("bootstrap_results", "bootstrap_results"): {PIPELINE: ref(4.0)},
    }
    assert seconds_by_stage(bootstrap_results, PIPELINE, grid, inputs) is None, "a part is not published"
    of_another = {("bootstrap_results", "bootstrap_results"): {PIPELINE: ref(float("nan"))}}
    assert seconds_by_stage(bootstrap_results, PIPELINE, grid, of_another) is None, "the run does not say"


def test_references_to_equal_content_are_equal_however_long_it_took() -> None:
    assert ref(1.0) == ref(2.0)
    assert hash(ref(1.0)) == hash(ref(2.0))
