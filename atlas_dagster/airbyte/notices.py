"""What was heard of in ``pipeline.notice``: hints that are followed up, and settled then."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg.rows import class_row

from atlas_dagster.airbyte.job_list import ListedJob
from atlas_dagster.warehouse import PgConnection

MOST_NOTICES = 1000
MOST_REASONS = 20
KEPT = timedelta(days=30)


@dataclass(frozen=True)
class Notice:
    """A hint that has not led to anything yet; ``source`` is `webhook` or `poll`."""

    notice_id: int
    kind: str
    connection_id: str | None
    job_id: int | None
    source: str


@dataclass(frozen=True)
class Payload:
    """What the sender of a notice knows of a job, and nobody else can be asked."""

    notice: Notice
    body: Mapping[str, Any]
    received_at: datetime


@dataclass(frozen=True)
class Refused:
    """Why notices led to nothing, or why the receiver turned requests away."""

    reason: str
    times: int
    last_at: datetime


def add_polled(connection: PgConnection, jobs: Iterable[ListedJob]) -> int:
    """Note the jobs that have ended, unless their end is known; returns how many are news."""
    ended = [job for job in jobs if job.has_ended]
    added = connection.execute(
        """
        insert into pipeline.notice (kind, fingerprint, connection_id, job_id, source)
        select 'sync', concat_ws('/', 'poll', connection_id, job_id, status), connection_id, job_id,
            'poll'
        from unnest(%s::text[], %s::bigint[], %s::text[]) as heard (connection_id, job_id, status)
        where not exists (
            select from pipeline.sync as known
            where (known.connection_id, known.job_id) = (heard.connection_id, heard.job_id)
                and known.ended_at is not null
        )
        on conflict (fingerprint) do nothing
        """,
        (
            [job.connection_id for job in ended],
            [job.id for job in ended],
            [job.status for job in ended],
        ),
    )
    return added.rowcount


def unsettled(connection: PgConnection, kinds: Collection[str]) -> list[Notice]:
    """The oldest notices of these kinds that have not led to anything yet."""
    with connection.cursor(row_factory=class_row(Notice)) as cursor:
        return cursor.execute(
            "select notice_id, kind, connection_id, job_id, source from pipeline.notice"
            " where settled_at is null and kind = any(%s) order by notice_id limit %s",
            (list(kinds), MOST_NOTICES),
        ).fetchall()


def unsettled_payloads(connection: PgConnection) -> list[Payload]:
    """The oldest payloads that have not led to anything yet."""
    rows = connection.execute(
        "select notice_id, kind, connection_id, job_id, source, payload, received_at"
        " from pipeline.notice where settled_at is null and kind = 'payload'"
        " order by notice_id limit %s",
        (MOST_NOTICES,),
    ).fetchall()
    return [Payload(Notice(*row[:5]), row[5], row[6]) for row in rows]


def settle(connection: PgConnection, notices: Iterable[Notice], refusal: str | None = None) -> None:
    """Note that these have led to what they should, or why they lead to nothing.

    Rows are locked in the order in which receivers lock them.
    """
    connection.execute(
        """
        update pipeline.notice set settled_at = now(), refusal = %s
        where notice_id in (
            select notice_id from pipeline.notice
            where notice_id = any(%s) order by fingerprint for update
        )
        """,
        (refusal, [notice.notice_id for notice in notices]),
    )


def forget(connection: PgConnection) -> None:
    """Forget what was settled, asked nothing of us, or was turned away long ago."""
    connection.execute(
        "delete from pipeline.notice where settled_at < now() - %s"
        " or (kind = 'other' and last_received_at < now() - %s)",
        (KEPT, KEPT),
    )
    connection.execute("delete from pipeline.webhook_refusal where last_at < now() - %s", (KEPT,))


def refused_notices(connection: PgConnection) -> list[Refused]:
    """Why notices have led to nothing, that which was heard last first."""
    return _refused(
        connection,
        "select refusal as reason, sum(times)::bigint as times, max(last_received_at) as last_at"
        " from pipeline.notice where refusal is not null"
        " group by refusal order by last_at desc, reason limit %s",
    )


def refused_requests(connection: PgConnection) -> list[Refused]:
    """What the webhook receiver has turned away at the door, newest first."""
    return _refused(
        connection,
        "select reason, sum(times)::bigint as times, max(last_at) as last_at"
        " from pipeline.webhook_refusal group by reason order by last_at desc, reason limit %s",
    )


def _refused(connection: PgConnection, query: str) -> list[Refused]:
    with connection.cursor(row_factory=class_row(Refused)) as cursor:
        return cursor.execute(query.encode(), (MOST_REASONS,)).fetchall()
