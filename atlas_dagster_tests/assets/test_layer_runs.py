"""Which layer runs a finished run leaves to do."""

from __future__ import annotations

from datetime import date

import dagster as dg
from dagster._core.events import AssetMaterializationPlannedData, StepMaterializationData
from dagster._core.execution.plan.objects import StepFailureData

from atlas_dagster.assets.layer_runs import (
    FinishedRun,
    StreamDay,
    layer_run_requests,
    read_finished_run,
)
from atlas_dagster.assets.metadata import touched_days
from atlas_dagster.assets.partitions import FIRST_DAY, today

DAY, OTHER = "2024-02-01", "2024-02-02"
USERS, ORDERS = StreamDay("shop", "users", DAY), StreamDay("shop", "orders", DAY)


def planned(layer: str, partition: str | None = DAY) -> dg.DagsterEvent:
    data = AssetMaterializationPlannedData(
        dg.AssetKey([layer, "shop", "users"]), partition=partition
    )
    return dg.DagsterEvent.build_asset_materialization_planned_event("shop", layer, data)


def materialized(layer: str, *days: str, job_id: int | None = None) -> dg.DagsterEvent:
    metadata = touched_days(map(date.fromisoformat, days))
    if job_id is not None:
        metadata["atlas/job_id"] = job_id
    materialization = dg.AssetMaterialization([layer, "shop", "users"], metadata=metadata)
    return dg.DagsterEvent(
        dg.DagsterEventType.ASSET_MATERIALIZATION.value,
        "shop",
        event_specific_data=StepMaterializationData(materialization),
    )


def failed(step: str) -> dg.DagsterEvent:
    return dg.DagsterEvent(
        dg.DagsterEventType.STEP_FAILURE.value,
        "shop",
        step_key=step,
        event_specific_data=StepFailureData(error=None, user_failure_data=None),
    )


PLAN = [planned("explore"), planned("chart"), planned("navigate")]


def test_what_was_touched_is_read_from_syncs_and_from_explore() -> None:
    run = read_finished_run("run", [materialized("airbyte", DAY), materialized("explore", OTHER)])
    assert run.touched == {USERS, StreamDay("shop", "users", OTHER)}


def test_days_beyond_the_partitions_belong_to_the_first_and_the_last_one() -> None:
    run = read_finished_run("run", [materialized("airbyte", "1970-01-01", "2999-01-01")])
    assert {touched.day for touched in run.touched} == {FIRST_DAY, today()}


def test_navigate_covers_the_days_that_were_planned() -> None:
    run = read_finished_run("run", [*PLAN, planned("navigate", OTHER), materialized("navigate")])
    assert run.covered == {USERS, StreamDay("shop", "users", OTHER)}


def test_a_layer_that_failed_covers_them_too() -> None:
    assert read_finished_run("run", [*PLAN, failed("chart")]).covered == {USERS}


def test_a_gate_that_holds_a_stream_back_leaves_nothing_to_do() -> None:
    assert read_finished_run("run", [*PLAN, failed("checks__shop__users")]).covered == {USERS}


def test_a_failed_sync_or_a_kill_leaves_them() -> None:
    assert read_finished_run("run", [*PLAN, failed("sync_shop")]).covered == frozenset()
    assert read_finished_run("run", [*PLAN, materialized("explore", DAY)]).covered == frozenset()


def test_a_run_that_names_no_day_covers_none() -> None:
    events = [planned("navigate", None), materialized("navigate")]
    assert read_finished_run("run", events).covered == frozenset()


def test_a_day_is_requested_for_what_was_touched_and_not_covered() -> None:
    left = FinishedRun("r1", frozenset({USERS, ORDERS}), frozenset({USERS}), {"shop": 7})
    (request,) = layer_run_requests(left)
    assert (request.job_name, request.partition_key) == ("shop_layers", DAY)
    done = FinishedRun("r1", frozenset({USERS, ORDERS}), frozenset({USERS, ORDERS}), {"shop": 7})
    assert layer_run_requests(done) == []


def test_the_run_key_comes_from_the_sync_and_else_from_the_run() -> None:
    synced = read_finished_run("r1", [materialized("airbyte", DAY, job_id=7)])
    assert [r.run_key for r in layer_run_requests(synced)] == [f"shop/sync-7/{DAY}"]
    late = read_finished_run("r1", [materialized("explore", DAY)])
    assert [r.run_key for r in layer_run_requests(late)] == [f"shop/run-r1/{DAY}"]
