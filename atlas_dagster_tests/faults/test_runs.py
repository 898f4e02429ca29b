"""Runs that are killed, doubled, or lose their server: every record is in each layer, once."""

from __future__ import annotations

import random
import subprocess
import time
from pathlib import Path

import pytest

from atlas_dagster import embedded_postgres
from atlas_dagster_tests.airbyte.scripted import USERS, is_alive, table
from atlas_dagster_tests.effort import how_many
from atlas_dagster_tests.integration.processes import kill_group, kill_tree, until
from atlas_dagster_tests.integration.project import (
    Project,
    ScriptedConnector,
    connection,
    day,
    user,
)

pytestmark = pytest.mark.slow

COUNTED_DAY = "2023-11-14"  # on which the connector says that it extracted its numbers
NUMBERS = table("numbers", {"id": {"type": "integer"}})
NUMBERS_EACH_ROUND = 20_000
LAYERS = ("explore", "chart", "navigate")
BUSY = "connection shop is being synced by another run"


@pytest.fixture
def project(tmp_path: Path, warehouse_url: str) -> Project:
    project = Project(tmp_path, warehouse_url)
    project.copy_dagster_files()
    return project


def every_version(name: str, stream: str) -> dict[str, object]:
    """A connection that appends, so that a record which came twice would be seen twice."""
    chosen = {"name": stream, "destination_sync_mode": "append", "primary_key": "id"}
    return connection(name, [chosen])


def execute(project: Project, job: str, day: str) -> subprocess.Popen[str]:
    return project.start(*project.command(*project.execute(job, day)), log=f"{job}.log")


def finish(process: subprocess.Popen[str], project: Project) -> int:
    until(lambda: process.poll() is not None, project)
    return process.returncode


def run(project: Project, job: str, day: str) -> None:
    done = project.dagster(*project.execute(job, day))
    assert done.returncode == 0, done.stdout


def counts(project: Project, table: str, columns: str = "id") -> dict[str, tuple[int, int]]:
    """Rows and different records, by layer."""
    return {
        layer: project.rows(f"select count(*), count(distinct {what}) from {layer}.{table}")[0]
        for layer, what in {
            "landing": columns,
            "explore": f"data ->> '{columns}'",
            "chart": columns,
            "navigate": columns,
        }.items()
    }


HISTORY = """
select id, _atlas_natural_key, _atlas_valid_from, _atlas_valid_to, _atlas_is_current,
    _atlas_closed_by, _atlas_row_hash
from navigate.{} order by id, _atlas_valid_from
"""


def test_kills_at_random_instants_lose_and_double_nothing(project: Project) -> None:
    project.connect({name: every_version(name, "numbers") for name in ("calm", "shop")})
    calm, shop = project.install("calm", NUMBERS), project.install("shop", NUMBERS)
    calm.count(NUMBERS_EACH_ROUND, every=500)
    started = time.monotonic()
    run(project, "calm", COUNTED_DAY)
    seconds = time.monotonic() - started
    chance = random.Random(20231114)
    rounds = how_many(4, 8)
    for number in range(1, rounds + 1):
        total = number * NUMBERS_EACH_ROUND
        shop.count(total, every=500)
        victim = execute(project, "shop", COUNTED_DAY)
        instant = chance.uniform(0.2, 1.0) * seconds
        try:
            victim.wait(instant)
        except subprocess.TimeoutExpired:
            kill_group(victim)
        until(lambda: not any(is_alive(pid) for _, pid in shop.processes()), project)
        run(project, "shop", COUNTED_DAY)
        expected = dict.fromkeys(("landing", *LAYERS), (total, total))
        assert counts(project, "shop__numbers") == expected, f"killed after {instant:.2f} s"
    calm.count(rounds * NUMBERS_EACH_ROUND, every=500)
    run(project, "calm", COUNTED_DAY)
    history = [project.rows(HISTORY.format(f"{name}__numbers")) for name in ("calm", "shop")]
    assert history[0] == history[1]


def waiting_sync(project: Project) -> ScriptedConnector:
    """A connection whose sync waits in its middle until it is let `go`."""
    project.connect({"shop": every_version("shop", "users")})
    shop = project.install("shop", USERS)
    shop.say(user(1, "Anna", day()), {"wait": "go"}, user(2, "Ben", day()))
    return shop


def reading(shop: ScriptedConnector) -> int:
    return dict(shop.processes()).get("read", 0)


def test_of_two_runs_at_once_one_syncs_and_the_other_says_why_not(project: Project) -> None:
    shop = waiting_sync(project)
    first = execute(project, "shop", day())
    try:
        until(lambda: reading(shop), project)
        second = project.dagster(*project.execute("shop", day()))
        assert second.returncode == 1
        assert f"Failure: {BUSY}\n" in second.stdout, second.stdout
        shop.let("go")
        assert finish(first, project) == 0
    finally:
        kill_tree(first)
    assert counts(project, "shop__users") == dict.fromkeys(("landing", *LAYERS), (2, 2))
    assert project.rows("select status from pipeline.sync") == [("succeeded",)]


def test_two_layer_runs_at_once_build_everything_once(project: Project) -> None:
    shop = waiting_sync(project)
    shop.let("go")
    run(project, "shop_sync", day())
    both = [execute(project, "shop_layers", day()) for _ in range(2)]
    assert [finish(process, project) for process in both] == [0, 0]
    assert counts(project, "shop__users") == dict.fromkeys(("landing", *LAYERS), (2, 2))


def test_a_restart_of_postgres_in_the_middle_of_a_sync_costs_one_run(tmp_path: Path) -> None:
    data_dir = tmp_path / ".atlas"
    try:
        project = Project(tmp_path, embedded_postgres.start(data_dir))
        project.copy_dagster_files()
        shop = waiting_sync(project)
        victim = execute(project, "shop", day())
        until(lambda: reading(shop), project)
        embedded_postgres.stop(data_dir)
        embedded_postgres.start(data_dir)
        shop.let("go")
        assert finish(victim, project) != 0
        assert not is_alive(reading(shop))
        run(project, "shop", day())
        assert counts(project, "shop__users") == dict.fromkeys(("landing", *LAYERS), (2, 2))
    finally:
        embedded_postgres.stop(data_dir)
