"""docker-compose.yml, its overrides and the Dockerfile: what they promise, read from the files.

compose-spec.json is the schema of the Compose Specification (compose-spec/compose-spec, Apache-2.0:
schema/compose-spec.json), as check-jsonschema 0.39.0 brings it along.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from psycopg.conninfo import conninfo_to_dict

from atlas_dagster.settings import (
    METRICS_HOST_NAME,
    METRICS_PORT,
    METRICS_PORT_NAME,
    load_settings,
    load_webhook_settings,
)
from atlas_dagster_tests.deploy import compose, dockerfile
from atlas_dagster_tests.deploy.compose import MissingError, interpolate
from atlas_dagster_tests.integration.project import REPOSITORY

COMPOSE = REPOSITORY / "docker-compose.yml"
OWN_POSTGRES = REPOSITORY / "deploy" / "compose" / "own-postgres.yaml"
DOCKER = REPOSITORY / "deploy" / "docker" / "compose.yaml"
SECRETS = {"POSTGRES_PASSWORD": "p@ss/w:rd", "ATLAS_WEBHOOK_TOKEN": "t" * 20}
OURS = ("migrate", "code", "webserver", "daemon", "webhook", "viewer", "metrics", "qalita-sandbox")

Json = dict[str, Any]


@pytest.fixture
def services() -> dict[str, Json]:
    return compose.services(COMPOSE, SECRETS)


class TestInterpolation:
    """By https://github.com/compose-spec/compose-spec/blob/main/12-interpolation.md."""

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("$SET and ${SET}", "s and s"),
            ("${EMPTY} ${UNSET}|", " |"),
            ("${UNSET:-d} ${EMPTY:-d} ${SET:-d}", "d d s"),
            ("${UNSET-d} ${EMPTY-d}|", "d |"),
            ("${SET:+r} ${EMPTY:+r} ${EMPTY+r} ${UNSET+r}|", "r  r |"),
            ("${UNSET:-${EMPTY:-a${SET}b}}", "asb"),
            ("${SET:?no} ${EMPTY?no}|", "s |"),
            ("$$SET costs $$5", "$SET costs $5"),
        ],
    )
    def test_variables_are_put_in(self, text: str, expected: str) -> None:
        assert interpolate(text, {"SET": "s", "EMPTY": ""}) == expected

    @pytest.mark.parametrize("text", ["${UNSET?what to do}", "${EMPTY:?what to do}"])
    def test_what_must_be_set_is_said(self, text: str) -> None:
        with pytest.raises(MissingError, match="what to do"):
            interpolate(text, {"EMPTY": ""})


def test_the_files_fit_the_schema_of_the_compose_specification() -> None:
    schema = json.loads(Path(__file__).with_name("compose-spec.json").read_text())
    jsonschema.validate(compose.load(COMPOSE, SECRETS), schema)
    jsonschema.validate(compose.load(DOCKER, {**SECRETS, "DOCKER_GID": "999"}), schema)


@pytest.mark.parametrize("missing", SECRETS)
def test_nothing_starts_without_its_secrets(missing: str) -> None:
    given = {name: value for name, value in SECRETS.items() if name != missing}
    with pytest.raises(MissingError, match=f"{missing}: set it in .env, see docs/deployment.md"):
        compose.services(COMPOSE, given)


def test_ports_are_published_on_this_machine_unless_a_variable_says_otherwise(
    services: dict[str, Json],
) -> None:
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert len(ports) == 5
    assert all(port.startswith("127.0.0.1:") for port in ports)
    opened = compose.services(COMPOSE, {**SECRETS, "ATLAS_PUBLISH": "0.0.0.0"})
    assert opened["webserver"]["ports"] == ["0.0.0.0:3000:3000"]
    assert "ports" not in opened["postgres"]
    assert "ports" not in opened["code"]


@pytest.mark.parametrize("name", OURS)
def test_our_containers_can_write_nowhere_but_in_their_volumes(
    services: dict[str, Json], name: str
) -> None:
    service = services[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "/tmp" in [*service["tmpfs"], *service.get("volumes", [])]


def test_only_those_who_write_data_can(services: dict[str, Json]) -> None:
    mounts = {name: services[name].get("volumes", []) for name in OURS}
    writers = {name for name, volumes in mounts.items() if "data:/data" in volumes}
    readers = {name for name, volumes in mounts.items() if "data:/data:ro" in volumes}
    assert (writers, readers) == ({"migrate", "code"}, {"webserver", "daemon", "viewer"})


def test_all_that_last_are_checked_and_started_again(services: dict[str, Json]) -> None:
    for name, service in services.items():
        is_once = name == "migrate"
        assert service["restart"] == ("no" if is_once else "unless-stopped")
        assert ("healthcheck" in service) is not is_once


def test_tables_are_migrated_before_anybody_uses_them(services: dict[str, Json]) -> None:
    assert services["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    for name in set(OURS) - {"migrate"}:
        needed = services[name]["depends_on"]["migrate"]
        assert needed == {"condition": "service_completed_successfully"}


def test_the_database_is_reached_whatever_its_password_is(services: dict[str, Json]) -> None:
    for name in OURS:
        told = services[name]["environment"]
        assert conninfo_to_dict(told["ATLAS_WAREHOUSE_URL"]) == {
            "host": "postgres",
            "port": "5432",
            "user": services["postgres"]["environment"]["POSTGRES_USER"],
            "dbname": services["postgres"]["environment"]["POSTGRES_DB"],
        }
        assert told["PGPASSWORD"] == services["postgres"]["environment"]["POSTGRES_PASSWORD"]


def test_what_services_are_told_are_settings_that_hold(services: dict[str, Json]) -> None:
    for name in OURS:
        told = services[name]["environment"]
        in_image = "/app/config"  # where the Dockerfile copies it to
        assert told.get("ATLAS_CONFIG_DIR", in_image) == in_image
        here = {**told, "ATLAS_CONFIG_DIR": str(REPOSITORY / "config")}
        assert load_settings(here).dagster_url is None
    webhook = load_webhook_settings(services["webhook"]["environment"])
    assert (webhook.host, webhook.port, webhook.most_bytes) == ("0.0.0.0", 8010, 1_000_000)


def test_metrics_listen_where_the_service_publishes_them(services: dict[str, Json]) -> None:
    metrics = services["metrics"]
    assert metrics["environment"][METRICS_HOST_NAME] == "0.0.0.0"
    assert metrics["environment"][METRICS_PORT_NAME] == str(METRICS_PORT)
    assert metrics["ports"] == [f"127.0.0.1:{METRICS_PORT}:{METRICS_PORT}"]
    assert f"//127.0.0.1:{METRICS_PORT}/metrics" in metrics["healthcheck"]["test"][-1]


def test_metrics_tell_of_the_connections_that_runs_have(services: dict[str, Json]) -> None:
    mount = "./config:/app/config:ro"
    assert mount in services["code"]["volumes"]
    assert mount in services["metrics"]["volumes"]
    by_images = compose.services(DOCKER, {**SECRETS, "DOCKER_GID": "999"})
    assert mount not in by_images["code"]["volumes"]
    assert by_images["metrics"]["volumes"] == []  # those of the image


def test_with_a_postgres_of_ones_own_nothing_waits_for_ours() -> None:
    url = {"ATLAS_WAREHOUSE_URL": "postgresql://me@db.example.com/warehouse"}
    told = compose.services(OWN_POSTGRES, {**SECRETS, **url})
    assert told["postgres"] is None
    assert told["migrate"]["depends_on"] is None
    with pytest.raises(MissingError, match="ATLAS_WAREHOUSE_URL"):
        compose.services(OWN_POSTGRES, SECRETS)


def test_every_variable_that_compose_reads_stands_in_the_env_example() -> None:
    example = (REPOSITORY / ".env.example").read_text()
    for file in (COMPOSE, OWN_POSTGRES, DOCKER):
        for name in re.findall(r"\$\{([A-Z_]+)", file.read_text()):
            assert re.search(rf"^# {name}=", example, re.MULTILINE), f"{file.name}: {name}"


class TestImage:
    @pytest.fixture
    def stages(self) -> list[dockerfile.Stage]:
        return dockerfile.parse((REPOSITORY / "Dockerfile").read_text())

    def test_base_images_are_pinned_to_a_patch_version(
        self, stages: list[dockerfile.Stage], services: dict[str, Json]
    ) -> None:
        assert len({stage.image for stage in stages}) == 1
        assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", stages[0].image)
        assert re.fullmatch(r"postgres:18\.\d+-\w+", services["postgres"]["image"])

    def test_it_does_not_run_as_root_and_brings_nothing_to_compile_with(
        self, stages: list[dockerfile.Stage]
    ) -> None:
        assert stages[-1].all("USER") == ["10001:10001"]
        assert not any("apt-get" in text for stage in stages for text in stage.all("RUN"))

    def test_nothing_is_copied_but_what_the_context_lets_through(
        self, stages: list[dockerfile.Stage]
    ) -> None:
        ignored = (REPOSITORY / ".dockerignore").read_text().splitlines()
        allowed = {line.removeprefix("!").rstrip("/") for line in ignored if line[:1] == "!"}
        copied = {
            source
            for stage in stages
            for text in stage.all("COPY")
            if not text.startswith("--from=")
            for source in text.split()[:-1]
        }
        assert copied == allowed
        assert ignored[ignored.index("*")] == "*"
        assert ".env" not in allowed

    def test_no_secret_is_built_in(self, stages: list[dockerfile.Stage]) -> None:
        told = dockerfile.environment(stages[-1], {"PATH": ""})
        assert not [name for name in told if re.search("PASSWORD|TOKEN|SECRET|KEY|URL", name)]


def compose_command() -> list[str] | None:
    """Docker's own compose, where this machine has one."""
    if shutil.which("docker-compose"):
        return ["docker-compose"]
    known = shutil.which("docker") and subprocess.run(
        ["docker", "compose", "version"], capture_output=True, check=False
    )
    return ["docker", "compose"] if known and known.returncode == 0 else None


@pytest.mark.skipif(compose_command() is None, reason="this machine has no docker compose")
def test_docker_compose_reads_the_file_as_we_do(services: dict[str, Json], tmp_path: Path) -> None:
    env = tmp_path / "env"
    env.write_text("".join(f"{name}={value}\n" for name, value in SECRETS.items()))
    command = [*(compose_command() or []), "--env-file", str(env), "--profile", "*"]
    done = subprocess.run(
        [*command, "-f", str(COMPOSE), "config", "--format", "json", "--no-env-resolution"],
        capture_output=True,
        text=True,
        check=True,
    )
    theirs = json.loads(done.stdout)["services"]
    assert set(theirs) == set(services)
    for name, service in services.items():
        assert theirs[name].get("command") == service.get("command")
        assert theirs[name]["environment"] == service["environment"]
        health = theirs[name].get("healthcheck", {}).get("test")
        assert health == service.get("healthcheck", {}).get("test")
