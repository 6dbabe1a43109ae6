"""Exports: the copies that people look at are the published files."""

from __future__ import annotations

from pathlib import Path

import pytest

from plr_assets.errors import ContractError
from plr_assets.platform.artifacts import ArtifactRef, Product, write_product
from plr_assets.platform.exports import export, is_exported


def _draw(folder: Path) -> None:
    (folder / "roc.svg").write_text("<svg/>")
    (folder / "data").mkdir()
    (folder / "data" / "roc.json").write_text("[1, 2]")


@pytest.fixture
def figures(tmp_path: Path) -> ArtifactRef:
    """A published folder of two files, one of them in a folder of its own."""
    run = tmp_path / "run"
    run.mkdir()
    infos = write_product(Product(folders={"figures": _draw}), {}, run)
    return ArtifactRef("run1", "figures", infos["figures"], run / "figures")


@pytest.fixture
def copies(tmp_path: Path) -> Path:
    return tmp_path / "study" / "figures"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_the_copy_holds_every_file_and_nothing_half_written(figures: ArtifactRef, copies: Path) -> None:
    assert not is_exported(figures, copies)
    export(figures, copies)
    assert is_exported(figures, copies)
    assert contents(copies) == contents(figures.path)


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_text("scribble")])
def test_a_copy_that_was_lost_or_changed_is_noticed_and_restored(
    figures: ArtifactRef, copies: Path, damage: object
) -> None:
    export(figures, copies)
    assert callable(damage)
    damage(copies / "data" / "roc.json")
    assert not is_exported(figures, copies)
    export(figures, copies)
    assert contents(copies) == contents(figures.path)


def test_copies_that_are_equal_are_not_written_again(figures: ArtifactRef, copies: Path) -> None:
    export(figures, copies)
    before = (copies / "roc.svg").stat()
    export(figures, copies)
    after = (copies / "roc.svg").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_files_of_other_figures_are_left_alone(figures: ArtifactRef, copies: Path) -> None:
    copies.mkdir(parents=True)
    (copies / "other.svg").write_text("another pipeline's")
    export(figures, copies)
    assert (copies / "other.svg").read_text() == "another pipeline's"


def test_an_artifact_that_was_changed_after_publishing_is_not_copied(figures: ArtifactRef, copies: Path) -> None:
    export(figures, copies)
    before = contents(copies)
    (figures.path / "roc.svg").write_text("<svg>forged</svg>")
    with pytest.raises(ContractError, match=r"run1.*figures"):
        export(figures, copies)
    assert contents(copies) == before


def test_an_artifact_that_is_gone_is_not_called_exported(figures: ArtifactRef, copies: Path) -> None:
    for file in sorted(figures.path.rglob("*"), reverse=True):
        file.rmdir() if file.is_dir() else file.unlink()
    figures.path.rmdir()
    assert not is_exported(figures, copies)
