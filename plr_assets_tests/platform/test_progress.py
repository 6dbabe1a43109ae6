"""Progress: what a key says while it computes reaches the parent from any mapper, and nothing is left over."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from plr_assets.platform.mapper import Failed, Mapper, ProcessMapper, SerialMapper
from plr_assets.platform.progress import KeyProgress, listening, telling
from plr_assets_tests.platform.progress_workers import answer, count_to_three, fail_after_a_line


@pytest.fixture(params=["serial", "process"])
def mapper(request: pytest.FixtureRequest) -> Iterator[Mapper]:
    made: Mapper = SerialMapper() if request.param == "serial" else ProcessMapper(2)
    with closing(made):
        yield made


def test_each_line_of_each_key_reaches_the_parent_once_and_in_order(mapper: Mapper, tmp_path: Path) -> None:
    items = [(tmp_path / f"{name}.progress", name) for name in ("LOF", "TimesNet")]
    heard: list[KeyProgress] = []

    def report(progress: KeyProgress) -> None:
        heard.append(progress)
        answer(tmp_path / "any", progress.line).touch()

    with listening({file: f"key {name}" for file, name in items}, report, every_s=0.01):
        results = [outcome.result for outcome in mapper.map(count_to_three, items)]
    assert sorted(map(str, results)) == ["LOF", "TimesNet"]
    for _, name in items:
        said = [progress.line for progress in heard if progress.text == f"key {name}"]
        assert said == [f"{name}: step {step} of 3" for step in (1, 2, 3)]
    assert len(heard) == 6
    assert {path.suffix for path in tmp_path.iterdir()} == {".read"}


def test_a_key_that_fails_leaves_no_line(mapper: Mapper, tmp_path: Path) -> None:
    (outcome,) = mapper.map(fail_after_a_line, [(tmp_path / "0.progress", "LOF")])
    assert isinstance(outcome.result, Failed)
    assert not list(tmp_path.iterdir())


def test_only_the_packages_own_information_is_told_and_the_newest_stands(tmp_path: Path) -> None:
    file = tmp_path / "0.progress"
    package = logging.getLogger("plr_assets")
    before = package.level, list(package.handlers)
    with telling(file):
        logging.getLogger("plr_assets.x").debug("too little")
        logging.getLogger("elsewhere").warning("not ours")
        assert not file.exists()
        logging.getLogger("plr_assets.x").info("first %d", 1)
        logging.getLogger("plr_assets.y").warning("second")
        assert file.read_text(encoding="utf-8") == "second"
        assert [path.name for path in tmp_path.iterdir()] == [file.name]
    assert not list(tmp_path.iterdir())
    assert (package.level, package.handlers) == before


def test_a_line_is_reported_once_and_listening_ends_with_its_block(tmp_path: Path) -> None:
    file, heard, twice = tmp_path / "0.progress", list[KeyProgress](), threading.Event()
    file.write_text("still at it", encoding="utf-8")
    other = tmp_path / "1.progress"

    def report(progress: KeyProgress) -> None:
        heard.append(progress)
        if progress.text == "other":
            twice.set()
        else:
            other.write_text("later", encoding="utf-8")

    with listening({file: "key", other: "other"}, report, every_s=0.01):
        assert twice.wait(30)
    assert heard == [KeyProgress("key", "still at it"), KeyProgress("other", "later")]
    assert "plr-progress" not in {thread.name for thread in threading.enumerate()}
