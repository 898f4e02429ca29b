"""The repository: what a run worker gets is what a code server shows, and no more than it needs."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from atlas_dagster.defs.repository import AtlasRepository, build_repository
from atlas_dagster_tests.integration.project import Project, connection

WHOLE = "__ASSET_JOB"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    project = Project(tmp_path, "postgresql://nobody@127.0.0.1:1/none")
    for name, value in project.variables.items():
        monkeypatch.setenv(name, value)
    project.connect(
        {"shop": connection("x", ["users", "orders"]), "import": connection("x", ["users"])},
        shop={"cron": "0 * * * *", "streams": {"users": {"retention_days": 30}}},
    )
    return project


@pytest.fixture
def worker(project: Project) -> AtlasRepository:
    """What a new process has loaded: nothing yet."""
    return build_repository()


@pytest.fixture
def server(project: Project) -> AtlasRepository:
    repository = build_repository()
    repository.load_all_definitions()
    return repository


def known_connections(job: dg.JobDefinition) -> set[str]:
    graph = job.asset_layer.asset_graph.source_asset_graph
    return {key.path[1] for key in graph.get_all_asset_keys()}


@pytest.mark.parametrize(
    "job", ["shop", "shop_sync", "shop_layers", "import_", "import_sync", "explore__retention"]
)
def test_a_job_is_the_same_in_a_run_worker_as_in_the_code_server(
    worker: AtlasRepository, server: AtlasRepository, job: str
) -> None:
    built = worker.get_maybe_subset_job_def(job)
    assert built.get_job_snapshot_id() == server.get_job(job).get_job_snapshot_id()


def test_a_run_worker_builds_the_connection_of_its_job_alone(worker: AtlasRepository) -> None:
    assert known_connections(worker.get_maybe_subset_job_def("shop_layers")) == {"shop"}
    assert known_connections(worker.get_job("import_")) == {"import"}


@pytest.mark.parametrize(
    ("selected", "connections"),
    [
        ([["chart", "shop", "users"]], {"shop"}),
        ([["chart", "shop", "users"], ["explore", "import", "users"]], {"shop", "import"}),
    ],
)
def test_assets_that_a_person_chose_bring_their_connections_alone(
    worker: AtlasRepository,
    server: AtlasRepository,
    selected: list[list[str]],
    connections: set[str],
) -> None:
    keys = {dg.AssetKey(path) for path in selected}
    job = worker.get_maybe_subset_job_def(WHOLE, asset_selection=keys)
    same = server.get_maybe_subset_job_def(WHOLE, asset_selection=keys)
    assert known_connections(job) == connections
    assert set(job.asset_layer.selected_asset_keys) == keys
    assert {node.name for node in job.nodes} == {node.name for node in same.nodes}


def test_a_check_that_a_person_chose_brings_its_connection_alone(worker: AtlasRepository) -> None:
    check = dg.AssetCheckKey(dg.AssetKey(["navigate", "shop", "users"]), "snapshots")
    chosen = {dg.AssetKey(["navigate", "shop", "users"])}
    job = worker.get_maybe_subset_job_def(
        WHOLE, asset_selection=chosen, asset_check_selection={check}
    )
    assert known_connections(job) == {"shop"}


def test_a_code_server_answers_from_what_it_has_loaded(server: AtlasRepository) -> None:
    assert server.get_job("shop") is server.get_maybe_subset_job_def("shop")
    assert known_connections(server.get_job(WHOLE)) == {"shop", "import"}


def test_a_job_that_there_is_not_is_named(worker: AtlasRepository) -> None:
    with pytest.raises(dg.DagsterInvariantViolationError, match="shopp"):
        worker.get_maybe_subset_job_def("shopp")


def test_schedules_and_sensors_are_there(server: AtlasRepository) -> None:
    assert server.get_schedule_def("shop_schedule").job.name == "shop"
    assert {job.name for job in server.get_sensor_def("layer_runs").jobs} == {
        "shop_layers",
        "import_layers",
    }
