"""The sensor `layer_runs` after real runs: every day that was touched, once, and nothing lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import dagster as dg
import pytest

from atlas_dagster.assets import run_ends
from atlas_dagster.defs.code_location import build_code_location
from atlas_dagster_tests.airbyte.scripted import USERS, state, status, table
from atlas_dagster_tests.integration.project import (
    Project,
    ScriptedConnector,
    connection,
    day,
    user,
)

pytestmark = pytest.mark.slow


@dataclass
class Sensor:
    """Ticks of the sensor beside runs of its project's jobs; what is requested is not run."""

    instance: dg.DagsterInstance
    cursor: str | None = None
    said: str | None = None

    def run(self, job: str, partition: str | None = None, **tags: str) -> dg.ExecuteInProcessResult:
        return (
            build_code_location()
            .resolve_job_def(job)
            .execute_in_process(
                instance=self.instance, partition_key=partition, tags=tags, raise_on_error=False
            )
        )

    def tick(self) -> list[dg.RunRequest]:
        definitions = build_code_location()
        context = dg.build_sensor_context(
            instance=self.instance, cursor=self.cursor, definitions=definitions
        )
        data = definitions.resolve_sensor_def("layer_runs").evaluate_tick(context)
        self.cursor, self.said = data.cursor, data.skip_message
        return list(data.run_requests or [])


@pytest.fixture
def users(project: Project) -> ScriptedConnector:
    return project.with_connection("shop", USERS)


@pytest.fixture
def sensor(
    instance: dg.DagsterInstance, users: ScriptedConnector, monkeypatch: pytest.MonkeyPatch
) -> Sensor:
    monkeypatch.setattr(run_ends, "SETTLE_SECONDS", 0.0)
    return Sensor(instance)


def days(requests: list[dg.RunRequest]) -> list[tuple[str | None, str | None]]:
    return [(request.job_name, request.partition_key) for request in requests]


def test_a_tick_that_requests_nothing_says_why(sensor: Sensor, users: ScriptedConnector) -> None:
    sensor.tick()
    assert sensor.said == "no run has ended since the last tick; runs are read 30 s after they end"
    users.say(user(1, "Anna", day()))
    assert sensor.run("shop", day()).success
    assert sensor.tick() == []
    assert sensor.said == "runs that have ended since the last tick: 1; what they touched is built"


def test_a_sync_alone_requests_the_days_it_touched(
    sensor: Sensor, users: ScriptedConnector
) -> None:
    users.say(user(1, "Anna", day(1)), user(2, "Ben", day(7)))
    assert sensor.run("shop_sync").success
    requests = sensor.tick()
    assert days(requests) == [("shop_layers", day(7)), ("shop_layers", day(1))]
    assert [r.run_key for r in requests] == [f"shop/sync-1/{day(7)}", f"shop/sync-1/{day(1)}"]


def test_each_sync_is_read_once(sensor: Sensor, users: ScriptedConnector) -> None:
    users.say(user(1, "Anna", day()))
    sensor.run("shop_sync")
    assert len(sensor.tick()) == 1
    assert sensor.tick() == []
    sensor.run("shop_sync")
    assert [r.run_key for r in sensor.tick()] == [f"shop/sync-2/{day()}"]


def test_a_lost_cursor_requests_nothing_under_another_key(
    sensor: Sensor, users: ScriptedConnector
) -> None:
    users.say(user(1, "Anna", day()))
    sensor.run("shop_sync")
    first = sensor.tick()
    sensor.cursor = None
    assert [r.run_key for r in sensor.tick()] == [r.run_key for r in first]


def test_a_run_of_sync_and_layers_leaves_nothing_of_its_own_day(
    sensor: Sensor, users: ScriptedConnector
) -> None:
    users.say(user(1, "Anna", day()))
    assert sensor.run("shop", day()).success
    assert sensor.tick() == []


def test_a_sync_across_midnight_leaves_the_other_day(
    sensor: Sensor, users: ScriptedConnector
) -> None:
    users.say(user(1, "Anna", day(1)), user(2, "Ben", day()))
    assert sensor.run("shop", day()).success
    requests = sensor.tick()
    assert days(requests) == [("shop_layers", day(1))]
    assert sensor.run("shop_layers", day(1)).success
    assert sensor.tick() == []


def test_a_range_of_days_in_one_run_covers_all_of_them_and_no_other(
    sensor: Sensor, users: ScriptedConnector
) -> None:
    users.say(*(user(ago, "Anna", day(ago)) for ago in range(4)))
    sensor.run("shop_sync")
    sensor.tick()
    bounds = {
        "dagster/asset_partition_range_start": day(3),
        "dagster/asset_partition_range_end": day(1),
    }
    assert sensor.run("shop_layers", **bounds).success
    assert days(sensor.tick()) == [("shop_layers", day())]


def test_late_rows_that_explore_finds_request_their_day(
    sensor: Sensor, users: ScriptedConnector
) -> None:
    late = [user(1, "Anna", day(3)), state("users", 1), {"exit": 1}]
    users.say(*late)
    assert not sensor.run("shop_sync").success  # its rows are there, and no event says so
    assert sensor.tick() == []
    result = sensor.run("shop_layers", day())
    assert result.success
    assert [(r.partition_key, r.run_key) for r in sensor.tick()] == [
        (day(3), f"shop/run-{result.run_id}/{day(3)}")
    ]


def test_a_day_is_not_requested_again_while_a_run_of_it_waits(
    sensor: Sensor, users: ScriptedConnector
) -> None:
    users.say(user(1, "Anna", day(1)), user(2, "Ben", day()))
    sensor.run("shop_sync")
    requests = sensor.tick()
    job = build_code_location().resolve_job_def("shop_layers")
    for request in requests[1:]:  # the others wait
        sensor.instance.create_run_for_job(
            job, tags={**request.tags, "dagster/partition": request.partition_key or ""}
        )
    assert sensor.run("shop_layers", requests[0].partition_key).success
    assert sensor.tick() == []


def test_the_streams_that_a_failed_sync_completed_get_their_layers(
    sensor: Sensor, project: Project, users: ScriptedConnector
) -> None:
    other = table("broken", {"id": {"type": "integer"}})
    project.connect({"shop": connection("shop", ["users", "broken"])})
    users.catalog(USERS, other)
    users.say(
        status("users", "STARTED"),
        user(1, "Anna", day()),
        state("users", 1),
        status("users", "COMPLETE"),
        status("broken", "STARTED"),
        {"exit": 1},
    )
    assert not sensor.run("shop", day()).success  # its layers were skipped
    assert days(sensor.tick()) == [("shop_layers", day())]


def test_layers_that_failed_are_not_started_again(
    sensor: Sensor, project: Project, users: ScriptedConnector
) -> None:
    project.connect(
        {"shop": connection("shop", ["users"])}, shop={"streams": {"users": {"time_column": "no"}}}
    )
    users.say(user(1, "Anna", day()))
    assert not sensor.run("shop", day()).success
    assert sensor.tick() == []


def test_a_young_event_waits_for_those_that_may_commit_before_it(
    sensor: Sensor, users: ScriptedConnector, monkeypatch: pytest.MonkeyPatch
) -> None:
    users.say(user(1, "Anna", day()))
    sensor.run("shop_sync")
    monkeypatch.setattr(run_ends, "SETTLE_SECONDS", 3600.0)
    assert sensor.tick() == []
    monkeypatch.setattr(run_ends, "SETTLE_SECONDS", 0.0)
    assert days(sensor.tick()) == [("shop_layers", day())]


def test_many_runs_are_read_in_pages(
    sensor: Sensor, users: ScriptedConnector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_ends, "RUNS_PER_QUERY", 2)
    users.say(user(1, "Anna", day()))
    for _ in range(5):
        sensor.run("shop_sync")
    assert len(sensor.tick()) == 5
    assert sensor.tick() == []


def test_a_tick_that_runs_out_of_time_goes_on_where_it_stopped(
    sensor: Sensor, users: ScriptedConnector, monkeypatch: pytest.MonkeyPatch
) -> None:
    users.say(user(1, "Anna", day()))
    for _ in range(3):
        sensor.run("shop_sync")
    seconds = iter(range(0, 10**6, 15))  # each look at the clock takes 15 s of the budget of 40
    monkeypatch.setattr(run_ends.time, "monotonic", lambda: float(next(seconds)))
    keys: list[str | None] = []
    ticks = 0
    while len(keys) < 3:
        keys += [request.run_key for request in sensor.tick()]
        ticks += 1
        assert ticks < 10
    assert ticks > 1
    assert keys == [f"shop/sync-{number}/{day()}" for number in (1, 2, 3)]


def test_runs_of_other_peoples_assets_are_none_of_its_business(sensor: Sensor) -> None:
    @dg.asset(key=["a", "b", "c"])
    def theirs() -> dg.MaterializeResult[Any]:
        return dg.MaterializeResult(metadata={"atlas/touched_days": "nonsense"})

    assert dg.materialize([theirs], instance=sensor.instance).success
    assert sensor.tick() == []
