"""Copies of artifacts for people: figures below `data/<study>/figures/`.

Belongs here: keeping a published folder and its copy equal. Does not belong here: drawing. Nothing reads the copies.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from plr_assets.platform.artifacts import ArtifactRef, folder_path
from plr_assets.platform.digests import sha256_file


def is_exported(ref: ArtifactRef, folder: Path) -> bool:
    """Whether every file of the artifact stands in `folder` with the same bytes."""
    return ref.path.exists() and all(
        (target := folder / source.relative_to(ref.path)).is_file() and sha256_file(target) == sha256_file(source)
        for source in sorted(ref.path.rglob("*"))
        if source.is_file()
    )


def export(ref: ArtifactRef, folder: Path) -> None:
    """Copy the artifact's files into `folder`, each swapped in whole; files that are equal already are left alone."""
    if is_exported(ref, folder):
        return
    source_folder = folder_path(ref)
    for source in sorted(source_folder.rglob("*")):
        if source.is_file():
            target = folder / source.relative_to(source_folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            partial = target.with_name(f".{target.name}.partial")
            shutil.copyfile(source, partial)
            partial.replace(target)
