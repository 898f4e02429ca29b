"""Runs whose process was killed: failed, so that the next run of their connection starts."""

from __future__ import annotations

import os
import signal

import psutil
import pytest

from atlas_dagster_tests.airbyte.scripted import USERS, is_alive, state
from atlas_dagster_tests.integration.processes import (
    daemon,
    kill_tree,
    running,
    statuses,
    until,
    worker_pid,
)
from atlas_dagster_tests.integration.project import (
    Project,
    ScriptedConnector,
    day,
    user,
)
from atlas_dagster_tests.ports import free_port

pytestmark = pytest.mark.slow


@pytest.fixture
def shop(project: Project) -> ScriptedConnector:
    """A connection whose first sync waits for ever."""
    shop = project.with_connection("shop", USERS)
    shop.say(user(1, "Anna", day()), state("users", 1), {"wait": "never"})
    return shop


def launch(project: Project) -> None:
    """Queue a sync."""
    done = project.dagster("job", "launch", "-j", "shop_sync")
    assert done.returncode == 0, done.stdout


def connector_of_a_run(project: Project, shop: ScriptedConnector) -> int:
    """Wait for the connector of the first run to read; returns its process id."""
    return until(
        lambda: next((pid for verb, pid in shop.processes() if verb == "read"), 0), project
    )


def test_the_queue_goes_on_after_a_killed_run(project: Project, shop: ScriptedConnector) -> None:
    with daemon(project):
        launch(project)
        reading = connector_of_a_run(project, shop)
        launch(project)
        shop.say(user(2, "Ben", day()))
        os.kill(worker_pid(project, 0), signal.SIGKILL)
        until(lambda: not is_alive(reading), project)
        expected = [("shop_sync", "FAILURE"), ("shop_sync", "SUCCESS")]
        until(lambda: statuses(project) == expected, project)


def test_a_run_that_died_with_its_code_server_is_failed_by_the_next_daemon(
    project: Project, shop: ScriptedConnector
) -> None:
    with daemon(project) as first:
        launch(project)
        reading = connector_of_a_run(project, shop)
        launch(project)
        kill_tree(first)
    until(lambda: not is_alive(reading), project)
    assert statuses(project) == [("shop_sync", "STARTED"), ("shop_sync", "QUEUED")]
    shop.say(user(2, "Ben", day()))
    with daemon(project):
        expected = [("shop_sync", "FAILURE"), ("shop_sync", "SUCCESS")]
        until(lambda: statuses(project) == expected, project)
    assert project.rows(
        "select from public.event_logs"
        " where position('the process of the run is gone' in event) > 0"
    )


def test_a_run_outlives_its_code_server_and_is_not_failed(
    project: Project, shop: ScriptedConnector
) -> None:
    shop.say(user(1, "Anna", day()), {"wait": "go"})
    with daemon(project) as process:
        launch(project)
        connector_of_a_run(project, shop)
        worker = psutil.Process(worker_pid(project, 0))
        server = worker.parent()
        assert server is not None
        started = psutil.Process(process.pid).children(recursive=True)
        assert server in started
        server.kill()
        checks = (project.root / "daemon.log").read_text().count("Checking run")
        until(
            lambda: (project.root / "daemon.log").read_text().count("Checking run") > checks + 2,
            project,
        )
        assert statuses(project) == [("shop_sync", "STARTED")]
        shop.let("go")
        until(lambda: statuses(project) == [("shop_sync", "SUCCESS")], project)


def test_a_killed_job_execute_is_failed_too(project: Project, shop: ScriptedConnector) -> None:
    with daemon(project):
        execute = project.start(
            *project.command(*project.execute("shop", day())), log="execute.log"
        )
        reading = connector_of_a_run(project, shop)
        kill_tree(execute)
        until(lambda: statuses(project) == [("shop", "FAILURE")], project)
        assert not is_alive(reading)


def test_dagster_dev_that_was_killed_goes_on_when_it_is_started_again(
    project: Project, shop: ScriptedConnector
) -> None:
    dev_server = project.command("dev", "-h", "127.0.0.1", "-p", str(free_port()))
    with running(project, *dev_server, log="dev.log") as dev:
        launch(project)
        reading = connector_of_a_run(project, shop)
        kill_tree(dev)
    until(lambda: not is_alive(reading), project)
    shop.say(user(1, "Anna", day()), user(2, "Ben", day()))
    with running(project, *dev_server, log="dev_again.log"):
        launch(project)
        expected = [("shop_sync", "FAILURE"), ("shop_sync", "SUCCESS")]
        until(lambda: statuses(project) == expected, project)
    assert project.rows("select name from landing.shop__users order by name") == [
        ("Anna",),
        ("Ben",),
    ]
