"""Planning over a real store: exactly what changed is computed again, and what was lost is put back."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from plr_assets.defs import ASSETS
from plr_assets.errors import ContractError
from plr_assets.grid import PipelineKey, grid_of
from plr_assets.platform.contract import Contract
from plr_assets.platform.results_db import content_digest, database_path
from plr_assets.platform.runner import AssetOutcome
from plr_assets.platform.stages import Reads
from plr_assets_tests.e2e.lab import (
    TRIAL,
    Lab,
    Place,
    descendants,
    empty_lab,
    finished_lab,
    places_of,
    planner_of,
    to_do,
)

ONE = "simple__LOF__linear__XGBoost"
FEATURES = [f"simple__{outlier}__{imputer}" for outlier in ("pupil-gt", "LOF") for imputer in ("pupil-gt", "linear")]
TREES = {"min_child_weight": 1.0, "n_estimators": 20}


@pytest.fixture
def finished(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """The trial after one run. Not to be changed."""
    return finished_lab(tmp_path_factory.getbasetemp()).enter(monkeypatch)


@pytest.fixture
def lab(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """The trial after one run, to be changed."""
    return finished_lab(tmp_path_factory.getbasetemp()).copy(tmp_path / "lab").enter(monkeypatch)


@pytest.fixture
def empty(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Lab:
    return empty_lab(tmp_path_factory.getbasetemp()).enter(monkeypatch)


def methods(axis: str, name: str, **parameters: Any) -> dict[str, Any]:
    """The trial's overrides with one more."""
    return {"methods": {**TRIAL["methods"], axis: {**TRIAL["methods"].get(axis, {}), name: parameters}}}


def computed(outcomes: dict[str, AssetOutcome]) -> set[str]:
    assert not any(outcome.failed or outcome.blocked for outcome in outcomes.values())
    return {name for name, outcome in outcomes.items() if outcome.computed}


def test_before_the_first_run_nothing_is_done_and_what_needs_input_is_blocked_by_name(empty: Lab) -> None:
    study = empty.study()
    plans = empty.plans(study)
    assert set(plans) == set(places_of(grid_of(study)))
    assert not any(plan.done or plan.published for plan in plans.values())
    can_start = {place for place, plan in plans.items() if not plan.blocked}
    tables = {"essential_metrics", "predictions", "roc_curves", "calibration_curves", "dca_curves"}
    tables |= {"probability_distributions", "outlier_metrics", "imputation_metrics", "feature_metrics"}
    tables.add("imputation_comparisons")
    tables |= {"reliability", "further_metrics", "pipeline_comparisons", "pipeline_costs"}
    assert {asset for asset, _ in can_start} == {"device_files"} | tables
    assert plans["outlier_masks", "LOF"].blocked == (
        "recordings",
        "cohort_split",
        "detectors LOF",
        "outlier_scores LOF",
    )


def test_after_a_run_everything_is_done_and_exported(finished: Lab) -> None:
    plans = finished.plans()
    assert to_do(plans) == set()
    assert all(plan.exported for plan in plans.values())


@pytest.mark.parametrize(
    ("changes", "roots"),
    [
        (methods("outlier_detection", "LOF", n_neighbors=50), [("detectors", "LOF")]),
        (methods("featurization", "simple", colours=["blue"]), [("features", key) for key in FEATURES]),
        ({"gaps": {"longest_s": 0.5}}, [("features", key) for key in FEATURES]),
        (methods("classification", "XGBoost", **TREES, max_depth=3), [("bootstrap_results", ONE), ("models", ONE)]),
        ({"labels": ["glaucoma", "control"]}, [("recordings", "recordings")]),
        ({"baseline": {"before": "blue", "window_s": [-4, 0]}}, [("device_files", "device_files")]),
        ({"seed": 8}, [("device_files", "device_files")]),
    ],
    ids=["detector", "features", "gaps", "classifier", "labels", "baseline", "seed"],
)
def test_a_change_puts_exactly_what_it_reaches_out_of_date(
    finished: Lab, changes: dict[str, Any], roots: list[Place]
) -> None:
    study = finished.study(**changes)
    assert to_do(finished.plans(study)) == descendants(study, *roots)


def test_what_an_older_version_published_without_an_artifact_is_computed_again_before_it_is_read(
    finished: Lab,
) -> None:
    """An upgrade may declare an artifact that no run in the store has."""
    (masks,) = (asset for asset in ASSETS if asset.name == "outlier_masks")
    read = Reads(masks, "not_there_yet", lambda _grid, key: (key.only("outlier_detection"),))
    (signals,) = (asset for asset in ASSETS if asset.name == "imputed_signals")
    wanting = replace(signals, reads=(*signals.reads, read))
    key = PipelineKey(outlier_detection="LOF", imputation="linear")
    with pytest.raises(ContractError, match="there is no artifact 'not_there_yet'"):
        planner_of(finished.study()).key_plan(wanting, key)
    outdated = finished.study(**methods("outlier_detection", "LOF", contamination_without_truth=0.03))
    assert planner_of(outdated).key_plan(wanting, key).blocked == ("outlier_masks LOF",)


def test_more_iterations_reach_every_pipeline_and_no_signal(finished: Lab) -> None:
    study = finished.study(bootstrap={"iterations": 13})
    roots = [("bootstrap_results", str(key)) for key in grid_of(study).pipelines]
    assert to_do(finished.plans(study)) == descendants(study, *roots)


@pytest.mark.parametrize(
    "changes",
    [{"description": "Other words."}, {"workers": {"kind": "process", "processes": 2}}],
    ids=["description", "workers"],
)
def test_what_cannot_change_a_result_makes_no_work_but_the_page_that_says_it(
    finished: Lab, changes: dict[str, Any]
) -> None:
    told = {("report", "report")} if "description" in changes else set()
    assert to_do(finished.plans(finished.study(**changes))) == told


def test_a_limit_that_only_flags_publishes_the_verdicts_again_and_nothing_else(lab: Lab) -> None:
    before = lab.digests()
    study = lab.study(quality={"noise_percent": [0.0, None], "max_flagged_share": 1.0})
    assert computed(lab.run(study)) == {"recordings", "report"}
    after = lab.digests()
    changed = {
        (place, name) for place, own in after.items() for name, digest in own.items() if before[place][name] != digest
    }
    report = (("report", "report"), "report")  # it has the verdicts of the checks
    assert changed == {(("recordings", "recordings"), "recording_verdicts"), report}
    assert to_do(lab.plans(study)) == set()


@pytest.mark.slow
def test_a_limit_of_gaps_is_told_anew_and_no_classifier_runs_again(lab: Lab) -> None:
    before = lab.digests()
    study = lab.study(gaps={"longest_s": 0.05})
    science = {asset.name for asset in ASSETS if asset.stage.name != "figures"}
    ran = computed(lab.run(study, "outlier=LOF imputer=linear classifier=XGBoost", only=tuple(science)))
    assert {"features", "evaluation", "predictions", "feature_metrics"} <= ran
    assert not ran & {"imputed_signals", "bootstrap_results", "imputation_metrics"}
    after = lab.digests()
    changed = {
        (asset, name) for (asset, key), own in after.items() for name in own if before[asset, key][name] != own[name]
    }
    assert ("features", "feature_coverage") in changed
    assert ("evaluation", "predictions") in changed
    assert not changed & {("features", "features"), ("evaluation", "essential_metrics")}


def test_a_new_title_redraws_what_shows_it_and_nothing_else(finished: Lab) -> None:
    of_study = ("study_figures", "ranking_figures", "validation_figures", "method_figures", "cost_figures")
    of_study += ("paper_tables", "report")
    assert to_do(finished.plans(finished.study(title="Another name"))) == {(name, name) for name in of_study}


def test_a_pipeline_that_is_added_leaves_the_others_alone(finished: Lab) -> None:
    """It is computed and named in the tables over all pipelines; no other pipeline is computed again."""
    extra = {**TRIAL["grids"][1], "outlier_detection": ["pupil-gt"], "classification": ["XGBoost"]}
    study = finished.study(grids=[*TRIAL["grids"], extra])
    added = "simple__pupil-gt__linear__XGBoost"
    assert to_do(finished.plans(study)) == descendants(study, ("bootstrap_results", added), ("models", added))


def append_a_byte(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")


def flip_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("tamper", [append_a_byte, flip_a_byte, Path.unlink], ids=["longer", "changed", "gone"])
@pytest.mark.parametrize(
    ("place", "file"),
    [
        (("outlier_masks", "LOF"), "outlier_masks.parquet"),
        (("detectors", "LOF"), "model/estimator.json"),
        (("pipeline_figures", ONE), f"figure/{ONE}.json"),
    ],
    ids=["table", "model", "figure"],
)
def test_a_tampered_artifact_is_no_result(lab: Lab, place: Place, file: str, tamper: Callable[[Path], object]) -> None:
    run = Contract("trial").latest(*place)
    assert run is not None
    path = Path(run.artifact_uri.removeprefix("file://")) / file
    tamper(path)
    assert to_do(lab.plans()) == descendants(lab.study(), place)


def test_a_tampered_artifact_is_computed_again_to_the_same_digest_and_nothing_else_is(lab: Lab) -> None:
    before, place = lab.digests(), ("outlier_masks", "LOF")
    old = Contract("trial").latest(*place)
    assert old is not None
    append_a_byte(Path(old.artifact_uri.removeprefix("file://")) / "outlier_masks.parquet")
    assert computed(lab.run()) == {"outlier_masks"}
    new = Contract("trial").latest(*place)
    assert new is not None
    assert new.run_id != old.run_id
    assert lab.digests() == before
    assert to_do(lab.plans()) == set()


def lose_a_figure(lab: Lab) -> Path:
    lost = lab.folder / "figures" / "pipelines" / f"{ONE}.svg"
    lost.unlink()
    return lost


def edit_a_figure(lab: Lab) -> Path:
    edited = lab.folder / "figures" / "signals" / "LOF__linear.json"
    edited.write_text("{}", encoding="utf-8")
    return edited


def lose_a_recording(lab: Lab) -> Path:
    lost = sorted((lab.folder / "raw").iterdir())[3]
    lost.unlink()
    return lost


def lose_all_recordings(lab: Lab) -> Path:
    lost = sorted((lab.folder / "raw").iterdir())[3]
    shutil.rmtree(lab.folder / "raw")
    return lost


def lose_the_subjects(lab: Lab) -> Path:
    lost = lab.folder / "subjects.csv"
    lost.unlink()
    return lost


@pytest.mark.parametrize(
    ("lose", "again"),
    [
        (lose_a_figure, set()),
        (edit_a_figure, set()),
        (lose_a_recording, {"device_files"}),
        (lose_all_recordings, {"device_files"}),
        (lose_the_subjects, {"device_files"}),
    ],
)
def test_a_lost_file_comes_back_byte_for_byte(lab: Lab, lose: Callable[[Lab], Path], again: set[str]) -> None:
    """Copies come from the store; simulated files are simulated again; nothing that descends from them is."""
    original = {path: path.read_bytes() for path in lab.folder.rglob("*") if path.is_file()}
    before = lab.digests()
    lost = lose(lab)
    assert computed(lab.run()) == again
    assert lost.read_bytes() == original[lost]
    assert lab.digests() == before


def test_a_lost_database_is_built_again_with_the_same_content(lab: Lab) -> None:
    path = database_path(lab.folder)
    before, digest = lab.digests(), content_digest(path)
    path.unlink()
    assert computed(lab.run()) == {"results_database"}
    assert content_digest(path) == digest is not None
    assert lab.digests() == before


def test_a_broken_database_is_told_without_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planning asks for it at every run and every status."""

    def sleep(seconds: float) -> None:
        pytest.fail(f"waited {seconds} s")

    monkeypatch.setattr("time.sleep", sleep)
    path = database_path(tmp_path)
    path.write_bytes(b"no database")
    assert content_digest(path) is None
