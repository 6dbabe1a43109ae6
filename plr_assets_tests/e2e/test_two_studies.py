"""Two studies share one Dagster and one tracking store, and nothing else."""

from __future__ import annotations

import yaml

from plr_assets.platform.contract import Contract
from plr_assets.platform.store import default_tracking_uri
from plr_assets.study import load_study
from plr_assets_tests.e2e.lab import TRIAL, Lab


def test_a_second_study_leaves_the_first_alone(lab: Lab) -> None:
    from mlflow import MlflowClient

    before, plans = lab.digests(), {place for place, plan in lab.plans().items() if plan.done}
    file = lab.root / "studies" / "other.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(yaml.safe_dump({**TRIAL, "title": "Other", "seed": 8}), encoding="utf-8")
    outcomes = lab.run(load_study(str(file)), only=("device_files", "recordings", "cohort_split", "detectors"))
    assert all(outcome.computed and not outcome.failed for outcome in outcomes.values())

    assert lab.digests() == before
    assert {place for place, plan in lab.plans().items() if plan.done} == plans
    theirs = Contract("other").latest("recordings", "recordings")
    assert theirs is not None
    assert theirs.digest not in {digest for artifacts in before.values() for digest in artifacts.values()}
    assert {event.asset_key.path[0] for event in lab.materialized(("detectors", "LOF"), "other")} == {"other"}
    assert len(lab.materialized(("detectors", "LOF"))) == 1

    client = MlflowClient(default_tracking_uri())
    names = {experiment.experiment_id: experiment.name for experiment in client.search_experiments()}
    for study in ("trial", "other"):
        runs = client.search_runs(list(names), f"tags.`plr.study` = '{study}'", max_results=1000)
        assert runs
        assert {names[run.info.experiment_id].partition("/")[0] for run in runs} == {study}
    assert (lab.data / "other" / "raw").is_dir()
    assert (lab.data / "trial" / "results.duckdb").is_file()
    assert not (lab.data / "other" / "results.duckdb").exists()
