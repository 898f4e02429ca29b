from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from atlas_dagster_tests.integration.project import Project


@pytest.fixture
def project(tmp_path: Path, warehouse_url: str, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project whose environment is this process's."""
    project = Project(tmp_path, warehouse_url)
    for name, value in project.variables.items():
        monkeypatch.setenv(name, value)
    return project


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance
