"""`atlas connector`: ask the connector of an embedded connection, before any run."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from atlas_dagster.cli_streams import aligned
from atlas_dagster.config import EmbeddedConnection, load_connections
from atlas_dagster.errors import ConfigError
from atlas_dagster.settings import Settings, load_settings

if TYPE_CHECKING:
    from atlas_dagster.airbyte.connectors import Connector


@click.group()
def connector() -> None:
    """Connectors that run here: spec, check, streams. Installs them where they are not yet."""


@connector.command()
@click.argument("connection")
def spec(connection: str) -> None:
    """The keys of its configuration."""
    from atlas_dagster.airbyte.connectors import spec as ask_spec
    from atlas_dagster.airbyte.spec_keys import spec_keys

    keys = list(spec_keys(ask_spec(_open(connection))))
    rows = [(k.path, k.kind, "yes" if k.required else "-", k.description) for k in keys]
    _show(("KEY", "TYPE", "REQUIRED", "DESCRIPTION"), rows)


@connector.command()
@click.argument("connection")
def check(connection: str) -> None:
    """Whether it accepts its configuration, and reaches its source; exit code 1 where not."""
    from atlas_dagster.airbyte import connectors

    opened = _open(connection)
    connectors.check(opened, connectors.configure(opened))
    click.echo(f"{opened.connection.slug}: the connector accepts its configuration")


@connector.command()
@click.argument("connection")
def streams(connection: str) -> None:
    """The streams of its source, and the modes of those that are configured."""
    from atlas_dagster.airbyte.catalogs import require_streams
    from atlas_dagster.airbyte.connectors import ask_catalog, configure

    opened = _open(connection)
    found = ask_catalog(opened, configure(opened))
    rows = [_stream_row(opened.connection, stream) for stream in found.get("streams") or ()]
    _show(("STREAM", "SYNC MODES", "KEY", "CURSOR", "CONFIGURED"), rows)
    require_streams(opened.connection, found)


def _stream_row(connection: EmbeddedConnection, found: Mapping[str, Any]) -> tuple[str, ...]:
    from atlas_dagster.airbyte.sync_modes import chosen_modes, supported_modes

    name, namespace = str(found["name"]), found.get("namespace") or None
    keys = [".".join(path) for path in found.get("source_defined_primary_key") or ()]
    modes = [
        ", ".join(mode.value for mode in chosen_modes(stream, found))
        for stream in connection.streams
        if (stream.name, stream.namespace) == (name, namespace)
    ]
    return (
        ".".join(filter(None, (namespace, name))),
        ", ".join(supported_modes(found)),
        ", ".join(keys) or "-",
        ".".join(found.get("default_cursor_field") or ()) or "-",
        *(modes or ["-"]),
    )


def _open(name: str) -> Connector:
    """The connector of a connection, installed; tells of an install, which may take minutes."""
    from atlas_dagster.airbyte import connectors
    from atlas_dagster.airbyte.config_store import Scrubber

    settings = load_settings()
    connection = _find(settings, name)
    executable = connectors.installed(connection, settings.data_dir)
    if executable is None:
        label, begun = connectors.connector_label(connection), time.monotonic()
        click.echo(f"installing {label}, which may take minutes", err=True)
        executable = connectors.install(connection, settings.data_dir)
        click.echo(f"installed it in {time.monotonic() - begun:.0f} s", err=True)
    return connectors.Connector(
        connection,
        executable,
        settings.data_dir,
        settings.heartbeat_seconds,
        threading.Event(),
        Scrubber(),
    )


def _find(settings: Settings, name: str) -> EmbeddedConnection:
    known = load_connections(settings)
    for connection in known:
        if name in (connection.name, connection.slug):
            return connection
    there_are = ", ".join(connection.name for connection in known) or "none"
    raise ConfigError(f"no connection {name!r} has its connector here; there are: {there_are}")


def _show(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    for line in aligned([header, *rows]):
        click.echo(line)
