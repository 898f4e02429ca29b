"""The services of docker-compose.yml, run by their own commands in what the Dockerfile builds.

No Docker engine takes part: each service is a process of this machine with the environment that its
container would have, and only that.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from atlas_dagster_tests.airbyte.scripted import USERS
from atlas_dagster_tests.deploy import compose
from atlas_dagster_tests.deploy.containers import Containers, read_env
from atlas_dagster_tests.deploy.graphql import Webserver
from atlas_dagster_tests.deploy.image import Image
from atlas_dagster_tests.deploy.test_documentation import commands
from atlas_dagster_tests.integration.processes import until
from atlas_dagster_tests.integration.project import REPOSITORY, Project, day, user

pytestmark = pytest.mark.slow

LASTING = ("code", "webserver", "daemon", "webhook", "viewer", "metrics", "qalita-sandbox")
TOKEN = "a-token-of-the-tests"


@pytest.fixture
def containers(tmp_path: Path, empty_database_url: str, image: Image) -> Iterator[Containers]:
    """The services over a fresh database, with the .env of an operator."""
    clone, app = tmp_path / "clone", tmp_path / "app"
    clone.mkdir()
    env = clone / ".env"
    env.write_text(
        f"POSTGRES_PASSWORD=unused\nATLAS_WEBHOOK_TOKEN={TOKEN}\n"
        f"ATLAS_WAREHOUSE_URL={empty_database_url}\nATLAS_DATA_DIR=/not/in/a/container\n"
    )
    services = compose.services(REPOSITORY / "docker-compose.yml", read_env(env))
    containers = Containers(Project(app, empty_database_url), image, clone, services)
    image.fill(containers.place)
    try:
        yield containers
    finally:
        containers.kill()


def test_the_services_start_run_a_job_and_stop(containers: Containers) -> None:
    project = containers.project
    faker = project.with_connection("faker", USERS)
    faker.say(user(1, "Anna", day()))

    assert "the warehouse is up to date" in containers.complete("migrate")
    containers.start(*LASTING)

    webserver = Webserver(containers.url("webserver"))
    launched = webserver.launch("faker", day())
    assert launched["__typename"] == "LaunchRunSuccess", launched
    run_id = launched["run"]["runId"]
    until(lambda: webserver.status(run_id) in ("SUCCESS", "FAILURE"), project)
    assert webserver.status(run_id) == "SUCCESS"
    assert project.rows("select name from navigate.faker__users") == [("Anna",)]
    assert any("faker" in (log["stderr"] or "") for log in webserver.logs(run_id))

    viewer = Webserver(containers.url("viewer"))
    assert viewer.status(run_id) == "SUCCESS"
    assert viewer.launch("faker", day())["__typename"] == "UnauthorizedError"

    metrics = httpx.get(f"{containers.url('metrics')}/metrics").text
    assert "atlas_" in metrics

    webhook = f"{containers.url('webhook')}/airbyte/webhook"
    assert httpx.post(f"{webhook}/{TOKEN}", json={"text": "hello"}).status_code in (200, 422)
    assert httpx.post(f"{webhook}/wrong", json={}).status_code == 403

    for service, command in documented_commands():
        done = containers.run(service, command)
        assert done.returncode == 0, done.stdout

    for service in reversed(LASTING):
        containers.stop(service)


def documented_commands() -> Iterator[tuple[str, list[str]]]:
    """What docs/deployment.md runs in our containers: the service, and the command in it."""
    for line in commands():
        if line.startswith("docker compose exec ") and " -T postgres " not in line:
            service, *command = shlex.split(line)[3:]
            yield service, command
