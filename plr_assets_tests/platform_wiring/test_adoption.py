"""Runs of others: one that fits stands for its partition until it is released, one that does not is refused once."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import polars as pl
import pytest
from mlflow import MlflowClient

from plr_assets.definitions import build_definitions
from plr_assets.defs import ASSETS
from plr_assets.errors import ConfigError, ContractError, SelectionError
from plr_assets.grid import grid_of
from plr_assets.paths import project_root
from plr_assets.platform.adoption import adopt, release
from plr_assets.platform.artifacts import read_table
from plr_assets.platform.contract import Contract
from plr_assets.platform.execution import KeyResult
from plr_assets.platform.foreign import waiting
from plr_assets.platform.planning import Planner
from plr_assets.platform.runner import AssetOutcome
from plr_assets.platform.sensors import Lookout
from plr_assets.platform.status import study_status
from plr_assets.recordings.table import signal_array, signal_column
from plr_assets.study import Study
from plr_assets_tests.e2e.lab import BY_NAME, Lab, to_do
from plr_assets_tests.platform_wiring.small_lab import ONE_GRID, PIPELINE, small_lab
from plr_assets_tests.terminal import Plr

TAGS = {"plr.asset": "outlier_masks", "plr.key": "LOF", "plr.contract_version": "1", "plr.synthetic": "true"}
PLACE = ("outlier_masks", "LOF")


@pytest.fixture
def lab(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    return small_lab(tmp_path_factory.getbasetemp()).copy(tmp_path / "lab").enter(monkeypatch)


@pytest.fixture
def study(lab: Lab) -> Study:
    return lab.study(grids=ONE_GRID)


class Author:
    """Somebody with MLflow's client alone."""

    def __init__(self, study: Study, folder: Path) -> None:
        self.contract = Contract(study.name)
        self.client: MlflowClient = self.contract.client
        self.study, self.folder = study, folder

    def published(self, asset: str, key: str, artifact: str | None = None) -> pl.DataFrame:
        run = Contract(self.study.name).latest(asset, key)
        assert run is not None
        name = artifact or asset
        return read_table(self.contract.ref(run, name), BY_NAME[asset].tables[name])

    def log(
        self,
        tables: Mapping[str, pl.DataFrame],
        tags: Mapping[str, str | None] = TAGS,
        experiment: str = "trial/my own",
    ) -> str:
        """A finished run; a tag of None is left out."""
        found = self.client.get_experiment_by_name(experiment)
        place = (self.folder / "their artifacts").as_uri()
        number = found.experiment_id if found else self.client.create_experiment(experiment, artifact_location=place)
        kept = {name: value for name, value in tags.items() if value is not None}
        run_id: str = self.client.create_run(number, tags=kept).info.run_id
        for name, table in tables.items():
            path = self.folder / f"{name}.parquet"
            table.write_parquet(path)
            self.client.log_artifact(run_id, str(path))
        self.client.set_terminated(run_id)
        return run_id

    def tags(self, run_id: str) -> dict[str, str]:
        tags: dict[str, str] = self.client.get_run(run_id).data.tags
        return tags

    def mask(self) -> pl.DataFrame:
        """Dropouts and every tenth sample."""
        recordings = self.published("recordings", "recordings")
        pupil = signal_array(recordings["pupil"])
        mask = np.isnan(pupil)
        mask[:, ::10] = True
        return pl.DataFrame({"recording": recordings["recording"], "mask": signal_column(mask)})


@pytest.fixture
def author(study: Study, tmp_path: Path) -> Author:
    folder = tmp_path / "author"
    folder.mkdir()
    return Author(study, folder)


def adopted(study: Study, run_id: str) -> KeyResult:
    with closing(Contract(study.name)) as contract:
        return adopt(run_id, Planner(study, grid_of(study), contract), list(ASSETS))


def run_one(lab: Lab, study: Study) -> dict[str, AssetOutcome]:
    outcomes = lab.run(study, "asset=evaluation")
    assert not any(outcome.failed or outcome.blocked for outcome in outcomes.values())
    return outcomes


def computed(outcomes: Mapping[str, AssetOutcome]) -> set[str]:
    return {name for name, outcome in outcomes.items() if outcome.computed}


# -- a run that fits --------------------------------------------------------------------------------------------------


def test_an_adopted_mask_stands_is_scored_and_what_follows_is_computed_from_it(
    lab: Lab, study: Study, author: Author
) -> None:
    theirs = author.mask().sort("recording", descending=True)  # in an order of their own
    run_id = author.log({"outlier_masks": theirs})
    result = adopted(study, run_id)
    assert result.run is not None
    assert author.tags(run_id)["plr.adopted"] == result.run.run_id
    plan = lab.plans(study)[PLACE]
    assert plan.done
    assert plan.published is not None
    assert plan.published.adopted_from == run_id
    assert author.published("outlier_masks", "LOF").equals(author.mask())
    assert author.published("outlier_masks", "LOF", "outlier_agreement").height == 24
    recall = author.published("outlier_masks", "LOF", "outlier_metrics").filter(stratum="all", metric="recall")
    assert 0 < recall["value"][0] < 0.5, "a tenth of the samples, drawn blindly, finds about a tenth of the artefacts"
    ran = computed(run_one(lab, study))
    assert {"reconstructions", "imputed_signals", "features"} <= ran
    assert not ran & {"recordings", "detectors", "outlier_scores", "outlier_masks", "imputers"}
    imputed = author.published("imputed_signals", "LOF__linear")
    kept = ~signal_array(author.mask()["mask"])
    recorded = signal_array(author.published("recordings", "recordings")["pupil"])
    assert np.array_equal(signal_array(imputed["signal"])[kept], recorded[kept])
    assert computed(run_one(lab, study)) == set()


def test_an_adopted_partition_stays_while_its_own_method_changes_and_is_checked_again_with_new_settings(
    lab: Lab, study: Study, author: Author
) -> None:
    run_id = author.log({"outlier_masks": author.mask()})
    adopted(study, run_id)
    method = {"outlier_detection": {"LOF": {"n_neighbors": 50}}}
    other = lab.study(grids=ONE_GRID, methods=method)
    assert PLACE not in to_do(lab.plans(other))
    assert ("detectors", "LOF") in to_do(lab.plans(other))
    # the recordings are as they were, the reference of their baseline is not
    moved = lab.study(grids=ONE_GRID, baseline={"before": "blue", "window_s": [-4, 0]})
    lab.run(moved, "asset=cohort_split")
    assert PLACE in to_do(lab.plans(moved))
    outcomes = lab.run(moved, "asset=outlier_masks")
    assert outcomes["outlier_masks"].computed == 1
    run = Contract("trial").latest(*PLACE)
    assert run is not None
    assert run.adopted_from == run_id


def test_what_does_not_fit_new_recordings_fails_and_is_not_replaced_by_our_own_method(
    lab: Lab, study: Study, author: Author
) -> None:
    adopted(study, author.log({"outlier_masks": author.mask()}))
    smaller = lab.study(grids=ONE_GRID, simulation={"control": 12, "glaucoma": 12, "unlabelled": 7})
    outcomes = lab.run(smaller, "asset=outlier_masks")
    assert "1 recording(s) are missing" in outcomes["outlier_masks"].failed["LOF"]
    latest = Contract("trial").latest(*PLACE)
    assert latest is not None
    assert latest.adopted_from is not None


def test_a_released_partition_is_our_own_methods_again(lab: Lab, study: Study, author: Author) -> None:
    before = Contract("trial").latest(*PLACE)
    adopted(study, author.log({"outlier_masks": author.mask()}))
    planner = Planner(study, grid_of(study), Contract("trial"))
    assert [s.adopted for s in study_status(planner.grid, [BY_NAME["outlier_masks"]], planner.contract)] == [1]
    release(planner, BY_NAME["outlier_masks"], "LOF")
    plan = lab.plans(study)[PLACE]
    assert before is not None
    assert plan.done
    assert plan.published is not None
    assert plan.published.run_id == before.run_id, "what was computed before it was adopted is found again"
    assert [s.adopted for s in study_status(planner.grid, [BY_NAME["outlier_masks"]], Contract("trial"))] == [0]
    with pytest.raises(SelectionError, match="no adopted run stands"):
        release(planner, BY_NAME["outlier_masks"], "LOF")


def test_a_second_run_takes_the_place_of_the_first(lab: Lab, study: Study, author: Author) -> None:
    first = author.log({"outlier_masks": author.mask()})
    everything = author.mask().with_columns(mask=signal_column(np.ones((30, 1981), dtype=np.bool_)))
    second = author.log({"outlier_masks": everything})
    for run_id in (first, second):
        adopted(study, run_id)
    plan = lab.plans(study)[PLACE]
    assert plan.published is not None
    assert plan.published.adopted_from == second


def test_adopting_twice_publishes_once(study: Study, author: Author) -> None:
    run_id = author.log({"outlier_masks": author.mask()})
    one, other = adopted(study, run_id), adopted(study, run_id)
    assert one.run is not None
    assert other.run is not None
    assert one.run.run_id == other.run.run_id


def test_a_process_that_dies_before_it_told_leaves_the_run_waiting_and_publishes_nothing_twice(
    study: Study, author: Author
) -> None:
    run_id = author.log({"outlier_masks": author.mask()})

    def die(_: KeyResult) -> None:
        raise KeyboardInterrupt

    with closing(Contract(study.name)) as contract, pytest.raises(KeyboardInterrupt):
        adopt(run_id, Planner(study, grid_of(study), contract), list(ASSETS), die)
    assert waiting(author.client, "trial") == [run_id]
    published = Contract("trial").runs(*PLACE)
    assert adopted(study, run_id).reused
    assert Contract("trial").runs(*PLACE) == published
    assert waiting(author.client, "trial") == []


@pytest.mark.parametrize(
    ("asset", "key"),
    [
        ("reconstructions", "LOF__linear"),
        ("imputed_signals", "LOF__linear"),
        ("features", "simple__LOF__linear"),
        ("bootstrap_results", PIPELINE),
    ],
)
def test_every_asset_that_takes_runs_takes_its_own_tables_back(
    lab: Lab, study: Study, author: Author, asset: str, key: str
) -> None:
    """Doubles and lists, as other tools write them, become what was published."""
    ours = author.published(asset, key)
    loose = ours.with_columns(
        pl.col(name).arr.to_list().cast(pl.List(pl.Float64))
        for name, dtype in ours.schema.items()
        if isinstance(dtype, pl.Array)
    ).select(name for name in ours.columns if ours[name].null_count() < ours.height)
    result = adopted(study, author.log({asset: loose}, {**TAGS, "plr.asset": asset, "plr.key": key}))
    assert result.run is not None
    assert author.published(asset, key).equals(ours)
    assert lab.plans(study)[asset, key].done


# -- a run that does not ----------------------------------------------------------------------------------------------


def no_row(table: pl.DataFrame) -> pl.DataFrame:
    return table.head(-1)


def other_name(table: pl.DataFrame) -> pl.DataFrame:
    return table.rename({"mask": "masked"})


def numbers(table: pl.DataFrame) -> pl.DataFrame:
    return table.with_columns(mask=signal_column(np.full((30, 1981), 0.5, dtype=np.float32)))


def nothing_masked(table: pl.DataFrame) -> pl.DataFrame:
    return table.with_columns(mask=signal_column(np.zeros((30, 1981), dtype=np.bool_)))


def too_short(table: pl.DataFrame) -> pl.DataFrame:
    return table.with_columns(mask=signal_column(np.ones((30, 1980), dtype=np.bool_)))


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (no_row, r"outlier_masks, recording: 1 recording\(s\) are missing"),
        (other_name, r"outlier_masks lacks column\(s\) \['mask'\]"),
        (numbers, "column 'mask' is a mask"),
        (nothing_masked, "outlier_masks, mask: sample .* is not masked, and the device saw no pupil there"),
        (too_short, "outlier_masks, mask: there are 1980 samples, recordings have 1981"),
    ],
)
def test_a_table_that_does_not_fit_is_refused_with_column_rule_and_run(
    lab: Lab, study: Study, author: Author, spoil: Any, reason: str
) -> None:
    before = Contract("trial").latest(*PLACE)
    run_id = author.log({"outlier_masks": spoil(author.mask())})
    with pytest.raises(ContractError, match=f"run {run_id} .*{reason}"):
        adopted(study, run_id)
    assert re.search(reason, author.tags(run_id)["plr.refused"])
    assert Contract("trial").latest(*PLACE) == before
    assert waiting(author.client, "trial") == [], "it is not looked at again"


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ({"plr.synthetic": None}, r"lacks the tag\(s\) plr.synthetic"),
        ({"plr.key": None}, r"lacks the tag\(s\) plr.key"),
        ({"plr.synthetic": "false"}, "made from clinical recordings .*never mixed"),
        ({"plr.synthetic": "no"}, "plr.synthetic is 'no'"),
        ({"plr.contract_version": "0"}, "plr.contract_version is '0'"),
        ({"plr.key": "lof"}, "no such key. Known: LOF"),
        ({"plr.asset": "detectors"}, "'detectors' takes no runs of others"),
    ],
    ids=str,
)
def test_tags_that_do_not_fit_are_named(
    study: Study, author: Author, tags: Mapping[str, str | None], reason: str
) -> None:
    run_id = author.log({"outlier_masks": author.mask()}, {**TAGS, **tags})
    with pytest.raises(ContractError, match=reason):
        adopted(study, run_id)
    assert "plr.refused" in author.tags(run_id)


def test_a_run_of_another_study_is_left_to_that_study(study: Study, author: Author) -> None:
    run_id = author.log({"outlier_masks": author.mask()}, {**TAGS, "plr.study": "demo"})
    with pytest.raises(ContractError, match="a run of study 'demo', not of 'trial'"):
        adopted(study, run_id)
    assert "plr.refused" not in author.tags(run_id)
    assert waiting(author.client, "demo") == [run_id]


def test_a_run_without_its_table_says_what_it_holds(study: Study, author: Author) -> None:
    run_id = author.log({"masks": author.mask()})
    with pytest.raises(ContractError, match=r"outlier_masks.parquet cannot be read; the run holds masks.parquet"):
        adopted(study, run_id)


def test_signals_that_changed_what_was_not_masked_are_refused(study: Study, author: Author) -> None:
    ours = author.published("imputed_signals", "LOF__linear")
    moved = signal_array(ours["signal"]) + np.float32(0.5)
    tags = {**TAGS, "plr.asset": "imputed_signals", "plr.key": "LOF__linear"}
    run_id = author.log({"imputed_signals": ours.with_columns(signal=signal_column(moved))}, tags)
    with pytest.raises(ContractError, match="is not masked, and is not as recorded"):
        adopted(study, run_id)


def test_predictions_on_other_resamples_are_refused(study: Study, author: Author) -> None:
    ours = author.published("bootstrap_results", PIPELINE)
    tags = {**TAGS, "plr.asset": "bootstrap_results", "plr.key": PIPELINE}
    shuffled = ours.with_columns(pl.col("train_indices").list.head(3))
    with pytest.raises(ContractError, match="iteration 0: its cases are not those of the study's resample"):
        adopted(study, author.log({"bootstrap_results": shuffled}, tags))
    flattered = ours.with_columns(auroc=pl.lit(1.0))
    with pytest.raises(ContractError, match=r"iteration \d+: auroc is 1, and that of its y_prob is"):
        adopted(study, author.log({"bootstrap_results": flattered}, tags))


def test_a_run_that_goes_on_is_not_taken_yet_and_not_refused_either(study: Study, author: Author) -> None:
    run_id = author.log({"outlier_masks": author.mask()})
    author.client.update_run(run_id, status="RUNNING")
    with pytest.raises(ContractError, match="it is RUNNING"):
        adopted(study, run_id)
    author.client.set_terminated(run_id)
    assert waiting(author.client, "trial") == [run_id]


def test_an_unknown_run_is_told(study: Study) -> None:
    with pytest.raises(ContractError, match="the tracking store has no such run"):
        adopted(study, "0" * 32)


# -- the sensor -------------------------------------------------------------------------------------------------------


def look(
    study: Study, instance: dg.DagsterInstance, cursor: str | None = None, now: Study | None = None
) -> tuple[str, str | None]:
    """One look of the study's sensor: what it says, and its cursor. `now`: as its file says it by then."""
    definitions = build_definitions(study, reread=lambda: now or study)
    (sensor,) = [sensor for sensor in definitions.sensors or [] if sensor.name == "bring_your_own_run"]
    assert isinstance(sensor, dg.SensorDefinition)
    context = dg.build_sensor_context(instance=instance, cursor=cursor, definitions=definitions)
    found = sensor(context)
    assert isinstance(found, dg.SkipReason)
    return str(found.skip_message), context.cursor


def test_the_sensor_adopts_what_fits_once_and_tells_dagster(lab: Lab, study: Study, author: Author) -> None:
    good = author.log({"outlier_masks": author.mask()})
    bad = author.log({"outlier_masks": no_row(author.mask())})
    elsewhere = author.log({"outlier_masks": author.mask()}, experiment="other/my own")
    with lab.instance() as instance:
        said, cursor = look(study, instance)
        assert said.startswith("1 run(s) adopted, 1 refused")
        assert look(study, instance, cursor)[0] == "no run of others waits"
        observations = instance.fetch_observations(dg.AssetKey(["trial", "outlier_masks"]), limit=5).records
    assert [record.partition_key for record in observations] == ["LOF"]
    told = observations[0].asset_observation
    assert told is not None
    assert bad in str(told.metadata["refused_run"].value)
    assert "missing" in str(told.metadata["reason"].value)
    run = Contract("trial").latest(*PLACE)
    assert run is not None
    assert run.adopted_from == good
    event = lab.materialized(PLACE)[0]
    assert (event.tags or {})["dagster/data_version"] == run.digest
    assert event.metadata["adopted_from"].value == good
    assert event.metadata["mlflow_run_id"].value == run.run_id
    assert "plr.adopted" not in author.tags(elsewhere)
    assert "outlier_masks" not in {name for name, o in run_one(lab, study).items() if o.dagster_run}


def test_a_run_for_a_method_that_joined_the_study_since_the_sensor_was_loaded_is_adopted(
    lab: Lab, study: Study, author: Author
) -> None:
    """The process that serves a code location lives for days, and a refusal is for good."""
    other = [{**ONE_GRID[0], "outlier_detection": ["OneClassSVM"]}]
    run_id = author.log({"outlier_masks": author.mask()})
    with lab.instance() as instance:
        said, _ = look(lab.study(grids=other), instance, now=study)
    assert said.startswith("1 run(s) adopted, 0 refused")
    assert "plr.refused" not in author.tags(run_id)


def test_a_run_waits_while_the_study_cannot_be_read(lab: Lab, study: Study, author: Author) -> None:
    run_id = author.log({"outlier_masks": author.mask()})

    def half_an_edit() -> Study:
        raise ConfigError("trial.yaml", "it is being written.", "")

    with lab.instance() as instance:
        definitions = build_definitions(study, reread=half_an_edit)
        (sensor,) = [sensor for sensor in definitions.sensors or [] if sensor.name == "bring_your_own_run"]
        assert isinstance(sensor, dg.SensorDefinition)
        context = dg.build_sensor_context(instance=instance, definitions=definitions)
        said = sensor(context)
    assert isinstance(said, dg.SkipReason)
    assert "1 run(s) wait; the study cannot be read: trial.yaml: it is being written" in str(said.skip_message)
    assert context.cursor is None
    assert not {"plr.adopted", "plr.refused"} & author.tags(run_id).keys()


def test_what_follows_an_adopted_and_a_released_run_is_asked_for_at_the_next_look(
    lab: Lab, study: Study, author: Author, plr: Plr
) -> None:
    """Neither changes a file or is a Dagster run, which is what the lookout looks at before it plans."""
    run_one(lab, study)
    lookout = Lookout(study, lambda: study, ASSETS)
    with lab.instance() as instance:
        assert not isinstance(lookout.look(instance, 0.0), str)
        assert isinstance(lookout.look(instance, 30.0), str), "nothing happened"
        author.log({"outlier_masks": author.mask()})
        look(study, instance)
        work = lookout.look(instance, 60.0)
        assert not isinstance(work, str)
        wanted = {asset.name for asset in work.wanted}
        assert {"reconstructions", "imputed_signals", "features", "evaluation"} <= wanted
        assert not {"recordings", "detectors", "outlier_scores", "outlier_masks"} & wanted
        assert isinstance(lookout.look(instance, 90.0), str), "nothing happened"
        assert plr("release", str(lab.study_file(grids=ONE_GRID)), *PLACE).code == 0
        work = lookout.look(instance, 120.0)
        assert not isinstance(work, str)
        assert "outlier_masks" in {asset.name for asset in work.wanted}


# -- the page ---------------------------------------------------------------------------------------------------------


def test_what_the_page_logs_from_a_notebook_is_adopted(
    lab: Lab, study: Study, author: Author, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (project_root() / "docs" / "bring_your_own_run.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"^```python\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)
    import mlflow

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", author.contract.tracking_uri)
    mlflow.set_tracking_uri(author.contract.tracking_uri)
    namespace: dict[str, Any] = {}
    try:
        exec(code.replace("demo", "trial"), namespace)  # noqa: S102 - our own page
    finally:
        mlflow.set_tracking_uri(None)
    run_id = namespace["run"].info.run_id
    assert waiting(author.client, "trial") == [run_id]
    result = adopted(study, run_id)
    assert result.run is not None
    assert lab.plans(study)[PLACE].done


# -- the commands -----------------------------------------------------------------------------------------------------


def test_the_commands_adopt_count_and_release(lab: Lab, study: Study, author: Author, plr: Plr) -> None:
    file = str(lab.study_file(grids=ONE_GRID))
    run_id = author.log({"outlier_masks": author.mask()}, experiment="an experiment of no study")
    said = plr("adopt", run_id, file)
    assert said.code == 0, said
    assert f"Adopted: outlier_masks LOF is run {run_id}" in " ".join(said.out.split())
    assert (lab.materialized(PLACE)[0].metadata["adopted_from"].value) == run_id
    assert json.loads(plr("status", file, "--json").out)["assets"]["outlier_masks"]["adopted"] == 1
    assert plr("release", file, "outlier_masks", "LOF").code == 0
    assert json.loads(plr("status", file, "--json").out)["assets"]["outlier_masks"]["adopted"] == 0
    said = plr("adopt", "0" * 32, file)
    assert (said.code, "no such run" in said.err) == (2, True)
    said = plr("release", file, "outlier_mask", "LOF")
    assert (said.code, "Did you mean 'outlier_masks'" in " ".join(said.err.split())) == (2, True)
