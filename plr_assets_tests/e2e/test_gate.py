"""The gate and the freeze in whole runs: a failed check stops what follows, new recordings move nothing until asked."""

from __future__ import annotations

import io
import os
import shutil
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest

from plr_assets.cli import main
from plr_assets.definitions import build_definitions
from plr_assets.imputation.against_linear import AgainstLinear
from plr_assets.outlier_detection.chance import AgainstChance
from plr_assets.platform.assets import asset_key
from plr_assets.platform.contract import Contract
from plr_assets.platform.mapper import SerialMapper
from plr_assets.platform.resources import live_resources
from plr_assets.platform.results_db import database_path
from plr_assets.recordings.freezing import freeze_file
from plr_assets.recordings.simulator.files import write_study_files
from plr_assets.study import Study
from plr_assets_tests.e2e.lab import TRIAL, Lab

IMPORT = ("device_files", "recordings", "cohort_split", "detectors")
CLEANED = (
    "recordings",
    "cohort_split",
    "outlier_scores",
    "outlier_masks",
    "reconstructions",
    "imputed_signals",
    "features",
)
SIGNALS = (*CLEANED, "detectors", "imputers", "bootstrap_results")
ONE = "outlier=LOF imputer=linear classifier=LogisticRegression"


def artifact(asset: str, name: str, key: str | None = None) -> pl.DataFrame:
    contract = Contract("trial")
    run = contract.latest(asset, key or asset)
    assert run is not None
    return pl.read_parquet(contract.ref(run, name).path)


def plr(patch: pytest.MonkeyPatch, *arguments: str) -> object:
    """Exit code of a command."""
    patch.setattr(sys, "argv", ["plr", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code


# -- the blocking check ---------------------------------------------------------------------------------------------


def test_too_many_flagged_recordings_stop_what_follows_until_the_limit_is_raised(fresh: Lab) -> None:
    strict: dict[str, Any] = {"noise_percent": [0.0, None]}
    study = fresh.study(quality=strict)
    outcomes = fresh.run(study, only=IMPORT)
    assert outcomes["recordings"].computed == 1
    assert "flagged_share: 30 of 30 recordings are flagged and 0 refused, 100.0%" in outcomes["recordings"].unchecked
    for name in ("cohort_split", "detectors"):
        assert set(outcomes[name].blocked.values()) == {"needs recordings, which did not pass its check"}
        assert outcomes[name].computed == 0
    assert Contract("trial").latest("cohort_split", "cohort_split") is None
    assert artifact("recordings", "recording_verdicts")["flags"].null_count() == 0
    (event,) = fresh.materialized(("recordings", "recordings"))
    assert "noise" in str(event.metadata["flags"].value)
    assert verdict(fresh) is False

    again = fresh.run(study, only=IMPORT)
    assert again["recordings"].reused == 1
    assert again["recordings"].unchecked, "a published table is judged, too"

    mended = fresh.run(fresh.study(quality={**strict, "max_flagged_share": 1.0}), only=IMPORT)
    assert not mended["recordings"].unchecked
    assert mended["cohort_split"].computed == 1
    assert verdict(fresh) is True


def verdict(lab: Lab) -> bool:
    """What the newest evaluation of the check says on the asset's page."""
    key = dg.AssetCheckKey(asset_key("trial", "recordings"), "flagged_share")
    with lab.instance() as instance:
        record = instance.event_log_storage.get_latest_asset_check_execution_by_key([key])[key]
    assert record.event is not None
    assert record.event.dagster_event is not None
    return record.event.dagster_event.asset_check_evaluation_data.passed


def test_a_verdict_that_changed_alone_is_shown_though_nothing_is_run(lab: Lab) -> None:
    """A check's rule may change, or a check be added, while what it judges stands as it was published."""
    with lab.instance() as instance:
        instance.report_runless_asset_event(
            dg.AssetCheckEvaluation(asset_key("trial", "recordings"), "flagged_share", False, {}, description="of old")
        )
    assert verdict(lab) is False
    runs = lab.dagster_runs()
    assert lab.run(only=("recordings",))["recordings"].reused == 1
    assert verdict(lab) is True
    with lab.instance() as instance:
        key = dg.AssetCheckKey(asset_key("trial", "recordings"), "flagged_share")
        assert len(instance.event_log_storage.get_asset_check_execution_history(key, limit=10)) == 3
        assert lab.run(only=("recordings",))["recordings"].reused == 1
        assert len(instance.event_log_storage.get_asset_check_execution_history(key, limit=10)) == 3, "said once"
    assert lab.dagster_runs() == runs


def test_plr_run_says_which_check_stopped_it(
    fresh: Lab, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    study = fresh.study_file(quality={"noise_percent": [0.0, None]})
    assert plr(monkeypatch, "run", str(study)) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "check flagged_share: 30 of 30 recordings are flagged" in said
    assert "What is computed from it was stopped." in said


def test_in_a_dagster_run_the_failed_check_skips_what_follows(fresh: Lab) -> None:
    study = fresh.study(quality={"noise_percent": [0.0, None]})
    keys = [asset_key("trial", name) for name in ("device_files", "recordings", "cohort_split")]
    with fresh.instance() as instance, closing(Contract("trial")) as contract:
        definitions = build_definitions(study, live_resources(contract, SerialMapper(), lambda _: None))
        job = definitions.resolve_implicit_global_asset_job_def()
        result = job.execute_in_process(instance=instance, asset_selection=keys, raise_on_error=False)
    assert not result.success
    assert fresh.materialized(("recordings", "recordings")), "the table stands, for people to look at"
    assert not fresh.materialized(("cohort_split", "cohort_split"))


@pytest.mark.parametrize("refused", ["open", "is_file"])
def test_a_file_that_cannot_be_read_is_not_named_in_the_log(
    fresh: Lab, monkeypatch: pytest.MonkeyPatch, refused: str
) -> None:
    """Found out while a run in the UI looks for the study's files: the log is read by others."""
    write_study_files(fresh.study())
    victim = sorted((fresh.folder / "raw").iterdir())[3]
    code, plain = victim.stem.partition("_")[0], getattr(Path, refused)

    def refuse(path: Path, *arguments: Any, **options: Any) -> Any:
        if path.name == victim.name:
            raise PermissionError(13, "Permission denied", str(path))
        return plain(path, *arguments, **options)

    monkeypatch.setattr(Path, refused, refuse)
    with fresh.instance() as instance, closing(Contract("trial")) as contract:
        definitions = build_definitions(clinic(fresh), live_resources(contract, SerialMapper(), lambda _: None))
        job = definitions.resolve_implicit_global_asset_job_def()
        keys = [asset_key("trial", "recordings")]
        result = job.execute_in_process(instance=instance, asset_selection=keys, raise_on_error=False)
        logged = [dg.serialize_value(entry) for entry in instance.all_logs(result.run_id)]
    assert not result.success
    assert any("cannot be read (Permission denied)" in text for text in logged)
    assert not [text for text in logged if code in text]


# -- the freeze -----------------------------------------------------------------------------------------------------


def clinic(lab: Lab, **changes: Any) -> Study:
    """The trial on files that no simulator answers for."""
    return lab.study(simulation=None, **changes)


@pytest.fixture
def held_out(fresh: Lab) -> tuple[Lab, list[Path]]:
    """A run on all recordings but the last labelled and the last unlabelled one, which lie beside."""
    write_study_files(fresh.study())
    subjects = pl.read_csv(fresh.folder / "subjects.csv")
    beside = fresh.root / "beside"
    beside.mkdir()
    moved = []
    for labelled in (True, False):
        code = subjects.filter(pl.col("class_label").is_not_null() == labelled)["subject_code"][-1]
        moved.append(Path(shutil.move(fresh.folder / "raw" / f"{code}_BR.csv", beside)))
    outcomes = fresh.run(clinic(fresh), ONE, only=SIGNALS)
    assert not any(outcome.failed or outcome.blocked for outcome in outcomes.values())
    return fresh, moved


def arrive(lab: Lab, files: list[Path]) -> None:
    for path in files:
        shutil.copy(path, lab.folder / "raw")


def test_new_recordings_are_pending_refit_nothing_and_join_when_asked(
    held_out: tuple[Lab, list[Path]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lab, files = held_out
    sets = {name: artifact("cohort_split", name) for name in ("development", "evaluated")}
    assert len(sets["development"]) == 5
    assert len(sets["evaluated"]) == 23
    arrive(lab, files)
    outcomes = lab.run(clinic(lab), ONE, only=SIGNALS)
    assert {name for name, outcome in outcomes.items() if outcome.computed} == set(CLEANED), "nothing is fitted again"
    roles = artifact("cohort_split", "roles")
    assert roles["role"].value_counts().sort("role").rows() == [("development", 5), ("evaluated", 23), ("pending", 2)]
    for name, frame in sets.items():
        assert artifact("cohort_split", name).equals(frame)
    assert artifact("outlier_masks", "outlier_masks", "LOF").height == 30, "pending recordings are cleaned as well"
    assert not lab.run(clinic(lab), ONE, only=SIGNALS)["cohort_split"].computed

    study = str(lab.study_file(simulation=None))
    frozen = freeze_file(clinic(lab)).read_bytes()
    monkeypatch.setattr(sys, "stdin", io.StringIO("n\n"))
    assert plr(monkeypatch, "refreeze", study)
    assert freeze_file(clinic(lab)).read_bytes() == frozen, "no is no"
    said = " ".join(capsys.readouterr().out.split())
    assert plr(monkeypatch, "refreeze", study, "--yes") == 0
    for line in ("pending development 1", "pending evaluated 1"):
        assert line in said
    assert "Out of date after that, at most: " in said
    assert "outlier_detection 4" in said  # LOF fitted, scored, masked; the human mask's own score goes by roles

    outcomes = lab.run(clinic(lab), ONE, only=SIGNALS)
    assert outcomes["recordings"].reused == 1
    assert outcomes["detectors"].computed == 1
    assert "pending" not in artifact("cohort_split", "roles")["role"].to_list()
    assert plr(monkeypatch, "refreeze", study) == 0
    assert "Nothing to do" in capsys.readouterr().out


def test_a_frozen_recording_that_vanished_stops_the_run_with_its_name(held_out: tuple[Lab, list[Path]]) -> None:
    lab, _ = held_out
    roles = artifact("cohort_split", "roles")
    sorted((lab.folder / "raw").iterdir())[0].unlink()
    outcomes = lab.run(clinic(lab), ONE, only=SIGNALS)
    why = outcomes["cohort_split"].failed["cohort_split"]
    assert "1 recording(s) of the frozen cohort are gone or refused" in why
    assert any(name in why for name in roles["recording"])
    assert outcomes["outlier_masks"].blocked


def test_a_changed_evaluated_recording_refits_nothing(held_out: tuple[Lab, list[Path]]) -> None:
    """Its own digest changes, that of the development recordings does not."""
    lab, _ = held_out
    before = lab.digests()["cohort_split", "cohort_split"]
    subjects = pl.read_csv(lab.folder / "subjects.csv")
    code = subjects.filter(pl.col("class_label").is_not_null())["subject_code"][0]
    path = lab.folder / "raw" / f"{code}_BR.csv"
    rows = path.read_bytes().split(b"\n")
    fields = rows[1000].split(b", ")
    fields[2] = b"%.2f" % (float(fields[2]) + 1)
    rows[1000] = b", ".join(fields)
    path.write_bytes(b"\n".join(rows))
    outcomes = lab.run(clinic(lab), ONE, only=SIGNALS)
    assert outcomes["recordings"].computed == outcomes["cohort_split"].computed == 1
    assert outcomes["detectors"].computed == outcomes["imputers"].computed == 0
    after = lab.digests()["cohort_split", "cohort_split"]
    assert after["development"] == before["development"]
    assert after["roles"] == before["roles"]
    assert after["evaluated"] != before["evaluated"]


def test_a_data_version_depends_on_no_path_order_or_time_of_files(held_out: tuple[Lab, list[Path]]) -> None:
    """Files that were moved and touched are not even read again; read again, they give the same versions."""
    lab, _ = held_out
    before = lab.digests()
    raw = lab.folder / "raw"
    for number, path in enumerate(sorted(raw.iterdir(), reverse=True)):
        (raw / f"{number:02d}").mkdir()
        os.utime(shutil.move(path, raw / f"{number:02d}"), (number, number))
    plans = lab.plans(clinic(lab))
    assert plans["recordings", "recordings"].done
    assert plans["cohort_split", "cohort_split"].done
    outcomes = lab.run(clinic(lab, quality={"max_flagged_share": 0.9}), ONE, only=SIGNALS)
    assert {name for name, outcome in outcomes.items() if outcome.computed} == {"recordings"}
    assert lab.digests() == before


def test_a_simulated_study_is_told_that_nothing_can_join(fresh: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    assert TRIAL["simulation"]
    assert plr(monkeypatch, "refreeze", str(fresh.study_file()), "--yes") == 2


# -- the check that warns -------------------------------------------------------------------------------------------


def test_a_method_worse_than_chance_is_named_and_stops_nothing(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not lab.run()["outlier_metrics"].warned
    worse = {"LOF": AgainstChance(f1=0.1, upper=0.15, by_lot=0.2)}
    monkeypatch.setattr("plr_assets.outlier_detection.chance.against_chance", lambda _: worse)
    outcomes = lab.run()
    assert "better_than_random: LOF" in outcomes["outlier_metrics"].warned
    assert not outcomes["outlier_metrics"].unchecked
    assert outcomes["results_database"].reused == 1
    assert not any(outcome.blocked for outcome in outcomes.values())


def test_an_imputer_worse_than_straight_lines_is_named_and_stops_nothing(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    worse = {"LOF__SAITS": AgainstLinear(mae=3.0, linear=2.0)}
    monkeypatch.setattr("plr_assets.imputation.against_linear.against_linear", lambda _: worse)
    outcomes = lab.run()
    assert "better_than_linear: LOF__SAITS (3.00 % against 2.00 %)" in outcomes["imputation_metrics"].warned
    assert not any(outcome.blocked for outcome in outcomes.values())


def test_signals_that_changed_where_they_were_not_masked_stop_what_is_made_of_their_scores(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plr_assets.imputation.against_linear.touched", lambda _: {"LOF__linear": 3})
    database_path(lab.folder).unlink()  # so that there is something to build
    outcomes = lab.run()
    assert "unmasked_as_recorded" in outcomes["imputation_metrics"].unchecked
    assert outcomes["results_database"].blocked
    assert not database_path(lab.folder).exists()


def test_in_a_dagster_run_a_warning_is_shown_and_what_follows_goes_on(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    worse = {"LOF": AgainstChance(f1=0.1, upper=0.15, by_lot=0.2)}
    monkeypatch.setattr("plr_assets.outlier_detection.chance.against_chance", lambda _: worse)
    keys = [asset_key("trial", name) for name in ("outlier_metrics", "results_database")]
    with lab.instance() as instance, closing(Contract("trial")) as contract:
        definitions = build_definitions(lab.study(), live_resources(contract, SerialMapper(), lambda _: None))
        job = definitions.resolve_implicit_global_asset_job_def()
        result = job.execute_in_process(instance=instance, asset_selection=keys, raise_on_error=False)
    assert result.success
    (evaluation,) = (each for each in result.get_asset_check_evaluations() if each.check_name == "better_than_random")
    assert not evaluation.passed
    assert evaluation.severity == dg.AssetCheckSeverity.WARN
    assert "LOF" in (evaluation.description or "")
    assert {event.asset_key for event in result.get_asset_materialization_events()} == set(keys)
