"""Work whose process was killed is asked for again, ever later; work that ended by itself is not."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import dagster as dg
import pytest
from dagster._core.events import RunFailureReason
from dagster._core.storage.tags import MAX_RETRIES_TAG, RUN_FAILURE_REASON_TAG, RUN_KEY_TAG

from plr_assets.definitions import build_definitions
from plr_assets.platform.attempts import FIRST_WAIT_S, MOST_ATTEMPTS, WORK_TAG, Attempts, attempts_at
from plr_assets.platform.jobs import STUDY_TAG
from plr_assets.study import Study
from plr_assets_tests.e2e.lab import TRIAL, Lab

OURS = {STUDY_TAG: "trial"}
KILLED, FAILED = dg.DagsterRunStatus.FAILURE, {RUN_FAILURE_REASON_TAG: RunFailureReason.STEP_FAILURE.value}


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def add(
    instance: dg.DagsterInstance,
    work: str | None,
    status: dg.DagsterRunStatus = KILLED,
    tags: dict[str, str] | None = None,
) -> str:
    """A run of the study that ended; its id."""
    all_tags = {**OURS, **({WORK_TAG: work} if work else {}), **(tags or {})}
    run = dg.DagsterRun(job_name="bring_up_to_date", run_id=str(uuid.uuid4()), status=status, tags=all_tags)
    return instance.add_run(run).run_id


def wait(instance: dg.DagsterInstance, work: str = "w") -> float | None:
    before = attempts_at(instance, OURS, work)
    return before.wait_s(before.last_s)


def test_what_was_never_asked_for_is_asked_for_at_once(instance: dg.DagsterInstance) -> None:
    add(instance, None, dg.DagsterRunStatus.SUCCESS)  # the nightly check
    assert attempts_at(instance, OURS, "w") == Attempts(0, 0, 0.0, "")
    assert wait(instance) == 0.0


def test_after_a_kill_it_is_asked_for_at_once_then_ever_later_and_not_for_ever(instance: dg.DagsterInstance) -> None:
    waits, keys = [], []
    for _ in range(MOST_ATTEMPTS):
        waits.append(wait(instance))
        keys.append(attempts_at(instance, OURS, "w").key)
        add(instance, "w")
    assert waits == [0.0, 0.0, *(FIRST_WAIT_S * 2**n for n in range(MOST_ATTEMPTS - 2))]
    assert len(set(keys)) == MOST_ATTEMPTS, "Dagster takes the same key for the same request"
    assert wait(instance) is None


@pytest.mark.parametrize(
    ("status", "tags"),
    [(dg.DagsterRunStatus.SUCCESS, {}), (dg.DagsterRunStatus.CANCELED, {}), (dg.DagsterRunStatus.FAILURE, FAILED)],
)
def test_what_ended_by_itself_is_not_asked_for_again(
    instance: dg.DagsterInstance, status: dg.DagsterRunStatus, tags: dict[str, str]
) -> None:
    add(instance, "w")
    add(instance, "w", status, tags)
    assert wait(instance) is None
    assert wait(instance, "other") == 0.0


def test_the_same_work_after_other_work_is_new(instance: dg.DagsterInstance) -> None:
    """A parameter is changed and changed back, twice: the second time is the first one's work again."""
    add(instance, "w", dg.DagsterRunStatus.SUCCESS)
    first = attempts_at(instance, OURS, "w")
    other = add(instance, "other", dg.DagsterRunStatus.SUCCESS)
    again = attempts_at(instance, OURS, "w")
    assert again.wait_s(again.last_s) == 0.0
    assert again.after == other
    assert again.key != first.key


def test_the_sensor_asks_again_for_work_whose_process_was_killed(lab: Lab) -> None:
    methods = {**TRIAL["methods"], "outlier_detection": {"LOF": {"n_neighbors": 50}}}
    study = lab.study(methods=methods, automation="automatic")
    with lab.instance() as instance:
        (first,), _ = tick(study, instance)
        assert first.tags[MAX_RETRIES_TAG] == "0", "Dagster would launch it as well"
        assert first.run_key is not None
        add(instance, first.tags[WORK_TAG], KILLED, {RUN_KEY_TAG: first.run_key})
        (second,), _ = tick(study, instance)
        assert second.tags[WORK_TAG] == first.tags[WORK_TAG]
        assert second.run_key != first.run_key
        add(instance, second.tags[WORK_TAG], KILLED, FAILED)
        requests, words = tick(study, instance)
        assert not requests
        assert "it waits for a change" in words


def tick(study: Study, instance: dg.DagsterInstance) -> tuple[list[dg.RunRequest], str]:
    """What a look asks for, and why it asks for nothing."""
    repository = build_definitions(study).get_repository_def()
    context = dg.build_sensor_context(instance=instance, repository_def=repository)
    data = repository.get_sensor_def("follow_changes").evaluate_tick(context)
    return list(data.run_requests or []), data.skip_message or ""
