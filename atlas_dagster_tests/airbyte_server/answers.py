"""The JSON that Airbyte's two APIs make of the ledger.

Shapes: airbytehq/airbyte-platform, airbyte-api/server-api/src/main/openapi, api.yaml (public) and
config.yaml (configuration). Null fields are left out, as the server leaves them out.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from atlas_dagster_tests.airbyte_server.ledger import Attempt, Connection, Job, Json, Ledger, Stats

_SYNC_MODES = {
    ("full_refresh", "overwrite"): "full_refresh_overwrite",
    ("full_refresh", "append"): "full_refresh_append",
    ("full_refresh", "overwrite_dedup"): "full_refresh_overwrite_deduped",
    ("incremental", "append"): "incremental_append",
    ("incremental", "append_dedup"): "incremental_deduped_history",
    ("incremental", "update"): "incremental_update",
    ("incremental", "soft_delete"): "incremental_soft_delete",
}
_CONFIG_TYPES = {"reset": "reset_connection"}
_ENDED = ("failed", "succeeded", "cancelled")


def without_nulls(value: Any) -> Any:
    """A JSON value without the null fields of its objects."""
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [without_nulls(item) for item in value]
    return value


def workspace(ledger: Ledger) -> Json:
    """`GET /workspaces/{id}`."""
    off = {"email": {"enabled": False}, "webhook": {"enabled": False}}
    events = (
        *("failure", "success", "connectionUpdate", "connectionUpdateActionRequired"),
        *("syncDisabled", "syncDisabledWarning"),
    )
    return {
        "workspaceId": ledger.workspace_id,
        "name": "Default Workspace",
        "dataResidency": "auto",
        "notifications": dict.fromkeys(events, off),
    }


def connection(ledger: Ledger, found: Connection) -> Json:
    """An item of `GET /connections`."""
    definition = found.namespace_definition
    return {
        "connectionId": found.id,
        "name": found.name,
        "sourceId": found.source_id,
        "destinationId": found.destination_id,
        "workspaceId": ledger.workspace_id,
        "status": found.status,
        "schedule": {"scheduleType": found.schedule_type, "cronExpression": found.cron},
        "namespaceDefinition": "custom_format" if definition == "customformat" else definition,
        "namespaceFormat": found.namespace_format,
        "prefix": found.prefix,
        "nonBreakingSchemaUpdatesBehavior": "ignore",
        "configurations": {
            "streams": [
                {
                    "name": entry["stream"]["name"],
                    "namespace": entry["stream"].get("namespace"),
                    "syncMode": _SYNC_MODES[
                        (entry["config"]["syncMode"], entry["config"]["destinationSyncMode"])
                    ],
                    "cursorField": entry["config"]["cursorField"],
                    "primaryKey": entry["config"]["primaryKey"],
                    "selectedFields": [],
                    "mappers": [],
                }
                for entry in found.entries
            ]
        },
        "createdAt": 1700000000,
        "tags": [],
    }


def connection_read(ledger: Ledger, found: Connection) -> Json:
    """`connections/get` of the configuration API."""
    cron = {"cronExpression": found.cron, "cronTimeZone": "UTC"}
    return {
        "connectionId": found.id,
        "name": found.name,
        "sourceId": found.source_id,
        "destinationId": found.destination_id,
        "workspaceId": ledger.workspace_id,
        "status": found.status,
        "prefix": found.prefix,
        "namespaceDefinition": found.namespace_definition,
        "namespaceFormat": found.namespace_format,
        "scheduleType": found.schedule_type,
        "scheduleData": {"cron": cron} if found.cron else None,
        "syncCatalog": {"streams": found.entries},
        "sourceCatalogId": "5a3b1a0f-6a6f-4a55-9c8e-5a9b3e1f0c11",
        "breakingChange": False,
        "created_at": 1700000000,
        "tags": [],
    }


def job(found: Job) -> Json:
    """`GET /jobs/{id}` of the public API."""
    ended = found.status in _ENDED
    committed = [stats for attempt in found.attempts for stats in attempt.stats]
    seconds = int((found.updated_at - found.created_at).total_seconds())
    return {
        "jobId": found.id,
        "status": found.status,
        "jobType": found.type,
        "startTime": _java_time(found.created_at),
        "connectionId": found.connection_id,
        "lastUpdatedAt": _java_time(found.updated_at) if ended else None,
        "duration": None if found.status == "pending" else f"PT{seconds}S",
        "bytesSynced": sum(stats.bytes for stats in committed),
        "rowsSynced": sum(stats.committed for stats in committed),
    }


def job_info(found: Job, streams: Sequence[tuple[str, str | None]]) -> Json:
    """`jobs/get_without_logs` of the configuration API."""
    return {
        "job": {
            "id": found.id,
            "configType": _CONFIG_TYPES.get(found.type, found.type),
            "configId": found.connection_id,
            "createdAt": int(found.created_at.timestamp()),
            "updatedAt": int(found.updated_at.timestamp()),
            "startedAt": int(found.created_at.timestamp()),
            "status": found.status,
            "enabledStreams": [_descriptor(key) for key in streams],
            "aggregatedStats": _sums([s for a in found.attempts for s in a.stats]),
            "streamAggregatedStats": _aggregated(found),
            "refreshConfig": {"streamsToRefresh": [_descriptor(key) for key in found.refreshed]}
            if found.type == "refresh"
            else None,
        },
        "attempts": [
            {"attempt": _attempt(found, number, attempt)}
            for number, attempt in enumerate(found.attempts)
        ],
    }


def stream_statuses(ledger: Ledger, found: Job) -> Json:
    """`stream_statuses/list` of the configuration API, for one job."""
    return {
        "streamStatuses": [
            {
                "id": f"00000000-0000-4000-8000-{found.id:06}{number:03}{position:03}",
                "workspaceId": ledger.workspace_id,
                "connectionId": found.connection_id,
                "jobId": found.id,
                "jobType": "SYNC",
                "attemptNumber": number,
                "streamName": stats.name,
                "streamNamespace": stats.namespace,
                "runState": stats.status,
                "incompleteRunCause": "FAILED" if stats.status == "INCOMPLETE" else None,
                "transitionedAt": int(found.updated_at.timestamp() * 1000),
            }
            for number, attempt in enumerate(found.attempts)
            for position, stats in enumerate(attempt.stats)
        ]
    }


def state(ledger: Ledger, connection_id: str) -> Json:
    """`state/get` of the configuration API."""
    stored = ledger.states.get(connection_id, {"stateType": "not_set"})
    return {"connectionId": connection_id, **stored}


def page(items: Sequence[Json], base: str, query: dict[str, str]) -> Json:
    """A page of a list; `next` is there whenever the page has items."""
    limit, offset = int(query.get("limit", 20)), int(query.get("offset", 0))
    found = items[offset : offset + limit]
    rest = {key: value for key, value in query.items() if key not in ("limit", "offset")}
    following = "&".join(
        f"{key}={value}"
        for key, value in {**rest, "limit": limit, "offset": offset + limit}.items()
    )
    return {"previous": "", "next": f"{base}?{following}" if found else "", "data": list(found)}


def problem(status: int, title: str, message: str) -> Json:
    """A `problem+json` body."""
    return {
        "status": status,
        "type": f"https://reference.airbyte.com/reference/errors#{title}",
        "title": title,
        "data": {"message": message},
    }


def _attempt(found: Job, number: int, attempt: Attempt) -> Json:
    ended = found.status in _ENDED
    summary = {
        "failures": attempt.failures,
        "partialSuccess": any(stats.committed for stats in attempt.stats),
    }
    return {
        "id": number,
        "status": attempt.status,
        "createdAt": int(found.created_at.timestamp()),
        "updatedAt": int(found.updated_at.timestamp()),
        "endedAt": int(found.updated_at.timestamp()) if ended else None,
        "bytesSynced": sum(stats.bytes for stats in attempt.stats),
        "recordsSynced": sum(stats.committed for stats in attempt.stats),
        "totalStats": _sums(attempt.stats),
        "streamStats": [
            {**_stream(stats), "stats": {**_counts(stats), "stateMessagesEmitted": 1}}
            for stats in attempt.stats
        ],
        "failureSummary": summary if attempt.failures else None,
    }


def _aggregated(found: Job) -> list[Json]:
    """Counts a stream over all attempts; a stream without any record is not among them."""
    sums: dict[tuple[str, str | None], Stats] = {}
    for attempt in found.attempts:
        for stats in attempt.stats:
            total = sums.setdefault(
                (stats.name, stats.namespace), Stats(stats.name, stats.namespace)
            )
            total.emitted += stats.emitted
            total.committed += stats.committed
            total.bytes += stats.bytes
    return [
        {**_stream(total), **_counts(total), "wasBackfilled": False, "wasResumed": False}
        for total in sums.values()
        if total.emitted
    ]


def _stream(stats: Stats) -> Json:
    return {"streamName": stats.name, "streamNamespace": stats.namespace}


def _counts(stats: Stats) -> Json:
    return {
        "recordsEmitted": stats.emitted,
        "bytesEmitted": stats.bytes,
        "recordsCommitted": stats.committed,
        "bytesCommitted": stats.bytes,
        "recordsRejected": 0,
    }


def _sums(all_stats: Sequence[Stats]) -> Json:
    total = Stats("")
    for stats in all_stats:
        total.emitted += stats.emitted
        total.committed += stats.committed
        total.bytes += stats.bytes
    return _counts(total)


def _descriptor(key: tuple[str, str | None]) -> Json:
    return {"name": key[0], "namespace": key[1]}


def _java_time(moment: datetime) -> str:
    """As Java prints an OffsetDateTime: without seconds where they are 0."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ" if moment.second else "%Y-%m-%dT%H:%MZ")
