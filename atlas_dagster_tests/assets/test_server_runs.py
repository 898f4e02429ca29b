"""Syncs of an Airbyte server through Dagster: what is materialized, and what the layers make of it.

The problems that a test is named after are GitHub issues, of dagster-io/dagster unless named.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import dagster as dg
import pandas as pd
import pytest
from psycopg.types.json import Jsonb

from atlas_dagster.airbyte.refresh import refresh
from atlas_dagster.assets.frame_input import layer_frames
from atlas_dagster.settings import load_settings
from atlas_dagster.warehouse import PgConnection
from atlas_dagster_tests.airbyte.api import environment
from atlas_dagster_tests.airbyte.scripted import USERS, record
from atlas_dagster_tests.airbyte_server.double import AirbyteDouble
from atlas_dagster_tests.airbyte_server.ledger import (
    Attempt,
    Job,
    Json,
    Ledger,
    Stats,
    failure,
    stream,
)
from atlas_dagster_tests.assets.test_layers import failures, metadata, run
from atlas_dagster_tests.integration.project import Project, day

pytestmark = pytest.mark.slow

NAMED = {"id": {"type": "integer"}, "name": {"type": "string"}}


@pytest.fixture
def ledger(
    project: Project, airbyte_server: AirbyteDouble, monkeypatch: pytest.MonkeyPatch
) -> Ledger:
    """The workspace of a server that the environment names; its jobs start at noon of today."""
    for name, value in environment(airbyte_server).items():
        monkeypatch.setenv(name, value)
    airbyte_server.ledger.first_job_at = datetime.fromisoformat(f"{day()}T12:00:00+00:00")
    return airbyte_server.ledger


def lands(
    warehouse: PgConnection, rows: dict[int, str], table: str = "landing.users"
) -> Callable[[Job], None]:
    """What the destination does when a job ends: replace the table by these rows."""

    def land(job: Job) -> None:
        at = job.created_at + timedelta(seconds=10)
        warehouse.execute(
            "create schema if not exists landing;"
            f"drop table if exists {table};"
            f"create table {table} (_airbyte_raw_id varchar, _airbyte_extracted_at timestamptz,"
            " _airbyte_meta jsonb, _airbyte_generation_id bigint, id bigint, name varchar)".encode()
        )
        for id_, name in rows.items():
            warehouse.execute(
                f"insert into {table} values (%s, %s, %s, 1, %s, %s)".encode(),
                (f"{job.id}-{id_}", at, Jsonb({"sync_id": job.id}), id_, name),
            )

    return land


def refreshed(name: str) -> Json:
    return stream(name, NAMED, sync_mode="full_refresh", destination_mode="overwrite")


def materialized(result: dg.ExecuteInProcessResult) -> set[str]:
    events = result.get_asset_materialization_events()
    return {event.asset_key.to_user_string() for event in events if event.asset_key}


def test_17_a_sync_tells_what_it_did_to_each_stream(
    project: Project, ledger: Ledger, instance: dg.DagsterInstance
) -> None:
    crm = ledger.add_connection("crm", refreshed("Users"), stream("orders"), prefix="p_")
    stats = [Stats("Users", None, 5, 4, 400), Stats("orders", None, 2, 2, 20)]
    attempts = [Attempt("failed", [], [failure("x")]), Attempt("succeeded", stats)]
    ledger.plan(crm, "queued", "running", "succeeded", attempts=attempts)
    refresh(load_settings())
    result = run(instance, "crm_sync")
    assert result.success
    told = {
        event.asset_key.path[-1]: {k: v.value for k, v in event.materialization.metadata.items()}
        for event in result.get_asset_materialization_events()
        if event.asset_key
    }
    schema = told["users"].pop("dagster/column_schema")
    assert isinstance(schema, dg.TableSchema)
    assert [(column.name, column.type) for column in schema.columns] == [
        ("id", "bigint"),
        ("name", "varchar"),
    ]
    page = told["users"].pop("atlas/sync")
    assert isinstance(page, str)
    assert page.startswith("**Job 1000** succeeded in 90.0 s: 6 records of 2 streams.")
    assert f"| `orders` | 2 | 20 | {day()} | complete |" in page
    assert told["users"] == {
        "dagster/table_name": "atlas.landing.p_Users",
        "atlas/job_id": 1000,
        "atlas/attempts": 2,
        "atlas/generation_id": 1,
        "atlas/records_emitted": 5,
        "atlas/records_committed": 4,
        "atlas/bytes_emitted": 400,
        "atlas/bytes_committed": 400,
        "atlas/duration_seconds": 90,
        "atlas/touched_days": [day()],
    }
    assert told["orders"]["atlas/records_committed"] == 2


def test_a_sync_and_its_layers_in_one_run(
    project: Project, ledger: Ledger, instance: dg.DagsterInstance, warehouse: PgConnection
) -> None:
    crm = ledger.add_connection("crm", refreshed("users"))
    ledger.plan(crm, lands=lands(warehouse, {1: "Anna", 2: "Ben", 3: "Cleo"}))
    refresh(load_settings())
    result = run(instance, "crm", day())
    assert result.success, failures(result)
    assert metadata(result, "navigate", "crm", "users")["dagster/row_count"] == 3


def test_19063_an_asset_of_ones_own_is_given_what_airbyte_synced_as_a_frame(
    project: Project, ledger: Ledger, instance: dg.DagsterInstance, warehouse: PgConnection
) -> None:
    crm = ledger.add_connection("crm", refreshed("users"))
    ledger.plan(crm, lands=lands(warehouse, {1: "Anna", 2: "Ben", 3: "Cleo"}))
    refresh(load_settings())
    assert run(instance, "crm", day()).success
    names: list[str] = []

    @dg.asset(
        ins={
            "users": dg.AssetIn(key=["navigate", "crm", "users"], input_manager_key="layer_frames")
        }
    )
    def greetings(users: pd.DataFrame) -> None:
        names.extend(users["name"])

    assets = [greetings, dg.AssetSpec(["navigate", "crm", "users"])]
    given = {"layer_frames": layer_frames}
    assert dg.materialize(assets, instance=instance, resources=given).success
    assert sorted(names) == ["Anna", "Ben", "Cleo"]


def test_the_layers_know_what_a_full_refresh_did_not_deliver(
    project: Project, ledger: Ledger, instance: dg.DagsterInstance, warehouse: PgConnection
) -> None:
    crm = ledger.add_connection("crm", refreshed("users"))
    first = {1: "Anna", 2: "Ben", 3: "Cleo"}
    for rows in (first, {1: "Anna", 2: "Ben"}):
        stats = [Stats("users", None, len(rows), len(rows), 10)]
        ledger.plan(crm, attempts=[Attempt("succeeded", stats)], lands=lands(warehouse, rows))
        refresh(load_settings())
        assert run(instance, "crm", day()).success
    assert warehouse.execute(
        "select id, _atlas_closed_by from navigate.crm__users where not _atlas_is_current"
    ).fetchall() == [(3, "delete")]


def test_a_refresh_by_hand_speaks_as_a_full_refresh_does(
    project: Project, ledger: Ledger, instance: dg.DagsterInstance, warehouse: PgConnection
) -> None:
    """A person has Airbyte read the stream anew; the next sync brings nothing."""
    crm = ledger.add_connection("crm", stream("users", NAMED))
    refresh(load_settings())
    ledger.plan(crm, lands=lands(warehouse, {1: "Anna", 2: "Ben", 3: "Cleo"}))
    assert run(instance, "crm", day()).success
    two = [Stats("users", None, 2, 2, 10)]
    ledger.plan(
        crm,
        attempts=[Attempt("succeeded", two)],
        lands=lands(warehouse, {1: "Anna", 2: "Ben"}),
    )
    ledger.finished_job(crm, "refresh").refreshed = [("users", None)]
    ledger.plan(crm, attempts=[Attempt("succeeded", [])])
    assert run(instance, "crm", day()).success
    assert warehouse.execute(
        "select id, _atlas_closed_by from navigate.crm__users where not _atlas_is_current"
    ).fetchall() == [(3, "delete")]


def test_3504_insight_a_failed_sync_materializes_what_is_complete_and_fails_with_airbytes_reason(
    project: Project, ledger: Ledger, instance: dg.DagsterInstance
) -> None:
    crm = ledger.add_connection("crm", stream("users"), stream("orders"))
    stats = [
        Stats("users", None, 1, 1, status="COMPLETE"),
        Stats("orders", None, 0, 0, status="INCOMPLETE"),
    ]
    attempts = [Attempt("failed", stats, [failure("orders is locked", "config_error")])]
    ledger.plan(crm, "running", "failed", attempts=attempts)
    refresh(load_settings())
    result = run(instance, "crm_sync")
    assert not result.success
    assert materialized(result) == {"airbyte/crm/users"}
    assert failures(result) == {
        "sync_crm": "Airbyte's job 1000 failed: orders is locked (source, config_error)"
    }


def test_h_a_selected_stream_syncs_the_connection_and_its_siblings_are_told_too(
    project: Project, ledger: Ledger, instance: dg.DagsterInstance
) -> None:
    ledger.add_connection("crm", stream("users"), stream("orders"))
    refresh(load_settings())
    result = run(instance, "crm_sync", assets=[dg.AssetKey(["airbyte", "crm", "users"])])
    assert result.success
    assert materialized(result) == {"airbyte/crm/users", "airbyte/crm/orders"}


def test_a_stream_that_is_new_since_the_last_refresh_is_left_to_the_next(
    project: Project, ledger: Ledger, instance: dg.DagsterInstance
) -> None:
    crm = ledger.add_connection("crm", stream("users"))
    refresh(load_settings())
    crm.entries.append(stream("orders"))
    result = run(instance, "crm_sync")
    assert result.success
    assert materialized(result) == {"airbyte/crm/users"}


def test_a_connection_into_something_else_than_postgres_syncs(
    project: Project, ledger: Ledger, instance: dg.DagsterInstance
) -> None:
    odd = ledger.add_destination("bigquery")
    ledger.add_connection("crm", stream("users"), destination_id=odd)
    refresh(load_settings())
    result = run(instance, "crm")
    assert result.success
    (event,) = result.get_asset_materialization_events()
    assert "dagster/table_name" not in event.materialization.metadata


def test_airbyte_that_cannot_be_asked_fails_the_step_with_a_sentence(
    project: Project,
    ledger: Ledger,
    airbyte_server: AirbyteDouble,
    instance: dg.DagsterInstance,
) -> None:
    ledger.add_connection("crm", stream("users"))
    refresh(load_settings())
    airbyte_server.credentials = ("client", "secret")
    result = run(instance, "crm_sync")
    assert failures(result) == {
        "sync_crm": "Airbyte wants credentials: set AIRBYTE_CLIENT_ID and AIRBYTE_CLIENT_SECRET,"
        " or AIRBYTE_USERNAME and AIRBYTE_PASSWORD"
    }


def test_an_embedded_and_a_server_connection_run_side_by_side(
    project: Project, ledger: Ledger, instance: dg.DagsterInstance
) -> None:
    shop = project.with_connection("shop", USERS)
    shop.say(record("users", {"id": 1, "name": "Anna"}))
    ledger.add_connection("crm", stream("users"))
    refresh(load_settings())
    assert materialized(run(instance, "shop_sync")) == {"airbyte/shop/users"}
    assert materialized(run(instance, "crm_sync")) == {"airbyte/crm/users"}
