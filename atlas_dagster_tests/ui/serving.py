"""Dagster's UI of a project, as `atlas dev` serves it."""

from __future__ import annotations

import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from atlas_dagster_tests.integration.processes import running, until
from atlas_dagster_tests.integration.project import REPOSITORY, Project
from atlas_dagster_tests.ports import free_port


@contextmanager
def serving(project: Project) -> Iterator[str]:
    """The URL of the UI, with its daemon, for the length of a block."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with running(project, *_atlas("dev", "-p", str(port)), log="dev.log"):
        until(lambda: _answers(f"{url}/server_info"), project)
        yield url


def run_atlas(project: Project, *arguments: str) -> None:
    """Run `atlas …` in the project's directory, to its end."""
    environment = {"PYTHONPATH": str(REPOSITORY), **project.environment}
    subprocess.run(_atlas(*arguments), cwd=project.root, env=environment, check=True)


def _atlas(*arguments: str) -> list[str]:
    return [sys.executable, "-W", "ignore", "-c", _MAIN, *arguments]


_MAIN = "from atlas_dagster.cli import main; main()"


def _answers(url: str) -> bool:
    with suppress(urllib.error.URLError, OSError), urllib.request.urlopen(url, timeout=5):
        return True
    return False
