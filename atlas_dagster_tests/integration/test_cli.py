"""Dagster's own commands, from the directory of a project."""

from __future__ import annotations

import subprocess

import pytest

from atlas_dagster_tests.airbyte.scripted import USERS
from atlas_dagster_tests.integration.processes import daemon, statuses, until
from atlas_dagster_tests.integration.project import (
    MODULE,
    Project,
    ScriptedConnector,
    connection,
    day,
    user,
)

pytestmark = pytest.mark.slow


@pytest.fixture
def shop(project: Project) -> ScriptedConnector:
    shop = project.with_connection("shop", USERS, shop={"cron": "0 3 * * *"})
    shop.say(user(1, "Anna", day()))
    return shop


def succeeded(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stdout
    return done.stdout


def names(project: Project, layer: str) -> list[str]:
    rows = project.rows(f"select name from {layer}.shop__users order by name")
    return [name for (name,) in rows]


def test_job_execute_syncs_and_builds_the_layers(project: Project, shop: ScriptedConnector) -> None:
    succeeded(project.dagster(*project.execute("shop", day())))
    assert statuses(project) == [("shop", "SUCCESS")]
    assert names(project, "navigate") == ["Anna"]
    assert list((project.root / ".atlas" / "dagster" / "workers").iterdir()) == []


def test_job_execute_without_a_day_says_how_to_name_one(
    project: Project, shop: ScriptedConnector
) -> None:
    done = project.dagster("job", "execute", "-m", MODULE, "-j", "shop")
    assert done.returncode == 1
    assert "this run names no day: choose a partition, or add --tags " in done.stdout
    assert shop.processes() == []


def test_assets_are_materialized_for_a_partition_and_for_a_range(
    project: Project, shop: ScriptedConnector
) -> None:
    shop.say(user(1, "Anna", day(2)), user(2, "Ben", day()))
    succeeded(project.dagster("asset", "materialize", "-m", MODULE, "--select", "key:airbyte/*"))
    layers = [
        "asset",
        "materialize",
        "-m",
        MODULE,
        "--select",
        "key:*/shop/users and not kind:airbyte",
    ]
    succeeded(project.dagster(*layers, "--partition", day()))
    assert names(project, "navigate") == ["Ben"]
    succeeded(project.dagster(*layers, "--partition-range", f"{day(3)}...{day(1)}"))
    assert names(project, "navigate") == ["Anna", "Ben"]


def test_a_job_is_backfilled(project: Project, shop: ScriptedConnector) -> None:
    shop.say(user(1, "Anna", day(2)), user(2, "Ben", day(1)))
    succeeded(project.dagster(*project.execute("shop_sync", day())))
    with daemon(project):
        backfill = ["job", "backfill", "-j", "shop_layers", "--noprompt"]
        succeeded(project.dagster(*backfill, "--from", day(2), "--to", day(1)))
        until(
            lambda: statuses(project)[1:] == [("shop_layers", "SUCCESS")] * 2,
            project,
        )
    assert names(project, "navigate") == ["Anna", "Ben"]


def test_the_daemon_builds_the_layers_that_a_sync_alone_left(
    project: Project, shop: ScriptedConnector
) -> None:
    shop.say(user(1, "Anna", day(1)), user(2, "Ben", day()))
    succeeded(project.dagster(*project.execute("shop_sync", day())))
    with daemon(project):
        expected = [("shop_sync", "SUCCESS"), *[("shop_layers", "SUCCESS")] * 2]
        until(lambda: statuses(project) == expected, project)
    assert names(project, "navigate") == ["Anna", "Ben"]


def test_the_definitions_are_valid_and_list_their_schedules_and_sensors(
    project: Project, shop: ScriptedConnector
) -> None:
    assert "Validation successful" in succeeded(project.dagster("definitions", "validate"))
    schedules = succeeded(project.dagster("schedule", "list"))
    assert "shop_schedule" in schedules
    assert "0 3 * * *" in schedules
    assert "layer_runs" in succeeded(project.dagster("sensor", "list"))


def test_a_wrong_file_shows_its_sentence(project: Project) -> None:
    project.connect({"shop": connection("shop", ["users"], prefx="p_")})
    done = project.dagster("definitions", "validate")
    assert done.returncode == 1
    assert "connections.yaml" in done.stdout
    assert "prefx" in done.stdout
