"""A daemon that dies and an Airbyte that is down: every sync is told, and told once."""

from __future__ import annotations

import pytest

from atlas_dagster.warehouse import PgConnection
from atlas_dagster_tests.airbyte_server.double import BUSY, AirbyteDouble
from atlas_dagster_tests.airbyte_server.ledger import (
    Attempt,
    Connection,
    Ledger,
)
from atlas_dagster_tests.assets.daemon import Daemon
from atlas_dagster_tests.assets.observed_syncs.support import (
    hear,
    observations,
    told,
    unsettled,
    untold,
)

pytestmark = pytest.mark.slow


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
