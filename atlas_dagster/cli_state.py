"""`atlas state`: what connectors remember between syncs, embedded ones and those of a server."""

from __future__ import annotations

import uuid
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click

from atlas_dagster.airbyte import server_state
from atlas_dagster.airbyte import state as connector_state
from atlas_dagster.airbyte.http import AirbyteHttp
from atlas_dagster.airbyte.server import AirbyteApi
from atlas_dagster.airbyte.snapshot import StoredConnection, load_snapshot
from atlas_dagster.catalog_answers import parse_connection
from atlas_dagster.config import CONNECTION_ID_NAMESPACE, load_connections
from atlas_dagster.counted import counted
from atlas_dagster.errors import ConfigError
from atlas_dagster.settings import Settings, load_settings
from atlas_dagster.warehouse import (
    PgConnection,
    connect,
    migrate,
    resolve_session_url,
    session_lock,
)
from atlas_dagster.yaml_source import suggestion


@click.group()
def state() -> None:
    """Connector state: show, export, import, reset."""


@state.command()
@click.argument("connection")
def show(connection: str) -> None:
    """The state of each stream as of its last checkpoint."""
    settings = load_settings()
    with _warehouse(settings) as warehouse:
        stored = connector_state.show(warehouse, _find_id(settings, warehouse, connection))
    for piece in stored:
        name = _label(piece.name, piece.namespace) or "(shared)"
        saved = piece.saved_at.isoformat(" ", "seconds")
        click.echo(f"{name}  version {piece.version}  {saved}  {piece.state or '(reset)'}")
    if not stored:
        click.echo(f"{connection} has no state yet")


@state.command()
@click.argument("connection")
@click.option("--file", type=click.Path(dir_okay=False, path_type=Path), help="Default: stdout.")
def export(connection: str, file: Path | None) -> None:
    """The state as a JSON array of AirbyteStateMessage."""
    settings = load_settings()
    with _warehouse(settings) as warehouse:
        exported = connector_state.export(warehouse, _find_id(settings, warehouse, connection))
    if file is None:
        click.echo(exported.decode())
    else:
        file.write_bytes(exported)
        click.echo(f"{connection}: state written to {file}")


@state.command("import")
@click.argument("connection")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def import_(connection: str, file: Path) -> None:
    """Replace the state by a JSON array of AirbyteStateMessage."""
    settings = load_settings()
    target = find_target(settings, connection)
    try:
        new = connector_state.parse_exported(file.read_bytes())
    except ConfigError as error:
        raise ConfigError(f"{file}: {error}") from None
    with _no_sync(settings, target) as warehouse:
        if target.is_served:
            with _airbyte(settings) as api:
                pieces = server_state.import_state(api, warehouse, target.id, new)
        else:
            pieces = connector_state.import_(warehouse, target.id, new)
    click.echo(f"{connection}: {counted(pieces, 'piece')} of state imported")


@state.command()
@click.argument("connection")
@click.option("--stream", help="Only this stream; default: all.")
@click.option("--namespace", help="The stream's namespace, where it has one.")
def reset(connection: str, stream: str | None, namespace: str | None) -> None:
    """Forget the state: the next sync reads everything again. Landed rows stay."""
    settings = load_settings()
    target = find_target(settings, connection)
    chosen = (stream, namespace) if stream else None
    with _no_sync(settings, target) as warehouse:
        if stream:
            stored = connector_state.show(warehouse, target.id)
            known = {*target.streams, *(_label(one.name, one.namespace) for one in stored)}
            wanted = _label(stream, namespace)
            if wanted not in known:
                raise ConfigError(f"no stream {wanted!r}; {suggestion(wanted, known)}")
        if target.is_served:
            with _airbyte(settings) as api:
                pieces = server_state.reset_state(api, warehouse, target.id, chosen)
        else:
            pieces = connector_state.reset(warehouse, target.id, chosen)
    click.echo(f"{connection}: {counted(pieces, 'piece')} of state reset")


@dataclass(frozen=True)
class Target:
    """A connection whose state is meant: an embedded one, or one of the server.

    ``streams`` are those that are synced, with their namespaces before them.
    """

    id: str
    slug: str
    is_served: bool
    streams: tuple[str, ...]


def find_target(settings: Settings, name: str) -> Target:
    """A connection by its slug, or an embedded one by its name: those of a server may share one.

    Raises ConfigError naming those that exist.
    """
    embedded = load_connections(settings)
    for connection in embedded:
        if name in (connection.name, connection.slug):
            streams = tuple(_label(s.name, s.namespace) for s in connection.streams)
            return Target(connection.id, connection.slug, is_served=False, streams=streams)
    snapshot = load_snapshot(settings)
    served = snapshot.connections if snapshot else []
    for stored in served:
        if name == stored.slug:
            return Target(stored.id, stored.slug, is_served=True, streams=_served_streams(stored))
    known = [*(connection.name for connection in embedded), *(stored.slug for stored in served)]
    raise ConfigError(f"no connection {name!r}; there are: {', '.join(known) or 'none'}")


def _served_streams(stored: StoredConnection) -> tuple[str, ...]:
    if not stored.details:
        return ()
    connection = parse_connection(stored.details, stored.destination, stored.slug)
    return tuple(_label(stream.name, stream.namespace) for stream in connection.streams)


def _label(name: str, namespace: str | None) -> str:
    return f"{namespace}.{name}" if namespace else name


def _find_id(settings: Settings, warehouse: PgConnection, name: str) -> str:
    """The id of a connection that is configured, or of one that was, and whose state is kept.

    Raises ConfigError naming those that are configured.
    """
    try:
        return find_target(settings, name).id
    except ConfigError:
        row = warehouse.execute(
            """
            select connection_id
            from pipeline.connector_state
            where connection_id = %(by_name)s or connection_id in (
                select connection_id from pipeline.catalog where connection = %(name)s
                union all
                select connection_id from pipeline.stream where connection = %(name)s
            )
            order by saved_at desc
            limit 1
            """,
            {"name": name, "by_name": str(uuid.uuid5(CONNECTION_ID_NAMESPACE, name))},
        ).fetchone()
        if row is None:
            raise
        return str(row[0])


@contextmanager
def _warehouse(settings: Settings) -> Generator[PgConnection]:
    with connect(resolve_session_url(settings), application="atlas state") as connection:
        migrate(connection)
        yield connection


@contextmanager
def _airbyte(settings: Settings) -> Generator[AirbyteApi]:
    assert settings.airbyte  # or no connection is served
    http = AirbyteHttp(settings.airbyte)
    try:
        yield AirbyteApi(http)
    finally:
        http.close()


@contextmanager
def _no_sync(settings: Settings, target: Target) -> Generator[PgConnection]:
    """The warehouse, while no run can start a sync of the connection."""
    busy = f"{target.slug} is being synced; its state can be changed when that has ended"
    with (
        _warehouse(settings) as connection,
        session_lock(connection, f"sync/{target.id}", busy),
    ):
        yield connection
