"""Syncs that Dagster did not start: each is told once, and so are the days of its layers.

The problems that a test is named after are GitHub issues, of dagster-io/dagster unless named.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

import dagster as dg
import pytest

from atlas_dagster.airbyte import observe
from atlas_dagster.airbyte.http import Retries
from atlas_dagster.airbyte.jobs import take_lock
from atlas_dagster.airbyte.refresh import refresh
from atlas_dagster.assets import run_ends
from atlas_dagster.settings import load_settings
from atlas_dagster.warehouse import PgConnection, connect
from atlas_dagster_tests.airbyte.api import environment
from atlas_dagster_tests.airbyte_server.double import BUSY, AirbyteDouble
from atlas_dagster_tests.airbyte_server.ledger import (
    Attempt,
    Connection,
    Job,
    Ledger,
    Stats,
    failure,
    stream,
)
from atlas_dagster_tests.assets.daemon import Daemon
from atlas_dagster_tests.assets.test_layers import run
from atlas_dagster_tests.assets.test_server_runs import lands, refreshed
from atlas_dagster_tests.integration.project import Project, day

pytestmark = pytest.mark.slow

TODAY, YESTERDAY = day(), day(1)


@pytest.fixture
def ledger(
    project: Project, airbyte_server: AirbyteDouble, monkeypatch: pytest.MonkeyPatch
) -> Ledger:
    """The workspace of a server that the environment names; its jobs begin twelve hours ago."""
    monkeypatch.setattr(observe, "IMPATIENT", Retries(most=1))
    for name, value in environment(airbyte_server).items():
        monkeypatch.setenv(name, value)
    hour = datetime.now(timezone.utc).replace(minute=0, second=0, microsecond=0)
    airbyte_server.ledger.first_job_at = hour - timedelta(hours=12)
    return airbyte_server.ledger


@pytest.fixture
def crm(ledger: Ledger) -> Connection:
    """A connection of two streams, which the definitions have."""
    crm = ledger.add_connection("crm", stream("users"), stream("orders"))
    refresh(load_settings())
    return crm


@pytest.fixture
def daemon(instance: dg.DagsterInstance) -> Daemon:
    return Daemon(instance, "observed_syncs")


def told(instance: dg.DagsterInstance, asset: str = "users") -> list[int]:
    """The jobs that an asset was materialized by, oldest first."""
    return [int(m["atlas/job_id"]) for m in materializations(instance, asset)]


def materializations(instance: dg.DagsterInstance, asset: str = "users") -> list[dict[str, Any]]:
    key = dg.AssetKey(["airbyte", "crm", asset])
    found = instance.fetch_materializations(key, limit=100, ascending=True).records
    return [
        {name: value.value for name, value in record.asset_materialization.metadata.items()}
        for record in found
        if record.asset_materialization
    ]


def observations(instance: dg.DagsterInstance, asset: str = "users") -> list[dg.AssetObservation]:
    key = dg.AssetKey(["airbyte", "crm", asset])
    found = instance.fetch_observations(key, limit=100, ascending=True).records
    events = [record.event_log_entry.asset_observation for record in found]
    return [event for event in events if event]


def hear(
    warehouse: PgConnection, connection_id: str | None, job_id: int | None, kind: str = "sync"
) -> None:
    """What the webhook receiver leaves; what it hears again only counts."""
    warehouse.execute(
        "insert into pipeline.notice as n (kind, fingerprint, connection_id, job_id, source)"
        " values (%s, %s, %s, %s, 'webhook')"
        " on conflict (fingerprint) do update set times = n.times + 1",
        (kind, f"{kind}/{connection_id}/{job_id}/succeeded", connection_id, job_id),
    )


def unsettled(warehouse: PgConnection) -> int:
    (row,) = warehouse.execute(
        "select count(*) from pipeline.notice where settled_at is null"
    ).fetchall()
    return row[0]


def refusals(warehouse: PgConnection) -> list[str]:
    rows = warehouse.execute(
        "select refusal from pipeline.notice where refusal is not null order by notice_id"
    ).fetchall()
    return [row[0] for row in rows]


def counted(records: int) -> Sequence[Attempt]:
    return [Attempt("succeeded", [Stats("users", None, records, records, 10 * records)])]


def day_of(job: Job) -> str:
    return job.created_at.date().isoformat()


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
        "atlas/started_by": "airbyte",
    }
    assert told(daemon.instance, "orders") == [job.id]
    assert daemon.requested == [f"crm/sync-{job.id}/{day_of(job)}"]
    assert daemon.refused == []
    assert unsettled(warehouse) == 0
    assert airbyte_server.count("jobs/get_without_logs") == 1


def test_a_webhook_that_is_replayed_tells_nothing_twice(
    ledger: Ledger, crm: Connection, daemon: Daemon, warehouse: PgConnection
) -> None:
    job = ledger.finished_job(crm, "sync")
    for _ in range(3):
        for _ in range(100):
            hear(warehouse, crm.id, job.id)
        daemon.tick()
    assert told(daemon.instance) == [job.id]
    assert len(daemon.requested) == 1


def test_a_webhook_tells_of_the_one_before_that_was_lost_too_and_in_order(
    ledger: Ledger,
    crm: Connection,
    daemon: Daemon,
    warehouse: PgConnection,
    airbyte_server: AirbyteDouble,
) -> None:
    lost, heard = ledger.finished_job(crm, "sync"), ledger.finished_job(crm, "sync")
    hear(warehouse, crm.id, heard.id)
    daemon.tick_until_quiet()
    assert told(daemon.instance) == [lost.id, heard.id]


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
    midnight = datetime.fromisoformat(f"{TODAY}T00:00:00+00:00")
    job.created_at, job.updated_at = midnight - timedelta(minutes=1), midnight
    daemon.cursor = '{"since":"2026-01-01T00:00:00Z","updated_at":"2026-01-01T00:00:00Z"}'
    daemon.tick_until_quiet()
    assert daemon.requested == [f"crm/sync-{job.id}/{d}" for d in (YESTERDAY, TODAY)]


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


def test_a_sync_that_a_run_followed_and_told_is_only_marked(
    ledger: Ledger, crm: Connection, daemon: Daemon, warehouse: PgConnection
) -> None:
    assert run(daemon.instance, "crm_sync").success
    data = daemon.tick()
    assert (data.asset_events, data.run_requests) == ([], [])
    assert told(daemon.instance) == [1000]
    assert untold(warehouse) == []


def untold(warehouse: PgConnection) -> list[int]:
    rows = warehouse.execute(
        "select job_id from pipeline.sync where told_at is null order by job_id"
    ).fetchall()
    return [row[0] for row in rows]


def test_a_run_that_is_alive_tells_of_its_sync_itself(
    ledger: Ledger, crm: Connection, daemon: Daemon, warehouse: PgConnection
) -> None:
    run_id = begun(daemon.instance, dg.DagsterRunStatus.STARTED)
    job = ledger.finished_job(crm, "sync")
    opened(warehouse, crm, job, run_id)
    daemon.tick()
    assert told(daemon.instance) == []
    later = ledger.finished_job(crm, "sync")
    daemon.tick()
    assert told(daemon.instance) == []  # nor what came after it
    daemon.instance.report_run_failed(daemon.instance.get_run_by_id(run_id))
    daemon.tick_until_quiet()
    assert told(daemon.instance) == [job.id, later.id]


def begun(instance: dg.DagsterInstance, status: dg.DagsterRunStatus) -> str:
    """A run of the connection's sync that has got this far."""
    from atlas_dagster.defs.code_location import build_code_location

    job = build_code_location().resolve_job_def("crm_sync")
    return instance.create_run_for_job(job, status=status).run_id


def opened(warehouse: PgConnection, crm: Connection, job: Job, run_id: str) -> None:
    """What a run writes when it has found its job."""
    warehouse.execute(
        "insert into pipeline.sync (connection_id, job_id, status, run_id)"
        " values (%s, %s, 'running', %s)",
        (crm.id, job.id, run_id),
    )


def test_10680_a_run_that_was_killed_before_it_told_has_its_sync_told_for_it(
    ledger: Ledger, crm: Connection, daemon: Daemon, warehouse: PgConnection
) -> None:
    run_id = begun(daemon.instance, dg.DagsterRunStatus.FAILURE)
    job = ledger.finished_job(crm, "sync")
    opened(warehouse, crm, job, run_id)
    daemon.tick_until_quiet()
    (users,) = materializations(daemon.instance)
    assert users["atlas/job_id"] == job.id
    assert "atlas/started_by" not in users  # Dagster did
    assert daemon.requested == [f"crm/sync-{job.id}/{day_of(job)}"]


def test_a_run_that_was_killed_while_it_told_has_the_rest_told_and_only_its_layers_requested(
    ledger: Ledger,
    crm: Connection,
    daemon: Daemon,
    warehouse: PgConnection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the run materialized itself, the sensor `layer_runs` reads: together, once a day."""
    monkeypatch.setattr(run_ends, "SETTLE_SECONDS", 0.0)
    ledger.plan(crm, attempts=[Attempt("succeeded", [Stats("users", None, 1, 1, 1)])])
    assert run(daemon.instance, "crm_sync").success
    warehouse.execute("update pipeline.sync_stream set touched_days = array[current_date]")
    daemon.instance.wipe_assets([dg.AssetKey(["airbyte", "crm", "orders"])])
    others = Daemon(daemon.instance, "layer_runs")
    others.tick()
    daemon.tick_until_quiet()
    assert (told(daemon.instance), told(daemon.instance, "orders")) == ([1000], [1000])
    assert others.requested == [f"crm/sync-1000/{TODAY}"]
    assert daemon.requested == []


@pytest.mark.parametrize("reported", [0, 1, 2])
def test_a_daemon_that_dies_before_it_saves_a_tick_tells_the_rest_once(
    ledger: Ledger, crm: Connection, daemon: Daemon, reported: int
) -> None:
    job = ledger.finished_job(crm, "sync")
    data = daemon.evaluate()
    daemon.report(*data.asset_events[:reported])
    daemon.tick_until_quiet()
    assert (told(daemon.instance), told(daemon.instance, "orders")) == ([job.id], [job.id])
    assert len(daemon.requested) == 1


def test_a_daemon_that_dies_before_it_reports_what_brought_nothing_tells_it_later(
    ledger: Ledger, crm: Connection, daemon: Daemon
) -> None:
    ledger.plan(crm, attempts=[Attempt("cancelled", [])])
    ledger.finished_job(crm, "sync", "cancelled")
    daemon.evaluate()
    daemon.tick_until_quiet()
    assert len(observations(daemon.instance)) == 1


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


def test_a_sync_that_is_not_known_to_be_told_stays_due(
    ledger: Ledger, crm: Connection, daemon: Daemon, warehouse: PgConnection
) -> None:
    job = ledger.finished_job(crm, "sync")
    daemon.evaluate()
    assert untold(warehouse) == [job.id]
    daemon.tick()
    assert untold(warehouse) == [job.id]
    daemon.tick()
    assert untold(warehouse) == []


def test_a_tick_that_comes_late_finds_what_was_told_behind_newer_events(
    ledger: Ledger, crm: Connection, daemon: Daemon
) -> None:
    first, second = ledger.finished_job(crm, "sync"), ledger.finished_job(crm, "sync")
    data = daemon.evaluate()
    daemon.report(*data.asset_events)  # both jobs, and the tick is lost
    daemon.tick_until_quiet()
    assert told(daemon.instance) == [first.id, second.id]


def test_a_connection_that_a_run_syncs_is_left_for_the_next_tick(
    ledger: Ledger, crm: Connection, daemon: Daemon, warehouse: PgConnection, warehouse_url: str
) -> None:
    job = ledger.finished_job(crm, "sync")
    with connect(warehouse_url) as theirs:
        take_lock(theirs, crm.id, "crm")
        data = daemon.tick()
        assert data.skip_message == "nothing new; crm is being synced by a run"
        assert unsettled(warehouse) == 1
    daemon.tick_until_quiet()
    assert told(daemon.instance) == [job.id]


def test_airbyte_that_is_down_loses_nothing(
    ledger: Ledger,
    crm: Connection,
    daemon: Daemon,
    warehouse: PgConnection,
    airbyte_server: AirbyteDouble,
) -> None:
    daemon.tick()
    before = daemon.cursor
    job = ledger.finished_job(crm, "sync")
    hear(warehouse, crm.id, job.id)
    airbyte_server.misbehave(".*", BUSY, times=1000)
    data = daemon.tick()
    assert data.skip_message is not None
    assert data.skip_message.startswith("nothing new; Airbyte answered 503 to GET ")
    assert (daemon.cursor, unsettled(warehouse)) == (before, 1)
    airbyte_server.behave()
    daemon.tick_until_quiet()
    assert told(daemon.instance) == [job.id]


def test_airbyte_that_goes_down_in_the_middle_keeps_what_was_heard(
    ledger: Ledger,
    crm: Connection,
    daemon: Daemon,
    warehouse: PgConnection,
    airbyte_server: AirbyteDouble,
) -> None:
    job = ledger.finished_job(crm, "sync")
    airbyte_server.misbehave("POST|GET .*/jobs/", BUSY, times=1000)
    daemon.tick()
    assert (told(daemon.instance), unsettled(warehouse)) == ([], 1)
    airbyte_server.behave()
    daemon.tick_until_quiet()
    assert told(daemon.instance) == [job.id]


def test_what_is_told_goes_on_while_airbyte_is_down(
    ledger: Ledger, crm: Connection, daemon: Daemon, airbyte_server: AirbyteDouble
) -> None:
    job = ledger.finished_job(crm, "sync")
    daemon.evaluate()  # recorded; the daemon dies
    airbyte_server.misbehave(".*", BUSY, times=1000)
    daemon.tick()
    assert told(daemon.instance) == [job.id]


def test_a_connection_that_is_not_in_the_workspace_is_refused_and_stops_no_other(
    ledger: Ledger,
    crm: Connection,
    daemon: Daemon,
    warehouse: PgConnection,
    airbyte_server: AirbyteDouble,
) -> None:
    hear(warehouse, "3f0c7c0e-0000-4000-8000-000000000000", 12)
    job = ledger.finished_job(crm, "sync")
    reads = airbyte_server.count("connections/get$")
    daemon.tick_until_quiet()
    assert refusals(warehouse) == [
        "no connection 3f0c7c0e-0000-4000-8000-000000000000 in the workspace"
    ]
    assert told(daemon.instance) == [job.id]
    assert airbyte_server.count("connections/get$") == reads  # the list of them was enough


def test_a_connection_that_is_new_is_fetched_and_told_and_its_layers_wait_for_a_reload(
    ledger: Ledger, crm: Connection, daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    from atlas_dagster.defs import code_location

    before = code_location.build_code_location()
    shop = ledger.add_connection("shop", stream("carts"))
    job = ledger.finished_job(shop, "sync")
    with monkeypatch.context() as patch:
        patch.setattr("atlas_dagster_tests.assets.daemon.build_code_location", lambda: before)
        daemon.tick()
        data = daemon.tick()
        assert data.skip_message == (
            "nothing new; shop is new, and its layers wait: reload the code location"
        )
    key = dg.AssetKey(["airbyte", "shop", "carts"])
    assert len(daemon.instance.fetch_materializations(key, limit=9).records) == 1
    daemon.tick_until_quiet()
    assert daemon.requested == [f"shop/sync-{job.id}/{day_of(job)}"]


@pytest.mark.parametrize(
    ("job_id", "reason"),
    [
        (77, "Airbyte has no job 77"),
        (1001, "job 1001 is none of crm"),
        (1002, "job 1002 has not ended: it is running"),
    ],
)
def test_a_job_that_a_webhook_only_claims_is_refused(
    ledger: Ledger,
    crm: Connection,
    daemon: Daemon,
    warehouse: PgConnection,
    job_id: int,
    reason: str,
) -> None:
    mine = ledger.finished_job(crm, "sync")
    other = ledger.add_connection("shop", stream("carts"))
    refresh(load_settings())
    ledger.finished_job(other, "sync")
    ledger.plan(crm, "running", "running", "running", "running", "succeeded")
    ledger.start_job(crm.id)
    hear(warehouse, crm.id, job_id)
    daemon.tick_until_quiet()
    assert refusals(warehouse) == [reason]
    assert told(daemon.instance) == [mine.id]


def test_a_job_that_a_webhook_told_of_too_early_is_told_when_it_has_ended(
    ledger: Ledger, crm: Connection, daemon: Daemon, warehouse: PgConnection
) -> None:
    ledger.plan(crm, *["running"] * 9)
    job = ledger.start_job(crm.id)
    hear(warehouse, crm.id, job.id)
    daemon.tick()
    job.script = ["succeeded"]
    job.look()
    daemon.tick_until_quiet()
    assert told(daemon.instance) == [job.id]


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
