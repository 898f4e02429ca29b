"""Runs that die or are stopped while Airbyte syncs: the sync goes on, or it ends with them."""

from __future__ import annotations

import signal
import subprocess
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest

from atlas_dagster.airbyte.refresh import refresh
from atlas_dagster.settings import load_settings
from atlas_dagster_tests.airbyte.api import environment
from atlas_dagster_tests.airbyte_server.double import AirbyteDouble
from atlas_dagster_tests.airbyte_server.ledger import stream
from atlas_dagster_tests.integration.processes import kill_group, kill_tree, until
from atlas_dagster_tests.integration.project import MODULE, Project

pytestmark = pytest.mark.slow

FOR_EVER = ["running"] * 100_000


@pytest.fixture
def project(
    tmp_path: Path,
    warehouse_url: str,
    airbyte_server: AirbyteDouble,
    monkeypatch: pytest.MonkeyPatch,
) -> Project:
    """A project of one connection of a server, whose first sync runs until it is cancelled."""
    server = {**environment(airbyte_server), "ATLAS_AIRBYTE_POLL_SECONDS": "0.1"}
    project = Project(tmp_path, warehouse_url, server)
    project.copy_dagster_files()
    for name, value in project.variables.items():
        monkeypatch.setenv(name, value)
    crm = airbyte_server.ledger.add_connection("crm", stream("users"))
    airbyte_server.ledger.plan(crm, *FOR_EVER)
    refresh(load_settings())
    return project


def start_sync(project: Project, server: AirbyteDouble) -> subprocess.Popen[str]:
    """A run of its sync, in the middle of it."""
    command = project.command("job", "execute", "-m", MODULE, "-j", "crm_sync")
    run = project.start(*command, log="run.log")
    until(lambda: server.count("GET .*/jobs/1000"), project)
    return run


def recorded(project: Project) -> list[tuple[object, ...]]:
    return project.rows("select job_id, status from pipeline.sync order by job_id")


def test_10680_the_run_after_one_that_was_killed_follows_the_same_sync(
    project: Project, airbyte_server: AirbyteDouble
) -> None:
    kill_group(start_sync(project, airbyte_server))
    assert recorded(project) == [(1000, "running")]
    airbyte_server.ledger.jobs[1000].script = ["running", "succeeded"]
    done = project.dagster("job", "execute", "-m", MODULE, "-j", "crm_sync")
    assert done.returncode == 0, done.stdout
    assert recorded(project) == [(1000, "succeeded")]
    assert airbyte_server.count("DELETE") == 0
    assert airbyte_server.count("POST .*/public/v1/jobs$") == 1


@pytest.mark.parametrize(
    ("reattach", "by_a_person", "status"),
    [("true", False, "running"), ("false", False, "cancelled"), ("true", True, "cancelled")],
)
def test_a_run_that_is_stopped_ends_its_sync_where_a_person_or_the_setting_says_so(
    project: Project,
    airbyte_server: AirbyteDouble,
    *,
    reattach: str,
    by_a_person: bool,
    status: str,
) -> None:
    extra = {**project.extra, "ATLAS_AIRBYTE_REATTACH": reattach}
    run = start_sync(replace(project, extra=extra), airbyte_server)
    try:
        if by_a_person:
            with dg.DagsterInstance.get() as instance:
                (record,) = instance.get_run_records()
                instance.report_run_canceling(record.dagster_run)
        run.send_signal(signal.SIGTERM)
        until(lambda: run.poll() is not None, project)
    finally:
        kill_tree(run)
    assert airbyte_server.ledger.jobs[1000].status == status
