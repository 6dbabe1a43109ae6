"""A key's progress is heard while its folders are written, too: weights are trained there."""

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
