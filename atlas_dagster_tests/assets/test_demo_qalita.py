"""The demo's runs at the sandbox, and what of others must not go there."""

from __future__ import annotations

import os

import dagster as dg
import pytest

from atlas_dagster.defs.code_location import build_code_location
from atlas_dagster.demo_qalita import publish_demo
from atlas_dagster.settings import load_settings
from atlas_dagster.warehouse import PgConnection
from atlas_dagster_tests.airbyte.scripted import USERS
from atlas_dagster_tests.integration.project import Project, day, user
from atlas_dagster_tests.qalita.publishing import states, write

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _runs(
    project: Project,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in os.environ:
        if "QALITA" in name:
            monkeypatch.delenv(name)
    project.with_connection("shop", USERS).say(user(1, "Anna", day()))
    for tags in ({"atlas/demo": "d-1"}, {}):
        job = build_code_location().resolve_job_def("shop_sync")
        assert job.execute_in_process(instance=instance, tags=tags).success


def publish(instance: dg.DagsterInstance, warehouse: PgConnection) -> str | None:
    return publish_demo(load_settings(), instance, warehouse, "shop", "d-1")


def test_its_own_runs_arrive_and_no_others(
    warehouse: PgConnection,
    instance: dg.DagsterInstance,
) -> None:
    assert publish(instance, warehouse) == "1 jobs, one a sync and one a layer run of each stream"
    arrived = warehouse.execute(
        "select kind, count(*) from pipeline.qalita_sandbox"
        " where kind in ('sources', 'jobs') group by kind order by kind"
    ).fetchall()
    assert arrived == [("jobs", 1), ("sources", 1)]


def test_what_waits_for_a_platform_does_not_go_to_the_sandbox(
    warehouse: PgConnection,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write(warehouse, "event-1")
    assert publish(instance, warehouse) is None
    assert states(warehouse) == {"event-1": "open"}
    warehouse.execute("truncate pipeline.qalita_delivery")
    monkeypatch.setenv("QALITA_BASE_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("QALITA_API_TOKEN", "a-token")
    assert publish(instance, warehouse) is None
