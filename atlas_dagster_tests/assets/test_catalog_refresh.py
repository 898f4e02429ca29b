"""The sensor `airbyte_catalog`: when it fetches, what it has reloaded, and what it shows."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import dagster as dg
import pytest

from atlas_dagster.airbyte import observe
from atlas_dagster.airbyte.http import Retries
from atlas_dagster.airbyte.refresh import refresh
from atlas_dagster.airbyte.snapshot import load_snapshot
from atlas_dagster.assets import catalog_refresh
from atlas_dagster.defs import code_location
from atlas_dagster.settings import load_settings
from atlas_dagster.warehouse import PgConnection
from atlas_dagster_tests.airbyte.api import environment
from atlas_dagster_tests.airbyte_server.double import BUSY, AirbyteDouble
from atlas_dagster_tests.airbyte_server.ledger import Connection, Ledger, stream
from atlas_dagster_tests.assets.daemon import Daemon
from atlas_dagster_tests.integration.project import Project

pytestmark = pytest.mark.slow

WORKSPACE = dg.AssetKey(["airbyte_workspace"])
READS = "connections/get$"


class Clock:
    """The time that the sensor goes by."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def time(self) -> float:
        return self.now


@pytest.fixture
def ledger(
    project: Project, airbyte_server: AirbyteDouble, monkeypatch: pytest.MonkeyPatch
) -> Ledger:
    monkeypatch.setattr(observe, "IMPATIENT", Retries(most=1))
    for name, value in environment(airbyte_server).items():
        monkeypatch.setenv(name, value)
    return airbyte_server.ledger


@pytest.fixture
def crm(ledger: Ledger) -> Connection:
    crm = ledger.add_connection("crm", stream("users"))
    refresh(load_settings())
    return crm


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(catalog_refresh, "time", clock)
    return clock


@pytest.fixture
def daemon(
    instance: dg.DagsterInstance, crm: Connection, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> Daemon:
    """A daemon whose code location stays as it was loaded."""
    loaded = code_location.build_code_location()
    monkeypatch.setattr("atlas_dagster_tests.assets.daemon.build_code_location", lambda: loaded)
    return Daemon(instance, "airbyte_catalog")


def shown(instance: dg.DagsterInstance) -> list[dict[str, Any]]:
    """What the workspace's asset has shown so far: its descriptions and metadata."""
    found = instance.fetch_observations(WORKSPACE, limit=100, ascending=True).records
    events = [record.event_log_entry.asset_observation for record in found]
    return [
        {"text": event.description, **{k: v.value for k, v in event.metadata.items()}}
        for event in events
        if event
    ]


def hear(warehouse: PgConnection, kind: str, refusal: str | None = None) -> None:
    warehouse.execute(
        "insert into pipeline.notice (kind, fingerprint, source, settled_at, refusal)"
        " values (%s, gen_random_uuid()::text, 'webhook', %s, %s)",
        (kind, datetime.now(timezone.utc) if refusal else None, refusal),
    )


def fetched_slugs() -> list[str]:
    snapshot = load_snapshot(load_settings())
    assert snapshot
    return [stored.slug for stored in snapshot.connections]


def test_a_catalog_that_has_not_changed_is_not_fetched_again(
    daemon: Daemon, clock: Clock, airbyte_server: AirbyteDouble
) -> None:
    daemon.tick()
    reads = airbyte_server.count(READS)
    for _ in range(5):
        clock.now += 300
        assert daemon.tick().skip_message == "nothing new"
    assert airbyte_server.count(READS) == reads
    assert shown(daemon.instance) == []


def test_between_two_looks_nobody_is_asked(
    daemon: Daemon, clock: Clock, airbyte_server: AirbyteDouble
) -> None:
    daemon.tick()
    before = len(airbyte_server.requests)
    for _ in range(9):
        clock.now += 30
        assert daemon.tick().skip_message == "nothing new"
    assert len(airbyte_server.requests) == before


def test_a_schema_is_not_in_the_list_so_all_is_fetched_every_hour(
    daemon: Daemon, clock: Clock, crm: Connection
) -> None:
    daemon.tick()
    crm.entries[0]["stream"]["jsonSchema"]["properties"]["name"] = {"type": "string"}
    clock.now += 300
    assert daemon.tick().skip_message == "nothing new"
    clock.now += 3300
    assert str(daemon.tick().skip_message).startswith("crm has changed; ")


@pytest.mark.parametrize("kind", ["schema", "connection"])
def test_a_notice_has_the_catalog_fetched_at_once_and_is_settled(
    daemon: Daemon, clock: Clock, crm: Connection, warehouse: PgConnection, kind: str
) -> None:
    daemon.tick()
    crm.entries[0]["stream"]["jsonSchema"]["properties"]["name"] = {"type": "string"}
    hear(warehouse, kind)
    clock.now += 30
    assert str(daemon.tick().skip_message).startswith("crm has changed; ")
    assert warehouse.execute(
        "select count(*) from pipeline.notice where settled_at is null"
    ).fetchall() == [(0,)]


def test_what_has_changed_is_said_until_the_code_location_is_reloaded(
    daemon: Daemon, clock: Clock, ledger: Ledger, crm: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.add_connection("shop", stream("carts"))
    ask = "reload the code location (ATLAS_DAGSTER_WEBSERVER_URL is not set)"
    assert daemon.tick().skip_message == f"shop is new; {ask}"
    assert fetched_slugs() == ["crm", "shop"]
    (event,) = shown(daemon.instance)
    assert event["text"] == (
        "Changed: shop is new. Reload the code location, unless it reloads by itself."
    )
    clock.now += 30
    assert daemon.tick().skip_message == "shop is new"
    again = code_location.build_code_location()
    monkeypatch.setattr("atlas_dagster_tests.assets.daemon.build_code_location", lambda: again)
    clock.now += 300
    assert daemon.tick().skip_message == "nothing new"
    assert shown(daemon.instance)[-1]["text"] == "The catalog is as the definitions have it."


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda crm: setattr(crm, "status", "inactive"), "crm has changed"),
        (lambda crm: setattr(crm, "prefix", "p_"), "crm has changed"),
        (lambda crm: setattr(crm, "status", "deprecated"), "crm is gone"),
        (lambda crm: crm.entries.append(stream("orders")), "crm has changed"),
    ],
)
def test_what_definitions_are_made_of_is_watched(
    daemon: Daemon, crm: Connection, change: Any, said: str
) -> None:
    change(crm)
    assert str(daemon.tick().skip_message).startswith(f"{said}; ")


def test_what_definitions_are_not_made_of_reloads_nothing(
    daemon: Daemon, clock: Clock, crm: Connection, warehouse: PgConnection
) -> None:
    daemon.tick()
    crm.entries[0]["config"]["generationId"] = 7
    hear(warehouse, "schema")
    clock.now += 30
    assert daemon.tick().skip_message == "nothing new"


def test_airbyte_that_is_down_is_shown_once_and_so_is_its_return(
    daemon: Daemon, clock: Clock, airbyte_server: AirbyteDouble
) -> None:
    daemon.tick()
    airbyte_server.misbehave(".*", BUSY, times=1000)
    for seconds in (300, 30, 300, 30):  # asked again, or not: it is said at each tick
        clock.now += seconds
        assert "503" in str(daemon.tick().skip_message)
    airbyte_server.behave()
    clock.now += 300
    daemon.tick()
    down, back = shown(daemon.instance)
    assert down["text"].startswith("Stale: Airbyte answered 503 to GET /api/public/v1/connections")
    assert down["atlas/catalog_stale"] in down["text"]
    assert back["text"] == "The catalog is as the definitions have it."


def test_a_catalog_that_a_refresh_left_stale_is_fetched_as_soon_as_airbyte_answers(
    daemon: Daemon, clock: Clock, airbyte_server: AirbyteDouble
) -> None:
    daemon.tick()
    airbyte_server.misbehave(".*", BUSY)
    assert refresh(load_settings(), Retries(most=1)).failure
    clock.now += 300
    daemon.tick()
    snapshot = load_snapshot(load_settings())
    assert snapshot
    assert snapshot.failure is None


def test_a_notice_waits_while_airbyte_is_down(
    daemon: Daemon, clock: Clock, airbyte_server: AirbyteDouble, warehouse: PgConnection
) -> None:
    hear(warehouse, "schema")
    airbyte_server.misbehave(".*", BUSY, times=1000)
    daemon.tick()
    unsettled = "select count(*) from pipeline.notice where settled_at is null"
    assert warehouse.execute(unsettled).fetchall() == [(1,)]
    airbyte_server.behave()
    daemon.tick()
    assert warehouse.execute(unsettled).fetchall() == [(0,)]


def test_what_was_refused_is_shown_when_it_grows(
    daemon: Daemon, clock: Clock, warehouse: PgConnection
) -> None:
    hear(warehouse, "sync", "no connection x in the workspace")
    hear(warehouse, "sync", "no connection x in the workspace")
    warehouse.execute(
        "insert into pipeline.webhook_refusal (reason, hour, times, last_at) values"
        " ('wrong token', '2027-01-01 08:00Z', 40, '2027-01-01 08:59Z'),"
        " ('wrong token', '2027-01-01 09:00Z', 2, '2027-01-01 09:01Z'),"
        " ('too long', '2027-01-01 08:00Z', 1, '2027-01-01 08:01Z')"
    )
    for _ in range(2):
        daemon.tick()
        clock.now += 300
    (event,) = shown(daemon.instance)
    assert event["text"] == (
        "2 notices led to nothing. 43 webhook requests were refused; the last: wrong token."
    )
    assert event["atlas/notices_refused"] == 2
    assert event["atlas/webhook_requests_refused"] == 43
    assert event["atlas/refused_webhook_requests"] == (
        "- wrong token: 42, last at 2027-01-01 09:01:00 UTC\n"
        "- too long: 1, last at 2027-01-01 08:01:00 UTC"
    )
    assert event["atlas/refused_notices"].startswith("- no connection x in the workspace: 2, ")
    warehouse.execute("update pipeline.webhook_refusal set times = times + 1")
    daemon.tick()
    assert len(shown(daemon.instance)) == 2


def test_a_connection_that_cannot_be_read_is_shown_and_reloads_nothing(
    daemon: Daemon, clock: Clock, ledger: Ledger, crm: Connection, warehouse: PgConnection
) -> None:
    daemon.tick()
    crm.entries[0]["config"]["primaryKey"] = "id"
    hear(warehouse, "connection")
    daemon.tick()
    (event,) = shown(daemon.instance)
    assert event["atlas/problems"].startswith(r"- crm: connection crm: syncCatalog.streams\[0\]")
    assert "atlas/changed" not in event


def test_what_was_settled_a_month_ago_is_forgotten(daemon: Daemon, warehouse: PgConnection) -> None:
    hear(warehouse, "sync", "old")
    warehouse.execute("update pipeline.notice set settled_at = now() - interval '31 days'")
    hear(warehouse, "sync", "young")
    daemon.tick()
    assert warehouse.execute("select refusal from pipeline.notice").fetchall() == [("young",)]
