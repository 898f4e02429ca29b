"""`atlas state`: what connectors remember between syncs; a server's state is shown, not changed."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import click

from atlas_dagster.airbyte import state as connector_state
from atlas_dagster.airbyte.snapshot import StoredConnection, load_snapshot
from atlas_dagster.config import EmbeddedConnection, load_connections
from atlas_dagster.errors import ConfigError
from atlas_dagster.settings import Settings, load_settings
from atlas_dagster.warehouse import PgConnection, connect, migrate, resolve_url, session_lock


@click.group()
def state() -> None:
    """Connector state: show, export, import, reset."""


@state.command()
@click.argument("connection")
def show(connection: str) -> None:
    """The state of each stream as of its last checkpoint."""
    settings = load_settings()
    connection_id = find_connection_id(settings, connection)
    with _warehouse(settings) as warehouse:
        stored = connector_state.show(warehouse, connection_id)
    for piece in stored:
        name = ".".join(filter(None, (piece.namespace, piece.name))) or "(shared)"
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
    connection_id = find_connection_id(settings, connection)
    with _warehouse(settings) as warehouse:
        exported = connector_state.export(warehouse, connection_id)
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
    embedded = find_connection(settings, connection)
    with _no_sync(settings, embedded) as warehouse:
        try:
            pieces = connector_state.import_(warehouse, embedded.id, file.read_bytes())
        except ConfigError as error:
            raise ConfigError(f"{file}: {error}") from None
    click.echo(f"{connection}: {pieces} pieces of state imported")


@state.command()
@click.argument("connection")
@click.option("--stream", help="Only this stream; default: all.")
@click.option("--namespace", help="The stream's namespace, where it has one.")
def reset(connection: str, stream: str | None, namespace: str | None) -> None:
    """Forget the state: the next sync reads everything again. Landed rows stay."""
    settings = load_settings()
    embedded = find_connection(settings, connection)
    with _no_sync(settings, embedded) as warehouse:
        chosen = (stream, namespace) if stream else None
        pieces = connector_state.reset(warehouse, embedded.id, chosen)
    click.echo(f"{connection}: {pieces} pieces of state reset")


def find_connection_id(settings: Settings, name: str) -> str:
    """The id of a connection by its name or slug; raises ConfigError naming those that exist."""
    served = _served(settings, name)
    return served.id if served else find_connection(settings, name).id


def find_connection(settings: Settings, name: str) -> EmbeddedConnection:
    """An embedded connection by its name or slug; raises ConfigError naming those that exist."""
    connections = load_connections(settings)
    for connection in connections:
        if name in (connection.name, connection.slug):
            return connection
    if _served(settings, name):
        raise ConfigError(f"{name} is a connection of the Airbyte server: change its state there")
    known = ", ".join(connection.name for connection in connections) or "none"
    raise ConfigError(f"{settings.connections_file}: no connection {name!r}; there are: {known}")


def _served(settings: Settings, slug: str) -> StoredConnection | None:
    """A connection of the Airbyte server by its slug: names of several may be the same."""
    snapshot = load_snapshot(settings)
    return next((c for c in snapshot.connections if c.slug == slug), None) if snapshot else None


@contextmanager
def _warehouse(settings: Settings) -> Generator[PgConnection]:
    with connect(resolve_url(settings), application="atlas state") as connection:
        migrate(connection)
        yield connection


@contextmanager
def _no_sync(settings: Settings, embedded: EmbeddedConnection) -> Generator[PgConnection]:
    """The warehouse, while no sync of the connection can start."""
    busy = f"{embedded.slug} is being synced; its state can be changed when that has ended"
    with (
        _warehouse(settings) as connection,
        session_lock(connection, f"sync/{embedded.id}", busy),
    ):
        yield connection
