"""Runs that were logged by others, as the store has them: who proposes what, and tables in the form of their schemas.

Belongs here: reading such a run's tags and tables. Does not belong here: whether its content fits
(`defs.adoption`), or making it a partition (`adoption`).

Such a run is FINISHED, carries `plr.asset`, `plr.key`, `plr.contract_version` and `plr.synthetic`, and holds
`<table>.parquet` at the top of its artifacts. Its study is that of its experiment (`demo/anything`), or `plr.study`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plr_assets.errors import ContractError
from plr_assets.platform.contract import CONTRACT_VERSION
from plr_assets.platform.store import runs_of
from plr_assets.schemas import Column, Table

if TYPE_CHECKING:
    import polars as pl
    from mlflow import MlflowClient
    from mlflow.entities import Run

# What the author says of a run; all four are needed.
TAGS = ("plr.asset", "plr.key", "plr.contract_version", "plr.synthetic")
# Set on it when it was looked at: by which run it was adopted, or why it was not.
ADOPTED, REFUSED = "plr.adopted", "plr.refused"


@dataclass(frozen=True, slots=True)
class Proposal:
    """A foreign run that names a partition. `study` is empty where it names none."""

    run_id: str
    study: str
    asset: str
    key: str
    synthetic: bool

    @property
    def where(self) -> str:
        return f"run {self.run_id} ({self.asset} {self.key})"


def waiting(client: MlflowClient, study: str, *, since_ms: int = 0) -> list[str]:
    """Ids of the runs that propose a partition of `study` and were not looked at yet, the oldest first.

    since_ms   ended at that time or later, ms since 1970.
    """
    experiments = {experiment.experiment_id: experiment.name for experiment in client.search_experiments()}
    condition = f"attributes.status = 'FINISHED' AND attributes.end_time >= {since_ms} AND tags.`plr.asset` LIKE '%'"
    found = []
    for run in runs_of(client, list(experiments), condition):
        tags = run.data.tags
        looked_at = {ADOPTED, REFUSED, "plr.fingerprint"} & tags.keys()  # what we publish has a fingerprint
        if not looked_at and _study_of(run, experiments[run.info.experiment_id]) == study:
            found.append(run)
    return [run.info.run_id for run in sorted(found, key=lambda run: (run.info.end_time, run.info.run_id))]


def read_proposal(client: MlflowClient, run_id: str) -> Proposal:
    """What a run proposes. Raises ContractError if there is no such run, or it lacks a tag."""
    run = find_run(client, run_id)
    where = f"run {run_id}"
    tags = run.data.tags
    if absent := [name for name in TAGS if name not in tags]:
        raise ContractError(
            where, f"it lacks the tag(s) {', '.join(absent)}.", "Set them; docs/bring_your_own_run.md says to what."
        )
    if tags["plr.contract_version"] != CONTRACT_VERSION:
        raise ContractError(
            where,
            f"plr.contract_version is {tags['plr.contract_version']!r}, and this is version {CONTRACT_VERSION}.",
            "Log it by the contract of this version: docs/ARCHITECTURE.md.",
        )
    if tags["plr.synthetic"] not in ("true", "false"):
        raise ContractError(
            where,
            f"plr.synthetic is {tags['plr.synthetic']!r}.",
            "It is `true` where recordings were simulated, or `false`.",
        )
    study = _study_of(run, client.get_experiment(run.info.experiment_id).name)
    return Proposal(run_id, study, tags["plr.asset"], tags["plr.key"], tags["plr.synthetic"] == "true")


def finished_run(client: MlflowClient, run_id: str) -> Run:
    """The run of this id. Raises ContractError if the store has none, or it has not finished."""
    run = find_run(client, run_id)
    if run.info.status != "FINISHED":
        raise ContractError(f"run {run_id}", f"it is {run.info.status}.", "Only finished runs are results.")
    return run


def find_run(client: MlflowClient, run_id: str) -> Run:
    """The run of this id. Raises ContractError if the store has none."""
    from mlflow.exceptions import MlflowException

    try:
        run = client.get_run(run_id)
    except MlflowException as error:
        raise ContractError(
            f"run {run_id}", "the tracking store has no such run.", "Copy the id from the run's page in MLflow."
        ) from error
    if run.info.lifecycle_stage != "active":
        raise ContractError(f"run {run_id}", "it was deleted.", "Restore it in MLflow, or name another.")
    return run


def _study_of(run: Run, experiment: str) -> str:
    return run.data.tags.get("plr.study") or (experiment.partition("/")[0] if "/" in experiment else "")


def read_foreign_table(client: MlflowClient, proposal: Proposal, table: Table, name: str, folder: Path) -> pl.DataFrame:
    """The run's table `name`, its columns in the types of the schema. Raises ContractError."""
    import polars as pl
    from mlflow.exceptions import MlflowException

    file = f"{name}.parquet"
    try:
        path = client.download_artifacts(proposal.run_id, file, str(folder))
        frame = pl.read_parquet(path)
    except (MlflowException, OSError, pl.exceptions.PolarsError) as error:
        held = ", ".join(sorted(item.path for item in client.list_artifacts(proposal.run_id))) or "nothing"
        raise ContractError(
            proposal.where, f"{file} cannot be read; the run holds {held}.", f"Log the table as {file}, at the top."
        ) from error
    try:
        return in_schema(frame, table)
    except ValueError as error:
        raise ContractError(proposal.where, f"{error}.", "Publish a run whose table fits the schema.") from error


def in_schema(frame: pl.DataFrame, table: Table) -> pl.DataFrame:
    """`frame` with its columns in the types of the schema, as far as nothing is lost but digits beyond float32.

    Other tools write lists of equal length for arrays, and doubles for everything. Columns that may be missing are
    added. What does not fit the schema is left to `schemas.validate`. Raises ValueError naming column and rule.
    """
    import polars as pl

    signals = [column for column in table.columns if column.dtype in ("signal", "mask")]
    columns = {column.name: column for column in table.columns}
    made = [_typed(frame[name], columns[name]) if name in columns else _number(frame[name]) for name in frame.columns]
    result = pl.DataFrame(made)
    width = next((width for c in signals if (width := _width(result, c.name)) is not None), None)
    for column in table.columns:
        given = column.name in result.columns and result[column.name].dtype != pl.Null
        if column.nullable and column.dtype == "signal" and width is not None and not given:
            result = result.with_columns(pl.lit(None, pl.Array(pl.Float32, width)).alias(column.name))
    if table.open_columns:
        return result
    known = [name for name in table.column_names if name in result.columns]
    return result.select(*known, *(name for name in result.columns if name not in columns))


def _width(frame: pl.DataFrame, name: str) -> int | None:
    """Samples a row of an array column."""
    import polars as pl

    dtype = frame[name].dtype if name in frame.columns else None
    return int(dtype.shape[0]) if isinstance(dtype, pl.Array) else None


def _typed(series: pl.Series, column: Column) -> pl.Series:
    import polars as pl

    dtype = series.dtype
    if column.dtype in ("signal", "mask"):
        return _as_array(series, pl.Float32() if column.dtype == "signal" else pl.Boolean())
    if column.dtype.startswith("list[") and isinstance(dtype, pl.List | pl.Array):
        return _cast(
            series, pl.List({"uint16": pl.UInt16, "uint8": pl.UInt8, "float32": pl.Float32}[column.dtype[5:-1]])
        )
    if column.dtype == "float64" and dtype.is_numeric():
        return series.cast(pl.Float64)
    if column.dtype == "int64" and dtype.is_integer():
        return _cast(series, pl.Int64())
    if column.dtype == "string" and isinstance(dtype, pl.Categorical | pl.Enum):
        return series.cast(pl.String)
    return series


def _number(series: pl.Series) -> pl.Series:
    """A column of a name of its own: a feature."""
    import polars as pl

    return series.cast(pl.Float64) if series.dtype.is_numeric() else series


def _as_array(series: pl.Series, inner: Any) -> pl.Series:
    import polars as pl

    if isinstance(series.dtype, pl.List):
        lengths = series.list.len().drop_nulls().unique().to_list()
        if len(lengths) != 1:
            raise ValueError(f"column {series.name!r} is not an array: its rows have lengths {sorted(lengths)[:5]}")
        series = series.list.to_array(lengths[0])
    if not isinstance(series.dtype, pl.Array):
        return series
    held = series.dtype.inner
    if inner == pl.Boolean and held != pl.Boolean:
        values = series.explode().unique().drop_nulls().to_list()
        if not set(values) <= {0, 1}:
            raise ValueError(f"column {series.name!r} is a mask: its values are true and false, or 0 and 1")
    elif inner == pl.Float32 and not held.is_numeric():
        raise ValueError(f"column {series.name!r} holds numbers, not {held}")
    return series.cast(pl.Array(inner, series.dtype.shape[0]))


def _cast(series: pl.Series, dtype: Any) -> pl.Series:
    import polars as pl

    try:
        return series.cast(dtype)
    except pl.exceptions.PolarsError as error:
        raise ValueError(f"column {series.name!r} does not fit {dtype}: {str(error).splitlines()[0]}") from error
