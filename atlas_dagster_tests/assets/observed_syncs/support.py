"""What Airbyte did by itself, and what Dagster was told of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dagster as dg

from atlas_dagster.warehouse import PgConnection
from atlas_dagster_tests.airbyte_server.ledger import (
    Attempt,
    Connection,
    Job,
    Stats,
)


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


def untold(warehouse: PgConnection) -> list[int]:
    rows = warehouse.execute(
        "select job_id from pipeline.sync where told_at is null order by job_id"
    ).fetchall()
    return [row[0] for row in rows]


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
