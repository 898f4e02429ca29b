"""What Dagster is told of a sync: one event a stream, with its counts, days and columns."""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterable, Mapping
from dataclasses import asdict
from datetime import date
from typing import Any, TypeAlias

from dagster import (
    AssetExecutionContext,
    AssetMaterialization,
    AssetSpec,
    MaterializeResult,
    MetadataValue,
    TableColumn,
    TableColumnConstraints,
    TableSchema,
)
from dagster._core.definitions.metadata import TableMetadataSet

from atlas_dagster.airbyte.job_info import JobOutcome, StreamOutcome
from atlas_dagster.airbyte.jobs import Job, StreamKey, StreamSync
from atlas_dagster.catalog import Column, Connection, Stream

SyncEvents: TypeAlias = Generator[MaterializeResult[Any] | AssetMaterialization, Any, None]
Metadata: TypeAlias = dict[str, Any]


def stream_events(context: AssetExecutionContext, told: Mapping[StreamKey, Metadata]) -> SyncEvents:
    """The events of streams that are complete, given their metadata.

    Airbyte syncs a connection as a whole: streams that were not selected are materialized too.
    """
    specs = {key: spec for spec in context.assets_def.specs if (key := _stream_key(spec))}
    for key, metadata in told.items():
        spec = specs.get(key)
        if spec is None:
            context.log.warning(f"the stream {key[0]} is synced, and has no asset yet: reload")
        elif spec.key in context.selected_asset_keys:
            yield MaterializeResult(asset_key=spec.key, metadata=metadata)
        else:
            yield AssetMaterialization(asset_key=spec.key, metadata=metadata)


def embedded_metadata(
    job: Job, synced: StreamSync, stream: Stream, database: str, page: str
) -> Metadata:
    """What an embedded sync has done to a stream; ``page`` is the summary of it all."""
    metadata: Metadata = {
        "atlas/sync": MetadataValue.md(page),
        **_table(stream, database),
        "atlas/job_id": job.job_id,
        "atlas/generation_id": synced.generation_id,
        "atlas/records_emitted": synced.records_emitted,
        "atlas/records_committed": synced.records_committed,
        "atlas/bytes_emitted": synced.bytes_emitted,
        "atlas/bytes_committed": synced.bytes_committed,
        "atlas/duration_seconds": round((job.updated_at - job.created_at).total_seconds(), 3),
        "atlas/touched_days": _days(sorted(synced.touched_days)),
    }
    if synced.cursor_value is not None:
        metadata["atlas/cursor_value"] = synced.cursor_value
    return metadata


def server_metadata(
    outcome: JobOutcome, synced: StreamOutcome, connection: Connection, page: str
) -> Metadata:
    """What a sync of a server has done to a stream; counts where Airbyte tells them."""
    counts = asdict(synced.counts) if synced.counts else {}
    return {
        "atlas/sync": MetadataValue.md(page),
        **_table(synced.stream, connection.database if connection.has_layers else None),
        "atlas/job_id": outcome.job_id,
        "atlas/attempts": outcome.attempts,
        "atlas/generation_id": synced.generation_id,
        **{f"atlas/{name}": number for name, number in counts.items()},
        "atlas/duration_seconds": (outcome.ended_at - outcome.created_at).total_seconds(),
        "atlas/touched_days": _days(synced.touched_days),
    }


def _stream_key(spec: AssetSpec) -> StreamKey | None:
    name = spec.metadata.get("atlas/stream_name")
    return (str(name), spec.metadata.get("atlas/namespace")) if name else None


def _days(days: list[date] | tuple[date, ...]) -> MetadataValue[Any]:
    return MetadataValue.json([day.isoformat() for day in days])


def _table(stream: Stream, database: str | None) -> Metadata:
    named = f"{database}.{stream.landing_table}" if database else None
    keys = {path[0] for path in stream.primary_key if len(path) == 1}
    schema = column_schema(stream.columns, keys)
    return dict(TableMetadataSet(column_schema=schema, table_name=named))


def column_schema(columns: Iterable[Column], keys: Collection[str] = ()) -> TableSchema:
    """Columns as Dagster shows them; ``keys`` are the properties that make up the primary key."""
    return TableSchema(
        columns=[
            TableColumn(
                name=column.landing,
                type=column.type.value,
                description=column.description,
                constraints=TableColumnConstraints(
                    nullable=True, other=["primary key"] if column.name in keys else []
                ),
            )
            for column in columns
        ]
    )
