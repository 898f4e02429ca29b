"""Syncs that a run of Dagster's followed: it tells of them itself, unless it died.

The problems that a test is named after are GitHub issues, of dagster-io/dagster unless named.
"""

from __future__ import annotations

import dagster as dg
import pytest

from atlas_dagster.airbyte.jobs import take_lock
from atlas_dagster.assets import run_ends
from atlas_dagster.warehouse import PgConnection, connect
from atlas_dagster_tests.airbyte_server.ledger import (
    Attempt,
    Connection,
    Ledger,
    Stats,
)
from atlas_dagster_tests.assets.daemon import Daemon
from atlas_dagster_tests.assets.observed_syncs.support import (
    begun,
    day_of,
    materializations,
    opened,
    told,
    unsettled,
    untold,
)
from atlas_dagster_tests.assets.test_layers import run

pytestmark = pytest.mark.slow


def test_a_sync_that_a_run_followed_and_told_is_only_marked(
    ledger: Ledger, crm: Connection, daemon: Daemon, warehouse: PgConnection
) -> None:
    assert run(daemon.instance, "crm_sync").success
    data = daemon.tick()
    assert (data.asset_events, data.run_requests) == ([], [])
    assert told(daemon.instance) == [1000]
    assert untold(warehouse) == []


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
    run = daemon.instance.get_run_by_id(run_id)
    assert run
    daemon.instance.report_run_failed(run)
    daemon.tick_until_quiet()
    assert told(daemon.instance) == [job.id, later.id]


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
    day = day_of(ledger.jobs[1000])
    warehouse.execute("update pipeline.sync_stream set touched_days = array[%s::date]", (day,))
    daemon.instance.wipe_assets([dg.AssetKey(["airbyte", "crm", "orders"])])
    others = Daemon(daemon.instance, "layer_runs")
    others.tick()
    daemon.tick_until_quiet()
    assert (told(daemon.instance), told(daemon.instance, "orders")) == ([1000], [1000])
    assert others.requested == [f"crm/sync-1000/{day}"]
    assert daemon.requested == []


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
