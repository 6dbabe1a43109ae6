"""A key's folder: its progress is heard while it is written, and what a killed worker left in it is gone."""

from __future__ import annotations

import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from plr_assets.platform.artifacts import Product
from plr_assets.platform.execution import Work, compute_key


def test_what_is_said_while_a_folder_is_written_reaches_the_parent(tmp_path: Path) -> None:
    heard: list[str] = []

    def write(folder: Path) -> None:
        logging.getLogger("plr_assets.networks.training").info("epoch %d of %d", 3, 20)
        heard.append(work.progress.read_text(encoding="utf-8"))
        (folder / "weights.txt").write_text("1", encoding="utf-8")

    asset = SimpleNamespace(compute=lambda _: Product(folders={"weights": write}), tables={})
    task: Any = SimpleNamespace(asset=asset, adopted=None)
    work = Work(task, tmp_path / "0")
    done = compute_key(work)
    assert heard == ["epoch 3 of 20"]
    assert set(done.artifacts) == {"weights"}
    assert not work.progress.exists()


def test_a_key_is_computed_again_where_a_killed_worker_left_a_part_of_its_folder(tmp_path: Path) -> None:
    def write(folder: Path) -> None:
        (folder / "weights.txt").write_text("1", encoding="utf-8")

    asset = SimpleNamespace(compute=lambda _: Product(folders={"weights": write}), tables={})
    task: Any = SimpleNamespace(asset=asset, adopted=None)
    work = Work(task, tmp_path / "0")
    (work.folder / "weights").mkdir(parents=True)
    (work.folder / "weights" / "left.txt").write_text("half", encoding="utf-8")
    assert set(compute_key(work).artifacts) == {"weights"}
    assert [path.name for path in (work.folder / "weights").iterdir()] == ["weights.txt"]
