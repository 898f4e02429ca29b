"""Runs in containers of their own: deploy/docker, with Dagster's launcher and Docker's client."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.launcher import LaunchRunContext, WorkerStatus
from dagster._core.origin import (
    DEFAULT_DAGSTER_ENTRY_POINT,
    JobPythonOrigin,
    RepositoryPythonOrigin,
)
from dagster_docker import DockerRunLauncher
from ruamel.yaml import YAML

from atlas_dagster.defs.code_location import build_code_location
from atlas_dagster.settings import METRICS_HOST_NAME, METRICS_PORT_NAME
from atlas_dagster_tests.airbyte.scripted import USERS
from atlas_dagster_tests.deploy import compose
from atlas_dagster_tests.deploy.containers import Containers, read_env
from atlas_dagster_tests.deploy.docker_engine import DockerEngine
from atlas_dagster_tests.deploy.image import Image
from atlas_dagster_tests.http_double import running
from atlas_dagster_tests.integration.project import MODULE, REPOSITORY, Project, day, user

COMPOSE = REPOSITORY / "docker-compose.yml"
OVERRIDE = REPOSITORY / "deploy" / "docker" / "compose.yaml"
INSTANCE = REPOSITORY / "deploy" / "docker" / "dagster.yaml"
ENV = {"POSTGRES_PASSWORD": "p", "ATLAS_WEBHOOK_TOKEN": "t" * 20, "DOCKER_GID": "999"}
IMAGE = "atlas-dagster-docker:0.1.0"


def instance_settings(file: Path) -> dict[str, Any]:
    return YAML(typ="safe").load(file.read_text())


def launcher_config() -> dict[str, Any]:
    return instance_settings(INSTANCE)["run_launcher"]["config"]


def test_only_the_launcher_differs_from_dagster_yaml() -> None:
    ours, general = instance_settings(INSTANCE), instance_settings(REPOSITORY / "dagster.yaml")
    assert ours.pop("run_launcher") != general.pop("run_launcher")
    assert ours == general


def test_runs_get_the_network_and_the_volume_of_compose() -> None:
    whole = compose.load(COMPOSE, ENV)
    config = launcher_config()
    assert config["network"] == whole["networks"]["default"]["name"]
    assert config["container_kwargs"]["volumes"] == [f"{whole['volumes']['data']['name']}:/data"]


def test_runs_are_told_all_variables_of_the_env_example_that_concern_them() -> None:
    others = {
        *("ATLAS_PROJECT_DIR", "ATLAS_CONFIG_DIR", "ATLAS_DATA_DIR"),  # of the image
        *("ATLAS_WEBHOOK_TOKEN", "ATLAS_WEBHOOK_HOST", "ATLAS_WEBHOOK_PORT"),
        *("ATLAS_WEBHOOK_MAX_BYTES", "ATLAS_DAGSTER_WEBSERVER_URL"),
        *(METRICS_HOST_NAME, METRICS_PORT_NAME),
    }
    text = (REPOSITORY / ".env.example").read_text().partition("# Docker Compose")[0]
    lines = [line.removeprefix("# ") for line in text.splitlines()]
    named = {line.partition("=")[0] for line in lines if line[:1].isupper() and "=" in line}
    assert {*launcher_config()["env_vars"]} == {"PGPASSWORD", *(named - others)}


def test_the_daemon_has_each_variable_that_the_launcher_takes_from_it() -> None:
    daemon = {
        **compose.services(COMPOSE, ENV)["daemon"]["environment"],
        **compose.services(OVERRIDE, ENV)["daemon"]["environment"],
    }
    assert set(launcher_config()["env_vars"]) <= set(daemon)


def test_every_service_is_of_the_image_that_holds_the_launcher() -> None:
    overridden = compose.services(OVERRIDE, ENV)
    for name, service in compose.services(COMPOSE, ENV).items():
        if "build" in service:
            assert overridden[name]["build"]["args"] == {"LAUNCHER": "docker"}
            assert overridden[name]["image"] == IMAGE
    assert overridden["code"]["environment"] == {"DAGSTER_CURRENT_IMAGE": IMAGE}


@pytest.mark.slow
def test_a_run_works_in_a_container_with_nothing_but_what_the_launcher_gives_it(
    tmp_path: Path, warehouse_url: str, image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = Project(tmp_path / "app", warehouse_url)
    env = tmp_path / ".env"
    env.write_text(f"POSTGRES_PASSWORD=p\nATLAS_WAREHOUSE_URL={warehouse_url}\n")
    variables = {**ENV, **read_env(env)}
    services = compose.services(COMPOSE, variables)
    services["daemon"]["environment"] |= compose.services(OVERRIDE, variables)["daemon"][
        "environment"
    ]
    containers = Containers(project, image, tmp_path, services)
    image.fill(containers.place)
    (project.root / "dagster.yaml").write_text(INSTANCE.read_text())
    project.with_connection("shop", USERS).say(user(1, "Anna", day()))
    for name, value in containers.environment("daemon").items():
        if name != "PATH":
            monkeypatch.setenv(name, value)

    def start(created: dict[str, Any]) -> subprocess.Popen[str]:
        return start_container(containers, created)

    with running(DockerEngine(start)) as engine:
        monkeypatch.setenv("DOCKER_HOST", engine.address.replace("http://", "tcp://"))
        with dg.DagsterInstance.from_config(str(project.root)) as instance:
            launcher = instance.run_launcher
            assert isinstance(launcher, DockerRunLauncher)
            run = create_run(instance, day())
            launcher.launch_run(LaunchRunContext(run, None))
            [(name, created)] = engine.created.items()
            assert launcher.check_run_worker_health(stored(instance, run)).status in (
                WorkerStatus.RUNNING,
                WorkerStatus.FAILED,  # it has ended by now, of its own accord
            )
            engine.processes[name].wait(180)
            assert stored(instance, run).status is dg.DagsterRunStatus.SUCCESS, (
                project.root / "container.log"
            ).read_text()
    assert project.rows("select name from navigate.shop__users") == [("Anna",)]
    assert created["Image"] == IMAGE
    assert created["Cmd"][:3] == ["dagster", "api", "execute_run"]
    assert warehouse_url not in " ".join(created["Cmd"])
    assert created["HostConfig"]["Binds"] == ["atlas-data:/data"]
    assert created["HostConfig"]["NetworkMode"] == "atlas"
    assert created["HostConfig"]["CapDrop"] == ["ALL"]
    assert created["HostConfig"]["AutoRemove"] is True


def start_container(containers: Containers, created: dict[str, Any]) -> subprocess.Popen[str]:
    """Start what an engine was asked for, in the image's environment and what it was given."""
    root = containers.project.root
    given = dict(pair.split("=", 1) for pair in created["Env"])
    with (root / "container.log").open("w") as sink:
        return subprocess.Popen(
            [containers.place.local(word) for word in created["Cmd"]],
            cwd=root,
            env={**image_environment(containers), **given},
            stdout=sink,
            stderr=subprocess.STDOUT,
            text=True,
        )


def image_environment(containers: Containers) -> dict[str, str]:
    return containers.image.environment(containers.place)


def create_run(instance: dg.DagsterInstance, day: str) -> dg.DagsterRun:
    """A run of the job `shop` as a code location in a container of the image describes it."""
    origin = RepositoryPythonOrigin(
        executable_path="/opt/atlas/bin/python",
        code_pointer=ModuleCodePointer(MODULE, "defs", "/app"),
        container_image=IMAGE,
        entry_point=DEFAULT_DAGSTER_ENTRY_POINT,
    )
    return instance.create_run_for_job(
        build_code_location().get_job_def("shop"),
        tags={"dagster/partition": day},
        job_code_origin=JobPythonOrigin("shop", origin),
        status=dg.DagsterRunStatus.STARTING,
    )


def stored(instance: dg.DagsterInstance, run: dg.DagsterRun) -> dg.DagsterRun:
    found = instance.get_run_by_id(run.run_id)
    assert found
    return found
