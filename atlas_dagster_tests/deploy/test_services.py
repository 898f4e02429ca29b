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
from atlas_dagster_tests.webhook.bodies import HELLO

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


def test_the_image_holds_the_package_with_its_bytecode(image: Image) -> None:
    """Its file system is read-only: what is not compiled is compiled anew at each start."""
    [package] = (image.root / "atlas" / "lib").glob("python*/site-packages/atlas_dagster")
    sources = {path.relative_to(package).with_suffix("") for path in package.rglob("*.py")}
    compiled = {
        path.relative_to(package).parent.parent / path.name.split(".")[0]
        for path in package.rglob("__pycache__/*.pyc")
    }
    assert sources == compiled
    ours = REPOSITORY / "atlas_dagster"
    assert sources == {path.relative_to(ours).with_suffix("") for path in ours.rglob("*.py")}
    assert list(package.glob("migrations/*.sql"))


def test_the_services_start_run_a_job_and_stop(containers: Containers) -> None:
    faker = containers.project.with_connection("faker", USERS)
    faker.say(user(1, "Anna", day()))

    assert "the warehouse is up to date" in containers.complete("migrate")
    containers.start(*LASTING)
    run_id = expect_a_run_through_the_webserver(containers)
    expect_the_viewer_to_look_only(containers, run_id)
    expect_notices_and_metrics(containers)
    for service, command in documented_commands():
        done = containers.run(service, command)
        assert done.returncode == 0, done.stdout
    for service in reversed(LASTING):
        containers.stop(service)


def expect_a_run_through_the_webserver(containers: Containers) -> str:
    """The run reaches the layers by queue and code location, and its logs reach the UI."""
    project, webserver = containers.project, Webserver(containers.url("webserver"))
    launched = webserver.launch("faker", day())
    assert launched["__typename"] == "LaunchRunSuccess", launched
    run_id = launched["run"]["runId"]
    until(lambda: webserver.status(run_id) in ("SUCCESS", "FAILURE"), project)
    assert webserver.status(run_id) == "SUCCESS", containers.log("code")
    assert project.rows("select name from navigate.faker__users") == [("Anna",)]
    assert any("faker" in (log["stderr"] or "") for log in webserver.logs(run_id))
    return run_id


def expect_the_viewer_to_look_only(containers: Containers, run_id: str) -> None:
    viewer = Webserver(containers.url("viewer"))
    assert viewer.status(run_id) == "SUCCESS"
    assert viewer.launch("faker", day())["__typename"] == "UnauthorizedError"
    reported = httpx.post(f"{viewer.url}/report_asset_materialization/navigate/faker/users")
    assert reported.status_code == 401


def expect_notices_and_metrics(containers: Containers) -> None:
    webhook = f"{containers.url('webhook')}/airbyte/webhook"
    assert httpx.post(f"{webhook}/{TOKEN}", json={"text": HELLO}).status_code == 200
    assert httpx.post(f"{webhook}/wrong", json={}).status_code == 403
    assert "atlas_" in httpx.get(f"{containers.url('metrics')}/metrics").text


def documented_commands() -> Iterator[tuple[str, list[str]]]:
    """What docs/deployment.md runs in our containers: the service, and the command in it."""
    for line in commands():
        if line.startswith("docker compose exec ") and " -T postgres " not in line:
            service, *command = shlex.split(line)[3:]
            yield service, command
