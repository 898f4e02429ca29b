"""Deliveries, rounds of sending them, and what must be on the platform in the end."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from atlas_dagster.http_retries import Retries
from atlas_dagster.qalita.content import (
    MARKER,
    SOURCE,
    Content,
    Level,
    Perimeter,
    recommendation,
    schema,
    scope,
)
from atlas_dagster.qalita.deliveries import Delivery, write_deliveries
from atlas_dagster.qalita.mapping import QalitaMapping, Route, Subject
from atlas_dagster.qalita.objects import JobStatus
from atlas_dagster.qalita.protocol import Report
from atlas_dagster.qalita.sender import LOCK, Round, send_due
from atlas_dagster.qalita.targets import Targets
from atlas_dagster.warehouse import PgConnection, lock_key
from atlas_dagster_tests.qalita.support import open_api
from atlas_dagster_tests.qalita_server.double import QalitaDouble

SUBJECT = Subject("id-1", "shop", "Shop", "orders", "Orders")
OTHER = Subject("id-2", "crm", "CRM", "users", "users")
START = datetime(2026, 11, 23, 12, tzinfo=timezone.utc)
ONE_TRY = Retries(most=1)
DATASET = scope(Perimeter.DATASET, SOURCE)


def delivery(key: str, subject: Subject = SUBJECT, columns: str = "ab", **more: Any) -> Delivery:
    """A delivery whose items all tell whose they are; the columns are its schema."""
    content = Content(
        schemas=[
            schema(Perimeter.DATASET, SOURCE),
            *(schema(Perimeter.COLUMN, name, DATASET) for name in columns),
        ],
        metrics=[{"key": f"m{n}", "value": f"{key} {n}", "scope": DATASET} for n in range(3)],
        recommendations=[recommendation(f"look at {key}", "t", DATASET, Level.WARNING)],
    )
    known: dict[str, Any] = {
        "status": JobStatus.SUCCEEDED,
        "started_at": START,
        "ended_at": START + timedelta(seconds=5),
        "content": content,
    }
    return Delivery(key, subject, Report(**{**known, **more}))


def write(connection: PgConnection, *keys: str, subject: Subject = SUBJECT) -> None:
    write_deliveries(connection, [delivery(key, subject) for key in keys])


def mapping(default: int | None = 1, **sources: int) -> QalitaMapping:
    """Routes by connection to a source; the pack is the first, in its newest version."""
    routes = {
        name: Route(f"config/qalita.json:2: connection_map.{name}", source_id, None, 1, None)
        for name, source_id in sources.items()
    }
    others = Route("config/qalita.json:9: default", default, None, 1, None)
    return QalitaMapping("config/qalita.json", routes, others if default else None)


def send(
    connection: PgConnection,
    double: QalitaDouble,
    routes: QalitaMapping | None = None,
    retries: Retries = ONE_TRY,
    **changes: Any,
) -> Round:
    """One round, by a sender that has just started."""
    api = open_api(double, retries, **{"settle_seconds": 3600.0, **changes})
    try:
        return send_due(connection, api, Targets(api, routes or mapping()))
    finally:
        api.http.close()


def settle(connection: PgConnection) -> None:
    """Let time pass: all that waits is due."""
    connection.execute("update pipeline.qalita_delivery set due_at = now()")


def send_all(connection: PgConnection, double: QalitaDouble, **more: Any) -> None:
    """Rounds until nothing waits, as soon as PostgreSQL knows that other senders have gone."""
    lock = (lock_key(LOCK),)
    connection.execute("select pg_advisory_lock(%s)", lock)
    connection.execute("select pg_advisory_unlock(%s)", lock)
    for _ in range(20):
        settle(connection)
        send(connection, double, **more)
        if set(states(connection).values()) <= {"done", "parked"}:
            return
    raise AssertionError(states(connection))


def states(connection: PgConnection) -> dict[str, str]:
    rows = connection.execute(
        "select key, state from pipeline.qalita_delivery order by delivery_id"
    )
    return dict(rows.fetchall())


def due(connection: PgConnection) -> dict[str, float]:
    """In how many seconds each is due."""
    rows = connection.execute(
        "select key, extract(epoch from due_at - now())::float from pipeline.qalita_delivery"
    )
    return dict(rows.fetchall())


def published(double: QalitaDouble) -> list[str]:
    """The keys of deliveries on the platform, in the order of their markers."""
    return [row["value"] for row in double.ledger.rows("metrics") if row["key"] == MARKER]


def check_once(double: QalitaDouble, *keys: str, status: str = "succeeded") -> None:
    """Each is there once, whole, and nothing else is."""
    ledger = double.ledger
    assert sorted(row["name"] for row in ledger.rows("jobs")) == sorted(keys)
    assert {row["status"] for row in ledger.rows("jobs")} <= {status}
    assert sorted(published(double)) == sorted(keys)
    found = sorted(row["value"] for row in ledger.rows("metrics") if row["key"] != MARKER)
    assert found == sorted(f"{key} {number}" for key in keys for number in range(3))
    told = sorted(row["content"] for row in ledger.rows("recommendations"))
    assert told == sorted(f"look at {key}" for key in keys)
    entries = [(row["source_id"], row["key"], row["value"]) for row in ledger.rows("schemas")]
    assert len(set(entries)) == len(entries)
    assert bool(entries) is bool(keys)
