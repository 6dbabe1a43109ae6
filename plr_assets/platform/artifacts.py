"""Artifacts: the files of a tracked run, how they are written, and how they are read back with proof.

Belongs here: the on-disk forms (Parquet tables, JSON documents, folders of a library's own files) and references to
them. Does not belong here: talking to MLflow (`contract`). Imports no mlflow, so that workers start fast. Nothing here
unpickles anything.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import polars as pl

from plr_assets.errors import ContractError
from plr_assets.platform.digests import canonical_json, digest_folder, digest_frame, digest_json, digest_of, sha256_file
from plr_assets.schemas import Table, validate

Kind = Literal["table", "document", "folder"]
_SUFFIX: Mapping[Kind, str] = {"table": ".parquet", "document": ".json", "folder": ""}

# Signals compress by a third at any level; 3 is polars' own default and writes fastest.
_ZSTD_LEVEL = 3


@dataclass(frozen=True, slots=True)
class ArtifactInfo:
    """One artifact as its run declares it: what it says (`digest`) and the bytes that say it (`sha256`)."""

    kind: Kind
    digest: str
    sha256: str
    bytes: int
    rows: int | None = None


@dataclass(frozen=True, slots=True)
class ArtifactRef:
    """Where an artifact of a run can be read on this machine. `seconds`: what the run took; NaN if it does not say."""

    run_id: str
    name: str
    info: ArtifactInfo
    path: Path
    seconds: float = field(default=float("nan"), compare=False)

    def verify(self) -> None:
        """Raises ContractError if the bytes are not the declared ones."""
        if not self.path.exists():
            raise ContractError(
                f"run {self.run_id}, artifact {self.name}", "the file is gone.", "Run the study again: it is rebuilt."
            )
        found = digest_folder(self.path) if self.info.kind == "folder" else sha256_file(self.path)
        if found != self.info.sha256:
            raise ContractError(
                f"run {self.run_id}, artifact {self.name}",
                f"the content was changed after it was published (SHA-256 {found[:12]}, not {self.info.sha256[:12]}).",
                "Run the study again: the partition is rebuilt.",
            )

    def is_intact(self) -> bool:
        try:
            self.verify()
        except ContractError:
            return False
        return True


def file_name(name: str, kind: Kind) -> str:
    return f"{name}{_SUFFIX[kind]}"


@dataclass(frozen=True)
class Product:
    """What one partition's computation returns.

    tables     name -> table; checked against the schema that the asset declares for the name.
    documents  name -> JSON content.
    folders    name -> function that writes a library's own files into an empty folder.
    metrics    numbers for MLflow and the asset page; NaN is left out.
    notes      markdown for the asset page, by title.
    """

    tables: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    documents: Mapping[str, Any] = field(default_factory=dict)
    folders: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)


def write_product(product: Product, schemas: Mapping[str, Table], folder: Path) -> dict[str, ArtifactInfo]:
    """Write every artifact below `folder`. Raises ValueError where a table is not what its schema says."""
    names = [*product.tables, *product.documents, *product.folders]
    if len(set(names)) != len(names):
        raise ValueError(f"two artifacts have one name: {sorted(names)}")
    if undeclared := set(product.tables) - set(schemas):
        raise ValueError(f"no schema is declared for table(s) {sorted(undeclared)}")
    infos: dict[str, ArtifactInfo] = {}
    for name, frame in product.tables.items():
        path = folder / file_name(name, "table")
        validate(frame, schemas[name]).write_parquet(path, compression="zstd", compression_level=_ZSTD_LEVEL)
        infos[name] = _info("table", digest_frame(frame), path, rows=frame.height)
    for name, document in product.documents.items():
        path = folder / file_name(name, "document")
        path.write_text(canonical_json(document), encoding="utf-8")
        infos[name] = _info("document", digest_json(document), path)
    for name, write in product.folders.items():
        path = folder / name
        path.mkdir()
        write(path)
        digest = digest_folder(path)
        size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
        infos[name] = ArtifactInfo("folder", digest, digest, size)
    return infos


def _info(kind: Kind, digest: str, path: Path, rows: int | None = None) -> ArtifactInfo:
    return ArtifactInfo(kind, digest, sha256_file(path), path.stat().st_size, rows)


def product_digest(infos: Mapping[str, ArtifactInfo]) -> str:
    """The data version of a partition."""
    return digest_of({name: info.digest for name, info in infos.items()})


def encode_infos(infos: Mapping[str, ArtifactInfo]) -> str:
    return canonical_json({name: asdict(info) for name, info in infos.items()})


def decode_infos(text: str) -> dict[str, ArtifactInfo]:
    return {name: ArtifactInfo(**info) for name, info in json.loads(text).items()}


def read_table(ref: ArtifactRef, schema: Table) -> pl.DataFrame:
    """The table behind `ref`, verified and validated. Raises ContractError naming run, artifact and rule."""
    return _read_table(ref, schema).clone()  # shares the data, not the list of columns


# A worker meets the same recordings and masks for many keys; eight tables are at most about 100 MB here.
@lru_cache(maxsize=8)
def _read_table(ref: ArtifactRef, schema: Table) -> pl.DataFrame:
    ref.verify()
    try:
        return validate(pl.read_parquet(ref.path), schema)
    except (ValueError, pl.exceptions.PolarsError) as error:
        raise ContractError(
            f"run {ref.run_id}, artifact {ref.name}", f"{error}.", "Publish a run whose table fits the schema."
        ) from error


def read_document(ref: ArtifactRef) -> Any:
    ref.verify()
    return json.loads(ref.path.read_text(encoding="utf-8"))


def folder_path(ref: ArtifactRef) -> Path:
    ref.verify()
    return ref.path
