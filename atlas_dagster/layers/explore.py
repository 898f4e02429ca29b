"""Explore: every record version ever seen, as jsonb, append-only, once per ``_airbyte_raw_id``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import psycopg
from psycopg import sql

from atlas_dagster.catalog import Stream, Table
from atlas_dagster.days import readable_day
from atlas_dagster.layers.erased import unerased_rows
from atlas_dagster.layers.landing_source import LandingSource, find_landing, landed_rows
from atlas_dagster.layers.layer_tables import RowCount, add_rows, start_table
from atlas_dagster.layers.tombstones import (
    find_vanished,
    insert_tombstones,
    landed_table,
    start_landed,
)
from atlas_dagster.warehouse import (
    PgConnection,
    identifier,
    lock_transaction,
    register_stream,
    table_exists,
)

NO_ROW = -(2**31)
"""An age that no row has."""

_DAY = readable_day(sql.SQL("_atlas_partition"))


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


def load_explore(
    connection: PgConnection, stream: Stream, run_id: str, most_vanishing: float = 0.5
) -> ExploreResult:
    """Take every landed row that explore does not hold yet, whatever day it belongs to.

    What was erased does not come back, unless it was extracted anew since.
    Where the destination removes the rows that a source deletes, a tombstone is added for each, as
    long as no larger share of the keys than ``most_vanishing`` is gone. One transaction. Raises
    WarehouseError where the stream has no landing table, or where that table lacks Airbyte's
    columns.
    """
    with connection.transaction():
        lock_transaction(connection, f"explore/{stream.table_name}")
        source = find_landing(connection, stream)
        register_stream(connection, stream)
        since = _unseen_since(connection, stream, source.table)
        snapshot = _snapshot(connection)
        if table_exists(connection, stream.explore):
            days = _load_new(connection, stream, source, run_id, since, most_vanishing)
            added = RowCount(sum(days.values()), None)
            count = add_rows(connection, stream.explore, added)
        else:
            days = _first_load(connection, stream, source, run_id)
            added = RowCount(sum(days.values()), None)
            count = start_table(connection, stream.explore, "", added)
        _save_progress(connection, stream, source.table, snapshot)
    return ExploreResult(days, total=count.rows)


def _load_new(
    connection: PgConnection,
    stream: Stream,
    source: LandingSource,
    run_id: str,
    since: int | None,
    most_vanishing: float,
) -> Mapping[date, int]:
    landed = unerased_rows(connection, stream, source, run_id, since)
    rows = rows_not_dropped(stream, landed, _dropped_before(connection, stream))
    if not _loses_rows(stream, source):
        return _days(connection, insert_new(stream, rows, None))
    start_landed(connection, stream)
    remembered = landed_table(stream.table_name)
    days = Counter(_days(connection, insert_new(stream, rows, remembered)))
    sync = find_vanished(connection, stream, most_vanishing)
    if sync is not None:
        days.update(_days(connection, insert_tombstones(stream, sync, run_id)))
    return days


def _loses_rows(stream: Stream, source: LandingSource) -> bool:
    """Raw tables keep the deletions that typed ones carry out."""
    return stream.loses_rows and source.table == stream.landing


def _first_load(
    connection: PgConnection, stream: Stream, source: LandingSource, run_id: str
) -> dict[date, int]:
    """Make the table out of all landed rows, and constrain it afterwards: far cheaper that way."""
    rows = unerased_rows(connection, stream, source, run_id, None)
    try:
        with connection.transaction():
            connection.execute(create_table_from(stream, rows))
            connection.execute(constrain_table(stream))
    except psycopg.errors.UniqueViolation:  # landing repeats a raw id: let the constraint decide
        empty = landed_rows(source, run_id, since=NO_ROW)
        connection.execute(create_table_from(stream, empty))
        connection.execute(constrain_table(stream))
        connection.execute(insert_new(stream, rows, None))
    connection.execute(create_day_index(stream))
    connection.execute(
        sql.SQL("analyze {} (_airbyte_raw_id, _atlas_partition)").format(_explore(stream))
    )
    if _loses_rows(stream, source):
        start_landed(connection, stream)
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


def insert_new(stream: Stream, rows: sql.Composable, landed: Table | None) -> sql.Composed:
    """SQL: insert what is not there yet, and count it by day; ``landed`` remembers it, if given."""
    remember = sql.SQL("")
    if landed is not None:
        remember = sql.SQL(
            """,
        remembered as (
            insert into {}
            select _airbyte_raw_id from loaded
            on conflict do nothing
        )"""
        ).format(identifier(landed))
    return sql.SQL(
        """
        with loaded as (
            insert into {explore}
            {rows}
            on conflict (_airbyte_raw_id) do nothing
            returning _airbyte_raw_id, _atlas_partition
        ){remember}
        select {day}, count(*) from loaded group by 1 order by 1
        """
    ).format(explore=_explore(stream), rows=rows, remember=remember, day=_DAY)


def rows_not_dropped(
    stream: Stream, rows: sql.Composed, dropped_before: date | None
) -> sql.Composed:
    """SQL: without what chart holds of the days before: it was there, and retention dropped it."""
    if dropped_before is None:
        return rows
    return sql.SQL(
        """select * from ({rows}) as landed
            where landed._atlas_partition >= {dropped_before}
                or not exists (
                    select from {chart} as held
                    where held._airbyte_raw_id = landed._airbyte_raw_id
                )"""
    ).format(
        rows=rows,
        dropped_before=sql.Literal(dropped_before),
        chart=sql.Identifier("chart", stream.table_name),
    )


def count_days(stream: Stream) -> sql.Composed:
    """SQL: record versions by day."""
    return sql.SQL("select {}, count(*) from {} group by 1 order by 1").format(
        _DAY, _explore(stream)
    )


def _unseen_since(connection: PgConnection, stream: Stream, landing: Table) -> int | None:
    """How many transactions back a row must date to be new; None: every row may be.

    Every row that the last load could not see was written by a transaction that is not older than
    the oldest one running then. A new landing table (an overwrite swaps it), another database (a
    backup was restored), or transaction ids that are about to wrap make every row a candidate
    again.
    """
    row = connection.execute(
        """
        select pg_snapshot_xmin(progress.snapshot)::text::bigint, pg_current_xact_id()::text::bigint
        from pipeline.explore_progress as progress
        where table_name = %s and landing = %s::regclass::oid and place = pipeline.place()
        """,
        (stream.table_name, identifier(landing).as_string(connection)),
    ).fetchone()
    if row is None:
        return None
    oldest, current = int(row[0]), int(row[1])
    behind = current - oldest
    return behind if 0 <= behind < 1_000_000_000 else None


def _dropped_before(connection: PgConnection, stream: Stream) -> date | None:
    """Before which day retention may have dropped versions that chart holds."""
    if not table_exists(connection, Table("chart", stream.table_name)):
        return None
    row = connection.execute(
        "select dropped_before from pipeline.layer_table"
        " where layer = 'explore' and table_name = %s",
        (stream.table_name,),
    ).fetchone()
    return row[0] if row else None


def _snapshot(connection: PgConnection) -> str:
    row = connection.execute("select pg_current_snapshot()::text").fetchone()
    assert row is not None
    return str(row[0])


def _save_progress(connection: PgConnection, stream: Stream, landing: Table, snapshot: str) -> None:
    connection.execute(
        """
        insert into pipeline.explore_progress (table_name, landing, snapshot, place)
        values (%s, %s::regclass::oid, %s, pipeline.place())
        on conflict (table_name) do update
        set landing = excluded.landing, snapshot = excluded.snapshot, place = excluded.place,
            taken_at = now()
        """,
        (stream.table_name, identifier(landing).as_string(connection), snapshot),
    )


def _days(connection: PgConnection, query: sql.Composed) -> dict[date, int]:
    return {day: int(count) for day, count in connection.execute(query).fetchall()}


def _explore(stream: Stream) -> sql.Identifier:
    return identifier(stream.explore)
