"""A published run comes back from what it recorded; where it does not, what is another is named."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import pytest

from plr_assets.defs import ASSETS
from plr_assets.errors import ContractError
from plr_assets.featurization.windowed import WindowedFeatures
from plr_assets.platform.contract import Contract, PublishedRun
from plr_assets.platform.mapper import SerialMapper
from plr_assets.platform.recipe import FILE, read_recipe
from plr_assets.platform.reproduction import Reproducer, Reproduction, result_of
from plr_assets.study import Study
from plr_assets_tests.e2e.lab import Lab
from plr_assets_tests.platform_wiring.small_lab import ONE_GRID, PIPELINE, small_lab
from plr_assets_tests.terminal import Plr

KEYS = {
    "device_files": "device_files",
    "recordings": "recordings",
    "cohort_split": "cohort_split",
    "detectors": "LOF",
    "features": "simple__LOF__linear",
    "bootstrap_results": PIPELINE,
}


@pytest.fixture
def small(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """Not to be changed."""
    return small_lab(tmp_path_factory.getbasetemp()).enter(monkeypatch)


@pytest.fixture
def lab(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    return small_lab(tmp_path_factory.getbasetemp()).copy(tmp_path / "lab").enter(monkeypatch)


def published(asset: str, key: str) -> PublishedRun:
    run = Contract("trial").latest(asset, key)
    assert run is not None
    return run


def reproduce(study: Study, run: PublishedRun, scratch: Path, *, deep: bool = False) -> list[Reproduction]:
    with closing(Contract(study.name)) as contract:
        reproducer = Reproducer(study, list(ASSETS), contract, SerialMapper(), scratch)
        return list(reproducer.reproduce(run, deep=deep))


@pytest.mark.parametrize(("asset", "key"), KEYS.items())
def test_a_partition_is_made_again_equal_and_nothing_of_the_study_is_touched(
    small: Lab, tmp_path: Path, asset: str, key: str
) -> None:
    files = {path: path.stat().st_mtime_ns for path in small.data.rglob("*") if path.is_file()}
    runs = set(Contract("trial").partitions(asset))
    (made,) = reproduce(small.study(grids=ONE_GRID), published(asset, key), tmp_path)
    assert made == Reproduction(made.place, published(asset, key).run_id), "equal, and nothing differs"
    assert set(Contract("trial").partitions(asset)) == runs
    changed = {path for path in files if path.stat().st_mtime_ns != files[path]}
    assert {path.name for path in changed} <= {"mlflow.db", "mlflow.db-wal", "mlflow.db-shm"}


def test_deep_makes_everything_again_from_the_device_files_on(small: Lab, tmp_path: Path) -> None:
    made = reproduce(small.study(grids=ONE_GRID), published("evaluation", f"{PIPELINE}"), tmp_path, deep=True)
    assert all(one.same for one in made), [one for one in made if not one.same]
    places = [one.place.partition(" ")[0] for one in made]
    assert places[0] == "device_files"
    assert places[-1] == "evaluation"
    assert len(places) == len(set(places)) == 12


def test_a_recipe_proves_itself_by_the_fingerprint(lab: Lab) -> None:
    run = published("features", KEYS["features"])
    contract = Contract("trial")
    recipe = read_recipe(contract, run)
    assert recipe is not None
    assert recipe.parts["parameters"]
    assert "plr_assets.featurization.windowed" in recipe.modules
    path = contract.file(run, FILE)
    content = json.loads(path.read_text(encoding="utf-8"))
    content["parts"]["seed"] = 8
    path.write_text(json.dumps(content), encoding="utf-8")
    assert read_recipe(contract, run) is None


def test_recorded_parameters_and_seed_are_used_though_the_study_has_others_now(small: Lab, tmp_path: Path) -> None:
    other = small.study(
        grids=ONE_GRID,
        seed=8,
        bootstrap={"iterations": 5},
        methods={"classification": {"LogisticRegression": {"C": 0.01}}},
    )
    (made,) = reproduce(other, published("bootstrap_results", PIPELINE), tmp_path)
    assert made.same
    assert any(text.startswith("parameters: ") and "C " in text for text in made.differences)


def test_a_changed_method_is_named_with_its_module_and_the_columns_that_differ(
    small: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = published("features", KEYS["features"])
    works = WindowedFeatures.transform
    monkeypatch.setattr(
        WindowedFeatures,
        "transform",
        lambda self, cohort, signal: works(self, cohort, signal + 1),
    )
    from plr_assets.platform import fingerprints

    read = fingerprints.closure
    module = "plr_assets.featurization.windowed"

    def edited(roots: Iterable[str]) -> tuple[dict[str, str], set[str]]:
        sources, libraries = read(roots)
        return {name: "edited" if name == module else source for name, source in sources.items()}, libraries

    monkeypatch.setattr(fingerprints, "closure", edited)
    fingerprints.read_again()
    try:
        (made,) = reproduce(small.study(grids=ONE_GRID), run, tmp_path)
    finally:
        monkeypatch.undo()
        fingerprints.read_again()
    assert not made.same
    assert made.differing["features"].startswith("column(s) ")
    assert f"code: {module}" in made.differences


def test_an_input_that_was_changed_or_removed_is_named(lab: Lab, tmp_path: Path) -> None:
    run, study = published("features", KEYS["features"]), lab.study(grids=ONE_GRID)
    mask = published("outlier_masks", "LOF")
    path = Contract("trial").ref(mask, "outlier_masks").path
    path.write_bytes(path.read_bytes() + b"\0")
    (made,) = reproduce(study, run, tmp_path / "one")
    assert f"input outlier_masks LOF: run {mask.run_id}, artifact outlier_masks" in made.error
    Contract("trial").client.delete_run(mask.run_id)
    (made,) = reproduce(study, run, tmp_path / "other")
    assert f"input outlier_masks LOF, run {mask.run_id}: it is gone from the store" in made.error


def test_files_of_a_study_that_were_edited_since_are_named(lab: Lab, tmp_path: Path) -> None:
    recording = sorted((lab.folder / "raw").iterdir())[0]
    recording.unlink()
    (made,) = reproduce(lab.study(grids=ONE_GRID), published("recordings", "recordings"), tmp_path)
    assert not made.same
    assert made.differing["recordings"] == "30 rows, now 29"
    assert "source: the files that are read from outside the store changed" in made.differences


def test_a_run_without_a_recipe_is_made_again_as_the_study_reads_now(lab: Lab, tmp_path: Path) -> None:
    """Runs that were published before recipes were kept."""
    run = published("features", KEYS["features"])
    Contract("trial").file(run, FILE).unlink()
    (made,) = reproduce(lab.study(grids=ONE_GRID), run, tmp_path / "same")
    assert made.same
    assert not made.differences
    other = lab.study(grids=ONE_GRID, methods={"featurization": {"simple": {"colours": ["blue"]}}})
    (made,) = reproduce(other, run, tmp_path / "other")
    assert not made.same
    assert made.differences[0].startswith("the run recorded no recipe")


def test_a_run_that_is_no_result_of_the_study_is_refused(small: Lab) -> None:
    contract = Contract("trial")
    with pytest.raises(ContractError, match="the tracking store has no such run"):
        result_of(contract, "0" * 32)
    with pytest.raises(ContractError, match="it is of study 'trial', not of 'demo'"):
        result_of(Contract("demo"), published("recordings", "recordings").run_id)


@pytest.mark.parametrize("tampered", [False, True])
def test_the_exit_code_says_whether_all_was_equal(lab: Lab, plr: Plr, *, tampered: bool) -> None:
    run = published("features", KEYS["features"])
    if tampered:
        path = Contract("trial").ref(published("outlier_masks", "LOF"), "outlier_masks").path
        path.unlink()
    study = str(lab.study_file(grids=ONE_GRID))
    said = plr("reproduce", run.run_id, "--study", study)
    assert bool(said.code) is tampered
    assert ("not equal" in said.out) is tampered
