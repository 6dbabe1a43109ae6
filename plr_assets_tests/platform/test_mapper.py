"""Mappers: however work is spread, each item gets its own outcome."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plr_assets.errors import DataError
from plr_assets.platform.mapper import Failed, Mapper, Outcome, ProcessMapper, SerialMapper, make_mapper
from plr_assets.processes import dropped_at_once, start_pool
from plr_assets_tests.platform import workers


@pytest.fixture(scope="module")
def pool() -> Iterator[ProcessMapper]:
    with ProcessMapper(2) as mapper:
        yield mapper


@pytest.fixture(params=["serial", "process"])
def mapper(request: pytest.FixtureRequest) -> Mapper:
    return SerialMapper() if request.param == "serial" else request.getfixturevalue("pool")


def results(outcomes: Iterable[Outcome[Any, Any]]) -> dict[Any, Any]:
    """Item -> result, or the reason of its failure. Fails where an item has two outcomes."""
    found: dict[Any, Any] = {}
    for outcome in outcomes:
        assert outcome.item not in found
        found[outcome.item] = outcome.result.reason if isinstance(outcome.result, Failed) else outcome.result
    return found


def test_each_item_gets_its_own_result(mapper: Mapper) -> None:
    assert results(mapper.map(workers.square, iter(range(20)))) == {n: n * n for n in range(20)}


def test_equal_items_get_one_outcome_each(mapper: Mapper) -> None:
    assert [outcome.result for outcome in mapper.map(workers.square, [3, 3, 3])] == [9, 9, 9]


def test_processes_decide_as_one_process_does(pool: ProcessMapper) -> None:
    alone = results(SerialMapper().map(workers.square_of_even, range(12)))
    assert results(pool.map(workers.square_of_even, range(12))) == alone


def test_an_exception_fails_its_own_item_in_words_and_with_its_traceback(mapper: Mapper) -> None:
    found = {outcome.item: outcome.result for outcome in mapper.map(workers.square_of_even, [4, 5, 6])}
    assert (found[4], found[6]) == (16, 36)
    assert isinstance(found[5], Failed)
    assert found[5].reason == "KeyError: 5"
    assert "square_of_even" in found[5].traceback


def test_an_error_for_the_user_keeps_its_words(mapper: Mapper) -> None:
    (outcome,) = mapper.map(workers.square_of_even, [3])
    assert isinstance(outcome.result, Failed)
    assert outcome.result.reason == str(DataError("row 3", "the number is odd.", "Give an even one."))


@given(st.permutations(range(8)))
def test_the_order_of_items_does_not_matter(items: list[int]) -> None:
    in_order = results(SerialMapper().map(workers.square_of_even, range(8)))
    assert results(SerialMapper().map(workers.square_of_even, items)) == in_order


def test_the_order_of_items_does_not_matter_to_processes(pool: ProcessMapper) -> None:
    forwards = results(pool.map(workers.square_of_even, range(8)))
    assert results(pool.map(workers.square_of_even, reversed(range(8)))) == forwards


@pytest.mark.parametrize("cause", ["exit", "kill"])
def test_a_worker_that_dies_fails_its_own_item_only(cause: str) -> None:
    items = [(n, cause if n in (0, 5) else "") for n in range(10)]
    with ProcessMapper(2) as mapper:
        found = results(mapper.map(workers.die_of, items))
    died = [item for item, result in found.items() if result != item[0]]
    assert sorted(died) == [(0, cause), (5, cause)]
    assert len(found) == len(items)
    assert all("died" in found[item] for item in died)


def test_a_key_whose_worker_somebody_kills_twice_is_computed(tmp_path: Path) -> None:
    """In the pool, and once more alone: not what the key does, so it would be failed for nothing."""
    file = tmp_path / "times"
    file.write_text("2")
    with ProcessMapper(1) as mapper:
        assert results(mapper.map(workers.die_at_first, [(7, file)])) == {(7, file): 7}


def test_a_pool_that_broke_is_replaced_for_the_next_range() -> None:
    with ProcessMapper(1) as mapper:
        results(mapper.map(workers.die_of, [(0, "exit")]))
        assert results(mapper.map(workers.die_of, [(1, ""), (2, "")])) == {(1, ""): 1, (2, ""): 2}


def test_a_worker_that_dies_between_two_ranges_is_replaced() -> None:
    def give_up(*_: Any) -> None:
        raise TimeoutError("the second range does not end")

    before = signal.signal(signal.SIGALRM, give_up)
    with ProcessMapper(2) as mapper:
        results(mapper.map(workers.square, range(4)))
        assert mapper._pool is not None
        idle = list((mapper._pool._processes or {}).values())
        for worker in idle:
            worker.kill()
        for worker in idle:
            worker.join()
        noticed = False
        while not noticed:  # by the pool's own thread
            try:
                mapper._pool.submit(workers.square, 1).result()
            except BrokenProcessPool:
                noticed = True
        signal.alarm(60)
        try:
            assert results(mapper.map(workers.square, range(4))) == {n: n * n for n in range(4)}
        finally:
            signal.alarm(0)
            signal.signal(signal.SIGALRM, before)


def test_a_worker_that_dies_while_the_parent_publishes_fails_its_own_item_only(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    doomed = (0, pipe)
    found: dict[Any, Any] = {}
    others = multiprocessing.active_children()
    with ProcessMapper(2) as mapper:
        for outcome in mapper.map(workers.die_when_told, [doomed, *((n, None) for n in range(1, 9))]):
            if not found:  # busy with the first result: a worker dies, and its pool with it
                alive = [child.sentinel for child in multiprocessing.active_children() if child not in others]
                pipe.write_bytes(b"now")
                pipe.unlink()
                while alive:
                    alive = [sentinel for sentinel in alive if sentinel not in connection.wait(alive)]
            found[outcome.item] = outcome.result
    assert isinstance(found.pop(doomed), Failed)
    assert found == {(n, None): n for n in range(1, 9)}


@pytest.mark.parametrize("function", [workers.what_cannot_travel, workers.leave_the_interpreter])
def test_a_result_that_cannot_come_back_fails_its_own_item_only(function: Callable[[int], Any]) -> None:
    with ProcessMapper(1) as mapper:
        found = {outcome.item: outcome.result for outcome in mapper.map(function, [0, 1, 2])}
    assert (found[0], found[2]) == (0, 2)
    assert isinstance(found[1], Failed)


def test_an_interrupt_leaves_workers_alone_because_the_parent_decides_what_stops(pool: ProcessMapper) -> None:
    assert results(pool.map(workers.interrupt_itself, [1, 2])) == {1: 1, 2: 2}


def test_a_worker_computes_on_one_thread_whatever_library_asks(pool: ProcessMapper) -> None:
    (outcome,) = pool.map(workers.thread_limits, [0])
    assert not isinstance(outcome.result, Failed)
    polars_threads, limits = outcome.result
    assert polars_threads == 1
    assert set(limits.values()) == {"1"}


def test_workers_are_other_processes_and_are_kept_between_ranges() -> None:
    with ProcessMapper(1) as mapper:
        first = [outcome.result for outcome in mapper.map(workers.process_id, [1, 2])]
        second = [outcome.result for outcome in mapper.map(workers.process_id, [3])]
    assert set(first) == set(second)
    assert os.getpid() not in first


def test_nothing_to_do_starts_no_process() -> None:
    before = set(multiprocessing.active_children())
    with ProcessMapper(2) as mapper:
        assert list(mapper.map(workers.square, [])) == []
        assert set(multiprocessing.active_children()) == before


def test_closing_ends_the_workers_and_the_next_range_starts_new_ones() -> None:
    before = set(multiprocessing.active_children())
    mapper = ProcessMapper(1)
    for _ in range(2):
        assert results(mapper.map(workers.square, [2])) == {2: 4}
        mapper.close()
        assert set(multiprocessing.active_children()) == before
    mapper.close()  # closing twice is closing once


def test_a_reader_who_stops_early_leaves_no_worker_behind() -> None:
    before = set(multiprocessing.active_children())
    with ProcessMapper(1) as mapper:
        outcomes = mapper.map(workers.square, range(50))
        next(outcomes)
    assert set(multiprocessing.active_children()) == before


@pytest.fixture
def sigterm() -> Iterator[None]:
    """What this process does on SIGTERM is afterwards as it was."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.usefixtures("sigterm")
@pytest.mark.parametrize("handler", [signal.SIG_DFL, signal.SIG_IGN], ids=["", "in the background"])
def test_closing_in_the_middle_drops_what_is_computed_and_its_workers_at_once(tmp_path: Path, handler: Any) -> None:
    """Ctrl-C: nobody waits for a network to be trained to its end. The first item ends only if someone writes."""
    signal.signal(signal.SIGTERM, handler)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    before = set(multiprocessing.active_children())
    mapper = ProcessMapper(2)
    outcomes = mapper.map(workers.die_when_told, [(0, pipe), (1, None)])
    assert next(outcomes).result == 1
    mapper.close()
    assert set(multiprocessing.active_children()) == before


def test_nobody_waits_for_a_key_that_is_tried_alone(tmp_path: Path) -> None:
    """Its worker died, it is tried in a pool of its own, and then somebody stops: Ctrl-C comes out of the waiting."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    before = set(multiprocessing.active_children())

    def stopped() -> None:
        with dropped_at_once(start_pool(1)) as pool:
            pool.submit(workers.die_when_told, (0, pipe))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert set(multiprocessing.active_children()) == before


@pytest.mark.parametrize(
    ("kind", "processes", "override", "expected"),
    [
        ("serial", 3, None, None),
        ("process", 3, None, 3),
        ("process", None, None, os.cpu_count()),
        ("process", 3, "serial", None),
        ("serial", None, "2", 2),
        ("process", 3, "2", 2),
    ],
)
def test_the_environment_overrides_the_study(
    monkeypatch: pytest.MonkeyPatch, kind: str, processes: int | None, override: str | None, expected: int | None
) -> None:
    monkeypatch.delenv("PLR_WORKERS", raising=False)
    if override is not None:
        monkeypatch.setenv("PLR_WORKERS", override)
    made = make_mapper(kind, processes)
    assert (made.processes if isinstance(made, ProcessMapper) else None) == expected
