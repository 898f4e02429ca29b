"""Polling for jobs that have ended."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone

import pytest

from atlas_dagster.airbyte import observe
from atlas_dagster.airbyte.http import Json
from atlas_dagster.airbyte.observe import SyncCursor, first_cursor, poll
from atlas_dagster.airbyte.server import AirbyteApi
from atlas_dagster.errors import AirbyteError
from atlas_dagster.warehouse import PgConnection
from atlas_dagster_tests.airbyte.api import open_http
from atlas_dagster_tests.airbyte_server.double import AirbyteDouble, Answer
from atlas_dagster_tests.airbyte_server.ledger import FIRST_JOB, Connection, stream

SINCE = FIRST_JOB - timedelta(days=1)
BEGINNING = SyncCursor(SINCE, SINCE)


class Meanwhile(AirbyteApi):
    """Does something each time after a page of jobs was read."""

    def __init__(self, double: AirbyteDouble, then: Callable[[], None] = lambda: None) -> None:
        super().__init__(open_http(double))
        self._then = then

    def jobs_updated_since(self, kinds: str | None, since: datetime, offset: int = 0) -> list[Json]:
        page = super().jobs_updated_since(kinds, since, offset)
        if kinds is None:
            self._then()
        return page


@pytest.fixture
def crm(airbyte_server: AirbyteDouble) -> Connection:
    return airbyte_server.ledger.add_connection("crm", stream("users"))


def polled(
    api: AirbyteApi, warehouse: PgConnection, cursor: SyncCursor = BEGINNING
) -> tuple[SyncCursor, list[int]]:
    """Where the poll has come to, and all jobs that are noted by now."""
    after = poll(api, warehouse, cursor, time.monotonic() + 60)
    rows = warehouse.execute("select job_id from pipeline.notice order by job_id").fetchall()
    return after, [row[0] for row in rows]


def test_jobs_of_all_kinds_that_have_ended_are_noted_and_others_are_not(
    airbyte_server: AirbyteDouble, crm: Connection, warehouse: PgConnection
) -> None:
    ledger = airbyte_server.ledger
    for kind in ("sync", "refresh", "clear", "reset"):
        ledger.finished_job(crm, kind)
    ledger.finished_job(crm, "sync", "failed")
    ledger.finished_job(crm, "sync", "cancelled")
    ledger.start_job(crm.id).status = "running"
    after, noted = polled(Meanwhile(airbyte_server), warehouse)
    assert noted == [1000, 1001, 1002, 1003, 1004, 1005]
    assert after == SyncCursor(SINCE, ledger.jobs[1005].updated_at)


def test_what_was_noted_is_noted_once(
    airbyte_server: AirbyteDouble, crm: Connection, warehouse: PgConnection
) -> None:
    airbyte_server.ledger.finished_job(crm, "sync")
    after, _ = polled(Meanwhile(airbyte_server), warehouse)
    assert polled(Meanwhile(airbyte_server), warehouse, after) == (after, [1000])


def test_a_job_that_goes_on_while_pages_are_read_lets_no_other_slip_through(
    airbyte_server: AirbyteDouble, crm: Connection, warehouse: PgConnection
) -> None:
    ledger = airbyte_server.ledger
    running = ledger.start_job(crm.id)
    running.status = "running"
    ended = [ledger.finished_job(crm, "sync").id for _ in range(250)]

    def go_on() -> None:
        running.updated_at = FIRST_JOB + timedelta(days=365)

    assert polled(Meanwhile(airbyte_server, go_on), warehouse)[1] == ended


def test_more_jobs_of_one_second_than_a_page_has_are_all_noted(
    airbyte_server: AirbyteDouble, crm: Connection, warehouse: PgConnection
) -> None:
    jobs = [airbyte_server.ledger.finished_job(crm, "sync") for _ in range(250)]
    for job in jobs:
        job.updated_at = FIRST_JOB
    assert polled(Meanwhile(airbyte_server), warehouse)[1] == [job.id for job in jobs]


def test_a_poll_that_is_too_long_goes_on_where_it_stopped(
    airbyte_server: AirbyteDouble,
    crm: Connection,
    warehouse: PgConnection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(observe, "MOST_PAGES", 1)
    jobs = [airbyte_server.ledger.finished_job(crm, "sync").id for _ in range(150)]
    airbyte_server.ledger.finished_job(crm, "refresh")  # its own page is read to the end
    after, noted = polled(Meanwhile(airbyte_server), warehouse)
    assert noted == [*jobs[:100], 1150]
    assert after.updated_at == airbyte_server.ledger.jobs[1099].updated_at
    assert polled(Meanwhile(airbyte_server), warehouse, after)[1] == [*jobs, 1150]


def test_a_server_that_knows_no_refreshes_is_polled_for_what_it_knows(
    airbyte_server: AirbyteDouble, crm: Connection, warehouse: PgConnection
) -> None:
    airbyte_server.unknown_kinds = {"refresh", "clear"}
    airbyte_server.ledger.finished_job(crm, "sync")
    assert polled(Meanwhile(airbyte_server), warehouse)[1] == [1000]


@pytest.mark.parametrize(
    "item",
    [
        {"jobId": 1},
        {"jobId": "one", "connectionId": "c", "status": "succeeded", "startTime": "2026-01-01"},
        {"jobId": 1, "connectionId": "c", "status": "succeeded", "startTime": "yesterday"},
        {"jobId": 1, "connectionId": "c", "status": "succeeded", "startTime": "2026-01-01T00:00"},
    ],
)
def test_a_list_that_makes_no_sense_is_an_error_and_nothing_is_noted(
    airbyte_server: AirbyteDouble, warehouse: PgConnection, item: Json
) -> None:
    airbyte_server.misbehave("GET .*/jobs", Answer(200, {"data": [item]}), times=3)
    with pytest.raises(AirbyteError, match="in a way that is not known"):
        polled(Meanwhile(airbyte_server), warehouse)
    assert warehouse.execute("select count(*) from pipeline.notice").fetchall() == [(0,)]


def test_polling_begins_a_day_ago() -> None:
    now = datetime(2026, 5, 2, tzinfo=timezone.utc)
    day_ago = datetime(2026, 5, 1, tzinfo=timezone.utc)
    assert first_cursor(now) == SyncCursor(day_ago, day_ago)
