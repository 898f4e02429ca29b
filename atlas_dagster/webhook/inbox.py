"""What the receiver writes: notices, each kept once, and how often it turned something away."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

import psycopg

from atlas_dagster.warehouse import acting_role
from atlas_dagster.webhook.payload import Notice

AsyncPgConnection: TypeAlias = psycopg.AsyncConnection[tuple[Any, ...]]

CONNECT_SECONDS = 5


@dataclass(frozen=True)
class Refusals:
    """How often something was refused for one reason in one hour, and when last."""

    times: int
    last_at: datetime


async def open_inbox(url: str) -> AsyncPgConnection:
    """Connect to the warehouse, each statement a transaction; raises psycopg.OperationalError.

    Nothing is prepared, and of a pooler's session nothing set: it may be another's the next time.
    """
    connection = await psycopg.AsyncConnection.connect(
        url,
        autocommit=True,
        application_name="atlas webhook",
        connect_timeout=CONNECT_SECONDS,
        prepare_threshold=None,
    )
    cursor = await connection.execute("select pg_backend_pid()")
    if await cursor.fetchone() == (connection.info.backend_pid,):
        await connection.execute("set default_transaction_isolation = 'read committed'")
        await connection.execute(acting_role(connection.info.server_version))
    return connection


async def keep(connection: AsyncPgConnection, notices: Sequence[Notice]) -> None:
    """Keep notices in one statement; those that are there already only count.

    Rows are locked in one order, so that several receivers never wait for each other in a ring.
    """
    times = Counter(notice.fingerprint for notice in notices)
    first = {notice.fingerprint: notice for notice in reversed(notices)}
    rows = [first[mark] for mark in sorted(first)]
    await connection.execute(
        _KEEP,
        (
            [notice.kind for notice in rows],
            [notice.fingerprint for notice in rows],
            [notice.connection_id for notice in rows],
            [notice.job_id for notice in rows],
            [notice.payload for notice in rows],
            [times[notice.fingerprint] for notice in rows],
        ),
    )


async def count_refusals(
    connection: AsyncPgConnection, refusals: Mapping[tuple[str, datetime], Refusals]
) -> None:
    """Add to the counts of each reason and hour, in one statement."""
    keys = sorted(refusals)
    await connection.execute(
        _COUNT,
        (
            [reason for reason, _ in keys],
            [hour for _, hour in keys],
            [refusals[key].times for key in keys],
            [refusals[key].last_at for key in keys],
        ),
    )


_KEEP = """
insert into pipeline.notice as n
    (kind, fingerprint, connection_id, job_id, payload, source, times)
select kind, fingerprint, connection_id, job_id, payload::jsonb, 'webhook', times
from unnest(%s::text[], %s::text[], %s::text[], %s::bigint[], %s::text[], %s::bigint[])
    as heard (kind, fingerprint, connection_id, job_id, payload, times)
on conflict (fingerprint) do update
set times = n.times + excluded.times, last_received_at = excluded.last_received_at
"""

_COUNT = """
insert into pipeline.webhook_refusal as r (reason, hour, times, last_at)
select reason, hour, times, last_at
from unnest(%s::text[], %s::timestamptz[], %s::bigint[], %s::timestamptz[])
    as refused (reason, hour, times, last_at)
on conflict (reason, hour) do update
set times = r.times + excluded.times, last_at = greatest(r.last_at, excluded.last_at)
"""
