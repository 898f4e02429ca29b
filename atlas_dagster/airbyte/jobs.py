"""The ledger of embedded syncs, ``pipeline.sync`` and ``pipeline.sync_stream``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from atlas_dagster.airbyte import state
from atlas_dagster.airbyte.landing import is_truncating
from atlas_dagster.catalog import Stream, SyncMode
from atlas_dagster.config import EmbeddedConnection
from atlas_dagster.errors import BusyError
from atlas_dagster.warehouse import PgConnection, lock_key

PATIENCE_SECONDS = 2
DIED = "the run that synced it died"
StreamKey = tuple[str, str | None]  # name, namespace


@dataclass(frozen=True)
class Job:
    """One sync of a connection, as the ledger has it."""

    connection_id: str
    job_id: int
    status: str
    created_at: datetime
    ended_at: datetime | None
    failure: str | None
    updated_at: datetime
    records_committed: int
    bytes_committed: int


@dataclass(frozen=True)
class StreamSync:
    """What a sync has done to one stream so far."""

    name: str
    namespace: str
    generation_id: int
    minimum_generation_id: int
    status: str
    records_emitted: int
    bytes_emitted: int
    records_committed: int
    bytes_committed: int
    first_extracted_at: datetime | None
    last_extracted_at: datetime | None
    touched_days: list[date]
    cursor_value: str | None

    @property
    def key(self) -> StreamKey:
        return self.name, self.namespace or None


@dataclass(frozen=True)
class StreamProgress:
    """What one stream gains by a checkpoint; times are milliseconds since 1970."""

    key: StreamKey
    status: str
    records_emitted: int  # so far in this job, as are all counts
    bytes_emitted: int
    records_committed: int
    bytes_committed: int
    first_emitted_at: int | None
    last_emitted_at: int | None
    days: frozenset[int] = field(default_factory=frozenset[int])  # since 1970
    cursor_value: str | None = None


def busy(slug: str) -> BusyError:
    """What a second sync of a connection is refused with."""
    return BusyError(f"connection {slug} is being synced by another run")


def lock_scope(connection_id: str) -> str:
    """The advisory lock that the process which syncs a connection holds."""
    return f"sync/{connection_id}"


def take_lock(connection: PgConnection, connection_id: str, slug: str) -> None:
    """Take a connection's lock for this session; raises BusyError where another session has it.

    With a little patience: a session that just ended holds it for a moment.
    """
    try:
        with connection.transaction():
            connection.execute(
                "select set_config('lock_timeout', %s, true)", (f"{PATIENCE_SECONDS}s",)
            )
            connection.execute(
                "select pg_advisory_lock(%s)", (lock_key(lock_scope(connection_id)),)
            )
    except psycopg.errors.LockNotAvailable:
        raise busy(slug) from None


def create(connection: PgConnection, embedded: EmbeddedConnection, run_id: str | None) -> int:
    """Take the connection's lock for this session and open a job.

    A job that was left `running` by a process that died is marked failed. Raises BusyError where
    another session has the lock.
    """
    take_lock(connection, embedded.id, embedded.slug)
    with connection.transaction():
        _bury(connection, embedded.id)
        row = connection.execute(
            "insert into pipeline.sync (connection_id, job_id, status, run_id)"
            " values (%s, nextval('pipeline.job_id'), 'running', %s) returning job_id",
            (embedded.id, run_id),
        ).fetchone()
        assert row
    return int(row[0])


def open_streams(
    connection: PgConnection, streams: Sequence[Stream], job_id: int
) -> dict[StreamKey, int]:
    """Open all streams of a connection in a job; returns the generation of each.

    Full-refresh streams get a new one and lose their state.
    """
    with connection.transaction():
        generations = {(s.name, s.namespace): _open_stream(connection, s, job_id) for s in streams}
        _forget_full_refresh(connection, streams, job_id)
    return generations


def finish(
    connection: PgConnection, connection_id: str, job_id: int, status: str, failure: str | None
) -> None:
    """Close a job; streams that are not complete by now are incomplete."""
    with connection.transaction():
        connection.execute(
            "update pipeline.sync_stream set status = 'incomplete', updated_at = now()"
            " where connection_id = %s and job_id = %s and status <> 'complete'",
            (connection_id, job_id),
        )
        connection.execute(
            "update pipeline.sync set status = %(status)s, failure = %(failure)s,"
            " ended_at = now(),"
            " snapshot_at = case when %(status)s = 'succeeded' then created_at end"
            " where connection_id = %(connection_id)s and job_id = %(job_id)s"
            " and ended_at is null",
            {
                "status": status,
                "failure": failure,
                "connection_id": connection_id,
                "job_id": job_id,
            },
        )


def save_progress(
    connection: PgConnection, connection_id: str, job_id: int, streams: Sequence[StreamProgress]
) -> bool:
    """Write the counts of a checkpoint; returns whether someone asked to cancel the job."""
    with connection.cursor() as cursor:
        cursor.executemany(_SAVE_PROGRESS, [_parameters(connection_id, job_id, s) for s in streams])
    return is_cancel_requested(connection, connection_id, job_id)


def is_cancel_requested(connection: PgConnection, connection_id: str, job_id: int) -> bool:
    """Whether someone asked to cancel the job."""
    row = connection.execute(
        "select cancel_requested from pipeline.sync where connection_id = %s and job_id = %s",
        (connection_id, job_id),
    ).fetchone()
    return bool(row and row[0])


def request_cancel(connection: PgConnection, connection_ids: Sequence[str], job_id: int) -> None:
    """Ask the process that runs a job to end it."""
    connection.execute(
        "update pipeline.sync set cancel_requested = true"
        " where connection_id = any(%s) and job_id = %s and ended_at is null",
        (list(connection_ids), job_id),
    )


def load(connection: PgConnection, connection_ids: Sequence[str], job_id: int) -> Job | None:
    """One job of these connections."""
    condition = sql.SQL("s.connection_id = any(%s) and s.job_id = %s")
    return next(iter(_select(connection, condition, (list(connection_ids), job_id))), None)


def load_all(
    connection: PgConnection, connection_id: str, created_after: datetime | None
) -> list[Job]:
    """The jobs of a connection, newest first; those of processes that died are failed by now."""
    with connection.transaction():
        if _try_lock(connection, connection_id):
            _bury(connection, connection_id)
    condition = sql.SQL(
        "s.connection_id = %s and s.created_at >= coalesce(%s::timestamptz, '-infinity')"
    )
    return _select(connection, condition, (connection_id, created_after))


def load_streams(connection: PgConnection, connection_id: str, job_id: int) -> list[StreamSync]:
    """What a job has done to each of its streams."""
    columns = sql.SQL(", ").join(map(sql.Identifier, StreamSync.__dataclass_fields__))
    statement = sql.SQL(
        "select {} from pipeline.sync_stream where connection_id = %s and job_id = %s"
        " order by namespace, name"
    ).format(columns)
    with connection.cursor(row_factory=class_row(StreamSync)) as cursor:
        return cursor.execute(statement, (connection_id, job_id)).fetchall()


def _forget_full_refresh(connection: PgConnection, streams: Sequence[Stream], job_id: int) -> None:
    """Clear the state of full-refresh streams: fed back to them, it would end them at once."""
    renewed = [s for s in streams if s.sync_mode is SyncMode.FULL_REFRESH]
    if len(renewed) == len(streams):
        state.reset(connection, streams[0].connection_id, None, job_id)
    else:
        for stream in renewed:
            key = (stream.name, stream.namespace)
            state.reset(connection, stream.connection_id, key, job_id)


def _open_stream(connection: PgConnection, stream: Stream, job_id: int) -> int:
    """Open a stream in a job; its generation starts at 0 and grows with every full refresh."""
    row = connection.execute(
        "select coalesce(max(generation_id), 0) from pipeline.sync_stream"
        " where connection_id = %s and namespace = %s and name = %s",
        (stream.connection_id, stream.namespace or "", stream.name),
    ).fetchone()
    assert row
    is_full_refresh = stream.sync_mode is SyncMode.FULL_REFRESH
    generation_id = int(row[0]) + is_full_refresh
    connection.execute(
        "insert into pipeline.sync_stream"
        " (connection_id, job_id, namespace, name, generation_id, minimum_generation_id,"
        " full_refresh) values (%s, %s, %s, %s, %s, %s, %s)",
        (
            stream.connection_id,
            job_id,
            stream.namespace or "",
            stream.name,
            generation_id,
            generation_id if is_truncating(stream) else 0,
            is_full_refresh,
        ),
    )
    return generation_id


_SAVE_PROGRESS = """
update pipeline.sync_stream set
    status = %(status)s,
    records_emitted = %(records_emitted)s,
    bytes_emitted = %(bytes_emitted)s,
    records_committed = %(records_committed)s,
    bytes_committed = %(bytes_committed)s,
    first_extracted_at = least(first_extracted_at, to_timestamp(%(first)s / 1000.0)),
    last_extracted_at = greatest(last_extracted_at, to_timestamp(%(last)s / 1000.0)),
    touched_days = array(
        select day from unnest(touched_days) as old (day)
        union select date '1970-01-01' + number from unnest(%(days)s::int[]) as new (number)
        order by 1
    ),
    cursor_value = coalesce(%(cursor_value)s, cursor_value),
    updated_at = now()
where connection_id = %(connection_id)s and job_id = %(job_id)s
    and namespace = %(namespace)s and name = %(name)s
"""


def _parameters(connection_id: str, job_id: int, progress: StreamProgress) -> Mapping[str, Any]:
    return {
        "connection_id": connection_id,
        "job_id": job_id,
        "name": progress.key[0],
        "namespace": progress.key[1] or "",
        "status": progress.status,
        "records_emitted": progress.records_emitted,
        "bytes_emitted": progress.bytes_emitted,
        "records_committed": progress.records_committed,
        "bytes_committed": progress.bytes_committed,
        "first": progress.first_emitted_at,
        "last": progress.last_emitted_at,
        "days": sorted(progress.days),
        "cursor_value": progress.cursor_value,
    }


def _select(
    connection: PgConnection, condition: sql.SQL, parameters: tuple[object, ...]
) -> list[Job]:
    statement = sql.SQL(
        """
        select s.connection_id, s.job_id, s.status, s.created_at, s.ended_at, s.failure,
            coalesce(s.ended_at, t.updated_at, s.created_at) as updated_at,
            coalesce(t.records, 0)::bigint as records_committed,
            coalesce(t.bytes, 0)::bigint as bytes_committed
        from pipeline.sync s
        left join lateral (
            select max(updated_at) as updated_at, sum(records_committed) as records,
                sum(bytes_committed) as bytes
            from pipeline.sync_stream t
            where (t.connection_id, t.job_id) = (s.connection_id, s.job_id)
        ) t on true
        where {}
        order by s.created_at desc, s.job_id desc
        """
    ).format(condition)
    with connection.cursor(row_factory=class_row(Job)) as cursor:
        return cursor.execute(statement, parameters).fetchall()


def _bury(connection: PgConnection, connection_id: str) -> None:
    """Fail the jobs that nobody runs any more: their lock is ours."""
    rows = connection.execute(
        "select job_id from pipeline.sync where connection_id = %s and ended_at is null",
        (connection_id,),
    ).fetchall()
    for (job_id,) in rows:
        finish(connection, connection_id, job_id, "failed", DIED)


def _try_lock(connection: PgConnection, connection_id: str) -> bool:
    """Take a connection's lock until the transaction ends; False where another session has it."""
    key = lock_key(lock_scope(connection_id))
    row = connection.execute("select pg_try_advisory_xact_lock(%s)", (key,)).fetchone()
    return bool(row and row[0])
