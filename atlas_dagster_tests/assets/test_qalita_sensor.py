"""The sensor `qalita` after real runs: what they did is at QALITA, each once."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import dagster as dg
import pytest

from atlas_dagster.assets import qalita_sensor, run_ends
from atlas_dagster.defs.code_location import build_code_location
from atlas_dagster.qalita.deliveries import replay
from atlas_dagster.qalita.sandbox.wire import detail
from atlas_dagster.warehouse import PgConnection
from atlas_dagster_tests.airbyte.scripted import USERS, table
from atlas_dagster_tests.assets.daemon import Daemon
from atlas_dagster_tests.integration.project import Project, ScriptedConnector, day, user
from atlas_dagster_tests.qalita.publishing import published, settle, states
from atlas_dagster_tests.qalita.support import add_target
from atlas_dagster_tests.qalita_server.double import API_TOKEN, QalitaDouble
from atlas_dagster_tests.qalita_server.wire import BUSY, Lose

pytestmark = pytest.mark.slow

TODAY = day()
CHECK = dg.AssetCheckKey(dg.AssetKey(["qalita", "shop"]), "deliveries")


@dataclass
class Publisher:
    """Runs of a project, and ticks of the sensor after them."""

    project: Project
    daemon: Daemon
    double: QalitaDouble

    def run(self, job: str, partition: str | None = TODAY) -> dg.ExecuteInProcessResult:
        return (
            build_code_location()
            .resolve_job_def(job)
            .execute_in_process(
                instance=self.daemon.instance, partition_key=partition, raise_on_error=False
            )
        )

    def map(self, **content: Any) -> None:
        (self.project.root / "config" / "qalita.json").write_text(json.dumps(content))

    def tick(self) -> str | None:
        """A tick from beginning to end; returns what it says."""
        return self.daemon.tick().skip_message

    def jobs(self) -> list[tuple[str, str]]:
        rows = self.double.ledger.rows("jobs")
        return [(row["name"].rsplit(" ", 1)[0], row["status"]) for row in rows]

    def metrics(self) -> dict[str, dict[str, str]]:
        """The values by scope and key."""
        found: dict[str, dict[str, str]] = {}
        for row in self.double.ledger.rows("metrics"):
            found.setdefault(row["scope"].get("value", ""), {})[row["key"]] = row["value"]
        return found


@pytest.fixture(autouse=True)
def _environment(qalita_server: QalitaDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_ends, "SETTLE_SECONDS", 0.0)
    monkeypatch.setenv("QALITA_BASE_URL", qalita_server.url)
    monkeypatch.setenv("QALITA_API_TOKEN", API_TOKEN)
    add_target(qalita_server, "warehouse")


@pytest.fixture
def users(project: Project) -> ScriptedConnector:
    connector = project.with_connection("shop", USERS)
    connector.say(user(1, "Anna", TODAY), user(2, "Ben", TODAY))
    return connector


@pytest.fixture
def publisher(
    project: Project,
    instance: dg.DagsterInstance,
    users: ScriptedConnector,
    qalita_server: QalitaDouble,
) -> Publisher:
    publisher = Publisher(project, Daemon(instance, "qalita"), qalita_server)
    publisher.map(default={"source_id": 1, "pack_id": 1})
    return publisher


def test_a_run_is_a_job_of_its_sync_and_one_of_its_layers(publisher: Publisher) -> None:
    assert publisher.run("shop").success
    assert publisher.tick() == "deliveries: 2 written, 2 sent"
    assert publisher.jobs() == [
        ("shop/users sync", "succeeded"),
        ("shop/users layers", "succeeded"),
    ]
    metrics = publisher.metrics()
    landing = metrics["landing_shop__users"]
    assert (landing["records_emitted"], landing["status"], landing["run_success"]) == (
        "2",
        "succeeded",
        "1",
    )
    assert metrics["explore_shop__users"]["row_count"] == "2"
    assert metrics["chart_shop__users"]["row_count"] == "2"
    assert metrics["navigate_shop__users"]["current_rows"] == "2"
    assert float(metrics["chart_shop__users"]["quality_coverage"]) > 0
    assert int(metrics["chart_shop__users"]["check_passed"]) > 1
    assert float(metrics["navigate_shop__users"]["freshness_hours"]) >= 0
    assert metrics["chart_shop__users.name"] == {"column_type": "varchar", "type": "Text"}
    tables = [
        row["value"] for row in publisher.double.ledger.rows("schemas") if row["key"] == "table"
    ]
    assert tables == [f"{name}_shop__users" for name in ("landing", "explore", "chart", "navigate")]
    assert publisher.tick() == "nothing new"
    assert len(publisher.jobs()) == 2


def test_schemas_are_sent_where_they_changed(
    publisher: Publisher, users: ScriptedConnector
) -> None:
    for _ in range(2):
        publisher.run("shop_sync", None)
        publisher.tick()
    assert publisher.double.count("schemas/upload") == 1
    users.catalog(table("users", {"id": {"type": "integer"}, "age": {"type": "integer"}}))
    publisher.run("shop_sync", None)
    publisher.tick()
    assert len(publisher.jobs()) == 3
    assert publisher.double.count("schemas/upload") == 2
    columns = [row["value"] for row in publisher.double.ledger.rows("schemas")]
    assert columns[-2:] == ["landing_shop__users.id", "landing_shop__users.age"]


def test_a_stream_with_a_source_of_its_own_tells_of_the_source(publisher: Publisher) -> None:
    entry = {"source_id": 1, "pack_id": 1}
    publisher.map(connection_map={"shop/users": entry}, content="adapter")
    publisher.run("shop_sync", None)
    publisher.tick()
    metrics = publisher.metrics()
    assert metrics["warehouse"]["records_emitted"] == "2"
    assert metrics["warehouse"]["run_success"] == "1"
    assert metrics[""]["records_emitted"] == "2", "the adapter's form"
    keys = [row["key"] for row in publisher.double.ledger.rows("schemas")]
    assert keys[-2:] == ["users.id", "users.name"]


def test_a_failed_sync_is_a_failed_job_with_its_reason_and_no_layer_run(
    publisher: Publisher, users: ScriptedConnector
) -> None:
    users.say(user(1, "Anna", TODAY), {"exit": 1})
    assert not publisher.run("shop").success
    assert publisher.tick() == "deliveries: 1 written, 1 sent"
    assert publisher.jobs() == [("shop/users sync", "failed")]
    (job,) = publisher.double.ledger.rows("jobs")
    assert "exit" in job["error_message"]
    assert "of Dagster" in job["error_message"]
    assert publisher.metrics()["landing_shop__users"]["run_success"] == "0"


def test_a_cancelled_run_is_a_killed_job(publisher: Publisher) -> None:
    instance = publisher.daemon.instance
    run = instance.create_run_for_job(
        build_code_location().resolve_job_def("shop_layers"), tags={"dagster/partition": TODAY}
    )
    instance.report_run_canceled(run)
    publisher.tick()
    assert publisher.jobs() == [("shop/users layers", "killed")]


def test_a_sync_that_is_told_outside_of_a_run_is_published_once(publisher: Publisher) -> None:
    key = dg.AssetKey(["airbyte", "crm", "leads"])
    metadata = {"atlas/job_id": 7, "atlas/records_emitted": 3, "atlas/connection_id": "c-1"}
    for _ in range(2):
        publisher.daemon.report(dg.AssetMaterialization(key, metadata=metadata))
    failed = {"atlas/job_id": 8, "atlas/status": "cancelled"}
    publisher.daemon.report(dg.AssetObservation(key, metadata=failed))
    publisher.daemon.report(dg.AssetMaterialization("theirs"))
    publisher.tick()
    assert publisher.jobs() == [
        ("crm/leads sync job", "succeeded"),
        ("crm/leads sync job", "killed"),
    ]
    assert publisher.metrics()["landing_crm__leads"]["records_emitted"] == "3"
    assert publisher.tick() == "nothing new"


def test_without_a_mapping_deliveries_wait_with_one_message_and_go_when_there_is_one(
    publisher: Publisher,
) -> None:
    publisher.map()
    publisher.run("shop_sync", None)
    said = publisher.tick()
    assert said is not None
    assert said.startswith("deliveries: 1 written; 1 of 1 stream wait; ")
    assert "qalita.json: shop/users (20f4359e-76be-5fe2-9eb9-ec3b3f46ad55) has no entry" in said
    publisher.map(default={"source_id": 1, "pack_id": 1})
    assert publisher.tick() == "deliveries: 1 sent"


def test_a_platform_that_is_down_loses_nothing(
    publisher: Publisher, warehouse: PgConnection
) -> None:
    publisher.double.misbehave(".", BUSY, times=1000)
    publisher.run("shop_sync", None)
    said = publisher.tick()
    assert said is not None
    assert "1 of 1 stream wait; QALITA answered 503" in said
    publisher.double.behave()
    settle(warehouse)
    assert publisher.tick() == "deliveries: 1 sent"
    assert len(publisher.jobs()) == 1


def test_what_is_refused_fails_the_check_on_the_connection_until_it_is_replayed(
    publisher: Publisher, warehouse: PgConnection
) -> None:
    publisher.double.misbehave("metrics/upload", detail(422, "no such scope"))
    publisher.run("shop_sync", None)
    data = publisher.daemon.tick()
    (evaluation,) = data.asset_events
    assert isinstance(evaluation, dg.AssetCheckEvaluation)
    assert evaluation.asset_check_key == CHECK
    assert not evaluation.passed
    assert "no such scope" in (evaluation.description or "")
    assert publisher.daemon.tick().asset_events == [], "it is told once"
    replay(warehouse)
    (evaluation,) = publisher.daemon.tick().asset_events
    assert isinstance(evaluation, dg.AssetCheckEvaluation)
    assert evaluation.passed
    assert publisher.jobs() == [("shop/users sync", "succeeded")]


def test_the_check_can_be_evaluated_by_hand(publisher: Publisher, warehouse: PgConnection) -> None:
    publisher.double.misbehave("metrics/upload", detail(422, "no such scope"))
    publisher.run("shop_sync", None)
    publisher.tick()
    definitions = build_code_location()
    job = definitions.resolve_implicit_global_asset_job_def().get_subset(
        asset_check_selection={CHECK}, asset_selection=set()
    )
    result = job.execute_in_process(instance=publisher.daemon.instance)
    (evaluation,) = result.get_asset_check_evaluations()
    assert not evaluation.passed


def test_a_tick_that_is_cut_off_before_dagster_saves_it_changes_nothing(
    publisher: Publisher, warehouse: PgConnection
) -> None:
    publisher.run("shop_sync", None)
    publisher.daemon.evaluate()
    publisher.daemon.evaluate()
    assert publisher.tick() == "nothing new"
    assert len(publisher.jobs()) == 1
    assert len(published(publisher.double)) == 1
    publisher.daemon.cursor = None  # as after `Reset sensor status`
    assert publisher.tick() == "nothing new"
    assert list(states(warehouse).values()) == ["done"]


@pytest.mark.parametrize("request_line", ["jobs/create", "schemas/upload", "metrics/upload", "PUT"])
def test_a_lost_answer_doubles_nothing(
    publisher: Publisher, warehouse: PgConnection, request_line: str
) -> None:
    publisher.double.misbehave(request_line, Lose())
    publisher.run("shop_sync", None)
    publisher.tick()
    settle(warehouse)
    publisher.tick()
    assert publisher.jobs() == [("shop/users sync", "succeeded")]
    assert len(published(publisher.double)) == 1
    keys = [(row["key"], row["scope"]["value"]) for row in publisher.double.ledger.rows("metrics")]
    assert len(keys) == len(set(keys))


def test_without_a_cursor_what_is_older_than_what_is_remembered_is_left_out(
    publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(qalita_sensor, "KEPT_DAYS", 0)
    publisher.run("shop_sync", None)
    assert publisher.tick() == "nothing new"


def test_what_was_delivered_long_ago_is_forgotten(
    publisher: Publisher, warehouse: PgConnection
) -> None:
    publisher.run("shop_sync", None)
    publisher.tick()
    warehouse.execute("update pipeline.qalita_delivery set ended_at = now() - interval '31 days'")
    publisher.tick()
    assert states(warehouse) == {}


def test_other_peoples_assets_are_not_published(publisher: Publisher) -> None:
    @dg.asset(key=["a", "b", "c"])
    def theirs() -> None: ...

    assert dg.materialize([theirs], instance=publisher.daemon.instance).success
    assert publisher.tick() == "nothing new"


def test_without_a_platform_the_sensor_is_off_and_says_what_is_not_set(
    publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("QALITA_BASE_URL")
    definitions = build_code_location()
    sensor = definitions.resolve_sensor_def("qalita")
    assert sensor.default_status is dg.DefaultSensorStatus.STOPPED
    assert publisher.tick() == "QALITA_BASE_URL is not set: nothing is published"
    keys = {spec.key.path[0] for spec in definitions.resolve_all_asset_specs()}
    assert "qalita" not in keys
