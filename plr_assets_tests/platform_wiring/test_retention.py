"""What `plr gc` may take: superseded and broken runs, and never what something that stands refers to."""

from __future__ import annotations

import tempfile
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from plr_assets.defs import ASSETS
from plr_assets.errors import ContractError
from plr_assets.grid import grid_of
from plr_assets.platform.contract import Contract, PublishedRun
from plr_assets.platform.leftovers import PROCESS_TAG
from plr_assets.platform.planning import Planner
from plr_assets.platform.processes import this_process
from plr_assets.platform.retention import Garbage, garbage, remove
from plr_assets.platform.scratch import abandoned, scratch_folder
from plr_assets.study import Study
from plr_assets_tests.e2e.lab import Lab, to_do
from plr_assets_tests.platform_wiring.small_lab import ONE_GRID, PIPELINE, small_lab
from plr_assets_tests.terminal import Plr

FEATURES = "simple__LOF__linear"
BLUE = {"featurization": {"simple": {"colours": ["blue"]}}}


@cache
def twice_run(base: Path) -> Lab:
    """The one pipeline twice: its features were computed again with other parameters, and so was what follows."""
    lab = small_lab(base).copy(base / "twice")
    with pytest.MonkeyPatch.context() as patch:
        lab.enter(patch).run(changed(lab), "asset=evaluation")
    return lab


@pytest.fixture(autouse=True)
def own_scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What other processes of this machine left behind is not theirs to find."""
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))


@pytest.fixture
def lab(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    return twice_run(tmp_path_factory.getbasetemp()).copy(tmp_path / "lab").enter(monkeypatch)


def changed(lab: Lab) -> Study:
    return lab.study(grids=ONE_GRID, methods=BLUE)


def found(study: Study) -> list[Garbage]:
    with closing(Contract(study.name)) as contract:
        return garbage(Planner(study, grid_of(study), contract), [a for a in ASSETS if a.offered(study)])


def removed(lab: Lab, items: list[Garbage]) -> int:
    with lab.instance() as instance, closing(Contract("trial")) as contract:
        return remove(items, contract, instance)


def runs(asset: str, key: str) -> list[PublishedRun]:
    return list(Contract("trial").runs(asset, key))


def dead() -> str:
    return f"{this_process().partition(':')[0]}:1:0"


def test_superseded_runs_go_and_the_study_stands(lab: Lab) -> None:
    study = changed(lab)
    items = found(study)
    assert {item.place: item.why for item in items} == {
        f"features {FEATURES}": "superseded",
        f"bootstrap_results {PIPELINE}": "superseded",
        f"evaluation {PIPELINE}": "superseded",
    }
    before = {path: path.stat().st_size for path in lab.data.rglob("*") if path.is_file()}
    undone = to_do(lab.plans(study))
    freed = removed(lab, items)
    left = {path for path in lab.data.rglob("*") if path.is_file()}
    gone = before.keys() - left
    assert freed == sum(item.bytes for item in items) == sum(before[path] for path in gone) > 0
    assert all("artifacts" in path.parts for path in gone)
    assert to_do(lab.plans(study)) == undone
    assert [len(runs(*place)) for place in (("features", FEATURES), ("evaluation", PIPELINE))] == [1, 1]
    assert found(study) == []


def test_looking_changes_nothing(lab: Lab) -> None:
    before = {path: path.read_bytes() for path in (lab.data / "mlflow").rglob("*.parquet")}
    assert found(changed(lab)) == found(changed(lab))
    assert {path: path.read_bytes() for path in (lab.data / "mlflow").rglob("*.parquet")} == before
    assert len(runs("features", FEATURES)) == 2


def keep_by_tag(lab: Lab, client: Any, run_id: str) -> None:
    client.set_tag(run_id, "plr.keep", "the paper's")


def keep_by_figure(lab: Lab, client: Any, run_id: str) -> None:
    place = lab.folder / "figures" / "study"
    place.mkdir(parents=True)
    (place / "heat map.json").write_text(f'{{"run": "{run_id}"}}', encoding="utf-8")


def keep_by_model(lab: Lab, client: Any, run_id: str) -> None:
    client.create_registered_model("screening")
    client.create_model_version("screening", source=client.get_run(run_id).info.artifact_uri, run_id=run_id)


def keep_by_other_run(lab: Lab, client: Any, run_id: str) -> None:
    client.create_run(
        client.create_experiment("deployed", (lab.root / "deployed").as_uri()), tags={"model.made_from": run_id}
    )


@pytest.mark.parametrize("keep", [keep_by_tag, keep_by_figure, keep_by_model, keep_by_other_run])
def test_what_something_refers_to_stays_with_all_that_it_was_computed_from(lab: Lab, keep: Any) -> None:
    old = runs("evaluation", PIPELINE)[0]
    keep(lab, Contract("trial").client, old.run_id)
    assert found(changed(lab)) == []


def test_an_adopted_run_stays_and_so_do_runs_of_others(lab: Lab) -> None:
    client = Contract("trial").client
    pinned = runs("features", FEATURES)[0]
    client.set_tag(pinned.run_id, "plr.adopted_from", "f" * 32)
    number = client.create_experiment("trial/mine", (lab.root / "mine").as_uri())
    theirs = client.create_run(number, tags={"plr.study": "trial", "plr.key": "LOF"})
    client.set_terminated(theirs.info.run_id)
    places = {item.place for item in found(changed(lab))}
    assert places == {f"bootstrap_results {PIPELINE}", f"evaluation {PIPELINE}"}


def test_broken_off_runs_and_leftovers_go_and_those_of_living_processes_stay(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    study, client = changed(lab), Contract("trial").client
    removed(lab, found(study))
    current = runs("features", FEATURES)[-1]
    tags = {name: value for name, value in client.get_run(current.run_id).data.tags.items() if "plr." in name}
    number = client.get_run(current.run_id).info.experiment_id
    broken = client.create_run(number, tags={**tags, "plr.process": dead()}).info.run_id
    client.create_run(number, tags={**tags, "plr.process": this_process()})
    mine, lost = scratch_folder(), scratch_folder()
    (lost / ".owner").write_text(dead(), encoding="utf-8")
    (lost / "table.parquet").write_bytes(b"x" * 1000)
    half = lab.folder / ".simulation-abc"
    half.mkdir()
    orphan = Contract("trial").ref(current, "features").path.parents[2] / ("0" * 32)
    orphan.mkdir()
    items = found(study)
    assert {item.run_id for item in items} == {broken, None}
    assert {item.place for item in items if item.run_id is None} == {str(lost), str(half), str(orphan)}
    removed(lab, items)
    assert not any(path.exists() for path in (lost, half, orphan))
    assert mine.exists()
    assert abandoned() == []
    assert client.get_run(broken).info.lifecycle_stage == "deleted"


def test_nothing_is_removed_while_a_run_goes_on(lab: Lab) -> None:
    items = found(changed(lab))
    with lab.instance() as instance, closing(Contract("trial")) as contract:
        going = dg.DagsterRun(job_name="a_run", status=dg.DagsterRunStatus.STARTED, tags={PROCESS_TAG: this_process()})
        instance.add_run(going)
        with pytest.raises(ContractError, match=f"run {going.run_id} is going on"):
            remove(items, contract, instance)
    assert len(runs("features", FEATURES)) == 2


def test_a_removal_that_broke_off_is_completed_by_the_next(lab: Lab) -> None:
    study = changed(lab)
    first = found(study)[0]
    assert first.run_id is not None
    Contract("trial").client.delete_run(first.run_id)  # and then the process died
    again = found(study)
    assert {item.place for item in again if item.run_id is None} == {str(path) for path in first.files}
    removed(lab, again)
    assert found(study) == []


def test_the_command_lists_and_removes_only_when_told(lab: Lab, plr: Plr) -> None:
    def gc(*further: str) -> str:
        said = plr("gc", str(lab.study_file(grids=ONE_GRID, methods=BLUE)), *further)
        assert said.code == 0
        return said.out

    assert "with --yes they do" in gc()
    assert len(runs("evaluation", PIPELINE)) == 2
    assert "freed" in gc("--yes")
    assert len(runs("evaluation", PIPELINE)) == 1
    assert "Nothing to remove" in gc()
