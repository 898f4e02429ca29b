"""Explore: every record version ever seen, as jsonb, append-only, once per ``_airbyte_raw_id``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import psycopg
from psycopg import sql

from atlas_dagster.catalog import Stream, Table
from atlas_dagster.errors import WarehouseError
from atlas_dagster.layers.layer_tables import RowCount, add_rows, start_table
from atlas_dagster.names import POSTGRES_NAME_BYTES
from atlas_dagster.warehouse import (
    PgConnection,
    identifier,
    lock_transaction,
    register_stream,
    table_columns,
    table_exists,
)

AIRBYTE_COLUMNS = (
    "_airbyte_raw_id",
    "_airbyte_extracted_at",
    "_airbyte_meta",
    "_airbyte_generation_id",
)


NO_ROW = -(2**31)
"""An age that no row has."""


@dataclass(frozen=True)
class ExploreResult:
    """What one load took from landing: new record versions by the UTC day they belong to.

    ``total`` is what explore holds in all.
    """

    days: Mapping[date, int]
    total: int

    @property
    def rows(self) -> int:
        return sum(self.days.values())


def explore_table(stream: Stream) -> Table:
    """The explore table of a stream."""
    return Table("explore", stream.table_name)


def load_explore(connection: PgConnection, stream: Stream, run_id: str) -> ExploreResult:
    """Take every landed row that explore does not hold yet, whatever day it belongs to.

    One transaction. Raises WarehouseError where the stream has no landing table, or where that
    table lacks Airbyte's columns.
    """
    with connection.transaction():
        lock_transaction(connection, f"explore/{stream.table_name}")
        columns = _landing_columns(connection, stream)
        register_stream(connection, stream)
        since = _unseen_since(connection, stream)
        snapshot = _snapshot(connection)
        if table_exists(connection, explore_table(stream)):
            days = _days(connection, insert_new(stream, columns, run_id, since))
            added = RowCount(sum(days.values()), None)
            count = add_rows(connection, explore_table(stream), added)
        else:
            days = _first_load(connection, stream, columns, run_id)
            added = RowCount(sum(days.values()), None)
            count = start_table(connection, explore_table(stream), "", added)
        _save_progress(connection, stream, snapshot)
    return ExploreResult(days, total=count.rows)


def _first_load(
    connection: PgConnection, stream: Stream, columns: Mapping[str, str], run_id: str
) -> dict[date, int]:
    """Make the table out of all landed rows, and constrain it afterwards: far cheaper that way."""
    try:
        with connection.transaction():
            connection.execute(
                create_table_from(stream, landed_rows(stream, columns, run_id, None))
            )
            connection.execute(constrain_table(stream))
    except psycopg.errors.UniqueViolation:  # landing repeats a raw id: let the constraint decide
        empty = landed_rows(stream, columns, run_id, since=NO_ROW)
        connection.execute(create_table_from(stream, empty))
        connection.execute(constrain_table(stream))
        connection.execute(insert_new(stream, columns, run_id, None))
    connection.execute(create_day_index(stream))
    connection.execute(sql.SQL("analyze {}").format(_explore(stream)))
    return _days(connection, count_days(stream))


def create_table_from(stream: Stream, rows: sql.Composable) -> sql.Composed:
    """SQL: the explore table, made of rows."""
    return sql.SQL("create table {} as {}").format(_explore(stream), rows)


def constrain_table(stream: Stream) -> sql.Composed:
    """SQL: one record version per raw id, whatever day it claims."""
    return sql.SQL(
        """
        alter table {}
            add primary key (_airbyte_raw_id),
            add check (_atlas_partition = (_airbyte_extracted_at at time zone 'UTC')::date),
            alter _airbyte_extracted_at set not null,
            alter _airbyte_meta set not null,
            alter _atlas_loaded_at set not null,
            alter _atlas_run_id set not null,
            alter _atlas_partition set not null,
            alter data set not null
        """
    ).format(_explore(stream))


def create_day_index(stream: Stream) -> sql.Composed:
    """SQL: a partition is read by its day."""
    return sql.SQL("create index on {} (_atlas_partition)").format(_explore(stream))


def landed_rows(
    stream: Stream, columns: Mapping[str, str], run_id: str, since: int | None
) -> sql.Composed:
    """SQL: landed rows as explore rows; only those of transactions younger than ``since``.

    ``columns`` maps landing columns to property names. The age test reads no index and no old
    row's content: it is what makes late rows, of whatever day, as cheap to find as new ones.
    """
    named = {landing: name for landing, name in columns.items() if _fits_identifier(name)}
    renamed = {landing: name for landing, name in columns.items() if landing not in named}
    data = sql.SQL("to_jsonb(fields.*)") if named else sql.SQL("'{}'::jsonb")
    for landing, name in renamed.items():
        data += sql.SQL(" || jsonb_build_object({}::text, landed.{})").format(
            sql.Literal(name), sql.Identifier(landing)
        )
    fields = sql.SQL(", ").join(
        sql.SQL("landed.{} as {}").format(sql.Identifier(landing), sql.Identifier(name))
        for landing, name in named.items()
    )
    return sql.SQL(
        """
        select
            landed._airbyte_raw_id::text collate "C" as _airbyte_raw_id,
            landed._airbyte_extracted_at,
            landed._airbyte_generation_id,
            landed._airbyte_meta,
            (landed._airbyte_meta ->> 'sync_id')::bigint as _atlas_sync_id,
            now() as _atlas_loaded_at,
            {run_id}::text as _atlas_run_id,
            (landed._airbyte_extracted_at at time zone 'UTC')::date as _atlas_partition,
            {data} as data
        from {landing} as landed
        cross join lateral (select {fields}) as fields
        where {unseen}
        """
    ).format(
        run_id=sql.Literal(run_id),
        data=data,
        landing=identifier(stream.landing),
        fields=fields,
        unseen=sql.SQL("true")
        if since is None
        else sql.SQL("age(landed.xmin) <= {}").format(sql.Literal(since)),
    )


def insert_new(
    stream: Stream, columns: Mapping[str, str], run_id: str, since: int | None
) -> sql.Composed:
    """SQL: insert what is not there yet, and count it by day."""
    return sql.SQL(
        """
        with loaded as (
            insert into {explore} {rows}
            on conflict (_airbyte_raw_id) do nothing
            returning _atlas_partition
        )
        select _atlas_partition, count(*) from loaded group by 1 order by 1
        """
    ).format(explore=_explore(stream), rows=landed_rows(stream, columns, run_id, since))


def count_days(stream: Stream) -> sql.Composed:
    """SQL: record versions by day."""
    return sql.SQL("select _atlas_partition, count(*) from {} group by 1 order by 1").format(
        _explore(stream)
    )


def _landing_columns(connection: PgConnection, stream: Stream) -> dict[str, str]:
    """The landing table's own columns, mapped to the names of the properties they hold."""
    present = table_columns(connection, stream.landing)
    if not present:
        raise WarehouseError(
            f"{stream.label}: no table {stream.landing}; sync the connection first"
        )
    missing = [column for column in AIRBYTE_COLUMNS if column not in present]
    if missing:
        raise WarehouseError(f"{stream.label}: {stream.landing} has no column {missing[0]}")
    names = {column.landing: column.name for column in stream.columns}
    return {
        column: names.get(column, column) for column in present if column not in AIRBYTE_COLUMNS
    }


def _unseen_since(connection: PgConnection, stream: Stream) -> int | None:
    """How many transactions back a row must date to be new; None: every row may be.

    Every row that the last load could not see was written by a transaction that is not older than
    the oldest one running then. A new landing table (an overwrite swaps it), another server, or
    transaction ids that are about to wrap make every row a candidate again.
    """
    row = connection.execute(
        """
        select pg_snapshot_xmin(progress.snapshot)::text::bigint, pg_current_xact_id()::text::bigint
        from pipeline.explore_progress as progress
        where table_name = %s and landing = %s::regclass::oid
        """,
        (stream.table_name, identifier(stream.landing).as_string(connection)),
    ).fetchone()
    if row is None:
        return None
    oldest, current = int(row[0]), int(row[1])
    behind = current - oldest
    return behind if 0 <= behind < 1_000_000_000 else None


def _snapshot(connection: PgConnection) -> str:
    row = connection.execute("select pg_current_snapshot()::text").fetchone()
    assert row is not None
    return str(row[0])


def _save_progress(connection: PgConnection, stream: Stream, snapshot: str) -> None:
    connection.execute(
        """
        insert into pipeline.explore_progress (table_name, landing, snapshot)
        values (%s, %s::regclass::oid, %s)
        on conflict (table_name) do update
        set landing = excluded.landing, snapshot = excluded.snapshot, taken_at = now()
        """,
        (stream.table_name, identifier(stream.landing).as_string(connection), snapshot),
    )


def _days(connection: PgConnection, query: sql.Composed) -> dict[date, int]:
    return {day: int(count) for day, count in connection.execute(query).fetchall()}


def _fits_identifier(name: str) -> bool:
    return 0 < len(name.encode()) <= POSTGRES_NAME_BYTES and "\x00" not in name


def _explore(stream: Stream) -> sql.Identifier:
    return identifier(explore_table(stream))
