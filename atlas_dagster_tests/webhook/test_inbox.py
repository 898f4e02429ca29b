"""What is kept of notices and refusals: one row each, however often it is heard."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta, timezone

import pytest
from psycopg import sql

from atlas_dagster.warehouse import PgConnection, connect
from atlas_dagster.webhook.inbox import (
    AsyncPgConnection,
    Refusals,
    count_refusals,
    keep,
    open_inbox,
)
from atlas_dagster.webhook.payload import Notice, parse
from atlas_dagster_tests.webhook.bodies import CONNECTION, JOB, adapter

SYNC = Notice("sync", f"sync/{CONNECTION}/{JOB}/succeeded", CONNECTION, JOB)
OTHER = Notice("other", "other/-/-/abc")
HOUR = datetime(2026, 11, 24, 17, tzinfo=timezone.utc)


@pytest.fixture
def on_inbox(
    warehouse_url: str,
) -> Callable[[Callable[[AsyncPgConnection], Awaitable[None]]], None]:
    """Run a piece of work on a connection of the receiver's."""

    def run(work: Callable[[AsyncPgConnection], Awaitable[None]]) -> None:
        async def connected() -> None:
            connection = await open_inbox(warehouse_url)
            async with connection:
                await work(connection)

        asyncio.run(connected())

    return run


Inbox = Callable[[Callable[[AsyncPgConnection], Awaitable[None]]], None]


def test_a_notice_is_one_row_of_the_webhook(on_inbox: Inbox, warehouse: PgConnection) -> None:
    on_inbox(lambda connection: keep(connection, [SYNC]))
    rows = warehouse.execute(
        "select kind, fingerprint, connection_id, job_id, payload, source, times,"
        " received_at = last_received_at, settled_at, refusal from pipeline.notice"
    ).fetchall()
    assert rows == [
        ("sync", SYNC.fingerprint, CONNECTION, JOB, None, "webhook", 1, True, None, None)
    ]


def test_what_is_heard_again_counts_and_is_dated(on_inbox: Inbox, warehouse: PgConnection) -> None:
    on_inbox(lambda connection: keep(connection, [SYNC]))
    on_inbox(lambda connection: keep(connection, [SYNC, OTHER, SYNC]))
    rows = warehouse.execute(
        "select kind, times, last_received_at > received_at from pipeline.notice order by notice_id"
    ).fetchall()
    assert rows == [("sync", 3, True), ("other", 1, False)]


def test_receivers_that_hear_the_same_at_once_count_it_whatever_isolation_the_database_has(
    on_inbox: Inbox, warehouse: PgConnection, warehouse_url: str
) -> None:
    repeatable = "alter database {} set default_transaction_isolation = 'repeatable read'"
    warehouse.execute(sql.SQL(repeatable).format(sql.Identifier(warehouse.info.dbname)))
    on_inbox(lambda connection: keep(connection, [SYNC]))
    with ThreadPoolExecutor(1) as pool, connect(warehouse_url) as other:
        with other.transaction():
            other.execute("update pipeline.notice set times = times + 1")
            heard = pool.submit(on_inbox, lambda connection: keep(connection, [SYNC]))
            waits = "select count(*) from pg_locks where locktype = 'transactionid' and not granted"
            while warehouse.execute(waits).fetchone() != (1,):
                assert not heard.done()
        heard.result()
    assert warehouse.execute("select times from pipeline.notice").fetchall() == [(3,)]


def test_what_is_settled_stays_settled_when_it_is_heard_again(
    on_inbox: Inbox, warehouse: PgConnection
) -> None:
    on_inbox(lambda connection: keep(connection, [SYNC]))
    warehouse.execute("update pipeline.notice set settled_at = now(), refusal = 'unknown'")
    on_inbox(lambda connection: keep(connection, [SYNC]))
    rows = warehouse.execute("select times, settled_at is null, refusal from pipeline.notice")
    assert rows.fetchall() == [(2, False, "unknown")]


def test_a_job_that_was_heard_of_by_polling_stays_so(
    on_inbox: Inbox, warehouse: PgConnection
) -> None:
    warehouse.execute(
        "insert into pipeline.notice (kind, fingerprint, source) values ('sync', %s, 'poll')",
        (SYNC.fingerprint,),
    )
    on_inbox(lambda connection: keep(connection, [SYNC]))
    rows = warehouse.execute("select source, times from pipeline.notice").fetchall()
    assert rows == [("poll", 2)]


def test_of_two_payloads_of_one_job_the_first_is_kept(
    on_inbox: Inbox, warehouse: PgConnection
) -> None:
    first, second = (
        Notice("payload", "payload/c/1/failed", "c", 1, text) for text in ('{"a": 1}', '{"a": 2}')
    )
    on_inbox(lambda connection: keep(connection, [first, second]))
    on_inbox(lambda connection: keep(connection, [second]))
    rows = warehouse.execute("select payload, times from pipeline.notice").fetchall()
    assert rows == [({"a": 1}, 3)]


def test_whatever_the_reading_lets_through_can_be_stored(
    on_inbox: Inbox, warehouse: PgConnection
) -> None:
    nasty = {
        "nul\x00": "a\x00b",
        "surrogate": "\ud800",
        "backslash": "\\u0000 \\",
        "integer": int("9" * 4000),
        "float": 1.7e308,
        "small": 5e-324,
        "deep": [[[[[[[[[[]]]]]]]]]],
        "": None,
        "control": "\x01\x1f\x7f",
    }

    notice = parse(json.dumps(adapter(nasty=nasty)).encode(), date(2026, 11, 24))
    assert isinstance(notice, Notice)
    on_inbox(lambda connection: keep(connection, [notice]))
    row = warehouse.execute("select payload #>> '{nasty,nul}' from pipeline.notice").fetchone()
    assert row == ("ab",)


def test_receivers_that_hear_the_same_in_another_order_do_not_wait_in_a_ring(
    warehouse_url: str, warehouse: PgConnection
) -> None:
    notices = [Notice("sync", f"sync/c/{job}/failed", "c", job) for job in range(200)]

    async def hear() -> None:
        connections = [await open_inbox(warehouse_url) for _ in range(4)]
        for _ in range(5):
            orders = [notices, notices[::-1], notices[::2] + notices[1::2], notices[::-1]]
            await asyncio.gather(*(keep(c, o) for c, o in zip(connections, orders, strict=True)))
        for connection in connections:
            await connection.close()

    asyncio.run(hear())
    rows = warehouse.execute("select count(*), min(times), max(times) from pipeline.notice")
    assert rows.fetchall() == [(200, 20, 20)]


def test_refusals_add_up_by_reason_and_hour(on_inbox: Inbox, warehouse: PgConnection) -> None:
    minute, later = HOUR + timedelta(minutes=1), HOUR + timedelta(minutes=9)
    next_hour = HOUR + timedelta(hours=1)
    on_inbox(lambda c: count_refusals(c, {("wrong token", HOUR): Refusals(2, later)}))
    on_inbox(
        lambda c: count_refusals(
            c,
            {
                ("wrong token", HOUR): Refusals(3, minute),
                ("wrong token", next_hour): Refusals(1, next_hour),
                ("no token", HOUR): Refusals(1, minute),
            },
        )
    )
    rows = warehouse.execute(
        "select reason, hour, times, last_at from pipeline.webhook_refusal order by reason, hour"
    ).fetchall()
    assert rows == [
        ("no token", HOUR, 1, minute),
        ("wrong token", HOUR, 5, later),
        ("wrong token", next_hour, 1, next_hour),
    ]
