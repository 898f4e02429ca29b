"""What the adapter of QALITA tells of syncs, where no Airbyte can be asked."""

from __future__ import annotations

from datetime import date
from typing import Any

import dagster as dg
import pytest

from atlas_dagster.warehouse import PgConnection
from atlas_dagster.webhook.payload import Notice, parse
from atlas_dagster_tests.airbyte.scripted import USERS
from atlas_dagster_tests.assets.daemon import Daemon
from atlas_dagster_tests.integration.project import Project

pytestmark = pytest.mark.slow

CONNECTION = "0f2b4c6e-4000-4000-8000-00000000a11a"
SLUG = "0f2b4c6e_4000_4000_8000_00000000a11a"
SCHEMA = {
    "type": "object",
    "properties": {"id": {"type": "integer"}, "e-mail": {"type": ["null", "string"]}},
}


@pytest.fixture
def daemon(project: Project, instance: dg.DagsterInstance) -> Daemon:
    project.connect({})
    return Daemon(instance, "adapter_syncs")


def payload(job_id: int = 7, status: str = "succeeded", **more: Any) -> dict[str, Any]:
    return {
        "connection": {"connectionId": CONNECTION},
        "job": {
            "id": job_id,
            "status": status,
            "name": "nightly",
            "startedAt": 1_790_000_000_000,
            "endedAt": 1_790_000_090_500,
        },
        "attempt": {"totalStats": {"recordsEmitted": 5, "bytesEmitted": 50, "recordsCommitted": 4}},
        **more,
    }


def catalog(*names: str) -> dict[str, Any]:
    return {"streams": [{"stream": {"name": name, "jsonSchema": SCHEMA}} for name in names]}


def receive(warehouse: PgConnection, body: dict[str, Any]) -> None:
    """What the receiver keeps of a request."""
    import json

    notice = parse(json.dumps(body).encode(), date(2026, 9, 1))
    assert isinstance(notice, Notice), notice
    warehouse.execute(
        "insert into pipeline.notice as n"
        " (kind, fingerprint, connection_id, job_id, payload, source)"
        " values (%s, %s, %s, %s, %s::jsonb, 'webhook')"
        " on conflict (fingerprint) do update set times = n.times + 1",
        (notice.kind, notice.fingerprint, notice.connection_id, notice.job_id, notice.payload),
    )


def materialized(instance: dg.DagsterInstance, *key: str) -> list[dict[str, Any]]:
    found = instance.fetch_materializations(dg.AssetKey(key), limit=100, ascending=True).records
    return [
        {name: value.value for name, value in record.asset_materialization.metadata.items()}
        for record in found
        if record.asset_materialization
    ]


def refusals(warehouse: PgConnection) -> list[str | None]:
    """Why each notice that was settled led to nothing."""
    rows = warehouse.execute(
        "select refusal from pipeline.notice where settled_at is not null order by notice_id"
    ).fetchall()
    return [row[0] for row in rows]


def test_a_payload_with_a_catalog_tells_of_each_stream_and_its_columns(
    daemon: Daemon, warehouse: PgConnection
) -> None:
    receive(warehouse, payload(catalog=catalog("users")))
    daemon.tick_until_quiet()
    (users,) = materialized(daemon.instance, "airbyte", SLUG, "users")
    columns = users.pop("dagster/column_schema").columns
    assert [(column.name, column.type) for column in columns] == [
        ("id", "bigint"),
        ("e_mail", "varchar"),
    ]
    assert users == {
        "atlas/job_id": 7,
        "atlas/job_name": "nightly",
        "atlas/connection_id": CONNECTION,
        "atlas/status": "succeeded",
        "atlas/started_by": "airbyte",
        "atlas/ended_at": 1_790_000_090.5,
        "atlas/duration_seconds": 90.5,
        "atlas/job_records_emitted": 5,
        "atlas/job_bytes_emitted": 50,
        "atlas/job_records_committed": 4,
        "atlas/stream_name": "users",
        "atlas/records_emitted": 5,
        "atlas/bytes_emitted": 50,
        "atlas/records_committed": 4,
    }
    assert refusals(warehouse) == [None]


def test_the_counts_of_a_job_of_several_streams_are_of_none_of_them(
    daemon: Daemon, warehouse: PgConnection
) -> None:
    receive(warehouse, payload(syncedCatalog=catalog("users", "orders", "users")))
    daemon.tick_until_quiet()
    for name in ("users", "orders"):
        (told,) = materialized(daemon.instance, "airbyte", SLUG, name)
        assert told["atlas/job_records_emitted"] == 5
        assert "atlas/records_emitted" not in told


def test_a_payload_without_a_catalog_tells_of_the_job_and_its_counts(
    daemon: Daemon, warehouse: PgConnection
) -> None:
    receive(warehouse, payload())
    daemon.tick_until_quiet()
    (told,) = materialized(daemon.instance, "airbyte", SLUG)
    assert (told["atlas/job_id"], told["atlas/job_records_committed"]) == (7, 4)


@pytest.mark.parametrize("reported", [0, 1, 2])
def test_each_is_told_once_however_often_it_is_sent_and_whenever_the_daemon_dies(
    daemon: Daemon, warehouse: PgConnection, reported: int
) -> None:
    for _ in range(3):
        receive(warehouse, payload(catalog=catalog("users", "orders")))
    data = daemon.evaluate()
    daemon.report(*data.asset_events[:reported])
    daemon.tick_until_quiet()
    receive(warehouse, payload(catalog=catalog("users", "orders")))
    daemon.tick_until_quiet()
    assert len(materialized(daemon.instance, "airbyte", SLUG, "users")) == 1
    assert len(materialized(daemon.instance, "airbyte", SLUG, "orders")) == 1


def test_a_job_that_failed_materializes_nothing(daemon: Daemon, warehouse: PgConnection) -> None:
    receive(warehouse, payload(status="failed", catalog=catalog("users")))
    daemon.tick_until_quiet()
    key = dg.AssetKey(["airbyte", SLUG, "users"])
    assert materialized(daemon.instance, *key.path) == []
    (record,) = daemon.instance.fetch_observations(key, limit=9).records
    event = record.event_log_entry.asset_observation
    assert event
    assert event.description == "Airbyte's job 7 failed; the adapter does not say why."


def test_a_job_that_runs_is_told_when_it_has_ended(daemon: Daemon, warehouse: PgConnection) -> None:
    running = payload(status="running")
    del running["job"]["endedAt"]
    receive(warehouse, running)
    assert daemon.tick().asset_events == []
    receive(warehouse, payload())
    daemon.tick_until_quiet()
    assert len(materialized(daemon.instance, "airbyte", SLUG)) == 1


def test_what_cannot_be_read_or_is_ours_is_refused_and_stops_no_other(
    project: Project, daemon: Daemon, warehouse: PgConnection
) -> None:
    project.with_connection("shop", USERS)
    receive(warehouse, payload())
    receive(warehouse, payload(8, connection={"connectionId": "Shop"}))
    receive(warehouse, payload(9))
    warehouse.execute("update pipeline.notice set payload = payload - 'job' where job_id = 7")
    daemon.tick_until_quiet()
    first, second, third = refusals(warehouse)
    assert first == "object missing required field job"
    assert second == "the connection shop is one that Atlas syncs itself"
    assert third is None
    assert [told["atlas/job_id"] for told in materialized(daemon.instance, "airbyte", SLUG)] == [9]
