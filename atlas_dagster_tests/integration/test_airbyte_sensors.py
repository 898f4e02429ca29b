"""The sensors of an Airbyte server under `atlas dev`, with nobody's help."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from atlas_dagster.airbyte.refresh import refresh
from atlas_dagster.settings import load_settings
from atlas_dagster_tests.airbyte.api import environment
from atlas_dagster_tests.airbyte_server.double import AirbyteDouble
from atlas_dagster_tests.airbyte_server.ledger import stream
from atlas_dagster_tests.integration.processes import running, until
from atlas_dagster_tests.integration.project import Project
from atlas_dagster_tests.ports import free_port

ATLAS = (sys.executable, "-W", "ignore", "-c", "from atlas_dagster.cli import main; main()")
POLL = "GET .*/jobs$"

pytestmark = pytest.mark.slow


def test_a_connection_that_is_made_and_synced_in_airbyte_gets_its_assets_and_layers(
    project: Project, airbyte_server: AirbyteDouble
) -> None:
    project = replace(project, extra=environment(airbyte_server))
    ledger = airbyte_server.ledger
    ledger.add_connection("crm", stream("users"))
    refresh(load_settings(project.variables))
    port = str(free_port())
    with running(project, *ATLAS, "dev", "-h", "0.0.0.0", "-p", port, log="dev.log"):
        until(lambda: airbyte_server.count(POLL), project)
        ledger.first_job_at = datetime.now(timezone.utc) - timedelta(hours=1)
        job = ledger.finished_job(ledger.add_connection("shop", stream("carts")), "sync")
        until(lambda: requested(project), project)
    day = job.created_at.date().isoformat()
    assert requested(project) == [(f"shop/sync-{job.id}/{day}",)]
    assert project.rows(
        "select asset_key from public.event_logs where dagster_event_type = 'ASSET_MATERIALIZATION'"
    ) == [('["airbyte", "shop", "carts"]',)]


def requested(project: Project) -> list[tuple[object, ...]]:
    """The run keys of the layer runs of the new connection."""
    return project.rows(
        "select t.value from public.run_tags t join public.runs r using (run_id)"
        " where r.pipeline_name = 'shop_layers' and t.key = 'dagster/run_key'"
    )
