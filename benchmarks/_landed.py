"""Landing tables as syncs leave them, and new record versions in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from _project import save_synced_catalog
from psycopg import sql
from typing_extensions import LiteralString

from atlas_dagster.airbyte import landing_sql
from atlas_dagster.catalog import Stream
from atlas_dagster.config import load_connections
from atlas_dagster.json_schema import ColumnType
from atlas_dagster.settings import Settings
from atlas_dagster.warehouse import PgConnection, identifier

RECORDS = 100

VALUES: Mapping[ColumnType, LiteralString] = {
    ColumnType.TEXT: "'text ' || i",
    ColumnType.BIGINT: "i",
    ColumnType.NUMERIC: "i * 1.5",
    ColumnType.BOOLEAN: "i % 2 = 0",
    ColumnType.TIMESTAMPTZ: "clock_timestamp()",
}


def prepare_landing(warehouse: PgConnection, settings: Settings) -> Sequence[Stream]:
    """What syncs leave: the catalogs of the connections, and landing tables, still empty."""
    streams = [
        stream
        for embedded in load_connections(settings)
        for stream in save_synced_catalog(warehouse, embedded, settings).streams
    ]
    warehouse.execute("create schema landing")
    for stream in streams:
        warehouse.execute(landing_sql.create_table(stream.landing, stream.columns))
    return streams


def land(warehouse: PgConnection, streams: Sequence[Stream]) -> None:
    """A new version of every record of every stream, extracted today."""
    for stream in streams:
        values = sql.SQL(", ").join(sql.SQL(VALUES[c.type]) for c in stream.columns)
        warehouse.execute(
            sql.SQL(
                "insert into {} select gen_random_uuid()::text, clock_timestamp(),"
                ' \'{{"changes": [], "sync_id": 1}}\', 0, {} from generate_series(1, {}) as i'
            ).format(identifier(stream.landing), values, sql.Literal(RECORDS))
        )
