"""A project directory with as many streams as asked for, discovered but not synced."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from atlas_dagster.airbyte import catalogs, connectors
from atlas_dagster.catalog import Connection
from atlas_dagster.catalog_answers import parse_connection
from atlas_dagster.catalog_store import save_catalog
from atlas_dagster.config import EmbeddedConnection, load_connections
from atlas_dagster.settings import Settings, load_settings
from atlas_dagster.warehouse import PgConnection

ROOT = Path(__file__).resolve().parent.parent
COLUMNS = 20
STREAMS_A_CONNECTION = 25
_TYPES: tuple[Mapping[str, Any], ...] = (
    {"type": ["null", "string"]},
    {"type": ["null", "integer"]},
    {"type": ["null", "number"]},
    {"type": ["null", "boolean"]},
    {
        "type": ["null", "string"],
        "format": "date-time",
        "airbyte_type": "timestamp_with_timezone",
    },
)
"""Fields that may be null, as those of most sources: each that may not has one check more."""


def connections_of(streams: int) -> dict[str, int]:
    """Connections that have so many streams together."""
    return {
        f"many_{number}": min(STREAMS_A_CONNECTION, streams - first)
        for number, first in enumerate(range(0, streams, STREAMS_A_CONNECTION))
    }


def write_project(directory: Path, connections: Mapping[str, int]) -> Settings:
    """A project with connections of so many streams each, as after their first discovery."""
    config = directory / "config"
    config.mkdir(parents=True)
    lines = ["connections:"]
    for name, streams in connections.items():
        lines += [
            f"  {name}:",
            "    source: airbyte-source-many==1.0.0",
            "    config:",
            "      host: db.example.com",
            "      password: ${MANY_PASSWORD:-none}",
            "    streams:",
            *(f"      - stream_{number}" for number in range(streams)),
        ]
    (config / "connections.yaml").write_text("\n".join(lines) + "\n")
    (config / "atlas.yaml").write_text(
        "connections:\n" + "".join(f'  {name}:\n    cron: "0 */6 * * *"\n' for name in connections)
    )
    for name in ("dagster.yaml", "workspace.yaml"):
        (directory / name).write_text((ROOT / name).read_text())
    settings = load_settings({"ATLAS_PROJECT_DIR": str(directory)})
    for embedded in load_connections(settings):
        keep_catalog(embedded, settings)
    return settings


def project_environment(directory: Path) -> dict[str, str]:
    """The environment of Dagster's commands in a project."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("ATLAS_")}
    return {**ours, "ATLAS_PROJECT_DIR": str(directory), "DAGSTER_HOME": str(directory)}


def keep_catalog(embedded: EmbeddedConnection, settings: Settings) -> None:
    """Leave the catalog where a discovery leaves it."""
    file = connectors.catalog_file(embedded, settings.data_dir)
    file.parent.mkdir(parents=True, exist_ok=True)
    catalog = {"streams": [_discovered(stream.name) for stream in embedded.streams]}
    file.write_bytes(msgspec.json.encode({"key": "", "at": 0.0, "catalog": catalog}))


def save_synced_catalog(
    warehouse: PgConnection, embedded: EmbeddedConnection, settings: Settings
) -> Connection:
    """Leave the catalog where a sync leaves it."""
    catalog = connectors.known_catalog(embedded, settings.data_dir)
    details = catalogs.connection_details(embedded, catalog)
    destination = catalogs.destination_details(embedded, settings)
    save_catalog(warehouse, embedded.slug, details, destination)
    return parse_connection(details, destination, embedded.slug)


def _discovered(name: str) -> dict[str, Any]:
    properties: dict[str, Any] = {"id": {"type": "integer"}}
    for number in range(1, COLUMNS):
        properties[f"field_{number}"] = _TYPES[number % len(_TYPES)]
    return {
        "name": name,
        "json_schema": {"type": "object", "properties": properties},
        "supported_sync_modes": ["full_refresh", "incremental"],
        "source_defined_cursor": True,
        "default_cursor_field": ["field_4"],
        "source_defined_primary_key": [["id"]],
        "is_resumable": True,
    }
