"""The sensor `qalita` killed before and after each of its steps: what it publishes arrives once."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from typing import Any

import dagster as dg
import httpx
import psycopg
import pytest

from atlas_dagster.assets import run_ends
from atlas_dagster.warehouse import PgConnection
from atlas_dagster_tests.assets.daemon import Daemon
from atlas_dagster_tests.faults.killed_ticks import tick_and_die
from atlas_dagster_tests.integration.project import Project
from atlas_dagster_tests.qalita.publishing import published, settle, states
from atlas_dagster_tests.qalita.support import add_target
from atlas_dagster_tests.qalita_server.double import API_TOKEN, QalitaDouble

pytestmark = pytest.mark.slow

KEY = dg.AssetKey(["airbyte", "crm", "leads"])
STEPS = [
    (psycopg.Connection, "execute"),
    (psycopg.Cursor, "execute"),
    (psycopg.Cursor, "executemany"),
    (psycopg.Transaction, "__exit__"),
    (httpx.Client, "request"),
]


@pytest.fixture
def project(tmp_path: Any, warehouse_url: str, monkeypatch: pytest.MonkeyPatch) -> Project:
    project = Project(tmp_path, warehouse_url)
    for name, value in project.variables.items():
        monkeypatch.setenv(name, value)
    project.connect({})
    return project


def test_killed_at_any_step_nothing_is_lost_and_nothing_doubled(
    project: Project,
    warehouse: PgConnection,
    qalita_server: QalitaDouble,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(run_ends, "SETTLE_SECONDS", 0.0)
    monkeypatch.setenv("QALITA_BASE_URL", qalita_server.url)
    monkeypatch.setenv("QALITA_API_TOKEN", API_TOKEN)
    add_target(qalita_server, "warehouse")
    mapping = {"default": {"source_id": 1, "pack_id": 1}}
    (project.root / "config" / "qalita.json").write_text(json.dumps(mapping))
    with dg.DagsterInstance.ephemeral() as instance:
        daemon = Daemon(instance, "qalita")
        daemon.tick()
        expected: list[str] = []
        for step in itertools.count():
            metadata = {"atlas/job_id": step + 1, "atlas/records_emitted": step}
            daemon.report(dg.AssetMaterialization(KEY, metadata=metadata))
            expected.append(f"crm/leads sync job {step + 1}")
            died = tick_and_die(daemon, STEPS, step)
            settle_and_finish(daemon, warehouse)
            assert states(warehouse)[expected[-1]] == "done", f"killed at step {step}"
            if not died:
                break
        assert step > 40, "the steps were not seen"
    jobs = [(row["name"], row["status"]) for row in qalita_server.ledger.rows("jobs")]
    assert jobs == [(name, "succeeded") for name in expected]
    assert published(qalita_server) == expected
    emitted = [
        row["value"]
        for row in qalita_server.ledger.rows("metrics")
        if row["key"] == "records_emitted"
    ]
    assert emitted == [str(number) for number in range(len(expected))]
    metrics = Counter(row["key"] for row in qalita_server.ledger.rows("metrics"))
    assert set(metrics.values()) == {len(expected)}


def settle_and_finish(daemon: Daemon, warehouse: PgConnection) -> None:
    """Ticks as they come later, until nothing waits; a lock goes when PostgreSQL sees its end."""
    for _ in range(50):
        settle(warehouse)
        daemon.tick()
        if set(states(warehouse).values()) == {"done"}:
            return
    raise AssertionError(states(warehouse))
