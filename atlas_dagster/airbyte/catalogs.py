"""What an embedded connection looks like through Airbyte's API, and to its connector."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any, cast
from urllib.parse import unquote, urlsplit

from atlas_dagster.airbyte.landing import is_truncating
from atlas_dagster.airbyte.sync_modes import chosen_modes, require_modes
from atlas_dagster.catalog import Connection, DestinationMode, Stream
from atlas_dagster.config import EmbeddedConnection, EmbeddedStream
from atlas_dagster.errors import ConfigError
from atlas_dagster.settings import Settings

WORKSPACE_ID = "00000000-0000-4000-8000-a71a5da65e12"  # fixed: there is one embedded workspace
EMBEDDED_DATABASE = "atlas"
DEFAULT_SCHEMA = "landing"
SOURCE_NAMESPACE = "${SOURCE_NAMESPACE}"

Json = dict[str, Any]


def connection_details(connection: EmbeddedConnection, catalog: Mapping[str, Any]) -> Json:
    """The answer of Airbyte's `connections/get` (`ConnectionRead`).

    Streams that the catalog does not have yet come with an empty JSON schema.
    """
    discovered = _by_key(catalog)
    custom = SOURCE_NAMESPACE in connection.namespace
    return {
        "connectionId": connection.id,
        "name": connection.name,
        "sourceId": _derived_id(connection, "source"),
        "destinationId": destination_id(connection),
        "workspaceId": WORKSPACE_ID,
        "status": "active",
        "prefix": connection.prefix,
        "namespaceDefinition": "customformat" if custom else "destination",
        "namespaceFormat": connection.namespace if custom else "",
        "scheduleType": "manual",
        "syncCatalog": {
            "streams": [
                _stream_details(stream, discovered.get((stream.name, stream.namespace or None)))
                for stream in connection.streams
            ]
        },
    }


def destination_details(connection: EmbeddedConnection, settings: Settings) -> Json:
    """The answer of Airbyte's `destinations/{id}` (`DestinationResponse`)."""
    database = EMBEDDED_DATABASE
    if settings.warehouse_url:
        database = unquote(urlsplit(settings.warehouse_url).path.lstrip("/")) or "postgres"
    custom = SOURCE_NAMESPACE in connection.namespace
    return {
        "destinationId": destination_id(connection),
        "name": "Atlas warehouse",
        "destinationType": "postgres",
        "workspaceId": WORKSPACE_ID,
        "configuration": {
            "database": database,
            "schema": DEFAULT_SCHEMA if custom else connection.namespace,
        },
    }


def destination_id(connection: EmbeddedConnection) -> str:
    """The id of a connection's destination: each has its own, for each may name a schema."""
    return _derived_id(connection, "destination")


def require_streams(connection: EmbeddedConnection, catalog: Mapping[str, Any]) -> None:
    """Raise ConfigError where the source has not a configured stream, or it not its modes."""
    discovered = _by_key(catalog)
    for stream in connection.streams:
        found = discovered.get((stream.name, stream.namespace or None))
        if found is None:
            names = ", ".join(sorted(name for name, _ in discovered)) or "none"
            where = f" in namespace {stream.namespace}" if stream.namespace else ""
            raise ConfigError(
                f"connection {connection.slug}: the source has no stream {stream.name}{where};"
                f" it has: {names}"
            )
        require_modes(stream, found)


def configured_catalog(
    connection: Connection,
    catalog: Mapping[str, Any],
    generations: Mapping[tuple[str, str | None], int],
    job_id: int,
) -> Json:
    """What a connector's `read` is given (`ConfiguredAirbyteCatalog`)."""
    discovered = _by_key(catalog)
    return {
        "streams": [
            _configured_stream(
                stream,
                discovered[(stream.name, stream.namespace)],
                generations[(stream.name, stream.namespace)],
                job_id,
            )
            for stream in connection.streams
        ]
    }


def _configured_stream(
    stream: Stream, discovered: Mapping[str, Any], generation_id: int, job_id: int
) -> Json:
    return {
        "stream": dict(discovered),
        "sync_mode": stream.sync_mode.value,
        "destination_sync_mode": _source_mode(stream.destination_mode).value,
        "cursor_field": list(stream.cursor),
        "primary_key": [list(path) for path in stream.primary_key],
        "generation_id": generation_id,
        "minimum_generation_id": generation_id if is_truncating(stream) else 0,
        "sync_id": job_id,
    }


def _source_mode(mode: DestinationMode) -> DestinationMode:
    """The mode as the protocol's enumeration has it: a connector fails on any other."""
    return DestinationMode.OVERWRITE if mode is DestinationMode.OVERWRITE_DEDUP else mode


def _stream_details(stream: EmbeddedStream, discovered: Mapping[str, Any] | None) -> Json:
    found = discovered or {}
    sync_mode, destination_mode = chosen_modes(stream, discovered)
    details: Json = {
        "name": stream.name,
        "jsonSchema": found.get("json_schema") or {},
        "supportedSyncModes": found.get("supported_sync_modes") or [sync_mode.value],
        "sourceDefinedCursor": bool(found.get("source_defined_cursor")),
        "defaultCursorField": found.get("default_cursor_field") or [],
        "sourceDefinedPrimaryKey": found.get("source_defined_primary_key") or [],
        "isResumable": bool(found.get("is_resumable")),
    }
    if stream.namespace:
        details["namespace"] = stream.namespace
    return {
        "stream": details,
        "config": {
            "syncMode": sync_mode.value,
            "destinationSyncMode": destination_mode.value,
            "cursorField": list(stream.cursor) or details["defaultCursorField"],
            "primaryKey": [list(path) for path in stream.primary_key]
            or details["sourceDefinedPrimaryKey"],
            "aliasName": stream.name,
            "selected": True,
            "fieldSelectionEnabled": stream.fields is not None,
            "selectedFields": [{"fieldPath": [name]} for name in stream.fields or ()],
        },
    }


def _by_key(catalog: Mapping[str, Any]) -> dict[tuple[str, str | None], Mapping[str, Any]]:
    streams = cast("Sequence[Mapping[str, Any]]", catalog.get("streams") or [])
    return {(str(s["name"]), s.get("namespace") or None): s for s in streams}


def _derived_id(connection: EmbeddedConnection, what: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"atlas/{what}/{connection.id}"))
