"""Server jobs of the ledger that Dagster has not been told of yet, read back as they were."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime

from psycopg.rows import class_row

from atlas_dagster.airbyte.job_info import Counts, JobOutcome, StreamOutcome
from atlas_dagster.catalog import Connection
from atlas_dagster.warehouse import PgConnection

MOST_JOBS = 20  # of one connection


@dataclass(frozen=True)
class UntoldJob:
    """A job that has ended; ``run_id`` is the Dagster run that followed it, if one did."""

    connection_id: str
    job_id: int
    job_type: str
    status: str
    created_at: datetime
    ended_at: datetime
    recorded_at: datetime
    attempts: int | None
    failure: str | None
    run_id: str | None


@dataclass(frozen=True)
class _StreamRow:
    namespace: str
    name: str
    generation_id: int
    minimum_generation_id: int
    full_refresh: bool
    status: str
    counted: bool
    records_emitted: int
    bytes_emitted: int
    records_committed: int
    bytes_committed: int
    last_extracted_at: datetime | None
    touched_days: list[date]


def load_untold(connection: PgConnection, connection_ids: Collection[str]) -> list[UntoldJob]:
    """The oldest jobs of each connection that are still to be told, in the order of their ids."""
    with connection.cursor(row_factory=class_row(UntoldJob)) as cursor:
        return cursor.execute(_UNTOLD, (list(connection_ids), MOST_JOBS)).fetchall()


def mark_told(connection: PgConnection, jobs: Collection[UntoldJob]) -> None:
    """Note that Dagster knows of these jobs all that it is to know."""
    connection.execute(
        "update pipeline.sync as job set told_at = now()"
        " from unnest(%s::text[], %s::bigint[]) as told (connection_id, job_id)"
        " where (job.connection_id, job.job_id) = (told.connection_id, told.job_id)",
        ([job.connection_id for job in jobs], [job.job_id for job in jobs]),
    )


def load_outcome(connection: PgConnection, job: UntoldJob, catalog: Connection) -> JobOutcome:
    """What a job did; a stream that the catalog no longer has is left out."""
    with connection.cursor(row_factory=class_row(_StreamRow)) as cursor:
        rows = cursor.execute(_STREAMS, (job.connection_id, job.job_id)).fetchall()
    return JobOutcome(
        job_id=job.job_id,
        kind=job.job_type,
        status=job.status,
        created_at=job.created_at,
        ended_at=job.ended_at,
        attempts=job.attempts or 0,
        failure=job.failure,
        streams=tuple(outcome for row in rows if (outcome := _outcome(row, catalog))),
    )


def _outcome(row: _StreamRow, catalog: Connection) -> StreamOutcome | None:
    stream = catalog.stream(row.name, row.namespace)
    if stream is None:
        return None
    counts = Counts(
        row.records_emitted, row.bytes_emitted, row.records_committed, row.bytes_committed
    )
    return StreamOutcome(
        stream=stream,
        generation_id=row.generation_id,
        minimum_generation_id=row.minimum_generation_id,
        full_refresh=row.full_refresh,
        complete=row.status == "complete",
        counts=counts if row.counted else None,
        last_extracted_at=row.last_extracted_at,
        touched_days=tuple(row.touched_days),
    )


_UNTOLD = """
select
    job.connection_id, job.job_id, job.job_type, job.status, job.created_at, job.ended_at,
    coalesce(recorded.at, job.ended_at) as recorded_at, job.attempts, job.failure, job.run_id
from (
    select *, row_number() over (partition by connection_id order by job_id) as place
    from pipeline.sync
    where told_at is null and ended_at is not null and connection_id = any(%s)
) as job
left join lateral (
    select max(updated_at) as at
    from pipeline.sync_stream as synced
    where (synced.connection_id, synced.job_id) = (job.connection_id, job.job_id)
) as recorded on true
where job.place <= %s
order by job.job_id, job.connection_id
"""

_STREAMS = """
select
    namespace, name, generation_id, minimum_generation_id, full_refresh, status, counted,
    records_emitted, bytes_emitted, records_committed, bytes_committed, last_extracted_at,
    touched_days
from pipeline.sync_stream
where connection_id = %s and job_id = %s
order by namespace, name
"""
