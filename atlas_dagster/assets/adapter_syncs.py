"""The sensor `adapter_syncs`: syncs of an Airbyte that only a webhook tells of.

Where no server is set there is nobody to ask, and no catalog to define assets from: what the
payload of QALITA's adapter says is all there is. A stream that it names is told as an asset of its
own, a job without a catalog as one of its connection.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import Any

import dagster as dg

from atlas_dagster.airbyte import notices
from atlas_dagster.airbyte.events import column_schema
from atlas_dagster.airbyte.notices import Payload
from atlas_dagster.assets.layer_runs import BUDGET_SECONDS
from atlas_dagster.assets.observed_syncs import MOST_EVENTS
from atlas_dagster.assets.sync_events import Due, find_told
from atlas_dagster.catalog_answers import parse_columns, stream_slugs
from atlas_dagster.errors import PayloadError
from atlas_dagster.names import slug
from atlas_dagster.settings import Settings
from atlas_dagster.warehouse import connect, migrate, resolve_url
from atlas_dagster.webhook.payload import AdapterStream, AdapterSync, parse_adapter


def build_adapter_syncs_sensor(
    settings: Settings, taken: Collection[str], status: dg.DefaultSensorStatus
) -> dg.SensorDefinition:
    """The sensor; ``taken`` are the slugs of connections that have assets of their own."""

    def adapter_syncs(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        deadline = time.monotonic() + BUDGET_SECONDS
        events: list[dg.AssetMaterialization | dg.AssetObservation] = []
        known = 0
        with connect(resolve_url(settings), application="atlas adapter_syncs") as warehouse:
            migrate(warehouse)
            for payload in notices.unsettled_payloads(warehouse):
                if len(events) >= MOST_EVENTS or time.monotonic() >= deadline:
                    break
                try:
                    sync, due = _read(payload, taken)
                except PayloadError as error:
                    notices.settle(warehouse, [payload.notice], str(error))
                    continue
                since = min(payload.received_at, sync.started_at or payload.received_at)
                told = find_told(context.instance, sync.job_id, since, due)
                missing = [one.event for one in due if one.key not in told]
                events += missing
                if not missing:
                    notices.settle(warehouse, [payload.notice])
                    known += 1
        done = [f"{len(events)} events told"] if events else []
        done += [f"{known} jobs known"] if known else []
        return dg.SensorResult(asset_events=events, skip_reason=", ".join(done) or "nothing new")

    return dg.SensorDefinition(
        name="adapter_syncs",
        evaluation_fn=adapter_syncs,
        description="Materializes what the adapter of QALITA tells of an Airbyte that cannot be"
        " asked.",
        minimum_interval_seconds=30,
        default_status=status,
    )


def _read(payload: Payload, taken: Collection[str]) -> tuple[AdapterSync, list[Due]]:
    """What a payload says, and the events of it; raises PayloadError where it cannot be told."""
    sync = parse_adapter(payload.body)
    connection = slug(sync.connection_id)
    if connection in taken:
        raise PayloadError(f"the connection {connection} is one that Atlas syncs itself")
    if sync.status == "running":
        return sync, []
    streams = {(stream.name, stream.namespace): stream for stream in sync.streams or ()}
    slugs = stream_slugs(list(streams))
    shared = _metadata(sync)
    if not slugs:
        return sync, [_due(sync, dg.AssetKey(["airbyte", connection]), shared)]
    counts = _counts(sync)
    return sync, [
        _due(
            sync,
            dg.AssetKey(["airbyte", connection, slugs[name]]),
            {**shared, **_of_stream(stream), **(counts if len(streams) == 1 else {})},
        )
        for name, stream in streams.items()
    ]


def _due(sync: AdapterSync, key: dg.AssetKey, metadata: dict[str, Any]) -> Due:
    if sync.status == "succeeded":
        return Due(dg.AssetMaterialization(key, metadata=metadata))
    text = f"Airbyte's job {sync.job_id} {sync.status}; the adapter does not say why."
    return Due(dg.AssetObservation(key, description=text, metadata=metadata))


def _metadata(sync: AdapterSync) -> dict[str, Any]:
    """What is said of the job as a whole."""
    seconds = (
        (sync.ended_at - sync.started_at).total_seconds()
        if sync.ended_at and sync.started_at
        else None
    )
    said = {
        "atlas/job_id": sync.job_id,
        "atlas/job_name": sync.name,
        "atlas/connection_id": sync.connection_id,
        "atlas/status": sync.status,
        "atlas/started_by": "airbyte",
        "atlas/ended_at": dg.MetadataValue.timestamp(sync.ended_at) if sync.ended_at else None,
        "atlas/duration_seconds": seconds,
        **{f"atlas/job_{name.removeprefix('atlas/')}": n for name, n in _counts(sync).items()},
    }
    return {name: value for name, value in said.items() if value is not None}


def _counts(sync: AdapterSync) -> dict[str, Any]:
    """Records and bytes of the job, which are those of its stream where it has one."""
    counts = {
        "atlas/records_emitted": sync.records_emitted,
        "atlas/bytes_emitted": sync.bytes_emitted,
        "atlas/records_committed": sync.records_committed,
    }
    return {name: value for name, value in counts.items() if value is not None}


def _of_stream(stream: AdapterStream) -> dict[str, Any]:
    named = {"atlas/stream_name": stream.name}
    if stream.namespace:
        named["atlas/namespace"] = stream.namespace
    if stream.json_schema is None:
        return named
    return {
        **named,
        "dagster/column_schema": column_schema(parse_columns(stream.json_schema, None)),
    }
