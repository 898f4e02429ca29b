"""The assets, materialized through Dagster: their metadata, partitions, ranges and failures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
import psycopg
import pytest

from atlas_dagster.assets import explore
from atlas_dagster.assets.partitions import FIRST_DAY, today
from atlas_dagster.defs.code_location import build_code_location
from atlas_dagster_tests.airbyte.scripted import USERS, Json, record, state, table
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
def shop(project: Project) -> ScriptedConnector:
    return project.with_connection("shop", USERS)


def run(
    instance: dg.DagsterInstance,
    job: str,
    partition: str | None = None,
    assets: Sequence[dg.AssetKey] | None = None,
    tags: Mapping[str, str] | None = None,
) -> dg.ExecuteInProcessResult:
    return (
        build_code_location()
        .resolve_job_def(job)
        .execute_in_process(
            instance=instance,
            partition_key=partition,
            asset_selection=assets,
            tags=tags,
            raise_on_error=False,
        )
    )


def run_range(
    instance: dg.DagsterInstance, job: str, first: str, last: str
) -> dg.ExecuteInProcessResult:
    bounds = {
        "dagster/asset_partition_range_start": first,
        "dagster/asset_partition_range_end": last,
    }
    return run(instance, job, tags=bounds)


def metadata(result: dg.ExecuteInProcessResult, *key: str) -> dict[str, Any]:
    """The values of an asset's last materialization in a run."""
    materialization = result.asset_materializations_for_node("__".join(key))[-1]
    return {name: value.value for name, value in materialization.metadata.items()}


def log_lines(instance: dg.DagsterInstance, result: dg.ExecuteInProcessResult) -> list[str]:
    """What a run's own code logged."""
    return [entry.user_message for entry in instance.all_logs(result.run_id)]


def failures(result: dg.ExecuteInProcessResult) -> dict[str, str]:
    """The first line of what an operator reads, by step."""
    return {
        str(event.step_key): str(event.step_failure_data.user_failure_data.description)
        for event in result.get_step_failure_events()
        if event.step_failure_data.user_failure_data
    }


def materialized(instance: dg.DagsterInstance, *key: str) -> set[str]:
    return set(instance.get_materialized_partitions(dg.AssetKey(list(key))))


def test_every_layer_tells_its_table_its_columns_and_its_rows(
    instance: dg.DagsterInstance, shop: ScriptedConnector, project: Project
) -> None:
    shop.say(user(1, "Anna", day()), user(2, "Ben", day()), state("users", 2))
    result = run(instance, "shop", day())
    assert result.success
    database = project.rows("select current_database()")[0][0]
    tables = {
        layer: metadata(result, layer, "shop", "users")["dagster/table_name"]
        for layer in ("explore", "chart", "navigate")
    }
    assert tables == {layer: f"{database}.{layer}.shop__users" for layer in tables}
    explored = metadata(result, "explore", "shop", "users")
    assert (explored["dagster/row_count"], explored["atlas/new_rows"]) == (2, 2)
    assert explored["atlas/touched_days"] == [day()]
    charted = metadata(result, "chart", "shop", "users")
    assert (charted["dagster/row_count"], charted["dagster/partition_row_count"]) == (2, 2)
    assert {"id", "name"} < {c.name for c in charted["dagster/column_schema"].columns}
    assert charted["atlas/natural_key"] == "id"
    navigated = metadata(result, "navigate", "shop", "users")
    assert (navigated["dagster/row_count"], navigated["atlas/current_rows"]) == (2, 2)
    assert navigated["atlas/segments_opened"] == 2


def test_every_layer_tells_where_its_columns_come_from(
    instance: dg.DagsterInstance, shop: ScriptedConnector
) -> None:
    shop.say(user(1, "Anna", day()))
    result = run(instance, "shop", day())
    origin = ("navigate/shop/users", "name")
    followed = [origin]
    while not origin[0].startswith("airbyte/"):
        asset, column = origin
        lineage = metadata(result, *asset.split("/"))["dagster/column_lineage"]
        (dep,) = lineage.deps_by_column[column]
        origin = (dep.asset_key.to_user_string(), dep.column_name)
        followed.append(origin)
    assert followed == [
        ("navigate/shop/users", "name"),
        ("chart/shop/users", "name"),
        ("explore/shop/users", "data.name"),
        ("airbyte/shop/users", "name"),
    ]
    landed = metadata(result, "sync_shop")["dagster/column_schema"].columns
    assert "name" in {column.name for column in landed}


def test_the_sync_tells_its_job_its_counts_and_its_days(
    instance: dg.DagsterInstance, shop: ScriptedConnector
) -> None:
    shop.say(user(1, "Anna", day(1)), user(2, "Ben", day()), state("users", 2))
    result = run(instance, "shop_sync")
    told = metadata(result, "sync_shop")
    assert told["atlas/touched_days"] == [day(1), day()]
    assert (told["atlas/job_id"], told["atlas/records_emitted"]) == (1, 2)
    assert told["dagster/table_name"].endswith(".landing.shop__users")


def test_rows_of_other_days_materialize_their_own_partition_of_explore(
    instance: dg.DagsterInstance, shop: ScriptedConnector
) -> None:
    shop.say(user(1, "Anna", day(1)), user(2, "Ben", day()))
    assert run(instance, "shop", day()).success
    assert materialized(instance, "explore", "shop", "users") == {day(1), day()}
    assert materialized(instance, "navigate", "shop", "users") == {day()}


def test_rows_beyond_the_partitions_belong_to_the_first_and_the_last_one(
    instance: dg.DagsterInstance, shop: ScriptedConnector, project: Project
) -> None:
    shop.say(user(1, "Anna", "1999-12-31"), user(2, "Ben", day(-2)))
    run(instance, "shop_sync")
    for partition in (FIRST_DAY, today()):
        assert run(instance, "shop_layers", partition).success
    assert materialized(instance, "explore", "shop", "users") == {FIRST_DAY, today()}
    assert project.rows("select count(*) from navigate.shop__users") == [(2,)]


def test_no_instant_is_too_far_away_to_belong_to_a_partition(
    instance: dg.DagsterInstance, shop: ScriptedConnector, project: Project
) -> None:
    shop.say(*(user(number, "Anna", day()) for number in range(4)))
    run(instance, "shop_sync")
    with psycopg.connect(project.warehouse_url) as connection:
        connection.execute(
            "update landing.shop__users set _airbyte_extracted_at ="
            " ('{-infinity,0044-03-15 BC,20000-01-01,infinity}'::timestamptz[])[id + 1]"
        )
        # They are not on the days any longer of which the sync has told.
        connection.execute("update pipeline.sync_stream set status = 'incomplete'")
    for partition in (FIRST_DAY, today()):
        assert run(instance, "shop_layers", partition).success
    assert materialized(instance, "explore", "shop", "users") == {FIRST_DAY, today()}
    assert project.rows("select id from navigate.shop__users order by _atlas_valid_from") == [
        (number,) for number in range(4)
    ]


def changes(number: int, days: Sequence[str]) -> list[Json]:
    """A user whose name changes with each day."""
    return [user(number, f"name {position}", on) for position, on in enumerate(days)]


SEGMENTS = """
select id, name, _atlas_valid_from, _atlas_valid_to, _atlas_is_current, _atlas_closed_by
from navigate.{} order by id, _atlas_valid_from
"""


def test_a_range_in_one_run_equals_its_days_one_by_one(
    instance: dg.DagsterInstance, project: Project
) -> None:
    past = [day(ago) for ago in (4, 3, 2, 1)]
    every_version = {"name": "users", "destination_sync_mode": "append", "primary_key": "id"}
    project.connect({name: connection(name, [every_version]) for name in ("daily", "range")})
    for name in ("daily", "range"):
        project.install(name, USERS).say(*changes(1, past), *changes(2, past[2:]))
        assert run(instance, f"{name}_sync").success
    for each in (past[2], past[0], past[3], past[1]):
        assert run(instance, "daily_layers", each).success
    assert run_range(instance, "range_layers", past[0], past[-1]).success
    segments = project.rows(SEGMENTS.format("range__users"))
    assert len(segments) == 6
    assert segments == project.rows(SEGMENTS.format("daily__users"))
    for layer in ("explore", "chart", "navigate"):
        assert materialized(instance, layer, "range", "users") == set(past)
        assert days_with_columns(instance, layer, "range", "users") == [past[-1]]


def days_with_columns(instance: dg.DagsterInstance, *key: str) -> list[str | None]:
    """The partitions whose materializations repeat the schema and the lineage."""
    found = instance.fetch_materializations(dg.AssetKey(list(key)), limit=100).records
    events = [record.asset_materialization for record in found]
    names = {"dagster/column_schema", "dagster/column_lineage"}
    return [event.partition for event in events if event and names <= event.metadata.keys()]


@pytest.mark.parametrize("job", ["shop", "shop_layers"])
def test_a_run_without_a_day_fails_at_once_with_one_sentence(
    instance: dg.DagsterInstance, shop: ScriptedConnector, job: str
) -> None:
    result = run(instance, job)
    (sentence,) = failures(result).values()
    assert sentence.startswith("this run names no day: choose a partition, or add --tags ")
    assert shop.processes() == []


def test_the_sync_alone_needs_no_day_in_whatever_job(
    instance: dg.DagsterInstance, shop: ScriptedConnector
) -> None:
    shop.say(user(1, "Anna", day()))
    chosen = [dg.AssetKey(["airbyte", "shop", "users"])]
    assert run(instance, "shop", assets=chosen).success
    assert run(instance, "shop_sync").success


def test_layers_before_the_first_sync_say_what_to_do(
    instance: dg.DagsterInstance, shop: ScriptedConnector
) -> None:
    assert failures(run(instance, "shop_layers", day())) == {
        "explore__shop__users": "connection shop has not been synced yet; materialize airbyte/shop"
    }


def test_a_bad_stream_does_not_stop_its_siblings(
    instance: dg.DagsterInstance, project: Project
) -> None:
    rules = {"shop": {"streams": {"users": {"time_column": "nowhere"}}}}
    project.connect({"shop": connection("shop", ["users", "orders"])}, **rules)
    shop = project.install("shop", USERS, ORDERS)
    shop.say(user(1, "Anna", day()), record("orders", {"id": 7}, at=noon(day())))
    result = run(instance, "shop", day())
    assert list(failures(result)) == ["chart__shop__users"]
    assert materialized(instance, "navigate", "shop", "orders") == {day()}
    assert materialized(instance, "navigate", "shop", "users") == set()
    assert project.rows("select count(*) from explore.shop__users") == [(1,)]


def test_a_lost_connection_is_tried_again_and_a_mistake_is_not(
    instance: dg.DagsterInstance, shop: ScriptedConnector, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.say(user(1, "Anna", day()))
    run(instance, "shop_sync")
    errors: list[psycopg.Error] = [
        psycopg.OperationalError("server closed the connection unexpectedly")
    ]
    original = explore.load_explore

    def load(*arguments: Any) -> Any:
        if errors:
            raise errors.pop()
        return original(*arguments)

    monkeypatch.setattr(explore, "load_explore", load)
    assert run(instance, "shop_layers", day()).success
    errors.append(psycopg.errors.InsufficientPrivilege("permission denied"))
    result = run(instance, "shop_layers", day())
    assert failures(result) == {
        "explore__shop__users": "explore shop/users: PostgreSQL refused: permission denied"
    }
    assert errors == [], "it was tried once"


@pytest.fixture
def refreshed(project: Project) -> ScriptedConnector:
    """A connection that reads its users in full each time."""
    stream = {
        "name": "users",
        "sync_mode": "full_refresh",
        "destination_sync_mode": "overwrite",
        "primary_key": ["id"],
    }
    project.connect({"shop": connection("shop", [stream])})
    return project.install("shop", USERS)


def test_a_full_refresh_closes_what_it_does_not_deliver_unless_that_is_too_much(
    instance: dg.DagsterInstance, refreshed: ScriptedConnector, project: Project
) -> None:
    refreshed.say(*(user(n, "Anna", day()) for n in (1, 2, 3)))
    assert checks(run(instance, "shop", day()))["snapshots"]
    refreshed.say(user(1, "Anna", day()), user(2, "Anna", day()))
    assert checks(run(instance, "shop", day()))["snapshots"]
    ends = "select _atlas_natural_key, _atlas_closed_by from navigate.shop__users order by 1"
    assert project.rows(ends) == [("1", None), ("2", None), ("3", "delete")]
    refreshed.say()
    result = run(instance, "shop", day())
    assert result.success
    assert not checks(result)["snapshots"]
    assert project.rows(ends) == [("1", None), ("2", None), ("3", "delete")]


def checks(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    return {e.check_name: e.passed for e in result.get_asset_check_evaluations()}


def test_a_schema_that_drifts_warns_once_and_the_layers_follow(
    instance: dg.DagsterInstance, shop: ScriptedConnector, project: Project
) -> None:
    shop.say(user(1, "Anna", day()))
    assert checks(run(instance, "shop", day()))["schema_drift"]
    shop.catalog(table("users", {"id": {"type": "string"}, "age": {"type": "integer"}}))
    shop.say(record("users", {"id": "x", "age": 7}, at=noon(day())))
    result = run(instance, "shop", day())
    assert result.success
    (drift,) = (e for e in result.get_asset_check_evaluations() if e.check_name == "schema_drift")
    assert (drift.passed, drift.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert drift.description == (
        "'id' was bigint, is varchar now, kept as varchar;"
        " 'name' is gone from the source; the layers keep it;"
        " 'age' was added as bigint"
    )
    told = metadata(result, "chart", "shop", "users")
    assert told["atlas/rebuilt"] == "column id became varchar"
    assert project.rows("select id, name, age from navigate.shop__users order by id") == [
        ("1", "Anna", None),
        ("x", None, 7),
    ]
    assert checks(run(instance, "shop", day()))["schema_drift"]


def test_a_row_that_a_cdc_source_deletes_is_deleted_in_navigate(
    instance: dg.DagsterInstance, project: Project
) -> None:
    accounts = table("accounts", {"id": {"type": "integer"}, "_ab_cdc_deleted_at": STRING})
    shop = project.with_connection("shop", accounts)
    shop.say(*(account(number, None) for number in (1, 2)))
    assert run(instance, "shop", day()).success
    shop.say(account(2, f"{day()}T12:00:00Z"))
    result = run(instance, "shop", day())
    assert project.rows("select id from landing.shop__accounts") == [(1,)]
    assert metadata(result, "explore", "shop", "accounts")["atlas/new_rows"] == 1
    assert project.rows("select id, _atlas_closed_by from navigate.shop__accounts order by id") == [
        (1, None),
        (2, "delete"),
    ]


STRING = {"type": "string"}


def account(number: int, deleted_at: str | None) -> Json:
    data = {"id": number, "_ab_cdc_deleted_at": deleted_at}
    return record("accounts", data, at=noon(day()))


def test_a_single_thing_is_counted_as_one(
    instance: dg.DagsterInstance, shop: ScriptedConnector
) -> None:
    shop.say(user(1, "Ann", day()), state("users", 1))
    lines = log_lines(instance, run(instance, "shop", day()))
    assert {
        "users: 1 record, 1 state",
        "shop/users: 1 new record version",
        "shop/users: 1 version typed, 0 invalid",
        "shop/users: 1 segment opened, 0 closed, 0 reopened, 0 removed",
    } <= set(lines)
