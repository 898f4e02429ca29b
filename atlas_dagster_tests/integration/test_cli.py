"""Dagster's own commands, from the directory of a project."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from atlas_dagster_tests.airbyte.scripted import USERS
from atlas_dagster_tests.integration.processes import daemon, running, statuses, until
from atlas_dagster_tests.integration.project import (
    MODULE,
    Project,
    ScriptedConnector,
    connection,
    day,
    user,
)
from atlas_dagster_tests.ports import free_port

pytestmark = pytest.mark.slow

ATLAS = (sys.executable, "-c", "from atlas_dagster.cli import main; main()")
WARNING = re.compile(r"\b[A-Z]\w*Warning: ")


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


def test_of_warnings_dagsters_own_is_the_only_one(
    project: Project, shop: ScriptedConnector
) -> None:
    """It comes before anything of ours is loaded, and `atlas dev` keeps it away too."""
    checks = project.root / "config" / "checks" / "shop"
    checks.mkdir(parents=True)
    executed = subprocess.run(
        [sys.executable, "-m", "dagster", *project.execute("shop", day())],
        cwd=project.root,
        env=project.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    (warning,) = [line for line in executed.stderr.splitlines() if WARNING.search(line)]
    assert "SupersessionWarning: Function `job_execute_command`" in warning
    with running(project, *ATLAS, "dev", "-p", str(free_port()), log="dev.log"):
        log = project.root / "dev.log"
        until(lambda: "Checking for new runs for sensor" in log.read_text(), project)
        assert not WARNING.search(log.read_text())
    doctor = subprocess.run(
        [*ATLAS, "doctor"],
        cwd=project.root,
        env=project.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Warning" not in doctor.stderr
