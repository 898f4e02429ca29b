"""The commands of docs/deployment.md: those that need no Docker engine are run."""

from __future__ import annotations

import itertools
import shlex
import subprocess
from pathlib import Path

from atlas_dagster.settings import load_webhook_settings
from atlas_dagster_tests.deploy import compose
from atlas_dagster_tests.deploy.containers import read_env
from atlas_dagster_tests.docs import shell
from atlas_dagster_tests.docs.pages import read_page
from atlas_dagster_tests.integration.project import REPOSITORY

PAGE = read_page("docs/deployment.md")
COMPOSE = REPOSITORY / "docker-compose.yml"


def commands() -> list[str]:
    """The commands of the page, in order."""
    return [each.text for block in PAGE.blocks("sh") for each in shell.commands(block)]


def test_the_first_command_makes_an_env_file_that_compose_takes(tmp_path: Path) -> None:
    subprocess.run(["sh", "-c", commands()[0]], cwd=tmp_path, check=True)
    env = tmp_path / ".env"
    assert env.stat().st_mode & 0o777 == 0o600
    variables = read_env(env)
    services = compose.services(COMPOSE, variables)
    load_webhook_settings(services["webhook"]["environment"])
    assert len(variables["POSTGRES_PASSWORD"]) == 48


def test_the_commands_name_files_profiles_and_services_that_there_are() -> None:
    services = compose.services(COMPOSE, {"POSTGRES_PASSWORD": "p", "ATLAS_WEBHOOK_TOKEN": "t"})
    profiles = {each for service in services.values() for each in service.get("profiles", [])}
    composed = [shlex.split(line) for line in commands() if line.startswith("docker compose ")]
    assert len(composed) > 10
    for words in composed:
        for option, value in itertools.pairwise(words):
            if option == "-f":
                assert (REPOSITORY / value).is_file(), value
            if option == "--profile":
                assert value in profiles
            if option in ("restart", "stop", "logs"):
                assert value in services


def test_the_services_are_those_of_the_file_with_their_ports() -> None:
    lines = [line for line in PAGE.text.splitlines() if line.startswith("| `")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    rows = [(name.strip("`"), listens) for name, _, _, listens in cells]
    services = compose.services(COMPOSE, {"POSTGRES_PASSWORD": "p", "ATLAS_WEBHOOK_TOKEN": "t"})
    assert [name for name, _ in rows] == list(services)
    for name, listens in rows:
        published = [port.rpartition(":")[0] for port in services[name].get("ports", [])]
        assert published == ([listens] if ":" in listens else []), name
