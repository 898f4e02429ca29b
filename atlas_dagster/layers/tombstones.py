"""Hard deletes: rows that a CDC source deletes leave no trace in landing but their absence.

So Atlas remembers which record versions lie in landing. One that is gone, and whose key no newer
version has, was deleted: explore gets a tombstone, a version that repeats it and says so. Its raw
id is made of the vanished one's: found again, it adds nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from psycopg import sql
from psycopg.rows import class_row

from atlas_dagster.casts import cast_json
from atlas_dagster.catalog import CDC_DELETED_AT, Column, Stream, Table
from atlas_dagster.days import readable_day
from atlas_dagster.layers.snapshots import (
    forget_absences,
    forget_open_absences,
    is_accepted,
    save_refusal,
)
from atlas_dagster.names import bounded_identifier
from atlas_dagster.warehouse import PgConnection, identifier, table_exists


@dataclass(frozen=True)
class NewestSync:
    """The newest job of a stream, and the last instant that it has read of.

    ``is_whole`` says that it read to its end what the source has changed: only then does a row
    that is gone speak of the source. A refresh speaks as a snapshot; a clear says nothing.
    """

    job_id: int
    reached_at: datetime
    is_whole: bool
    is_refresh: bool


def landed_table(table_name: str) -> Table:
    """The raw ids of the versions that lay in landing when explore was last loaded."""
    return Table("pipeline", bounded_identifier(f"{table_name}__landed"))


def is_tombstone(raw_id: sql.Composable) -> sql.Composed:
    """SQL: whether a record version is a tombstone of ours."""
    return sql.SQL("{} like 'tombstone-%'").format(raw_id)


def start_landed(connection: PgConnection, stream: Stream) -> None:
    """Remember what lies in landing and explore has, where nothing is remembered yet."""
    if not table_exists(connection, landed_table(stream.table_name)):
        connection.execute(create_landed(stream))
        connection.execute(
            sql.SQL("alter table {} add primary key (raw_id)").format(_landed(stream))
        )


def find_vanished(
    connection: PgConnection, stream: Stream, most_vanishing: float
) -> NewestSync | None:
    """Fill the temporary table ``gone``; returns the sync by which its vanished keys are deleted.

    None where there are none, or where their absence does not speak of the source. Where a larger
    share of the keys is gone than ``most_vanishing``, none is believed until an operator accepts.
    """
    if not connection.execute(create_missing(stream)).rowcount:
        return None
    connection.execute("analyze missing")
    connection.execute(create_gone(stream, connection.info.server_version))
    connection.execute(forget_landed(stream, "replaced"))
    sync = _newest_sync(connection, stream)
    if sync is None or not sync.is_whole:
        return None
    if sync.is_refresh:
        connection.execute(forget_landed(stream, "vanished"))
        return None
    row = connection.execute(count_vanished(stream)).fetchone()
    vanishing, known = row or (0, 0)
    if vanishing > known * most_vanishing and not is_accepted(connection, stream, vanishing):
        forget_open_absences(connection, stream)
        save_refusal(connection, stream, sync.job_id, vanishing, known)
        return None
    forget_absences(connection, stream)
    return sync if vanishing else None


def _newest_sync(connection: PgConnection, stream: Stream) -> NewestSync | None:
    with connection.cursor(row_factory=class_row(NewestSync)) as cursor:
        return cursor.execute(
            """
            select
                sync.job_id,
                coalesce(synced.last_extracted_at, sync.created_at) as reached_at,
                sync.status = 'succeeded'
                    and sync.job_type in ('sync', 'refresh')
                    and synced.status is not distinct from 'complete' as is_whole,
                coalesce(synced.full_refresh, false) as is_refresh
            from pipeline.sync as sync
            left join pipeline.sync_stream as synced
                on synced.connection_id = sync.connection_id
                and synced.job_id = sync.job_id
                and synced.name = %s
                and synced.namespace = %s
            where sync.connection_id = %s
            order by sync.job_id desc
            limit 1
            """,
            (stream.name, stream.namespace or "", stream.connection_id),
        ).fetchone()


def create_landed(stream: Stream) -> sql.Composed:
    """SQL: the table of the versions that lie in landing, as far as explore has them."""
    return sql.SQL(
        """
        create table {landed} as
        select explored._airbyte_raw_id as raw_id
        from {explore} as explored
        where exists (
            select from {landing} as landing
            where landing._airbyte_raw_id = explored._airbyte_raw_id
        )
        """
    ).format(landed=_landed(stream), explore=_explore(stream), landing=identifier(stream.landing))


def create_missing(stream: Stream) -> sql.Composed:
    """SQL: the versions that lay in landing and lie there no more."""
    return sql.SQL(
        """
        create temporary table missing on commit drop as
        select landed.raw_id
        from {landed} as landed
        where not exists (
            select from {landing} as landing where landing._airbyte_raw_id = landed.raw_id
        )
        """
    ).format(landed=_landed(stream), landing=identifier(stream.landing))


def create_gone(stream: Stream, server_version: int) -> sql.Composed:
    """SQL: what became of each missing version.

    It was ``replaced`` by another that explore has too, or it ``vanished`` with its key; where the
    other is newer than this load of explore, it ``waits`` for the next.
    """
    pairs = [
        (sql.Identifier("newer", column.landing), _key_value(column, server_version))
        for column in _key_columns(stream)
    ]
    return sql.SQL(
        """
        create temporary table gone on commit drop as
        select
            missing.raw_id,
            case
                when num_nulls({key}) > 0 or landed.raw_id is not null then 'replaced'
                when newer._airbyte_raw_id is not null then 'waits'
                else 'vanished'
            end as fate
        from missing
        join {explore} as explored on explored._airbyte_raw_id = missing.raw_id
        left join {landing} as newer on {same_key}
        left join {landed} as landed on landed.raw_id = newer._airbyte_raw_id
        """
    ).format(
        key=sql.SQL(", ").join(value for _, value in pairs),
        same_key=sql.SQL(" and ").join(
            sql.SQL("{} = {}").format(landed, value) for landed, value in pairs
        ),
        explore=_explore(stream),
        landing=identifier(stream.landing),
        landed=_landed(stream),
    )


def forget_landed(stream: Stream, fate: str) -> sql.Composed:
    """SQL: forget the versions of one fate."""
    return sql.SQL(
        "delete from {} as landed using gone where gone.raw_id = landed.raw_id and gone.fate = {}"
    ).format(_landed(stream), sql.Literal(fate))


def count_vanished(stream: Stream) -> sql.Composed:
    """SQL: the keys that vanished, and those that were known."""
    return sql.SQL(
        """
        select
            (select count(distinct raw_id) from gone where fate = 'vanished'),
            (select count(*) from {})
        """
    ).format(_landed(stream))


def insert_tombstones(stream: Stream, sync: NewestSync, run_id: str) -> sql.Composed:
    """SQL: a tombstone for each vanished key, at the last instant that the sync has read of.

    A tombstone comes after the version that it repeats. Counts them by day.
    """
    return sql.SQL(
        """
        with vanished as (
            delete from {landed} as landed
            using gone
            where gone.raw_id = landed.raw_id and gone.fate = 'vanished'
            returning landed.raw_id
        ),
        buried as (
            insert into {explore}
            select
                'tombstone-' || explored._airbyte_raw_id,
                deleted.at,
                explored._airbyte_generation_id,
                jsonb_build_object('sync_id', {job_id}::bigint, 'changes', '[]'::jsonb),
                {job_id}::bigint,
                now(),
                {run_id}::text,
                (deleted.at at time zone 'UTC')::date,
                explored.data || jsonb_build_object({deleted_at}::text, deleted.at)
            from vanished
            join {explore} as explored on explored._airbyte_raw_id = vanished.raw_id
            cross join lateral (
                select greatest(
                    {reached_at}, explored._airbyte_extracted_at + interval '1 microsecond'
                ) as at
            ) as deleted
            on conflict (_airbyte_raw_id) do nothing
            returning _atlas_partition
        )
        select {day}, count(*) from buried group by 1 order by 1
        """
    ).format(
        landed=_landed(stream),
        explore=_explore(stream),
        day=readable_day(sql.SQL("_atlas_partition")),
        job_id=sql.Literal(sync.job_id),
        run_id=sql.Literal(run_id),
        reached_at=sql.Literal(sync.reached_at),
        deleted_at=sql.Literal(CDC_DELETED_AT),
    )


def _key_columns(stream: Stream) -> list[Column]:
    """The columns of the key that the destination keeps one row of."""
    columns = [stream.column(path[0]) for path in stream.primary_key]
    return [column for column in columns if column is not None]


def _key_value(column: Column, server_version: int) -> sql.Composable:
    """A part of an explored version's key, in the type that landing has for it."""
    raw = sql.SQL("nullif(explored.data -> {}, 'null')").format(sql.Literal(column.name))
    return cast_json(raw, column.type, server_version)


def _landed(stream: Stream) -> sql.Identifier:
    return identifier(landed_table(stream.table_name))


def _explore(stream: Stream) -> sql.Identifier:
    return sql.Identifier("explore", stream.table_name)
