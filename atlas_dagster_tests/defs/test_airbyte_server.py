"""The connections of an Airbyte server in the code location."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import dagster as dg
import msgspec
import pytest

from atlas_dagster.airbyte.refresh import fetch_workspace
from atlas_dagster.airbyte.snapshot import Snapshot, load_snapshot, save_snapshot
from atlas_dagster.defs.code_location import build_code_location
from atlas_dagster.errors import ConfigError
from atlas_dagster.settings import load_settings
from atlas_dagster_tests.airbyte.api import environment, open_api
from atlas_dagster_tests.airbyte_server.double import AirbyteDouble
from atlas_dagster_tests.airbyte_server.ledger import Ledger, stream
from atlas_dagster_tests.defs.test_code_location import LOAD, NO_WAREHOUSE, jobs, keys
from atlas_dagster_tests.integration.project import Project, connection

WORKSPACE = dg.AssetKey(["airbyte_workspace"])


@pytest.fixture
def project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, airbyte_server: AirbyteDouble
) -> Project:
    project = Project(tmp_path, NO_WAREHOUSE, environment(airbyte_server))
    for name, value in project.variables.items():
        monkeypatch.setenv(name, value)
    return project


@pytest.fixture
def ledger(airbyte_server: AirbyteDouble) -> Ledger:
    return airbyte_server.ledger


def fetch(server: AirbyteDouble, **changes: Any) -> Snapshot:
    """Put the catalog where definitions read it."""
    settings = load_settings()
    fetched = fetch_workspace(open_api(server), load_snapshot(settings), ())
    snapshot = msgspec.structs.replace(fetched, **changes)
    save_snapshot(settings, snapshot)
    return snapshot


def define() -> dg.RepositoryDefinition:
    repository = build_code_location().get_repository_def()
    repository.load_all_definitions()
    return repository


def metadata(repository: dg.RepositoryDefinition, *key: str) -> dict[str, Any]:
    found = repository.asset_graph.get(dg.AssetKey(key)).metadata
    return {name: getattr(value, "value", value) for name, value in found.items()}


def test_connections_of_the_server_stand_beside_embedded_ones(
    project: Project, airbyte_server: AirbyteDouble, ledger: Ledger
) -> None:
    project.connect({"shop": connection("x", ["users"])})
    ledger.add_connection("CRM", stream("users"), stream("orders"), prefix="p_")
    fetch(airbyte_server)
    repository = define()
    assert {"airbyte/shop/users", "airbyte/crm/users", "airbyte/crm/orders"} < keys(repository)
    node = repository.asset_graph.get(dg.AssetKey(["airbyte", "crm", "users"]))
    assert (node.group_name, node.kinds) == ("crm", {"airbyte", "postgres"})


def test_7_the_table_of_an_asset_is_the_one_that_exists(
    project: Project, airbyte_server: AirbyteDouble, ledger: Ledger
) -> None:
    ledger.add_connection(
        "crm",
        stream("Users", namespace="eu"),
        prefix="p_",
        namespace_definition="customformat",
        namespace_format="raw-${SOURCE_NAMESPACE}",
    )
    ledger.add_connection("long", stream("x" * 35), prefix="x" * 35)
    fetch(airbyte_server)
    repository = define()
    told = {
        str(m["dagster/table_name"])
        for key in repository.asset_graph.get_all_asset_keys()
        if key.path[0] == "airbyte"
        for m in [metadata(repository, *key.path)]
    }
    assert told == {"atlas.raw_eu.p_Users", f"atlas.landing.{'x' * 54}_34701312"}


def test_c_one_stream_in_two_connections_is_two_assets(
    project: Project, airbyte_server: AirbyteDouble, ledger: Ledger
) -> None:
    for name in ("crm", "shop"):
        ledger.add_connection(name, stream("users"))
    fetch(airbyte_server)
    assert {"airbyte/crm/users", "airbyte/shop/users"} < keys(define())


def test_18032_what_a_person_has_may_stand_before_what_airbyte_syncs(
    project: Project, airbyte_server: AirbyteDouble, ledger: Ledger
) -> None:
    """Issue 12261 asks for the same."""
    ledger.add_connection("crm", stream("users"))
    fetch(airbyte_server)

    @dg.asset
    def unload_of_the_crm() -> None: ...

    landed = dg.AssetKey(["airbyte", "crm", "users"])
    definitions = dg.Definitions.merge(
        build_code_location().map_resolved_asset_specs(
            func=lambda spec: spec.replace_attributes(deps=[*spec.deps, "unload_of_the_crm"]),
            selection=dg.AssetSelection.assets(landed),
        ),
        dg.Definitions(assets=[unload_of_the_crm]),
    )
    graph = definitions.get_repository_def().asset_graph
    assert graph.get(landed).parent_keys == {dg.AssetKey("unload_of_the_crm")}
    assert graph.get(dg.AssetKey(["explore", "crm", "users"])).parent_keys == {landed}


def test_loading_asks_neither_airbyte_nor_postgres(
    project: Project, airbyte_server: AirbyteDouble, ledger: Ledger
) -> None:
    ledger.add_connection("crm", stream("users"))
    fetch(airbyte_server)
    done = subprocess.run(
        [sys.executable, "-c", LOAD],
        cwd=project.root,
        env=project.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["heavy"] == []


def test_a_server_whose_catalog_was_never_fetched_is_told_to_be(
    project: Project, ledger: Ledger
) -> None:
    node = define().asset_graph.get(WORKSPACE)
    assert node.metadata["atlas/workspace_id"] == ledger.workspace_id
    assert "run `atlas refresh`" in str(node.description)


def test_32800_a_stale_catalog_serves_and_says_since_when_and_why(
    project: Project, airbyte_server: AirbyteDouble, ledger: Ledger
) -> None:
    ledger.add_connection("crm", stream("users"))
    at = datetime(2026, 1, 1, tzinfo=timezone.utc)
    fetch(airbyte_server, fetched_at=at, failure="Airbyte is not reachable")
    repository = define()
    for key in (["airbyte", "crm", "users"], ["airbyte_workspace"]):
        told = metadata(repository, *key)
        assert told["atlas/catalog_stale"] == "Airbyte is not reachable"
        assert told["atlas/catalog_fetched_at"] == at.timestamp()
    assert "Stale: Airbyte is not reachable" in str(
        repository.asset_graph.get(WORKSPACE).description
    )


def test_what_is_wrong_with_single_connections_is_told_of_the_workspace(
    project: Project, airbyte_server: AirbyteDouble, ledger: Ledger
) -> None:
    ledger.add_connection("crm", stream("users", primaryKey="id"))
    fetch(airbyte_server)
    assert "- crm: connection crm: " in metadata(define(), "airbyte_workspace")["atlas/problems"]


def test_without_a_server_there_is_no_workspace(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("REST_API_BASE_URL", "CONFIGURATION_API_BASE_URL", "WORKSPACE_ID"):
        monkeypatch.delenv(f"AIRBYTE_{name}")
    assert keys(define()) == set()


def test_an_embedded_connection_called_as_one_of_the_server_is_refused(
    project: Project, airbyte_server: AirbyteDouble, ledger: Ledger
) -> None:
    ledger.add_connection("shop", stream("users"))
    fetch(airbyte_server)
    project.connect({"shop": connection("x", ["users"])})
    with pytest.raises(ConfigError, match=r"connection shop: the Airbyte server has one"):
        define()


def test_rules_may_name_connections_of_the_server(
    project: Project, airbyte_server: AirbyteDouble, ledger: Ledger
) -> None:
    project.connect({}, crm={"streams": {"users": {"retention_days": 30}}})
    assert "explore__retention" in jobs(define())
    ledger.add_connection("CRM", stream("users"))
    fetch(airbyte_server)
    assert "explore__retention" in jobs(define())
    project.connect({}, cmr={"streams": {"users": {"retention_days": 30}}})
    with pytest.raises(ConfigError, match=r"unknown connection; did you mean crm"):
        define()


def test_a_connection_of_the_server_has_the_jobs_and_layers_of_any_other(
    project: Project, airbyte_server: AirbyteDouble, ledger: Ledger
) -> None:
    ledger.add_connection("crm", stream("users"))
    fetch(airbyte_server)
    project.connect({}, crm={"cron": "0 * * * *", "owners": ["team:data"]})
    repository = define()
    assert jobs(repository) == {"crm", "crm_sync", "crm_layers"}
    (schedule,) = repository.schedule_defs
    assert schedule.job.name == "crm"
    for layer in ("airbyte", "explore", "pii", "chart", "navigate"):
        node = repository.asset_graph.get(dg.AssetKey([layer, "crm", "users"]))
        assert node.is_executable
        assert node.owners == ["team:data"]
    assert repository.has_sensor_def("layer_runs")


@pytest.mark.parametrize("status", ["inactive", "locked"])
def test_1106_mitodl_a_paused_connection_is_shown_and_cannot_be_synced(
    project: Project, airbyte_server: AirbyteDouble, ledger: Ledger, status: str
) -> None:
    ledger.add_connection("crm", stream("users"), status=status)
    fetch(airbyte_server)
    project.connect({}, crm={"cron": "0 * * * *"})
    repository = define()
    node = repository.asset_graph.get(dg.AssetKey(["airbyte", "crm", "users"]))
    assert not node.is_executable
    assert node.metadata["atlas/status"] == status
    assert f"{status} in Airbyte: it cannot be synced" in str(node.description)
    assert jobs(repository) == {"crm_layers"}
    assert list(repository.schedule_defs) == []


def test_a_destination_that_is_not_postgres_has_no_layers_and_says_why(
    project: Project, airbyte_server: AirbyteDouble, ledger: Ledger
) -> None:
    odd = ledger.add_destination("bigquery")
    ledger.add_connection("crm", stream("users"), destination_id=odd)
    fetch(airbyte_server)
    project.connect({}, crm={"cron": "0 * * * *"})
    repository = define()
    assert keys(repository) == {"airbyte_workspace", "airbyte/crm/users"}
    told = metadata(repository, "airbyte", "crm", "users")
    assert told["atlas/layers"] == "layers need a postgres destination; this one is bigquery"
    assert "dagster/table_name" not in told
    assert jobs(repository) == {"crm", "crm_sync"}
    assert not repository.has_sensor_def("layer_runs")
    (schedule,) = repository.schedule_defs
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_schedule_context(
            instance=instance,
            repository_def=repository,
            scheduled_execution_time=datetime(2026, 1, 1, tzinfo=timezone.utc),
        )
        (request,) = schedule.evaluate_tick(context).run_requests or []
    assert request.partition_key is None


def test_a_connection_without_streams_has_nothing(
    project: Project, airbyte_server: AirbyteDouble, ledger: Ledger
) -> None:
    ledger.add_connection("crm", stream("users", selected=False))
    fetch(airbyte_server)
    repository = define()
    assert (keys(repository), jobs(repository)) == ({"airbyte_workspace"}, set())


def test_d_two_connections_of_one_name_are_two_of_everything(
    project: Project, airbyte_server: AirbyteDouble, ledger: Ledger
) -> None:
    for _ in range(2):
        ledger.add_connection("crm", stream("users"))
    fetch(airbyte_server)
    repository = define()
    assert len(keys(repository)) == 1 + 2 * 5
    assert len(jobs(repository)) == 2 * 3


@pytest.mark.parametrize("names", [["import", "config"], ["e2e/data-x y", "e2e data x y"], ["表"]])
def test_17725_any_stream_name_becomes_assets(
    project: Project, airbyte_server: AirbyteDouble, ledger: Ledger, names: list[str]
) -> None:
    ledger.add_connection("crm", *(stream(name) for name in names))
    fetch(airbyte_server)
    graph = define().asset_graph
    told = {
        str(graph.get(key).metadata["atlas/stream_name"])
        for key in graph.get_all_asset_keys()
        if key.path[0] == "airbyte"
    }
    assert told == set(names)
