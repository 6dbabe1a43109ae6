"""The MLflow contract: only finished, whole runs are results, and everyone who looks finds the same ones."""

from __future__ import annotations

import itertools
import json
import logging
import pickle
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from plr_assets import schemas
from plr_assets.errors import ContractError
from plr_assets.platform.artifacts import (
    Product,
    folder_path,
    read_document,
    read_table,
    write_product,
)
from plr_assets.platform.contract import CONTRACT_VERSION, Contract, Draft, PublishedRun
from plr_assets.platform.processes import lives, this_process

ASSET, KEY, EXPERIMENT = "outlier_masks", "LOF", "PLR_OutlierDetection"
DRAFT = Draft(ASSET, KEY, EXPERIMENT, fingerprint="f1", parameters={"outlier_detection": KEY}, tags={})
ROLES = pl.DataFrame(
    {"recording": ["R1", "R2"], "subject": ["S1", "S2"], "role": ["development", "evaluated"], "label": [None, "x"]}
)
_numbers = itertools.count()

Publish = Callable[..., PublishedRun]


@pytest.fixture(scope="module", autouse=True)
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One sqlite store for the module, as creating it takes seconds: tests stay apart by their studies' names."""
    folder = tmp_path_factory.mktemp("a folder with blanks, ü and 100 %")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PLR_DATA_DIR", str(folder))
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        logging.getLogger("alembic").setLevel(logging.WARNING)
        yield folder


@pytest.fixture
def study() -> str:
    return f"study{next(_numbers)}"


@pytest.fixture
def contract(study: str) -> Contract:
    """A study's contract that has looked at the store already, as one that planned has."""
    made = Contract(study)
    assert made.latest(ASSET, KEY) is None
    return made


@pytest.fixture
def client(contract: Contract) -> Any:
    """MLflow's own client, as a notebook would use it."""
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=contract.tracking_uri)


def _write_model(folder: Path) -> None:
    (folder / "estimator.json").write_text("{}")


@pytest.fixture
def publish(tmp_path: Path) -> Publish:
    def publish(
        contract: Contract, draft: Draft = DRAFT, content: Any = 0, metrics: Mapping[str, float] | None = None
    ) -> PublishedRun:
        staged = tmp_path / f"staged{next(_numbers)}"
        staged.mkdir()
        product = Product(
            tables={"roles": ROLES}, documents={"facts": {"content": content}}, folders={"model": _write_model}
        )
        infos = write_product(product, {"roles": schemas.ROLES}, staged)
        run = contract.publish(draft, infos, staged, metrics=metrics or {}, seconds=1.5)
        shutil.rmtree(staged)
        return run

    return publish


def found(contract: Contract) -> PublishedRun | None:
    """What another process finds."""
    return Contract(contract.study).latest(ASSET, KEY)


# -- publishing and finding --------------------------------------------------------------------------------------------


def test_a_published_run_is_found_by_the_one_who_published_it_and_by_others(
    contract: Contract, publish: Publish
) -> None:
    run = publish(contract)
    other = found(contract)
    assert contract.latest(ASSET, KEY) == run
    assert other is not None
    # Only the clock differs: the store's time of ending against ours of having seen it end.
    assert replace(other, end_time=0) == replace(run, end_time=0)


def test_artifacts_are_read_through_references_of_whoever_found_the_run(contract: Contract, publish: Publish) -> None:
    publish(contract, content="é")
    other = Contract(contract.study)
    run = other.latest(ASSET, KEY)
    assert run is not None
    assert_frame_equal(read_table(other.ref(run, "roles"), schemas.ROLES), ROLES)
    assert read_document(other.ref(run, "facts")) == {"content": "é"}
    assert (folder_path(other.ref(run, "model")) / "estimator.json").read_text() == "{}"


def test_work_is_found_by_its_fingerprint_and_no_other(contract: Contract, publish: Publish) -> None:
    first = publish(contract, replace(DRAFT, fingerprint="f1"))
    second = publish(contract, replace(DRAFT, fingerprint="f2"))
    for reader in (contract, Contract(contract.study)):
        runs = [reader.with_fingerprint(ASSET, KEY, name) for name in ("f1", "f2", "f3")]
        assert [run and run.run_id for run in runs] == [first.run_id, second.run_id, None]
        latest = reader.latest(ASSET, KEY)
        assert latest is not None
        assert latest.run_id == second.run_id


def test_of_two_runs_of_the_same_work_the_newest_wins(contract: Contract, publish: Publish) -> None:
    publish(contract, content=1)
    newest = publish(contract, content=2)
    for reader in (contract, Contract(contract.study)):
        run = reader.with_fingerprint(ASSET, KEY, DRAFT.fingerprint)
        assert run is not None
        assert (run.run_id, run.digest) == (newest.run_id, newest.digest)


def test_newest_is_what_ended_last_whenever_it_began(contract: Contract, publish: Publish, client: Any) -> None:
    template = publish(contract)
    began_late = _foreign(client, template, {}, start_time=2_000, end_time=4_000)
    began_early = _foreign(client, template, {}, start_time=1_000, end_time=5_000)
    client.delete_run(template.run_id)
    assert [run.run_id for run in Contract(contract.study).runs(ASSET, KEY)] == [began_late, began_early]


@pytest.mark.parametrize("place", [("outlier_masks", "OneClassSVM"), ("outlier_scores", "LOF")])
def test_partitions_stay_apart(contract: Contract, publish: Publish, place: tuple[str, str]) -> None:
    publish(contract)
    for reader in (contract, Contract(contract.study)):
        assert reader.latest(*place) is None


def test_what_another_process_published_is_seen_after_refresh(contract: Contract, publish: Publish) -> None:
    run = publish(Contract(contract.study))
    contract.refresh()
    seen = contract.latest(ASSET, KEY)
    assert seen is not None
    assert seen.run_id == run.run_id


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("demo", "paper", id="other name"),
        pytest.param("pilot", "pilot2", id="longer name"),
        pytest.param("a_b", "axb", id="name that a pattern would match"),
    ],
)
def test_studies_stay_apart(publish: Publish, one: str, other: str) -> None:
    first, second = publish(Contract(one)), publish(Contract(other))
    for study, run in ((one, first), (other, second)):
        assert [found.run_id for found in Contract(study).runs(ASSET, KEY)] == [run.run_id]


def test_failures_of_other_studies_are_not_shown(study: str) -> None:
    Contract(study).publish_failure(DRAFT, "broken", "")
    assert Contract(f"{study}b").failure(ASSET, KEY) is None


def test_a_run_is_listed_once_even_if_publishing_came_before_looking(study: str, publish: Publish) -> None:
    blind = Contract(study)
    run = publish(blind)
    assert [listed.run_id for listed in blind.runs(ASSET, KEY)] == [run.run_id]


def test_two_processes_can_publish_a_studys_first_run_at_the_same_time(
    contract: Contract, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient

    publish(contract)
    look, looks = MlflowClient.get_experiment_by_name, itertools.count()
    # The other process creates the experiment right after this one did not find it.
    monkeypatch.setattr(
        MlflowClient, "get_experiment_by_name", lambda self, name: look(self, name) if next(looks) else None
    )
    slower = Contract(contract.study)
    run = publish(slower, content=1)
    latest = slower.latest(ASSET, KEY)
    assert latest is not None
    assert latest.run_id == run.run_id


# -- what is no result -------------------------------------------------------------------------------------------------


def _foreign(
    client: Any,
    template: PublishedRun,
    tags: Mapping[str, str | None],
    *,
    status: str = "FINISHED",
    start_time: int | None = None,
    end_time: int | None = None,
) -> str:
    """A copy of a run by MLflow's means alone, with other tags (None: without)."""
    original = client.get_run(template.run_id)
    copied = {name: value for name, value in original.data.tags.items() if name.startswith("plr.")} | dict(tags)
    kept = {name: value for name, value in copied.items() if value is not None}
    run_id: str = client.create_run(original.info.experiment_id, start_time=start_time, tags=kept).info.run_id
    client.log_artifacts(run_id, client.download_artifacts(template.run_id, ""))
    if status != "RUNNING":
        client.set_terminated(run_id, status, end_time)
    return run_id


def test_a_run_that_others_logged_by_the_contract_is_a_result(
    contract: Contract, publish: Publish, client: Any
) -> None:
    run_id = _foreign(client, publish(contract), {"plr.fingerprint": "adopted", "plr.seconds": None})
    reader = Contract(contract.study)
    run = reader.with_fingerprint(ASSET, KEY, "adopted")
    assert run is not None
    assert run.run_id == run_id
    assert_frame_equal(read_table(reader.ref(run, "roles"), schemas.ROLES), ROLES)


@pytest.mark.parametrize(
    ("status", "tags"),
    [
        pytest.param("RUNNING", {}, id="running"),
        pytest.param("FAILED", {}, id="failed"),
        pytest.param("FAILED", {"plr.error": "why"}, id="failed with a reason"),
        pytest.param("KILLED", {}, id="killed"),
        pytest.param("FINISHED", {"plr.digest": None}, id="without digest"),
        pytest.param("FINISHED", {"plr.contract_version": f"{CONTRACT_VERSION}0"}, id="other contract version"),
        pytest.param("FINISHED", {"plr.contract_version": None}, id="without contract version"),
    ],
)
def test_a_run_that_is_not_finished_and_whole_is_never_a_result(
    contract: Contract, publish: Publish, client: Any, status: str, tags: Mapping[str, str | None]
) -> None:
    good = publish(contract)
    _foreign(client, good, {"plr.fingerprint": "newer", **tags}, status=status)
    reader = Contract(contract.study)
    assert reader.with_fingerprint(ASSET, KEY, "newer") is None
    assert [run.run_id for run in reader.runs(ASSET, KEY)] == [good.run_id]


def test_a_run_that_was_deleted_is_no_result(contract: Contract, publish: Publish, client: Any) -> None:
    client.delete_run(publish(contract).run_id)
    assert found(contract) is None


@pytest.mark.parametrize("tag", ["plr.asset", "plr.fingerprint", "plr.artifacts"])
def test_a_run_that_lacks_a_tag_is_no_result_and_hides_none(
    contract: Contract, publish: Publish, client: Any, tag: str
) -> None:
    good = publish(contract)
    _foreign(client, good, {tag: None})
    assert [run.run_id for run in Contract(contract.study).runs(ASSET, KEY)] == [good.run_id]


def test_a_run_of_many_artifacts_can_be_read(contract: Contract, tmp_path: Path) -> None:
    product = Product(documents={f"a_document_of_some_length_{n}": n for n in range(60)})
    infos = write_product(product, {}, tmp_path)
    contract.publish(DRAFT, infos, tmp_path, metrics={}, seconds=0)
    run = found(contract)
    assert run is not None
    assert run.artifacts == infos


class _BrokenOffError(Exception):
    """Stands for whatever breaks publishing off."""


@pytest.mark.parametrize("step", ["log_batch", "log_artifacts", "set_terminated"])
@pytest.mark.parametrize("error", [_BrokenOffError, KeyboardInterrupt])
def test_publishing_that_breaks_off_leaves_a_failed_run_and_no_result(
    contract: Contract,
    publish: Publish,
    client: Any,
    monkeypatch: pytest.MonkeyPatch,
    *,
    step: str,
    error: type[BaseException],
) -> None:
    from mlflow import MlflowClient

    good = publish(contract)
    real, calls = getattr(MlflowClient, step), itertools.count()

    def break_off_once(self: Any, *arguments: Any, **named: Any) -> Any:
        if next(calls) == 0:
            raise error
        return real(self, *arguments, **named)

    monkeypatch.setattr(MlflowClient, step, break_off_once)
    with pytest.raises(error):
        publish(contract, replace(DRAFT, fingerprint="f2"), content=1)
    for reader in (contract, Contract(contract.study)):
        assert [run.run_id for run in reader.runs(ASSET, KEY)] == [good.run_id]
    experiment = client.get_run(good.run_id).info.experiment_id
    assert sorted(run.info.status for run in client.search_runs([experiment])) == ["FAILED", "FINISHED"]


# -- failures ----------------------------------------------------------------------------------------------------------


def test_a_failed_attempt_is_shown_with_its_reason_and_is_no_result(contract: Contract, client: Any) -> None:
    failed = contract.publish_failure(DRAFT, "row 3: no pupil", "Traceback: deep inside")
    for reader in (contract, Contract(contract.study)):
        shown = reader.failure(ASSET, KEY)
        assert shown is not None
        assert (shown.run_id, shown.fingerprint, shown.error) == (failed.run_id, "f1", "row 3: no pupil")
        assert reader.latest(ASSET, KEY) is None
        assert reader.failure(ASSET, "OneClassSVM") is None
    assert client.get_run(failed.run_id).info.status == "FAILED"
    assert [file.path for file in client.list_artifacts(failed.run_id)] == ["traceback.txt"]


def test_a_failure_is_over_once_the_partition_is_published(contract: Contract, publish: Publish) -> None:
    contract.publish_failure(DRAFT, "broken", "")
    assert contract.failure(ASSET, KEY) is not None
    publish(contract)
    for reader in (contract, Contract(contract.study)):
        assert reader.failure(ASSET, KEY) is None


def test_a_failure_after_publishing_is_shown_and_takes_no_result_away(contract: Contract, publish: Publish) -> None:
    good = publish(contract)
    contract.publish_failure(replace(DRAFT, fingerprint="f2"), "broken", "")
    for reader in (contract, Contract(contract.study)):
        latest, failure = reader.latest(ASSET, KEY), reader.failure(ASSET, KEY)
        assert latest is not None
        assert failure is not None
        assert (latest.run_id, failure.error) == (good.run_id, "broken")


def test_of_two_failures_the_last_is_shown(contract: Contract) -> None:
    for reason in ("first", "second"):
        contract.publish_failure(DRAFT, reason, "")
    for reader in (contract, Contract(contract.study)):
        shown = reader.failure(ASSET, KEY)
        assert shown is not None
        assert shown.error == "second"


# -- what is logged ----------------------------------------------------------------------------------------------------


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow set to refuse what is too long, rather than to cut it."""
    monkeypatch.setenv("MLFLOW_TRUNCATE_LONG_VALUES", "false")


@pytest.mark.usefixtures("refusing")
def test_values_longer_than_mlflow_takes_do_not_stop_publishing(
    contract: Contract, publish: Publish, client: Any
) -> None:
    long = "0123456789" * 2_000
    run = publish(contract, replace(DRAFT, parameters={"long": long, "short": 1}))
    logged = client.get_run(run.run_id).data.params
    assert logged["short"] == "1"
    assert len(logged["long"]) >= 1_000
    assert long.startswith(logged["long"])


@pytest.mark.usefixtures("refusing")
def test_a_reason_longer_than_mlflow_takes_is_shown_from_its_beginning(contract: Contract) -> None:
    reason = "0123456789" * 2_000
    contract.publish_failure(DRAFT, reason, "")
    shown = Contract(contract.study).failure(ASSET, KEY)
    assert shown is not None
    assert len(shown.error) >= 1_000
    assert reason.startswith(shown.error)


def test_more_parameters_than_mlflow_takes_at_once_are_all_logged(
    contract: Contract, publish: Publish, client: Any
) -> None:
    parameters = {f"p{n}": n for n in range(150)}
    run = publish(contract, replace(DRAFT, parameters=parameters))
    assert client.get_run(run.run_id).data.params == {name: str(value) for name, value in parameters.items()}


def test_a_metric_that_is_not_a_number_is_left_out(contract: Contract, publish: Publish, client: Any) -> None:
    run = publish(contract, metrics={"auroc": 0.875, "slope": float("nan"), "zero": 0.0})
    assert client.get_run(run.run_id).data.metrics == {"auroc": 0.875, "zero": 0.0}


def test_a_run_says_what_it_is_and_descends_from(contract: Contract, publish: Publish, client: Any) -> None:
    # A table over the published grid descends from 440 pipelines.
    upstream = {f"evaluation simple__MOMENT-gt-finetune__SAITS__{n}": f"{n:032x}" for n in range(440)}
    run = publish(contract, replace(DRAFT, upstream=upstream, tags={"plr.synthetic": "true"}))
    logged = client.get_run(run.run_id)
    tags = {name: value for name, value in logged.data.tags.items() if name.startswith("plr.")}
    assert contract.upstream(run.run_id) == upstream
    tags = {name: value for name, value in tags.items() if not name.startswith("plr.upstream")}
    assert lives(tags.pop("plr.process"))
    assert tags.pop("plr.digest") == run.digest
    assert set(json.loads(tags.pop("plr.artifacts"))) == {"roles", "facts", "model"}
    assert tags == {
        "plr.study": contract.study,
        "plr.asset": ASSET,
        "plr.key": KEY,
        "plr.fingerprint": "f1",
        "plr.contract_version": CONTRACT_VERSION,
        "plr.synthetic": "true",
        "plr.seconds": "1.500",
    }
    assert logged.info.run_name == KEY
    assert client.get_experiment(logged.info.experiment_id).name == f"{contract.study}/{EXPERIMENT}"


def test_artifacts_lie_below_the_data_root_and_not_where_the_process_started(
    contract: Contract, publish: Publish, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    run = publish(contract)
    assert contract.ref(run, "roles").path.is_relative_to(store)
    assert list(elsewhere.iterdir()) == []


def test_publishing_leaves_mlflows_process_wide_state_alone(contract: Contract, publish: Publish) -> None:
    import mlflow

    before = mlflow.get_tracking_uri()
    publish(contract)
    assert mlflow.active_run() is None
    assert mlflow.get_tracking_uri() == before


# -- artifacts ---------------------------------------------------------------------------------------------------------


def test_an_artifact_that_a_run_lacks_is_named_beside_those_it_has(contract: Contract, publish: Publish) -> None:
    run = publish(contract)
    with pytest.raises(ContractError, match=rf"{run.run_id}.*'mask'.*facts.*model.*roles"):
        contract.ref(run, "mask")


def test_a_file_that_was_changed_in_the_store_is_refused_by_run_and_artifact(
    contract: Contract, publish: Publish
) -> None:
    run = publish(contract)
    ref = contract.ref(run, "facts")
    ref.path.write_text('{"content": 1}')
    with pytest.raises(ContractError, match=f"run {run.run_id}, artifact facts"):
        read_document(ref)


def test_a_store_elsewhere_is_read_through_copies_that_closing_removes(
    contract: Contract, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient

    here = publish(contract, content="copied")
    far = replace(here, artifact_uri="s3://bucket/run/artifacts")
    downloads: list[str] = []

    def download(_: Any, run_id: str, path: str, target: str) -> None:
        assert run_id == far.run_id
        downloads.append(path)
        shutil.copyfile(contract.ref(here, "facts").path, Path(target) / path)

    monkeypatch.setattr(MlflowClient, "download_artifacts", download)
    refs = [contract.ref(far, "facts") for _ in range(2)]
    assert [read_document(ref) for ref in refs] == [{"content": "copied"}] * 2
    assert downloads == ["facts.json"]
    contract.close()
    assert not refs[0].path.exists()


# -- no pickles --------------------------------------------------------------------------------------------------------


def test_publishing_and_reading_unpickle_nothing(
    contract: Contract, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = publish(contract)

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("something was unpickled")

    for name in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(pickle, name, refuse)
    reader = Contract(contract.study)
    again = reader.latest(ASSET, KEY)
    assert again is not None
    assert again.run_id == run.run_id
    for name, read in {"facts": read_document, "model": folder_path}.items():
        read(reader.ref(again, name))
    read_table(reader.ref(again, "roles"), schemas.ROLES)


def test_nothing_that_is_published_is_a_pickle(contract: Contract, publish: Publish) -> None:
    run = publish(contract)
    files = [file for file in contract.ref(run, "roles").path.parent.rglob("*") if file.is_file()]
    assert sorted(file.name for file in files) == ["estimator.json", "facts.json", "roles.parquet"]
    assert not any(file.read_bytes().startswith(b"\x80") for file in files)


# -- what is left over ------------------------------------------------------------------------------------------------


def test_a_run_that_a_dead_process_left_running_is_marked_killed_and_a_living_ones_is_not(
    contract: Contract, publish: Publish, client: Any
) -> None:
    run = publish(contract)
    dead = _foreign(client, run, {"plr.process": f"{this_process().partition(':')[0]}:1:0"}, status="RUNNING")
    living = _foreign(client, run, {}, status="RUNNING")
    assert contract.close_broken_off() == [dead]
    assert client.get_run(dead).info.status == "KILLED"
    assert client.get_run(living).info.status == "RUNNING"


def test_an_orphan_is_a_folder_of_a_run_that_the_store_does_not_know(contract: Contract, publish: Publish) -> None:
    run = publish(contract)
    experiment = contract.file(run, "").parents[1]
    orphan = experiment / ("f" * 32)
    orphan.mkdir()
    (experiment / "models" / "m-1").mkdir(parents=True)  # as MLflow lays models that are logged by themselves
    assert contract.folders_without_run() == [orphan]
    assert contract.folders_without_run({EXPERIMENT}) == [orphan]
    assert contract.folders_without_run({"PLR_Imputation"}) == []
