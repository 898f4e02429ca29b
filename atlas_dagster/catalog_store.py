"""The catalog of each connection as of its last sync, kept in ``pipeline.catalog``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from psycopg.types.json import Json

from atlas_dagster.catalog import Connection, Stream
from atlas_dagster.catalog_answers import parse_connection
from atlas_dagster.errors import WarehouseError
from atlas_dagster.warehouse import PgConnection


def save_catalog(
    connection: PgConnection,
    slug: str,
    details: Mapping[str, Any],
    destination: Mapping[str, Any],
) -> None:
    """Keep the answers of `connections/get` and `destinations/{id}` for the layers.

    A connection that was renamed, or made anew, takes the place of the one that had its slug.
    """
    connection.execute(
        "delete from pipeline.catalog where connection = %s and connection_id <> %s",
        (slug, details["connectionId"]),
    )
    connection.execute(
        """
        insert into pipeline.catalog (connection_id, connection, details, destination)
        values (%s, %s, %s, %s)
        on conflict (connection_id) do update
        set connection = excluded.connection, details = excluded.details,
            destination = excluded.destination, fetched_at = now()
        """,
        (details["connectionId"], slug, Json(details), Json(destination)),
    )


def load_connection(connection: PgConnection, slug: str) -> Connection:
    """The connection as of its last sync; raises WarehouseError where it never was synced."""
    row = connection.execute(
        "select details, destination from pipeline.catalog where connection = %s", (slug,)
    ).fetchone()
    if row is None:
        raise WarehouseError(
            f"connection {slug} has not been synced yet; materialize airbyte/{slug}"
        )
    return parse_connection(row[0], row[1], slug)


def load_stream(connection: PgConnection, slug: str, stream: str) -> Stream:
    """A stream as of its connection's last sync; raises WarehouseError where it is not in there."""
    return synced_stream(load_connection(connection, slug), stream)


def synced_stream(connection: Connection, stream: str) -> Stream:
    """A stream of a connection as of its last sync, by its slug.

    Raises WarehouseError where it is not in there.
    """
    known = {s.slug: s for s in connection.streams}
    if stream not in known:
        raise WarehouseError(
            f"stream {connection.slug}/{stream} was not part of the connection's last sync"
        )
    return known[stream]
