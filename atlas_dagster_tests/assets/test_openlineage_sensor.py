"""The sensor `openlineage`: each event arrives at least once, whatever the backend does."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import dagster as dg
import msgspec
import pytest
from dagster._core.errors import DagsterExecutionInterruptedError

from atlas_dagster.assets import openlineage_sensor, run_ends
from atlas_dagster.assets.openlineage_sensor import OpenLineageCursor
from atlas_dagster.defs.code_location import build_code_location
from atlas_dagster.lineage import transport
from atlas_dagster_tests.assets.daemon import Daemon
from atlas_dagster_tests.assets.openlineage_support import Teller
from atlas_dagster_tests.http_double import running
from atlas_dagster_tests.integration.project import Project, connection
from atlas_dagster_tests.lineage.backend import Answer, Backend
from atlas_dagster_tests.lineage.environment import clear

pytestmark = pytest.mark.slow

CHART = "chart/shop/users"
LEADS = dg.AssetKey(["airbyte", "crm", "leads"])
DAY = 86400.0
DATE = "2026-01-01"


@pytest.fixture
def backend() -> Iterator[Backend]:
    with running(Backend()) as double:
        yield double


@pytest.fixture
def teller(
    project: Project,
    instance: dg.DagsterInstance,
    backend: Backend,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Teller:
    clear(monkeypatch)
    monkeypatch.setattr(run_ends, "SETTLE_SECONDS", 0.0)
    monkeypatch.setattr(transport, "TIMEOUT_SECONDS", 0.3)
    monkeypatch.setattr(transport, "RETRIES", {**transport.RETRIES, "total": 0})
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("OPENLINEAGE_URL", backend.address)
    project.connect({"shop": connection("shop", ["users", "orders"])})
    return Teller(Daemon(instance, "openlineage"), backend)


def test_a_build_is_a_run_within_dagsters_and_is_told_once(teller: Teller) -> None:
    run_id = teller.build(CHART)
    assert teller.tick() == "4 events sent"
    assert teller.backend.taken() == [
        "START __ephemeral_asset_job__",
        "START shop.users.chart",
        "COMPLETE shop.users.chart",
        "COMPLETE __ephemeral_asset_job__",
    ]
    outer, inner, *_ = teller.backend.events
    assert outer["run"]["runId"] == run_id
    assert inner["run"]["facets"]["parent"]["run"]["runId"] == run_id
    assert teller.tick() == "nothing new"


def test_a_start_is_told_while_the_run_works_and_its_end_after_it(teller: Teller) -> None:
    said: list[str | None] = []
    teller.build(CHART, does=lambda: said.extend([teller.tick(), teller.tick()]))
    assert said == ["2 events sent", "nothing new"]
    assert teller.backend.taken()[1] == "START shop.users.chart"
    assert teller.tick() == "2 events sent"
    assert Counter(teller.backend.taken()).most_common(1)[0][1] == 1
    start, end = teller.events("shop.users.chart")
    assert start["run"]["runId"] == end["run"]["runId"]
    assert start["eventTime"] <= end["eventTime"]
    assert teller.cursor.runs == {}


def test_a_stream_that_was_not_selected_and_is_synced_all_the_same_has_a_start(
    teller: Teller,
) -> None:
    keys = [dg.AssetKey(["airbyte", "shop", name]) for name in ("users", "orders")]

    @dg.multi_asset(specs=[dg.AssetSpec(key) for key in keys], can_subset=True)
    def sync() -> Any:
        assert teller.tick() == "2 events sent"
        yield dg.MaterializeResult(asset_key=keys[0])
        yield dg.AssetMaterialization(asset_key=keys[1])

    dg.materialize([sync], instance=teller.instance, selection=[keys[0]])
    assert teller.tick() == "4 events sent"
    for stream in ("users", "orders"):
        told = teller.events(f"shop.{stream}.sync")
        assert [event["eventType"] for event in told] == ["START", "COMPLETE"]
        assert told[0]["run"]["runId"] == told[1]["run"]["runId"]


def test_a_step_that_fails_is_told_without_what_may_be_a_value(teller: Teller) -> None:
    def fail() -> None:
        raise dg.Failure("cannot read 'Quentin Featherstone' of jane.roe@example.org")

    teller.build(CHART, does=fail)
    teller.tick()
    _, end = teller.events("shop.users.chart")
    assert end["eventType"] == "FAIL"
    told = end["run"]["facets"]["errorMessage"]
    assert told["message"] == "cannot read … of …"
    assert teller.backend.taken()[-1] == "FAIL __ephemeral_asset_job__"


def test_what_is_cut_short_by_a_cancellation_is_aborted(teller: Teller) -> None:
    def cancel() -> None:
        (run,) = teller.instance.get_runs()
        teller.instance.report_run_canceling(run)
        raise DagsterExecutionInterruptedError  # what a step gets then

    teller.build(CHART, does=cancel)
    teller.tick()
    assert teller.backend.taken()[2:] == [
        "ABORT shop.users.chart",
        "ABORT __ephemeral_asset_job__",
    ]
    assert "errorMessage" not in teller.backend.events[2]["run"]["facets"]


def test_a_run_that_never_started_is_told_with_its_end_alone(teller: Teller) -> None:
    run = teller.instance.create_run_for_job(teller.job(CHART))
    teller.instance.report_run_failed(run)
    assert teller.tick() == "2 events sent"
    start, end = teller.backend.events
    assert [start["eventType"], end["eventType"]] == ["START", "FAIL"]
    assert start["job"]["name"] == end["job"]["name"] == "build"
    assert "the run ended" in end["run"]["facets"]["errorMessage"]["message"]


@pytest.mark.parametrize("is_told_between", [True, False])
def test_a_run_that_was_failed_and_lived_on_ends_anew_and_does_not_start_anew(
    teller: Teller, is_told_between: bool
) -> None:
    def fail_and_live_on() -> None:
        (run,) = teller.instance.get_runs()
        teller.instance.report_run_failed(run, "the run worker is gone")  # as monitoring does
        if is_told_between:
            teller.tick()

    teller.build(CHART, does=fail_and_live_on)
    teller.tick()
    job = "__ephemeral_asset_job__"
    starts = [f"START {job}", "START shop.users.chart"]
    ends = ["COMPLETE shop.users.chart", f"COMPLETE {job}"]
    failed = ["FAIL shop.users.chart", f"FAIL {job}"] if is_told_between else []
    assert teller.backend.taken() == [*starts, *failed, *ends]
    assert teller.tick() == "nothing new"


def test_a_run_that_ends_anew_while_its_first_end_is_told_loses_nothing(teller: Teller) -> None:
    def fail_and_live_on() -> None:
        (run,) = teller.instance.get_runs()
        teller.instance.report_run_failed(run, "the run worker is gone")
        teller.backend.misbehave("FAIL __", Answer(503), times=1000)
        teller.tick()
        teller.backend.behave()

    teller.build(CHART, does=fail_and_live_on)
    teller.tick()
    assert teller.backend.taken()[-2:] == [
        "COMPLETE shop.users.chart",
        "COMPLETE __ephemeral_asset_job__",
    ]
    assert teller.cursor.ends == {}


def test_a_sync_outside_of_a_run_is_told_and_has_one_id_however_often(teller: Teller) -> None:
    metadata = {"atlas/job_id": 7, "atlas/duration_seconds": 60.0}
    for _ in range(2):
        teller.daemon.report(dg.AssetMaterialization(LEADS, metadata=metadata))
    failed = {"atlas/job_id": 8, "atlas/status": "failed", "atlas/failure": "no 'secret' left"}
    teller.daemon.report(dg.AssetObservation(LEADS, metadata=failed))
    teller.daemon.report(dg.AssetMaterialization("theirs"))
    assert teller.tick() == "6 events sent"
    events = teller.events("crm.leads.sync")
    assert [event["eventType"] for event in events] == [
        *("START", "COMPLETE", "START", "COMPLETE", "START", "FAIL")
    ]
    assert len({event["run"]["runId"] for event in events}) == 2
    assert events[0]["eventTime"] < events[1]["eventTime"]
    assert events[-1]["run"]["facets"]["errorMessage"]["message"] == "no … left"
    assert "parent" not in events[0]["run"]["facets"]
    assert teller.tick() == "nothing new"


def test_a_sync_that_is_told_late_has_the_times_that_it_had(teller: Teller) -> None:
    ended = datetime(2026, 11, 30, 12, tzinfo=timezone.utc)
    metadata = {
        "atlas/job_id": 7,
        "atlas/duration_seconds": 90.0,
        "atlas/ended_at": dg.MetadataValue.timestamp(ended),
    }
    teller.daemon.report(dg.AssetMaterialization(LEADS, metadata=metadata))
    failed = {**metadata, "atlas/job_id": 8, "atlas/status": "failed"}
    teller.daemon.report(dg.AssetObservation(LEADS, metadata=failed))
    teller.tick()
    times = [event["eventTime"] for event in teller.events("crm.leads.sync")]
    assert times == ["2026-11-30T11:58:30.000+00:00", "2026-11-30T12:00:00.000+00:00"] * 2


@pytest.mark.parametrize(
    "key", ["a/b/c", "theirs", "airbyte/x", "airbyte/crm/leads", "chart/shop/x"]
)
def test_other_peoples_assets_are_not_told_of(teller: Teller, key: str) -> None:
    teller.build(key)
    teller.daemon.report(dg.AssetMaterialization(key.split("/")))
    assert teller.tick() == "nothing new"
    assert teller.backend.sent == []


@pytest.mark.parametrize(
    ("partitions", "key"),
    [
        (dg.HourlyPartitionsDefinition("2026-01-01-00:00"), "2026-01-01-00:00"),
        (dg.MonthlyPartitionsDefinition("2026-01-01"), "2026-01-01"),
        (dg.StaticPartitionsDefinition(["us"]), "us"),
    ],
)
def test_other_peoples_partitions_do_not_stand_in_the_way_of_ours(
    teller: Teller, partitions: dg.PartitionsDefinition[str], key: str
) -> None:
    @dg.asset(key=["airbyte", "x"], partitions_def=partitions)
    def theirs() -> None: ...

    dg.materialize([theirs], instance=teller.instance, partition_key=key)
    teller.build(CHART)
    assert teller.tick() == "4 events sent"
    assert teller.tick() == "nothing new"


@pytest.mark.parametrize(("key", "days"), [("2026-W01-1", None), ("us", None), (DATE, DATE)])
def test_a_partition_that_is_no_day_is_none(teller: Teller, key: str, days: str | None) -> None:
    @dg.asset(key=CHART.split("/"), partitions_def=dg.StaticPartitionsDefinition([key]))
    def built() -> None: ...

    dg.materialize([built], instance=teller.instance, partition_key=key)
    assert teller.tick() == "4 events sent"
    facets = teller.events("shop.users.chart")[0]["run"]["facets"]
    nominal = facets.get("nominalTime", {"nominalStartTime": None})["nominalStartTime"]
    assert nominal == (days and f"{days}T00:00:00+00:00")


def test_syncs_of_two_airbytes_have_ids_of_their_own(
    teller: Teller, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told(connection_id: str) -> str:
        metadata = {"atlas/job_id": 7, "atlas/connection_id": connection_id}
        teller.daemon.report(dg.AssetMaterialization(LEADS, metadata=metadata))
        teller.tick()
        return teller.backend.events[-1]["run"]["runId"]

    ids = [told("c-1"), told("c-2")]
    assert told("c-1") == ids[0]
    monkeypatch.setenv("OPENLINEAGE_NAMESPACE", "staging")
    assert len({*ids, told("c-1")}) == 3


@pytest.mark.parametrize(
    "trouble", [Answer(500), Answer(503), Answer(401), Answer(429), Answer(hangs=True)]
)
def test_a_backend_that_takes_nothing_loses_nothing_and_is_told_of_in_one_line(
    teller: Teller, trouble: Answer
) -> None:
    teller.build(CHART)
    teller.backend.misbehave(".", trouble, times=1000)
    said = teller.tick()
    assert said is not None
    assert said.startswith("the backend has not taken events since 20")
    assert said.endswith("; 4 events wait")
    since = teller.cursor.since
    teller.build("explore/shop/users")
    said = teller.tick()
    assert said is not None
    assert said.endswith("; 8 events wait")
    assert teller.cursor.since == since
    teller.backend.behave()
    assert teller.tick() == "8 events sent"
    assert teller.tick() == "nothing new"
    assert teller.cursor.since is None
    assert teller.cursor.waiting == {}
    assert len(set(teller.backend.taken())) == 6


def test_a_backend_that_goes_in_the_middle_of_a_run_is_not_told_twice(teller: Teller) -> None:
    teller.build(CHART)
    teller.backend.misbehave("COMPLETE", Answer(hangs=True), times=1000)
    said = teller.tick()
    assert said is not None
    assert said.startswith("2 events sent; the backend has not taken events since")
    assert said.endswith("it did not answer in time; 2 events wait")
    teller.backend.behave()
    assert teller.tick() == "2 events sent"
    assert len(teller.backend.taken()) == len(set(teller.backend.taken())) == 4


def test_an_event_that_is_refused_does_not_block_the_next_and_its_reason_is_said(
    teller: Teller,
) -> None:
    teller.backend.misbehave("START shop.users.chart", Answer(422, b"no such job"))
    teller.build(CHART)
    assert teller.tick() == (
        "3 events sent; 1 event refused: START of shop.users.chart: it answered 422: no such job"
    )
    assert teller.tick() == "nothing new"


def test_a_tick_that_is_cut_off_before_dagster_saves_it_sends_the_same_again(
    teller: Teller,
) -> None:
    teller.build(CHART)
    teller.daemon.evaluate()
    teller.tick()
    for name in ("START shop.users.chart", "COMPLETE shop.users.chart"):
        first, again = [e for e in teller.backend.events if name.endswith(e["job"]["name"])][::2]
        assert first["run"]["runId"] == again["run"]["runId"]
        assert first == again


def test_a_tick_without_time_goes_on_where_it_was(
    teller: Teller, monkeypatch: pytest.MonkeyPatch
) -> None:
    teller.build(CHART, "explore/shop/users")
    monkeypatch.setattr(openlineage_sensor, "BUDGET_SECONDS", -1.0)
    assert teller.tick() == "the next tick goes on"
    monkeypatch.setattr(openlineage_sensor, "BUDGET_SECONDS", 40.0)
    assert teller.tick() == "6 events sent"


def test_what_waited_too_long_is_given_up_with_a_line_and_the_rest_is_sent(
    teller: Teller, monkeypatch: pytest.MonkeyPatch
) -> None:
    teller.build(CHART)
    teller.tick()
    teller.build(CHART)
    now = time.time()
    eight = openlineage_sensor.KEPT_DAYS + 1
    monkeypatch.setattr(openlineage_sensor, "settled", lambda: now + eight * DAY)
    said = teller.tick()
    assert said is not None
    assert said.startswith("1 run is given up: ended before 20")
    assert len(teller.backend.events) == 4
    assert teller.tick() == "nothing new"


def test_without_a_cursor_what_is_too_old_is_left_out(
    teller: Teller, monkeypatch: pytest.MonkeyPatch
) -> None:
    teller.build(CHART)
    now = time.time()
    monkeypatch.setattr(openlineage_sensor, "settled", lambda: now + 9 * DAY)
    assert teller.tick() == "nothing new"


def test_a_run_that_was_deleted_while_it_worked_is_forgotten(teller: Teller) -> None:
    teller.daemon.cursor = msgspec.json.encode(OpenLineageCursor(runs={"gone": (5, 0)})).decode()
    assert teller.tick() == "nothing new"
    assert teller.cursor.runs == {}


def test_a_mistake_in_the_configuration_is_said_and_nothing_is_lost(
    teller: Teller, monkeypatch: pytest.MonkeyPatch
) -> None:
    teller.build(CHART)
    monkeypatch.setenv("OPENLINEAGE_CONFIG", "/nowhere.yml")
    said = teller.tick()
    assert said is not None
    assert said.startswith("OPENLINEAGE_CONFIG: there is no file /nowhere.yml")
    monkeypatch.delenv("OPENLINEAGE_CONFIG")
    assert teller.tick() == "4 events sent"


def test_the_sensor_is_off_where_nothing_is_configured(
    teller: Teller, monkeypatch: pytest.MonkeyPatch
) -> None:
    sensor = build_code_location().resolve_sensor_def("openlineage")
    assert sensor.default_status is dg.DefaultSensorStatus.RUNNING
    monkeypatch.setenv("OPENLINEAGE_DISABLED", "true")
    sensor = build_code_location().resolve_sensor_def("openlineage")
    assert sensor.default_status is dg.DefaultSensorStatus.STOPPED
    assert teller.tick() == openlineage_sensor.NOT_CONFIGURED


def test_an_event_that_breaks_the_backend_does_not_stand_in_the_way_for_ever(
    teller: Teller,
) -> None:
    teller.build(CHART)
    teller.backend.misbehave("COMPLETE shop.users.chart", Answer(500), times=1000)
    said = [teller.tick() for _ in range(5)]
    assert said[0] is not None
    assert said[0].startswith("2 events sent; the backend has not taken events")
    assert said[-1] == (
        "1 event sent; 1 event refused: COMPLETE of shop.users.chart: it answered 500, 5 times,"
        " and others pass"
    )
