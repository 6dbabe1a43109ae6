"""What a materialization tells: metadata for the asset page, and the tags that Dagster reads staleness from.

Belongs here: the words and tags of events and definitions. Does not belong here: when they are emitted (`assets`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from plr_assets.platform.contract import Contract, PublishedRun
from plr_assets.platform.execution import KeyResult
from plr_assets.platform.partitions import reads_by_asset
from plr_assets.platform.stages import StageAsset
from plr_assets.schemas import Column, Table
from plr_assets.study import Study

_SHOWN_FAILURES = 20
# of measured values; more than an interval of any of them tells apart, and few enough to read
_SHOWN_DIGITS = 6


def definition_metadata(tables: Mapping[str, Table], persona: str) -> dict[str, Any]:
    """Catalogue metadata of an asset: who is asked about it, and the columns of its main table."""
    metadata: dict[str, Any] = {"persona": persona}
    for index, (name, table) in enumerate(tables.items()):
        metadata["dagster/column_schema" if index == 0 else f"columns of {name}"] = table_schema(table)
    return metadata


def table_schema(table: Table) -> dg.TableSchema:
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                column.name,
                column.dtype,
                description=f"{column.description} [{column.unit}]" if column.unit else column.description,
                constraints=dg.TableColumnConstraints(
                    nullable=column.nullable, unique=table.key == (column.name,), other=list(_rules(column))
                ),
            )
            for column in table.columns
        ],
        constraints=dg.TableConstraints(other=[f"one row for each {', '.join(table.key)}"]),
    )


def _rules(column: Column) -> list[str]:
    rules = []
    if column.minimum is not None:
        rules.append(f">= {column.minimum:g}")
    if column.maximum is not None:
        rules.append(f"<= {column.maximum:g}")
    if column.allowed is not None:
        rules.append(f"one of {', '.join(column.allowed)}")
    return rules


def materialization(
    key: dg.AssetKey,
    asset: StageAsset,
    result: KeyResult,
    pointers: Mapping[str, str],
    contract: Contract,
    *,
    made_in: str,
) -> dg.AssetMaterialization:
    """One key's event, with its own data version. `made_in`: the Dagster run, or what else it was made in."""
    return dg.AssetMaterialization(
        asset_key=key,
        partition=result.text if asset.partitioned else None,
        metadata=metadata(asset, result, contract),
        tags={
            "dagster/data_version": version(result).value,
            # Dagster reads none of the tags below without it, and then calls whatever is newer changed
            "dagster/code_version": made_in,
            "dagster/data_version_is_user_provided": "true",
            **pointers,
        },
    )


def version(result: KeyResult) -> dg.DataVersion:
    """The data version of a published result: the digest of its content."""
    return dg.DataVersion(_run(result).digest)


def _run(result: KeyResult) -> PublishedRun:
    assert result.run is not None  # noqa: S101 - callers pass results that hold a run
    return result.run


def metadata(asset: StageAsset, result: KeyResult, contract: Contract) -> dict[str, Any]:
    """What the asset page shows of one key."""
    run = _run(result)
    rows = next((info.rows for info in run.artifacts.values() if info.rows is not None), None)
    return {
        "mlflow_run": dg.MetadataValue.url(contract.run_url(run.run_id, asset.stage.experiment)),
        "mlflow_run_id": run.run_id,
        "mlflow_experiment": f"{contract.study}/{asset.stage.experiment}",
        "reused": result.reused,
        **({"adopted_from": run.adopted_from} if run.adopted_from else {}),
        "seconds": round(run.seconds, 3),
        "bytes": sum(info.bytes for info in run.artifacts.values()),
        **({"dagster/row_count": rows} if rows is not None else {}),
        **{name: shown(float(value)) for name, value in (result.metrics or {}).items() if not math.isnan(value)},
        **{title: dg.MetadataValue.md(text) for title, text in (result.notes or {}).items()},
    }


def shown(value: float) -> float:
    """A number as pages show it: a count, or six significant digits. The MLflow run has all of them."""
    return value if value.is_integer() else float(f"{value:.{_SHOWN_DIGITS}g}")


def upstream_pointers(instance: dg.DagsterInstance, asset: StageAsset, study: Study) -> dict[str, str]:
    """Tags that say which state of its upstream assets this run read, from which Dagster tells what is stale.

    Per upstream asset: the storage id of its newest event and that event's data version.
    """
    tags: dict[str, str] = {}
    for name in reads_by_asset(asset, study):
        key = dg.AssetKey([study.name, name])
        records = instance.fetch_materializations(key, limit=1).records
        user_string = key.to_user_string()
        newest = records[0] if records else None
        event = newest.asset_materialization if newest else None
        version = (event.tags or {}).get("dagster/data_version") if event else None
        tags[f"dagster/input_data_version/{user_string}"] = version or "INITIAL"
        if newest is not None:
            tags[f"dagster/input_event_pointer/{user_string}"] = str(newest.storage_id)
    return tags


def failure_summary(asset: StageAsset, failed: Sequence[KeyResult], total: int) -> str:
    """All failed keys of a range with their reasons, in one text."""
    shown = "\n".join(f"  {result.text}: {result.error}" for result in failed[:_SHOWN_FAILURES])
    more = f"\n  ... and {len(failed) - _SHOWN_FAILURES} more" if len(failed) > _SHOWN_FAILURES else ""
    return (
        f"{asset.name}: {len(failed)} of {total} keys failed; the others are published.\n{shown}{more}\n"
        "Running the same selection again does only the failed ones."
    )
