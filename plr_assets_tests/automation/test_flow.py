"""From a dropped file to new results, through the sensors and jobs that the daemon would run, without the daemon."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest

from plr_assets.definitions import build_definitions
from plr_assets.defs import ASSETS
from plr_assets.grid import grid_of
from plr_assets.platform import automation
from plr_assets.platform.assets import asset_key
from plr_assets.platform.contract import Contract
from plr_assets.platform.integrity import check_integrity
from plr_assets.platform.jobs import BRING_UP_TO_DATE, COMPUTE, GIVE_ROLES, REFREEZE
from plr_assets.platform.runner import materialized_versions
from plr_assets.platform.sensors import Lookout
from plr_assets.recordings.incoming import incoming_folder, quarantine_folder
from plr_assets.recordings.simulator.files import write_study_files
from plr_assets.study import Study, load_study
from plr_assets_tests.e2e.lab import TRIAL, Lab, Place, empty_lab, to_do

NOTHING = "no file changed, and no run did anything, since the last look"
# One pipeline: what follows a change is the same for each, and a busy machine has to get through it.
GRID = {
    "outlier_detection": ["LOF"],
    "imputation": ["linear"],
    "featurization": ["simple"],
    "classification": ["LogisticRegression"],
}
SMALL: Mapping[str, Any] = {"simulation": {"control": 8, "glaucoma": 8, "unlabelled": 5}, "methods": {}}


@dataclass(frozen=True)
class Clinic:
    """A lab whose recordings came from a device; two more, one labelled and one not, lie beside."""

    lab: Lab
    labelled: Path
    unlabelled: Path

    @property
    def study(self) -> Study:
        return self.lab.study(**{**SMALL, "simulation": None}, grids=[GRID])

    @property
    def incoming(self) -> Path:
        return incoming_folder(self.study)

    def definitions(self) -> dg.Definitions:
        return build_definitions(self.study)

    def runs(self) -> dict[Place, str]:
        """Partition -> id of its newest published run."""
        contract = Contract("trial")
        found = {}
        for place in contract.places():
            run = contract.latest(*place)
            assert run is not None
            found[place] = run.run_id
        return found

    def tick(self, name: str, cursor: str | None = None) -> tuple[list[dg.RunRequest], str | None]:
        """What one evaluation of a sensor asks for, and the cursor that it leaves."""
        repository = self.definitions().get_repository_def()
        sensor = repository.get_sensor_def(name)
        with self.lab.instance() as instance:
            context = dg.build_sensor_context(instance=instance, cursor=cursor, repository_def=repository)
            data = sensor.evaluate_tick(context)
        return list(data.run_requests or []), data.cursor

    def job(self, name: str, config: Mapping[str, Any] | None = None) -> dg.ExecuteInProcessResult:
        with self.lab.instance() as instance:
            job = self.definitions().get_repository_def().get_job(name)
            return job.execute_in_process(instance=instance, run_config=dict(config or {}), raise_on_error=False)

    def materialize(self, name: str) -> bool:
        with self.lab.instance() as instance:
            job = self.definitions().resolve_implicit_global_asset_job_def()
            keys = [asset_key("trial", name)]
            return job.execute_in_process(instance=instance, asset_selection=keys, raise_on_error=False).success

    def done(self) -> bool:
        return not to_do(self.lab.plans(self.study))


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clinic]:
    """Brought up to date by the job, not by `plr run`."""
    base = tmp_path_factory.mktemp("clinic")
    lab = empty_lab(tmp_path_factory.getbasetemp()).copy(base / "lab")
    with pytest.MonkeyPatch.context() as patch:
        lab.enter(patch)
        write_study_files(lab.study(**SMALL, grids=[GRID]))
        subjects = pl.read_csv(lab.folder / "subjects.csv")
        beside = base / "beside"
        beside.mkdir()
        moved = []
        for labelled in (True, False):
            code = subjects.filter(pl.col("class_label").is_not_null() == labelled)["subject_code"][-1]
            moved.append(Path(shutil.move(lab.folder / "raw" / f"{code}_BR.csv", beside)))
        clinic = Clinic(lab, *moved)
        assert clinic.job(BRING_UP_TO_DATE).success
        assert clinic.done()
        yield clinic


def computed(before: Mapping[Place, str], after: Mapping[Place, str]) -> set[str]:
    """Assets of which a partition was published anew."""
    return {asset for (asset, key), run in after.items() if before.get((asset, key)) != run}


def drop(clinic: Clinic, path: Path, cursor: str | None) -> str | None:
    """Two looks, one request, one import; the cursor after it."""
    shutil.copy(path, clinic.incoming)
    requests, cursor = clinic.tick("incoming_files", cursor)
    assert not requests, "it may still be written"
    requests, cursor = clinic.tick("incoming_files", cursor)
    assert len(requests) == 1
    assert clinic.tick("incoming_files", cursor) == ([], cursor), "it is asked for once"
    assert clinic.materialize("incoming_recordings")
    assert clinic.tick("incoming_files", cursor)[0] == [], "what the import moved is no news"
    return cursor


def follow(clinic: Clinic) -> None:
    """What the sensor asks for is done, and then it asks for nothing."""
    (request,), _ = clinic.tick("follow_changes")
    assert clinic.tick("follow_changes")[0][0].run_key == request.run_key, "the same work has the same name"
    assert clinic.job(BRING_UP_TO_DATE, request.run_config).success
    assert clinic.done()
    assert not clinic.tick("follow_changes")[0]


def raw(clinic: Clinic) -> set[str]:
    return {path.name for path in (clinic.lab.folder / "raw").iterdir()}


@pytest.mark.slow
def test_a_dropped_file_is_pending_and_joins_when_asked_and_the_change_flows(ready: Clinic) -> None:
    before = ready.runs()
    ready.incoming.mkdir()
    requests, cursor = ready.tick("incoming_files")
    assert not requests, "nothing lies there"
    assert ready.tick("incoming_files", cursor) == ([], cursor)

    (ready.incoming / "P9_broken.csv").write_text("this is no recording\n")
    cursor = drop(ready, ready.unlabelled, cursor)
    assert computed(before, ready.runs()) == {"incoming_recordings"}
    event = ready.lab.materialized(("incoming_recordings", "incoming_recordings"))[0]
    assert event.metadata["pending"].value == event.metadata["quarantined"].value == 1.0
    assert "accepted" in str(event.metadata["verdicts"].value)
    pictures = [title for title, value in event.metadata.items() if "data:image/png;base64" in str(value.value)]
    assert len(pictures) == 1
    assert (quarantine_folder(ready.study) / "P9_broken.csv").is_file()
    assert ready.done(), "the frozen experiment stands still"
    assert not ready.tick("follow_changes")[0]

    files = raw(ready)
    assert ready.job(REFREEZE, {"ops": {GIVE_ROLES: {"config": {"freeze": False}}}}).success
    assert raw(ready) == files, "it was only asked what would change"
    assert ready.job(REFREEZE).success
    assert raw(ready) == files | {ready.unlabelled.name}
    follow(ready)
    after = ready.runs()
    learning = {"detectors", "imputers"}
    assert {"recordings", "cohort_split"} | learning <= computed(before, after)

    cursor = drop(ready, ready.labelled, cursor)
    assert ready.job(REFREEZE).success
    follow(ready)
    anew = computed(after, ready.runs())
    assert {"recordings", "features", "bootstrap_results", "evaluation"} <= anew
    assert not anew & learning, "an evaluated recording refits nothing"

    last = ready.runs()
    some = sorted((ready.lab.folder / "raw").iterdir())[0]
    content = some.read_bytes()
    some.unlink()
    some.write_bytes(content)
    assert not ready.tick("follow_changes")[0], "an identical file is no change"
    assert ready.runs() == last
    with closing(Contract("trial")) as contract:
        report = check_integrity(ready.study, contract)
    assert report.problems == ()
    assert report.counts["rows"] > 0


def test_a_lookout_waits_for_files_that_are_being_written_and_looks_once(
    finished: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    signatures = iter(["a", "a", "b", "b", "b", "b"])
    monkeypatch.setattr("plr_assets.platform.sensors.inputs_signature", lambda _: next(signatures))
    study = finished.study()
    lookout = Lookout(study, lambda: study, ASSETS)
    with finished.instance() as instance:
        first = lookout.look(instance, 0.0)
        assert not isinstance(first, str)
        assert not first.wanted
        assert lookout.look(instance, 30.0) == NOTHING
        assert "being written" in str(lookout.look(instance, 60.0))
        assert not isinstance(lookout.look(instance, 90.0), str)
        assert lookout.look(instance, 120.0) == NOTHING
        full = lookout.look(instance, 90.0 + automation.FULL_LOOK_EVERY_S)
        assert not isinstance(full, str), "some changes show in no size and no time"


def with_neighbours(lab: Lab, number: int) -> Study:
    return lab.study(methods={**TRIAL["methods"], "outlier_detection": {"LOF": {"n_neighbors": number}}})


def test_what_the_daemon_sees_is_what_the_file_says_now(finished: Lab) -> None:
    """The process that serves a code location lives for days."""
    study = finished.study()
    studies = iter([study, with_neighbours(finished, 33)])
    lookout = Lookout(study, lambda: next(studies), ASSETS)
    with finished.instance() as instance:
        first = lookout.look(instance, 0.0)
        later = lookout.look(instance, 1 + automation.FULL_LOOK_EVERY_S)
    assert not isinstance(first, str)
    assert not isinstance(later, str)
    assert not first.wanted
    assert "detectors" in {asset.name for asset in later.wanted}
    assert "imputers" not in {asset.name for asset in later.wanted}


def test_a_job_that_fails_says_which_partitions(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise ValueError("no neighbours today")

    monkeypatch.setattr("plr_assets.outlier_detection.lof.LOF.fit", refuse)
    with lab.instance() as instance:
        job = build_definitions(with_neighbours(lab, 34)).get_repository_def().get_job(BRING_UP_TO_DATE)
        config = {"ops": {COMPUTE: {"config": {"select": "asset=detectors"}}}}
        result = job.execute_in_process(instance=instance, run_config=config, raise_on_error=False)
        assert not result.success
        (event,) = result.get_step_failure_events()
        words = event.step_failure_data.user_failure_data
        assert words is not None
        assert "detectors LOF: ValueError: no neighbours today" in str(words.description)
        versions = materialized_versions(instance, "trial", next(a for a in ASSETS if a.name == "detectors"))
        assert versions, "what was there before stands"


# -- what runs unasked --------------------------------------------------------------------------------------


def test_every_asset_has_a_condition_and_only_the_plan_acts_unasked() -> None:
    manual = load_study("demo")
    for study in (manual, manual.model_copy(update={"automation": "automatic"})):
        definitions = build_definitions(study)
        assert all(spec.automation_condition is not None for spec in definitions.resolve_all_asset_specs())
        repository = definitions.get_repository_def()
        running = {s.name for s in repository.sensor_defs if s.default_status == dg.DefaultSensorStatus.RUNNING}
        asleep = {s.name for s in repository.schedule_defs if s.default_status == dg.DefaultScheduleStatus.STOPPED}
        if study.automation == "automatic":
            assert running == {"follow_changes", "failed_runs"}
            assert asleep == set()
        else:
            assert running == {"failed_runs"}
            assert asleep == {"weekly_run", "nightly_integrity"}
        assert grid_of(study).pipelines
