"""The code location: what it defines, and that loading it needs nothing and changes nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import dagster as dg
import pytest

from atlas_dagster.assets.partitions import FIRST_DAY, today
from atlas_dagster.defs.code_location import build_code_location
from atlas_dagster.errors import ConfigError
from atlas_dagster_tests.integration.project import Project, connection

# Where nothing listens: loading must not try.
NO_WAREHOUSE = "postgresql://nobody@127.0.0.1:1/none"

LOAD = """
import json, socket, sys
def refuse(*arguments):
    raise OSError("the code location opened a socket")
socket.socket.connect = refuse
from atlas_dagster.definitions import defs
jobs = sorted(job.name for job in defs.get_all_jobs())
heavy = {"pandas", "presidio_analyzer", "spacy", "soda_core", "polars", "numpy", "httpx"}
print(json.dumps({"jobs": jobs, "heavy": sorted(heavy & set(sys.modules))}))
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    project = Project(tmp_path, NO_WAREHOUSE)
    for name, value in project.variables.items():
        monkeypatch.setenv(name, value)
    return project


def define(
    project: Project, connections: dict[str, list[str]], **rules: object
) -> dg.RepositoryDefinition:
    project.connect(
        {name: connection("x", streams) for name, streams in connections.items()}, **rules
    )
    repository = build_code_location().get_repository_def()
    repository.load_all_definitions()
    return repository


def jobs(repository: dg.RepositoryDefinition) -> set[str]:
    return {job.name for job in repository.get_all_jobs() if not job.name.startswith("__")}


def keys(repository: dg.RepositoryDefinition) -> set[str]:
    return {key.to_user_string() for key in repository.asset_graph.get_all_asset_keys()}


def test_it_loads_in_a_fresh_interpreter_without_network_postgres_or_heavy_imports(
    project: Project,
) -> None:
    project.connect({"shop": connection("x", ["users"])})
    before = sorted(project.root.rglob("*"))
    done = subprocess.run(
        [sys.executable, "-c", LOAD],
        cwd=project.root,
        env=project.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    loaded = json.loads(done.stdout.splitlines()[-1])
    assert loaded["heavy"] == []
    assert loaded["jobs"] == ["__ASSET_JOB", "shop", "shop_layers", "shop_sync"]
    assert sorted(project.root.rglob("*")) == before, "loading made files"


def test_a_wrong_file_gives_its_sentence_with_line_and_key(project: Project) -> None:
    project.connect({"shop": connection("x", ["users"], prefx="p_")})
    with pytest.raises(ConfigError, match=r"connections\.yaml.*prefx"):
        build_code_location()


def test_without_connections_there_is_nothing_and_no_error(project: Project) -> None:
    repository = build_code_location().get_repository_def()
    assert (jobs(repository), keys(repository)) == (set(), set())
    assert not repository.has_sensor_def("layer_runs")


def test_every_stream_has_a_sync_three_layers_and_an_inspection_in_a_chain(
    project: Project,
) -> None:
    graph = define(project, {"Shop EU": ["users", "Order-Lines"]}).asset_graph
    for stream in ("users", "order_lines"):
        sync, explore, pii, chart, navigate = (
            dg.AssetKey([layer, "shop_eu", stream])
            for layer in ("airbyte", "explore", "pii", "chart", "navigate")
        )
        assert {key: graph.get(key).parent_keys for key in (explore, pii, chart, navigate)} == {
            explore: {sync},
            pii: {explore},
            chart: {explore, pii},
            navigate: {chart},
        }
    assert len(graph.get_all_asset_keys()) == 10


def test_an_asset_tells_what_it_is(project: Project) -> None:
    repository = define(project, {"shop": ["Users"]}, shop={"owners": ["team:data"]})
    node = repository.asset_graph.get(dg.AssetKey(["chart", "shop", "users"]))
    assert node.group_name == "shop"
    assert node.kinds == {"postgres", "chart"}
    assert node.owners == ["team:data"]
    assert node.metadata["atlas/stream_name"] == "Users"
    assert node.backfill_policy == dg.BackfillPolicy.single_run()
    assert node.pools == {"layers_shop"}
    assert "shop/users" in (node.description or "")
    landed = repository.asset_graph.get(dg.AssetKey(["airbyte", "shop", "users"]))
    assert (landed.group_name, landed.pools) == ("shop", {"sync_shop"})
    assert landed.kinds == {"airbyte", "postgres"}
    assert landed.metadata["atlas/stream_name"] == "Users"


def test_the_owners_of_a_connection_own_its_sync_as_well(project: Project) -> None:
    repository = define(project, {"shop": ["users"]}, shop={"owners": ["team:data"]})
    assert {
        tuple(repository.asset_graph.get(key).owners)
        for key in repository.asset_graph.get_all_asset_keys()
    } == {("team:data",)}


def test_the_layers_are_daily_from_the_first_day_to_today_and_the_sync_is_not(
    project: Project,
) -> None:
    graph = define(project, {"shop": ["users"]}).asset_graph
    for layer in ("explore", "chart", "navigate"):
        partitions = graph.get(dg.AssetKey([layer, "shop", "users"])).partitions_def
        assert partitions is not None
        assert (partitions.get_first_partition_key(), partitions.get_last_partition_key()) == (
            FIRST_DAY,
            today(),
        )
    assert graph.get(dg.AssetKey(["airbyte", "shop", "users"])).partitions_def is None


def test_the_jobs_of_a_connection_select_its_own_assets(project: Project) -> None:
    repository = define(project, {"shop": ["users"], "shop2": ["users"]})
    layers = {f"{layer}/shop/users" for layer in ("explore", "pii", "chart", "navigate")}
    expected = {
        "shop": {"airbyte/shop/users", *layers},
        "shop_sync": {"airbyte/shop/users"},
        "shop_layers": layers,
    }
    for name, selected in expected.items():
        layer = repository.get_job(name).asset_layer
        assert {key.to_user_string() for key in layer.executable_asset_keys} == selected
    assert len(jobs(repository)) == 6


@pytest.mark.parametrize(
    "streams",
    [
        ["import", "config", "input", "None"],
        ["e2e/data-x y", "e2e data x y", "E2E.Data-X-Y"],
        ["表", "表2", "→", "😀"],
        ["a" * 300, "a" * 301],
        ["_", "__", "-"],
        ["select * from x; --", 'quote"s', "it's", "%s", "{}"],
    ],
)
def test_any_stream_name_becomes_assets(project: Project, streams: list[str]) -> None:
    repository = define(project, {"shop": streams})
    graph = repository.asset_graph
    for layer in ("airbyte", "explore", "pii", "chart", "navigate"):
        named = {
            str(graph.get(key).metadata["atlas/stream_name"])
            for key in graph.get_all_asset_keys()
            if key.path[0] == layer
        }
        assert named == set(streams)


@pytest.mark.parametrize(
    "name", ["import", "config", "input", "Type", "lambda", "2024 sales", "表", "a" * 200]
)
def test_any_connection_name_becomes_jobs(project: Project, name: str) -> None:
    repository = define(project, {name: ["users"]}, **{name: {"cron": "0 * * * *"}})
    assert len(jobs(repository)) == 3
    assert len(repository.schedule_defs) == 1


def test_a_job_name_that_dagster_refuses_gets_an_underscore(project: Project) -> None:
    repository = define(project, {"import": ["users"]})
    assert jobs(repository) == {"import_", "import_sync", "import_layers"}


def test_two_connections_may_have_streams_of_one_name(project: Project) -> None:
    repository = define(project, {"shop": ["users"], "crm": ["users"]})
    assert {"airbyte/shop/users", "airbyte/crm/users"} < keys(repository)


@pytest.mark.parametrize("name", ["faker_sync", "faker_layers", "sync_faker"])
def test_connections_whose_jobs_and_steps_would_share_a_name_are_refused(
    project: Project, name: str
) -> None:
    with pytest.raises(ConfigError, match=f"faker and {name}: both would have .* called {name};"):
        define(project, {"faker": ["users"], name: ["users"]})


@pytest.mark.parametrize("name", ["faker_schedule", "layer_runs", "explore_faker"])
def test_names_of_other_definitions_are_free_for_connections(project: Project, name: str) -> None:
    cron = {"cron": "0 * * * *"}
    repository = define(project, {"faker": ["a"], name: ["a"]}, **{"faker": cron, name: cron})
    assert len(jobs(repository)) == 6


def test_a_schedule_exists_where_a_cron_is_set(project: Project) -> None:
    rules = {"cron": "30 3 * * 1-5", "timezone": "Europe/Paris"}
    repository = define(project, {"shop": ["users"], "crm": ["users"]}, shop=rules)
    (schedule,) = repository.schedule_defs
    assert (schedule.name, schedule.job.name) == ("shop_schedule", "shop")
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("30 3 * * 1-5", "Europe/Paris")
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING


@pytest.mark.parametrize(
    ("due", "partition"),
    [
        ("2026-03-01T00:30:00+01:00", "2026-02-28"),  # the UTC day
        ("2026-03-01T23:59:59+00:00", "2026-03-01"),  # evaluated long after midnight
    ],
)
def test_a_tick_requests_a_run_of_the_day_it_was_due(
    project: Project, due: str, partition: str
) -> None:
    repository = define(project, {"shop": ["users"]}, shop={"cron": "0 * * * *"})
    (schedule,) = repository.schedule_defs
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_schedule_context(
            instance=instance,
            repository_def=repository,
            scheduled_execution_time=datetime.fromisoformat(due),
        )
        (request,) = schedule.evaluate_tick(context).run_requests or []
    assert (request.partition_key, request.run_key) == (partition, f"shop/{due}")


def test_the_sensor_runs_from_the_start(project: Project) -> None:
    repository = define(project, {"shop": ["users"]})
    sensor = repository.get_sensor_def("layer_runs")
    assert sensor.default_status is dg.DefaultSensorStatus.RUNNING
    assert {job.name for job in sensor.jobs} == {"shop_layers"}


@pytest.mark.parametrize(
    ("token", "status"),
    [
        ("", dg.DefaultSensorStatus.STOPPED),
        ("a-token-of-some-length", dg.DefaultSensorStatus.RUNNING),
    ],
)
def test_the_adapters_sensor_runs_where_a_webhook_can_tell_it_something(
    project: Project, monkeypatch: pytest.MonkeyPatch, token: str, status: dg.DefaultSensorStatus
) -> None:
    monkeypatch.setenv("ATLAS_WEBHOOK_TOKEN", token)
    repository = define(project, {"shop": ["users"]})
    assert repository.get_sensor_def("adapter_syncs").default_status is status


def test_retention_has_a_nightly_job_where_a_stream_has_a_limit(project: Project) -> None:
    repository = define(project, {"shop": ["users"]}, shop=limited("users"))
    assert jobs(repository) == {"shop", "shop_sync", "shop_layers", "explore__retention"}
    (schedule,) = repository.schedule_defs
    assert (schedule.name, schedule.job.name) == (
        "explore__retention_schedule",
        "explore__retention",
    )
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("0 3 * * *", "UTC")
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING


@pytest.mark.parametrize("name", ["retention", "explore_retention", "drop_old_versions", "drop"])
def test_names_of_retention_are_free_for_connections(project: Project, name: str) -> None:
    rules = {**limited("users"), "cron": "0 * * * *"}
    repository = define(project, {name: ["users"]}, **{name: rules})
    assert len(jobs(repository)) == 4
    assert len(repository.schedule_defs) == 2


def limited(stream: str) -> dict[str, object]:
    return {"streams": {stream: {"retention_days": 30}}}


def test_no_secret_of_the_environment_shows_in_the_resources(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ATLAS_WAREHOUSE_URL", "postgresql://me:s3cret@127.0.0.1:1/none")
    repository = define(project, {"shop": ["users"]})
    assert "s3cret" not in str(repository.get_top_level_resources())
    assert os.environ["ATLAS_WAREHOUSE_URL"] not in str(repository)
