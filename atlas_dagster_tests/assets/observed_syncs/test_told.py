"""Syncs that Dagster did not start: what each tells, and that it is told once.

The problems that a test is named after are GitHub issues, of dagster-io/dagster unless named.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from atlas_dagster.airbyte.refresh import refresh
from atlas_dagster.settings import load_settings
from atlas_dagster.warehouse import PgConnection
from atlas_dagster_tests.airbyte_server.double import BUSY, AirbyteDouble
from atlas_dagster_tests.airbyte_server.ledger import (
    Attempt,
    Connection,
    Ledger,
    Stats,
    failure,
    stream,
)
from atlas_dagster_tests.assets.daemon import Daemon
from atlas_dagster_tests.assets.observed_syncs.support import (
    counted,
    day_of,
    hear,
    materializations,
    observations,
    told,
    unsettled,
    untold,
)
from atlas_dagster_tests.assets.test_layers import run

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("heard_by", ["poll", "sync", "payload", "both"])
def test_766_mitodl_a_sync_that_airbyte_started_is_told_once_and_its_layers_are_requested_once(
    ledger: Ledger,
    crm: Connection,
    daemon: Daemon,
    warehouse: PgConnection,
    airbyte_server: AirbyteDouble,
    heard_by: str,
) -> None:
    ledger.plan(crm, attempts=counted(5))
    job = ledger.finished_job(crm, "sync")
    if heard_by != "poll":
        hear(warehouse, crm.id, job.id, "payload" if heard_by == "payload" else "sync")
    if heard_by in ("sync", "payload"):
        daemon.cursor = '{"since":"2026-01-01T00:00:00Z","updated_at":"2099-01-01T00:00:00Z"}'
    daemon.tick_until_quiet()
    (users,) = materializations(daemon.instance)
    del users["dagster/column_schema"]
    assert "| `users` | 5 | 50 |" in users.pop("atlas/sync")
    assert users == {
        "dagster/table_name": "atlas.landing.users",
        "atlas/job_id": job.id,
        "atlas/attempts": 1,
        "atlas/generation_id": 1,
        "atlas/records_emitted": 5,
        "atlas/records_committed": 5,
        "atlas/bytes_emitted": 50,
        "atlas/bytes_committed": 50,
        "atlas/duration_seconds": 30,
        "atlas/touched_days": [day_of(job)],
        "atlas/ended_at": job.updated_at.timestamp(),
        "atlas/started_by": "airbyte",
    }
    assert told(daemon.instance, "orders") == [job.id]
    assert daemon.requested == [f"crm/sync-{job.id}/{day_of(job)}"]
    assert daemon.refused == []
    assert unsettled(warehouse) == 0
    assert airbyte_server.count("jobs/get_without_logs") == 1


def test_3504_insight_a_sync_that_failed_tells_each_stream_what_became_of_it(
    ledger: Ledger, crm: Connection, daemon: Daemon
) -> None:
    stats = [
        Stats("users", None, 1, 1, status="COMPLETE"),
        Stats("orders", None, 0, 0, status="INCOMPLETE"),
    ]
    attempts = [Attempt("failed", stats, [failure("orders is locked", "config_error")])]
    ledger.plan(crm, attempts=attempts)
    job = ledger.finished_job(crm, "sync", "failed")
    daemon.tick_until_quiet()
    assert told(daemon.instance) == [job.id]
    assert told(daemon.instance, "orders") == []
    (event,) = observations(daemon.instance, "orders")
    assert event.description == "Airbyte's job 1000 failed: orders is locked (source, config_error)"
    assert {name: value.value for name, value in event.metadata.items()} == {
        "atlas/job_id": 1000,
        "atlas/job_type": "sync",
        "atlas/status": "failed",
        "atlas/failure": event.description,
        "atlas/duration_seconds": 30,
        "atlas/ended_at": job.updated_at.timestamp(),
        "atlas/started_by": "airbyte",
    }
    assert daemon.requested == [f"crm/sync-{job.id}/{day_of(job)}"]


@pytest.mark.parametrize(
    ("kind", "status", "text"),
    [
        ("sync", "cancelled", "Airbyte's job 1000 was cancelled, and does not say why"),
        ("clear", "succeeded", "Airbyte's job 1000 is a clear."),
        ("reset", "succeeded", "Airbyte's job 1000 is a reset."),
    ],
)
def test_what_brought_nothing_is_observed_once_and_materializes_nothing(
    ledger: Ledger, crm: Connection, daemon: Daemon, kind: str, status: str, text: str
) -> None:
    ledger.plan(crm, attempts=[Attempt(status, [])])
    ledger.finished_job(crm, kind, status)
    daemon.tick_until_quiet()
    assert told(daemon.instance) == []
    assert [event.description for event in observations(daemon.instance)] == [text]
    assert daemon.requested == []


def test_a_refresh_is_told_as_a_sync_is(ledger: Ledger, crm: Connection, daemon: Daemon) -> None:
    job = ledger.finished_job(crm, "refresh")
    daemon.tick_until_quiet()
    assert told(daemon.instance) == [job.id]
    assert len(daemon.requested) == 1


def test_what_airbyte_does_not_count_is_not_told_as_nothing(
    ledger: Ledger, crm: Connection, daemon: Daemon, airbyte_server: AirbyteDouble
) -> None:
    ledger.finished_job(crm, "sync")
    airbyte_server.misbehave("jobs/get_without_logs", BUSY)
    daemon.tick_until_quiet()
    (users,) = materializations(daemon.instance)
    assert "atlas/records_committed" not in users


def test_jobs_of_before_the_first_tick_are_history(
    ledger: Ledger, crm: Connection, daemon: Daemon, warehouse: PgConnection
) -> None:
    old = ledger.finished_job(crm, "sync")
    old.created_at = old.updated_at = ledger.first_job_at - timedelta(days=30)
    new = ledger.finished_job(crm, "sync")
    assert run(daemon.instance, "crm_sync").success  # records what it has missed
    daemon.tick_until_quiet()
    assert told(daemon.instance) == [new.id + 1, new.id]
    assert untold(warehouse) == []


def test_a_job_whose_end_was_written_late_is_heard_of_by_the_overlap(
    ledger: Ledger, crm: Connection, daemon: Daemon
) -> None:
    late, early = ledger.finished_job(crm, "sync"), ledger.finished_job(crm, "sync")
    late.updated_at = early.updated_at - timedelta(minutes=3)
    del ledger.jobs[late.id]
    daemon.tick_until_quiet()
    ledger.jobs[late.id] = late
    daemon.tick_until_quiet()
    assert told(daemon.instance) == [early.id, late.id]


def test_many_jobs_are_polled_in_pages(
    ledger: Ledger, crm: Connection, daemon: Daemon, airbyte_server: AirbyteDouble
) -> None:
    others = [ledger.add_connection(f"c{number}", stream("users")) for number in range(3)]
    refresh(load_settings())
    start = ledger.first_job_at
    for number in range(250):
        job = ledger.finished_job(others[number % 3], "sync", "failed")
        job.created_at = job.updated_at = start
    last = ledger.finished_job(crm, "sync")
    last.created_at = last.updated_at = start
    daemon.tick()
    assert told(daemon.instance) == [last.id]


def test_a_quiet_workspace_is_asked_three_questions_a_tick(
    ledger: Ledger, crm: Connection, daemon: Daemon, airbyte_server: AirbyteDouble
) -> None:
    daemon.tick()
    before = len(airbyte_server.requests)
    assert daemon.tick().skip_message == "nothing new"
    assert airbyte_server.requests[before:] == ["GET /api/public/v1/jobs"] * 3
