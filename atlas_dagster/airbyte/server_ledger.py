"""The jobs of an Airbyte server in ``pipeline.sync`` and ``pipeline.sync_stream``.

What complete full refreshes, refreshes and clears have done is what the layers build history by.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import asdict, replace
from datetime import date, datetime, timedelta
from typing import Any

import psycopg
from psycopg import sql

from atlas_dagster.airbyte.job_info import NO_COUNTS, SPEAKING, JobOutcome, StreamOutcome
from atlas_dagster.catalog import Stream, Table
from atlas_dagster.warehouse import PgConnection, identifier, table_columns

AIRBYTES_SECOND = timedelta(seconds=1)
"""Airbyte tells times without fractions: what it calls a second may have been up to one later.

So a snapshot is of the end of the second in which its job was created: what the job before read in
that second comes before it. What the job itself reads is in the snapshot, whenever it was read.
"""


def open_job(connection: PgConnection, connection_id: str, job_id: int, run_id: str | None) -> None:
    """Note that a job runs: until it has ended, what is missing in landing says nothing."""
    connection.execute(
        "insert into pipeline.sync (connection_id, job_id, status, run_id)"
        " values (%s, %s, 'running', %s)"
        " on conflict (connection_id, job_id) do update set run_id = excluded.run_id",
        (connection_id, job_id, run_id),
    )


def unrecorded(connection: PgConnection, connection_id: str, job_ids: Iterable[int]) -> list[int]:
    """Those of the jobs whose end is not in the ledger yet, oldest first."""
    rows = connection.execute(
        "select job_id from pipeline.sync where connection_id = %s and ended_at is not null",
        (connection_id,),
    ).fetchall()
    return sorted({*job_ids} - {int(row[0]) for row in rows})


def newest_recorded(connection: PgConnection, connection_id: str) -> int | None:
    """The last job of a connection whose end is in the ledger."""
    row = connection.execute(
        "select max(job_id) from pipeline.sync where connection_id = %s and ended_at is not null",
        (connection_id,),
    ).fetchone()
    return row[0] if row else None


def save_outcome(connection: PgConnection, connection_id: str, outcome: JobOutcome) -> None:
    """Write what a job has done; a job that was written before is written anew."""
    whole = outcome.status == "succeeded" and outcome.kind in SPEAKING
    with connection.transaction():
        connection.execute(
            _SAVE_JOB,
            {
                "connection_id": connection_id,
                "job_id": outcome.job_id,
                "job_type": outcome.kind,
                "status": outcome.status,
                "created_at": outcome.created_at,
                "ended_at": outcome.ended_at,
                "failure": outcome.failure,
                "attempts": outcome.attempts,
                "snapshot_at": outcome.created_at + AIRBYTES_SECOND if whole else None,
            },
        )
        with connection.cursor() as cursor:
            cursor.executemany(
                _SAVE_STREAM,
                [_parameters(connection_id, outcome.job_id, synced) for synced in outcome.streams],
            )


def find_reach(connection: PgConnection, outcome: JobOutcome) -> JobOutcome:
    """Look in landing how far a job has read of each stream, and so which days it has touched."""
    streams = [_reached(connection, outcome, synced) for synced in outcome.streams]
    return replace(outcome, streams=tuple(streams))


def _reached(connection: PgConnection, outcome: JobOutcome, synced: StreamOutcome) -> StreamOutcome:
    if not synced.brought_records:
        return synced
    last = _last_extracted(connection, synced.stream, outcome)
    days = _days(outcome.created_at, last or outcome.ended_at)
    return replace(synced, last_extracted_at=last, touched_days=days)


def _last_extracted(
    connection: PgConnection, stream: Stream, outcome: JobOutcome
) -> datetime | None:
    """When the last record of a job was extracted: one look into an index of landing.

    None where that cannot be seen: the table is not in this database, or not ours to read.
    """
    until = outcome.ended_at + AIRBYTES_SECOND
    for table in (stream.landing, stream.raw_landing):
        if "_airbyte_extracted_at" not in table_columns(connection, table):
            continue
        with contextlib.suppress(psycopg.errors.InsufficientPrivilege), connection.transaction():
            row = connection.execute(
                newest_extraction(table), (outcome.created_at, until)
            ).fetchone()
            if row:
                return row[0]
    return None


def newest_extraction(table: Table) -> sql.Composed:
    """SQL: the last extraction between two instants."""
    return sql.SQL(
        """
        select _airbyte_extracted_at
        from {}
        where _airbyte_extracted_at between %s and %s
        order by _airbyte_extracted_at desc
        limit 1
        """
    ).format(identifier(table))


def _days(first: datetime, last: datetime) -> tuple[date, ...]:
    """The UTC days from one instant to another."""
    days = (last.date() - first.date()).days
    return tuple(first.date() + timedelta(days=number) for number in range(days + 1))


def _parameters(connection_id: str, job_id: int, synced: StreamOutcome) -> dict[str, Any]:
    return {
        "connection_id": connection_id,
        "job_id": job_id,
        "namespace": synced.stream.namespace or "",
        "name": synced.stream.name,
        "generation_id": synced.generation_id,
        "minimum_generation_id": synced.minimum_generation_id,
        "full_refresh": synced.full_refresh,
        "status": "complete" if synced.complete else "incomplete",
        **asdict(synced.counts or NO_COUNTS),
        "counted": synced.counts is not None,
        "last_extracted_at": synced.last_extracted_at,
        "touched_days": list(synced.touched_days),
    }


_SAVE_JOB = """
insert into pipeline.sync as job (
    connection_id, job_id, job_type, status, created_at, ended_at, failure, attempts, snapshot_at
)
values (
    %(connection_id)s, %(job_id)s, %(job_type)s, %(status)s, %(created_at)s,
    greatest(%(ended_at)s, %(created_at)s), %(failure)s, %(attempts)s, %(snapshot_at)s
)
on conflict (connection_id, job_id) do update set
    job_type = excluded.job_type,
    status = excluded.status,
    created_at = excluded.created_at,
    ended_at = excluded.ended_at,
    failure = excluded.failure,
    attempts = excluded.attempts,
    snapshot_at = excluded.snapshot_at
"""

_SAVE_STREAM = """
insert into pipeline.sync_stream (
    connection_id, job_id, namespace, name, generation_id, minimum_generation_id, full_refresh,
    status, records_emitted, bytes_emitted, records_committed, bytes_committed,
    counted, last_extracted_at, touched_days
)
values (
    %(connection_id)s, %(job_id)s, %(namespace)s, %(name)s, %(generation_id)s,
    %(minimum_generation_id)s, %(full_refresh)s, %(status)s, %(records_emitted)s,
    %(bytes_emitted)s, %(records_committed)s, %(bytes_committed)s, %(counted)s,
    %(last_extracted_at)s, %(touched_days)s
)
on conflict (connection_id, job_id, namespace, name) do update set
    generation_id = excluded.generation_id,
    minimum_generation_id = excluded.minimum_generation_id,
    full_refresh = excluded.full_refresh,
    status = excluded.status,
    records_emitted = excluded.records_emitted,
    bytes_emitted = excluded.bytes_emitted,
    records_committed = excluded.records_committed,
    bytes_committed = excluded.bytes_committed,
    counted = excluded.counted,
    last_extracted_at = excluded.last_extracted_at,
    touched_days = excluded.touched_days,
    updated_at = now()
"""
