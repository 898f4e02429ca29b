"""The job of retention, run through Dagster: what it drops and tells, and where a stream fails."""

from __future__ import annotations

import dagster as dg
import psycopg
import pytest

from atlas_dagster.assets.retention import JOB_NAME, STEP_NAME
from atlas_dagster.defs.code_location import build_code_location
from atlas_dagster_tests.airbyte.scripted import USERS, record, table
from atlas_dagster_tests.integration.project import (
    Project,
    ScriptedConnector,
    connection,
    day,
    noon,
    user,
)

pytestmark = pytest.mark.slow

ORDERS = table("orders", {"id": {"type": "integer"}})


@pytest.fixture
def shop(project: Project, instance: dg.DagsterInstance) -> ScriptedConnector:
    """Users and orders, of 20 days ago and of today, in all layers; both are kept for 10 days."""
    limit = {"retention_days": 10}
    streams = ["orders", {"name": "users", "destination_sync_mode": "append", "primary_key": "id"}]
    project.connect(
        {"shop": connection("shop", streams)},
        shop={"streams": {"orders": limit, "users": limit}},
    )
    shop = project.install("shop", USERS, ORDERS)
    shop.say(
        *(user(1, "Anna", day(20)), user(1, "Bea", day())),
        *(record("orders", {"id": n}, at=noon(on)) for n, on in ((1, day(20)), (2, day()))),
    )
    assert run(instance, "shop_sync").success
    for partition in (day(20), day()):
        assert run(instance, "shop_layers", partition).success
    return shop


def run(
    instance: dg.DagsterInstance, job: str, partition: str | None = None
) -> dg.ExecuteInProcessResult:
    return (
        build_code_location()
        .resolve_job_def(job)
        .execute_in_process(instance=instance, partition_key=partition, raise_on_error=False)
    )


def days_in_explore(project: Project, stream: str) -> list[str]:
    days = project.rows(f"select _atlas_partition::text from explore.shop__{stream} order by 1")
    return [found for (found,) in days]


def test_it_drops_what_is_old_and_tells_how_much(
    instance: dg.DagsterInstance, shop: ScriptedConnector, project: Project
) -> None:
    result = run(instance, JOB_NAME)
    assert result.success
    assert days_in_explore(project, "users") == days_in_explore(project, "orders") == [day()]
    assert project.rows("select count(*) from navigate.shop__users") == [(2,)]
    (output,) = (
        event.step_output_data
        for event in result.events_for_node(STEP_NAME)
        if event.is_successful_output
    )
    told = {name: value.value for name, value in output.metadata.items()}
    dropped = {"before": day(10), "dropped_rows": 1, "dropped_days": 1, "staying_rows": 0}
    assert told == {
        "atlas/dropped_rows": 2,
        "atlas/streams": {"shop/orders": dropped, "shop/users": dropped},
    }


def test_it_logs_a_line_a_stream(instance: dg.DagsterInstance, shop: ScriptedConnector) -> None:
    result = run(instance, JOB_NAME)
    logged = [entry.user_message for entry in instance.all_logs(result.run_id)]
    assert [line for line in logged if line.startswith("shop/")] == [
        f"shop/{stream}: 1 version of 1 day before {day(10)} dropped"
        for stream in ("orders", "users")
    ]


def test_a_stream_that_fails_stops_no_other_and_is_named_at_the_end(
    instance: dg.DagsterInstance, shop: ScriptedConnector, project: Project
) -> None:
    with psycopg.connect(project.warehouse_url) as connection:
        connection.execute("alter table explore.shop__orders rename _atlas_partition to day")
    result = run(instance, JOB_NAME)
    assert not result.success
    assert days_in_explore(project, "users") == [day()]
    (failure,) = result.get_step_failure_events()
    data = failure.step_failure_data.user_failure_data
    assert data is not None
    assert str(data.description).startswith("retention shop/orders: PostgreSQL refused: column")
    assert data.metadata["atlas/dropped_rows"].value == 1


def test_layers_that_follow_find_nothing_to_do(
    instance: dg.DagsterInstance, shop: ScriptedConnector, project: Project
) -> None:
    history = "select * from navigate.shop__users order by _atlas_valid_from"
    before = project.rows(history)
    assert run(instance, JOB_NAME).success
    assert run(instance, "shop_layers", day(20)).success
    assert project.rows(history) == before
    assert days_in_explore(project, "users") == [day()]
