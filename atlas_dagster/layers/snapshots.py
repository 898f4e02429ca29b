"""Snapshots: what complete full refreshes say of the keys that they did not deliver."""

from __future__ import annotations

from datetime import date

from psycopg import sql

from atlas_dagster.catalog import Stream


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
                select from unnest(snapshot.days) as day where day between {first} and {last}
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
        first=sql.Literal(days[0]),
        last=sql.Literal(days[1]),
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
