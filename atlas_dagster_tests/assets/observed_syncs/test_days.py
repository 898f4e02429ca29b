"""Layers of what Airbyte synced by itself: which days are requested, and that each is once."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import dagster as dg
import pytest

from atlas_dagster.airbyte.refresh import refresh
from atlas_dagster.settings import load_settings
from atlas_dagster.warehouse import PgConnection
from atlas_dagster_tests.airbyte_server.ledger import (
    Attempt,
    Connection,
    Ledger,
    Stats,
    stream,
)
from atlas_dagster_tests.assets.daemon import Daemon
from atlas_dagster_tests.assets.observed_syncs.support import (
    day_of,
    told,
    untold,
)
from atlas_dagster_tests.assets.test_layers import run
from atlas_dagster_tests.assets.test_server_runs import lands, refreshed
from atlas_dagster_tests.integration.project import day

pytestmark = pytest.mark.slow


def test_of_several_syncs_of_a_day_one_layer_run_follows(
    ledger: Ledger, crm: Connection, daemon: Daemon
) -> None:
    jobs = [ledger.finished_job(crm, "sync") for _ in range(3)]
    for job in jobs:
        job.created_at = job.updated_at = ledger.first_job_at
    daemon.tick_until_quiet()
    assert told(daemon.instance) == [job.id for job in jobs]
    assert daemon.requested == [f"crm/sync-{jobs[-1].id}/{day_of(jobs[0])}"]


def test_a_sync_across_midnight_requests_both_days(
    ledger: Ledger, crm: Connection, daemon: Daemon
) -> None:
    job = ledger.finished_job(crm, "sync")
    midnight = datetime.fromisoformat(f"{day()}T00:00:00+00:00")
    job.created_at, job.updated_at = midnight - timedelta(minutes=1), midnight
    daemon.cursor = '{"since":"2026-01-01T00:00:00Z","updated_at":"2026-01-01T00:00:00Z"}'
    daemon.tick_until_quiet()
    assert daemon.requested == [f"crm/sync-{job.id}/{d}" for d in (day(1), day())]


def test_days_beyond_the_partitions_are_requested_as_the_partition_that_holds_them(
    ledger: Ledger, crm: Connection, daemon: Daemon
) -> None:
    job = ledger.finished_job(crm, "sync")
    job.created_at = job.updated_at = datetime(2019, 12, 31, 12, tzinfo=timezone.utc)
    daemon.cursor = '{"since":"2019-01-01T00:00:00Z","updated_at":"2019-01-01T00:00:00Z"}'
    daemon.tick_until_quiet()
    assert daemon.requested == [f"crm/sync-{job.id}/2020-01-01"]


def test_the_layers_that_were_requested_build_what_airbyte_synced(
    ledger: Ledger, daemon: Daemon, warehouse: PgConnection
) -> None:
    crm = ledger.add_connection("crm", refreshed("users"))
    refresh(load_settings())
    for rows in ({1: "Anna", 2: "Ben", 3: "Cleo"}, {1: "Anna", 2: "Ben"}):
        stats = [Stats("users", None, len(rows), len(rows), 10)]
        ledger.plan(crm, attempts=[Attempt("succeeded", stats)], lands=lands(warehouse, rows))
        job = ledger.finished_job(crm, "sync")
        daemon.tick()
        assert run(daemon.instance, "crm_layers", day_of(job)).success
    assert warehouse.execute(
        "select id, _atlas_closed_by from navigate.crm__users where not _atlas_is_current"
    ).fetchall() == [(3, "delete")]


def test_layer_runs_that_a_person_cancelled_are_not_requested_again(
    ledger: Ledger, crm: Connection, daemon: Daemon, warehouse: PgConnection
) -> None:
    ledger.finished_job(crm, "sync")
    daemon.tick()
    (queued,) = daemon.instance.get_runs(dg.RunsFilter(job_name="crm_layers"))
    daemon.instance.report_run_canceled(queued)
    daemon.tick_until_quiet()
    assert daemon.refused == []
    assert untold(warehouse) == []


def test_a_connection_without_layers_is_told_and_requests_none(
    ledger: Ledger, daemon: Daemon
) -> None:
    odd = ledger.add_destination("bigquery")
    crm = ledger.add_connection("crm", stream("users"), destination_id=odd)
    refresh(load_settings())
    job = ledger.finished_job(crm, "sync")
    daemon.tick_until_quiet()
    assert (told(daemon.instance), daemon.requested) == ([job.id], [])


def test_layers_that_wait_for_that_day_already_are_not_requested_again(
    ledger: Ledger, crm: Connection, daemon: Daemon
) -> None:
    first = ledger.finished_job(crm, "sync")
    daemon.tick()
    second = ledger.finished_job(crm, "sync")
    second.created_at = second.updated_at = first.updated_at
    daemon.tick_until_quiet()
    assert told(daemon.instance) == [first.id, second.id]
    assert daemon.requested == [f"crm/sync-{first.id}/{day_of(first)}"]
