"""Snapshots: what complete full refreshes say of the keys that they did not deliver."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from psycopg import sql
from psycopg.rows import class_row

from atlas_dagster.catalog import Stream
from atlas_dagster.days import of_days
from atlas_dagster.warehouse import PgConnection


@dataclass(frozen=True)
class Refusal:
    """A snapshot that is not believed: ``vanishing`` of ``known`` keys would be gone."""

    job_id: int
    instant: datetime
    vanishing: int
    known: int


def open_refusals(connection: PgConnection, table_name: str) -> list[Refusal]:
    """The snapshots of a stream that were refused, and that no operator has accepted."""
    with connection.cursor(row_factory=class_row(Refusal)) as cursor:
        return cursor.execute(
            """
            select refusal.job_id, sync.snapshot_at as instant, refusal.vanishing, refusal.known
            from pipeline.snapshot_refusal as refusal
            join pipeline.stream as stream using (table_name)
            join pipeline.sync as sync
                on sync.connection_id = stream.connection_id and sync.job_id = refusal.job_id
            where refusal.table_name = %s and refusal.accepted_at is null
            order by refusal.job_id
            """,
            (table_name,),
        ).fetchall()


def accept_snapshot(connection: PgConnection, table_name: str, job_id: int) -> bool:
    """Believe a refused snapshot after all; returns whether there is such a refusal."""
    return (
        connection.execute(
            "update pipeline.snapshot_refusal set accepted_at = now()"
            " where table_name = %s and job_id = %s and accepted_at is null",
            (table_name, job_id),
        ).rowcount
        > 0
    )


def is_accepted(connection: PgConnection, stream: Stream, vanishing: int) -> bool:
    """Whether an operator has said that so many keys, or more, are rightly gone from landing."""
    row = connection.execute(
        sql.SQL(
            "select exists (select {} where {} and accepted_at is not null and vanishing >= {})"
        ).format(_FROM_REFUSAL, _is_absence(stream), sql.Literal(vanishing))
    ).fetchone()
    return bool(row and row[0])


def save_refusal(
    connection: PgConnection, stream: Stream, job_id: int, vanishing: int, known: int
) -> None:
    """Record that what a sync makes vanish is not believed."""
    connection.execute(
        """
        insert into pipeline.snapshot_refusal (table_name, job_id, vanishing, known)
        values (%s, %s, %s, %s)
        on conflict (table_name, job_id) do update
        set vanishing = excluded.vanishing, known = excluded.known
        """,
        (stream.table_name, job_id, vanishing, known),
    )


def forget_absences(connection: PgConnection, stream: Stream) -> None:
    """Forget what was refused, or accepted, of keys that are gone from landing: it is settled."""
    connection.execute(sql.SQL("delete {} where {}").format(_FROM_REFUSAL, _is_absence(stream)))


def forget_open_absences(connection: PgConnection, stream: Stream) -> None:
    """Forget what older syncs were refused of keys that are gone: a newer one tells it anew."""
    connection.execute(
        sql.SQL("delete {} where {} and accepted_at is null").format(
            _FROM_REFUSAL, _is_absence(stream)
        )
    )


_FROM_REFUSAL = sql.SQL("from pipeline.snapshot_refusal as refusal")


def _is_absence(stream: Stream) -> sql.Composed:
    """SQL: whether a refusal is of keys that were gone from landing, not of a full refresh."""
    return sql.SQL(
        """refusal.table_name = {table_name}
            and not exists (
                select from pipeline.sync_stream as synced
                where synced.connection_id = {connection_id}
                    and synced.job_id = refusal.job_id
                    and synced.name = {name}
                    and synced.namespace = {namespace}
                    and synced.full_refresh
            )"""
    ).format(
        table_name=sql.Literal(stream.table_name),
        connection_id=sql.Literal(stream.connection_id),
        name=sql.Literal(stream.name),
        namespace=sql.Literal(stream.namespace or ""),
    )


def complete_snapshots(stream: Stream) -> sql.Composed:
    """SQL: the full refreshes of a stream that succeeded completely, with their instants.

    A sync that failed, or did not read the stream to its end, says nothing.
    """
    return sql.SQL(
        """select
                sync.job_id,
                sync.snapshot_at as instant,
                synced.records_committed,
                synced.touched_days
            from pipeline.sync as sync
            join pipeline.sync_stream as synced
                on synced.connection_id = sync.connection_id and synced.job_id = sync.job_id
            where sync.connection_id = {connection_id}
                and synced.name = {name}
                and synced.namespace = {namespace}
                and synced.full_refresh
                and synced.status = 'complete'
                and sync.snapshot_at is not null"""
    ).format(
        connection_id=sql.Literal(stream.connection_id),
        name=sql.Literal(stream.name),
        namespace=sql.Literal(stream.namespace or ""),
    )


def create_snapshots(stream: Stream) -> sql.Composed:
    """SQL: the snapshots that navigate believes, once their rows are in chart.

    ``trusted`` are those that an operator has accepted: no guard asks about them again.
    """
    return sql.SQL(
        """
        create temporary table snapshot on commit drop as
        select
            complete.job_id,
            complete.instant,
            complete.touched_days || (complete.instant at time zone 'UTC')::date as days,
            refusal.accepted_at is not null as trusted
        from ({complete}) as complete
        left join pipeline.snapshot_refusal as refusal
            on refusal.table_name = {table_name} and refusal.job_id = complete.job_id
        where (refusal.job_id is null or refusal.accepted_at is not null)
            and (
                complete.records_committed = 0
                or exists (
                    select from {chart} as chart
                    where chart._atlas_partition = any (complete.touched_days)
                        and chart._atlas_sync_id = complete.job_id
                )
            )
        """
    ).format(
        complete=complete_snapshots(stream),
        table_name=sql.Literal(stream.table_name),
        chart=sql.Identifier("chart", stream.table_name),
    )


def create_vanishing(stream: Stream, days: tuple[date, date]) -> sql.Composed:
    """SQL: the keys that navigate has open at a snapshot of some days that did not deliver them."""
    return sql.SQL(
        """
        create temporary table vanishing on commit drop as
        select snapshot.job_id, snapshot.instant, navigate._atlas_natural_key as natural_key
        from snapshot
        join {navigate} as navigate
            on navigate._atlas_valid_from < snapshot.instant
            and (
                navigate._atlas_valid_to is null
                or navigate._atlas_valid_to > snapshot.instant
            )
        where exists (
                select from unnest(snapshot.days) as day where {of_days}
            )
            and not exists (
                select from {chart} as chart
                where chart._atlas_natural_key = navigate._atlas_natural_key
                    and chart._atlas_instant = snapshot.instant
            )
        """
    ).format(
        navigate=sql.Identifier("navigate", stream.table_name),
        chart=sql.Identifier("chart", stream.table_name),
        of_days=of_days(sql.SQL("day"), days),
    )


def refuse_snapshots(stream: Stream, most_vanishing: float) -> sql.Composed:
    """SQL: refuse the snapshots that would make too large a share of the known keys vanish.

    Once refused, a snapshot stays so until an operator accepts it.
    """
    return sql.SQL(
        """
        with claim as (
            select snapshot.job_id, snapshot.instant, count(*) as vanishing
            from vanishing
            join snapshot using (job_id)
            where not snapshot.trusted
            group by snapshot.job_id, snapshot.instant
        ),
        judged as (
            select claim.*, (
                select count(*)
                from {navigate} as navigate
                where navigate._atlas_valid_from < claim.instant
                    and (
                        navigate._atlas_valid_to is null
                        or navigate._atlas_valid_to > claim.instant
                    )
            ) as known
            from claim
        )
        insert into pipeline.snapshot_refusal (table_name, job_id, vanishing, known)
        select {table_name}, job_id, vanishing, known
        from judged
        where vanishing > known * {most_vanishing}
        """
    ).format(
        navigate=sql.Identifier("navigate", stream.table_name),
        table_name=sql.Literal(stream.table_name),
        most_vanishing=sql.Literal(most_vanishing),
    )


def refuse_earliest(stream: Stream, most_vanishing: float) -> sql.Composed:
    """SQL: refuse the first snapshot that made too large a share of the known keys vanish.

    For a navigate that was just built with all snapshots: those after it have to be judged again.
    """
    return sql.SQL(
        """
        with judged as (
            select
                snapshot.job_id,
                snapshot.instant,
                count(*) filter (
                    where navigate._atlas_valid_to = snapshot.instant
                        and navigate._atlas_closed_by = 'delete'
                ) as vanishing,
                count(*) as known
            from snapshot
            join {navigate} as navigate
                on navigate._atlas_valid_from < snapshot.instant
                and (
                    navigate._atlas_valid_to is null
                    or navigate._atlas_valid_to >= snapshot.instant
                )
            where not snapshot.trusted
            group by snapshot.job_id, snapshot.instant
        )
        insert into pipeline.snapshot_refusal (table_name, job_id, vanishing, known)
        select {table_name}, job_id, vanishing, known
        from judged
        where vanishing > known * {most_vanishing}
        order by instant
        limit 1
        """
    ).format(
        navigate=sql.Identifier("navigate", stream.table_name),
        table_name=sql.Literal(stream.table_name),
        most_vanishing=sql.Literal(most_vanishing),
    )


def forget_refused(stream: Stream) -> sql.Composed:
    """SQL: take back what snapshots that were just refused would make vanish."""
    return sql.SQL(
        """
        with refused as (
            delete from snapshot
            using pipeline.snapshot_refusal as refusal
            where refusal.table_name = {table_name}
                and refusal.job_id = snapshot.job_id
                and refusal.accepted_at is null
            returning snapshot.job_id
        )
        delete from vanishing using refused where vanishing.job_id = refused.job_id
        """
    ).format(table_name=sql.Literal(stream.table_name))
